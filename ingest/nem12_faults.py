"""The words for everything that is wrong with a NEM12 file, from what the kernels marked."""

from __future__ import annotations

import difflib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from ingest.nem12_lines import LineKind
from ingest.nem12_rows import FaultCode
from schemas.errors import Fault

FAULTS_MAX = 20
_SHOWN_MAX = 40
_RECORDS = ("100", "200", "300", "400", "500", "550", "900")
_NAMES = {
    LineKind.START: "the start of the file",
    LineKind.HEADER: "100",
    LineKind.CHANNEL: "200",
    LineKind.DAY: "300",
    LineKind.RUN: "400",
    LineKind.VISIT: "500",
    LineKind.END: "900",
    LineKind.OTHER: "an unknown record",
    LineKind.BLANK: "a blank line",
}
_GLUED = "split the file: it seems to be several glued together"

# code -> what is wrong, what must be there, slug
_WORDS: dict[FaultCode, tuple[str, str, str]] = {
    FaultCode.BAD_DATE: ("the interval date is no calendar date", "YYYYMMDD", "date"),
    FaultCode.BAD_NUMBER: ("a value is no number", "digits with at most one decimal point", "number"),
    FaultCode.BAD_FLAG: ("the quality method cannot be read", "one of A S F N E V, alone or with two digits", "quality"),
    FaultCode.BAD_UPDATE_TIME: ("the update time is no time", "YYYYMMDDhhmmss or empty", "timestamp"),
    FaultCode.BAD_LOAD_TIME: ("the MSATS load time is no time", "YYYYMMDDhhmmss or empty", "timestamp"),
    FaultCode.BAD_QUOTING: ("the quotes around the reason do not pair", "one closing quote before the next comma", "quoting"),
    FaultCode.TOO_MANY_FIELDS: ("the record has too many fields", "nothing more", "field_count"),
    FaultCode.NO_RUNS: ("quality V says that 400 records follow, and none does", "400 records for all intervals", "runs"),
    FaultCode.BAD_RANGE: ("the interval range cannot be used", "two numbers from 1, the first not after the second", "runs"),
    FaultCode.RUN_FLAG_V: ("a 400 record cannot refer to others", "one of A S F N E", "quality"),
}


def field_text(text: bytes, at: int, end: int) -> str:
    """The field that begins at byte `at` of a line that ends at `end`, as it may be shown."""
    if at >= end:
        return "nothing"
    raw = text[at:end].split(b",", 1)[0]
    return "nothing" if not raw else repr(raw[:_SHOWN_MAX].decode("utf-8", "replace"))


def day_fault(text: bytes, row: npt.NDArray[np.void], where: str, minutes: int) -> Fault:
    """The fault of a 300 record."""
    code, count = FaultCode(int(row["fault"])), int(row["count"])
    announced = f"{count}, as the 200 says {minutes} minutes"
    if code in (FaultCode.TOO_FEW_VALUES, FaultCode.TOO_MANY_VALUES):
        return Fault(where, "wrong number of interval values", str(int(row["fault_count"])), announced, code="value_count")
    if code == FaultCode.EMPTY_VALUE:
        what = f"value {int(row['fault_count'])} is empty though its quality is not N"
        return Fault(where, what, "nothing", "a number; empty is not zero", code="number")
    what, must_be, slug = _WORDS[code]
    if code == FaultCode.BAD_NUMBER:
        what = f"value {int(row['fault_count']) + 1} is no number"
    return Fault(where, what, field_text(text, int(row["fault_at"]), int(row["end"])), must_be, code=slug)


def run_fault(text: bytes, row: npt.NDArray[np.void], where: str, count: int) -> Fault:
    """The fault of a 400 record whose day has `count` intervals."""
    code = FaultCode(int(row["fault"]))
    span = f"{int(row['first'])} to {int(row['last'])}"
    if code == FaultCode.RUN_GAP:
        must_be = f"a range from interval {int(row['fault_count'])} on, up to {count} at most"
        return Fault(where, "the 400 records leave a gap, overlap or exceed the day", span, must_be, code="runs")
    if code == FaultCode.RUNS_INCOMPLETE:
        return Fault(where, "the last 400 record of the day ends too early", span, f"up to interval {count}", code="runs")
    if code == FaultCode.RUN_UNEXPECTED:
        return Fault(
            where, "a 400 record follows a 300 whose quality is not V", "a 400", "a 300 of quality V before it", code="runs"
        )
    what, must_be, slug = _WORDS[code]
    return Fault(where, what, field_text(text, int(row["fault_at"]), int(row["end"])), must_be, code=slug)


def misplaced_fault(text: bytes, line: npt.NDArray[np.void], before: LineKind, where: str) -> Fault:
    """The fault of a line that may not stand after a record of kind `before`."""
    kind = LineKind(int(line["kind"]))
    if kind == LineKind.BLANK:
        return Fault(
            where, "a blank line before the end", must_be="a record; blank lines may follow the 900 only", code="blank_line"
        )
    if kind == LineKind.OTHER:
        return _unknown_record(field_text(text, int(line["start"]), int(line["end"])), where)
    if before == LineKind.START:
        return Fault(where, "the file has no header", _NAMES[kind], "a 100 record on the first line", code="missing_header")
    if before == LineKind.END:
        return Fault(where, "a record after the 900", _NAMES[kind], "the end of the file", _GLUED, "after_end")
    what = f"a {_NAMES[kind]} record cannot follow {_NAMES[before]}"
    return Fault(where, what, must_be=_expected(kind), code="record_order")


def _unknown_record(was: str, where: str) -> Fault:
    next_step = "250 records belong to NEM13 files: drop those into the folder of their own format" if was == "'250'" else ""
    near = difflib.get_close_matches(was.strip("'"), _RECORDS, n=1)
    if near and not next_step:
        next_step = f"did you mean {near[0]}?"
    return Fault(where, "unknown record", was, "one of " + ", ".join(_RECORDS), next_step, "record_kind")


def _expected(kind: LineKind) -> str:
    return {
        LineKind.HEADER: "the first line only",
        LineKind.DAY: "after a 200 of its channel",
        LineKind.RUN: "directly after its 300 or another 400 of it",
        LineKind.VISIT: "after the 300 and 400 records it belongs to",
    }.get(kind, "after the 100")


class FaultList:
    """The faults of one file, to be reported in the order of their lines: FAULTS_MAX at most, and how many more there are."""

    def __init__(self) -> None:
        self._faults: list[tuple[int, Fault]] = []
        self._unwritten = 0

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, line: int, fault: Fault) -> None:
        """One fault of the line with this index."""
        self._faults.append((line, fault))

    def add_each(self, lines: npt.NDArray[np.int64], fault_of: Callable[[int], Fault]) -> None:
        """`fault_of(place)` for each of the ascending `lines`, written out only as far as it can be reported."""
        for place, line in enumerate(lines[:FAULTS_MAX].tolist()):
            self.add(line, fault_of(place))
        self._unwritten += max(len(lines) - FAULTS_MAX, 0)

    def reported(self, file_name: str) -> list[Fault]:
        """What is to be shown."""
        ordered = [fault for _, fault in sorted(self._faults, key=lambda one: one[0])]
        more = len(ordered) - FAULTS_MAX + self._unwritten
        if more <= 0:
            return ordered
        return [*ordered[:FAULTS_MAX], Fault(file_name, f"{more} more faults are not shown", code="more")]
