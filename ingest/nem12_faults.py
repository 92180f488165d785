"""The words for everything that is wrong with a NEM12 file, from what the kernels marked."""

from __future__ import annotations

import difflib

import numpy as np
import numpy.typing as npt

from ingest.nem12_days import FaultCode
from ingest.nem12_lines import LineKind, Misplaced
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
    FaultCode.BAD_QUOTING: ("the quotes of the reason description do not pair", "one closing quote before the next comma", "quoting"),
    FaultCode.TOO_MANY_FIELDS: ("the record has fields too many", "nothing more", "field_count"),
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
    if code == FaultCode.BAD_NUMBER:
        what, must_be, slug = _WORDS[code]
        what = f"value {int(row['fault_count']) + 1} is no number"
        return Fault(where, what, field_text(text, int(row["fault_at"]), int(row["end"])), must_be, code=slug)
    what, must_be, slug = _WORDS[code]
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
        return Fault(where, "a 400 record follows a 300 whose quality is not V", "a 400", "a 300 of quality V before it", code="runs")
    what, must_be, slug = _WORDS[code]
    return Fault(where, what, field_text(text, int(row["fault_at"]), int(row["end"])), must_be, code=slug)


def misplaced_fault(text: bytes, found: Misplaced, line: npt.NDArray[np.void], where: str) -> Fault:
    """The fault of a line that stands where it may not."""
    if found.kind == LineKind.BLANK:
        return Fault(where, "a blank line before the end", "nothing", "a record; blank lines may follow the 900 only", code="blank_line")
    start, end = int(line["start"]), int(line["end"])
    if found.kind == LineKind.OTHER:
        was = field_text(text, start, end)
        near = difflib.get_close_matches(was.strip("'"), _RECORDS, n=1)
        next_step = f"did you mean {near[0]}?" if near else ""
        if was == "'250'":
            next_step = "250 records belong to NEM13 files: drop those into the folder of their own format"
        return Fault(where, "unknown record", was, "one of " + ", ".join(_RECORDS), next_step, "record_kind")
    if found.before == LineKind.START:
        return Fault(where, "the file has no header", _NAMES[found.kind], "a 100 record on the first line", code="missing_header")
    if found.before == LineKind.END:
        return Fault(where, "a record after the 900", _NAMES[found.kind], "the end of the file", _GLUED, "after_end")
    what = f"a {_NAMES[found.kind]} record cannot follow {_NAMES[found.before]}"
    return Fault(where, what, must_be=_expected(found.kind), code="record_order")


def _expected(kind: LineKind) -> str:
    return {
        LineKind.HEADER: "the first line only",
        LineKind.DAY: "after a 200 of its channel",
        LineKind.RUN: "directly after its 300 or another 400 of it",
        LineKind.VISIT: "after the 300 and 400 records it belongs to",
    }.get(kind, "after the 100")


def limited(faults: list[tuple[int, Fault]], file_name: str) -> list[Fault]:
    """Faults in the order of their lines, FAULTS_MAX at most, and how many more there are."""
    ordered = [fault for _, fault in sorted(faults, key=lambda one: one[0])]
    if len(ordered) <= FAULTS_MAX:
        return ordered
    more = Fault(file_name, f"{len(ordered) - FAULTS_MAX} more faults are not shown", code="more")
    return [*ordered[:FAULTS_MAX], more]
