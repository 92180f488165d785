"""NEM12 interval files into columns: one row per metering point, channel and day, checked to the last line before any is returned.

A NEM12 file is trusted whole or not at all. Dates and times in it are UTC+10 all year. A day (NMI, suffix, date) is one record that a
later file replaces whole; which version wins is decided by whoever counts, from `quality`, `updated_at` and `content_hash`.

What the reader accepts beyond the plain form, and why:
- blank lines after the 900 only: elsewhere they are where files were cut or glued;
- fields missing at the right end of a 300 or 400 (writers drop trailing commas), a byte order mark, quotes around a reason description;
- a 100 and 900 with nothing between, and a 200 without days: nothing was read, nothing is wrong;
- an empty value, stored as 0, where its interval has quality N; anywhere else it refuses the file, since empty is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.nem12_channels import Channels, header_faults, read_channels
from ingest.nem12_days import DAY, RUN, finish_days, read_days, read_runs
from ingest.nem12_faults import day_fault, limited, misplaced_fault, run_fault
from ingest.nem12_fields import CLOCK_US, NEGATIVE, NO_METHOD, OUT_OF_RANGE, US_PER_DAY
from ingest.nem12_lines import LineKind, Text, lines_of, misplaced_lines
from ingest.zip_member import MEMBER_BYTES_MAX
from schemas.errors import Fault, RefusedFileError
from schemas.quality import Quality
from schemas.reasons import Reason

_FLAG_V = ord("V")


@dataclass(frozen=True, slots=True)
class IntervalDays:
    """Days of interval usage as columns of equal length, in file order; `values` holds the intervals of all of them.

    Attributes:
        record_hi, record_lo: record id, `record_id_of([tenant_seed, UsageKind, NMI words, suffix words, date.toordinal()])`.
        content_hash: over what the day says (kind, step, values, quality runs, update time), not where it stands.
        source_offset, source_length: bytes from the 300 up to the end of its last 400, without the line end.
        metering_point_id, channel, meter_serial, unit: Arrow strings; NMI and suffix in capitals, the unit as written.
        day_on: days since 1970-01-01 of the date, in UTC+10. start_at: its midnight, microseconds UTC.
        step_s, count: seconds per interval and how many; first_value: where the day's intervals begin in `values`.
        values: int64, base units of `kind`; 0 where a value has no such form (see `status`) or is empty with quality N.
        kind: schemas.quantities.UsageKind. quantity: sum of the day's values.
        quality: schemas.quality.Quality, of the worst interval. quality_text: `A`, or `1-20:A;21-48:S14:76:Communications Fault`.
        updated_at: microseconds UTC; 0 if missing, which is the oldest.
        status: schemas.reasons.Reason: OK, NEGATIVE_QUANTITY, QUANTITY_OUT_OF_RANGE (a value with more decimals than the base unit
            holds, or too large), UNBILLED_CHANNEL (suffix is not E*), NULL_QUALITY (an interval is N), UNIT_NOT_BILLABLE.
    """

    record_hi: npt.NDArray[np.uint64]
    record_lo: npt.NDArray[np.uint64]
    content_hash: npt.NDArray[np.uint64]
    source_offset: npt.NDArray[np.int64]
    source_length: npt.NDArray[np.int32]
    metering_point_id: pa.StringArray
    channel: pa.StringArray
    meter_serial: pa.StringArray
    unit: pa.StringArray
    day_on: npt.NDArray[np.int32]
    start_at: npt.NDArray[np.int64]
    step_s: npt.NDArray[np.int32]
    count: npt.NDArray[np.int32]
    first_value: npt.NDArray[np.int64]
    values: npt.NDArray[np.int64]
    kind: npt.NDArray[np.uint8]
    quantity: npt.NDArray[np.int64]
    quality: npt.NDArray[np.uint8]
    quality_text: pa.StringArray
    updated_at: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.record_hi)


def read_nem12(text: bytes, *, file_name: str, tenant: str) -> IntervalDays:
    """All days of a NEM12 file.

    Args:
        text: the file itself, not zipped (see `ingest.zip_member`). Offsets in the result count in it.
        file_name: what to call the file in an error.
        tenant: whose file it is; part of every record id.
    Returns: IntervalDays; a record that cannot be billed is among them with its `status`.
    Raises: RefusedFileError with every fault of the file, 20 at most and the number of the rest.
    """
    if len(text) > MEMBER_BYTES_MAX:
        was, must_be = f"{len(text)} bytes", f"at most {MEMBER_BYTES_MAX} bytes"
        raise RefusedFileError(Fault(file_name, "is too large", was, must_be, "split it by metering point", "file_size"))
    reading = _Reading(text, file_name)
    channels = reading.read_channels(tenant)
    days, runs, values = _read_records(reading, channels)
    reading.note_records(channels, days, runs)
    if reading.faults:
        raise RefusedFileError(limited(reading.faults, file_name))
    return _interval_days(text, channels, days, runs, values)


class _Reading:
    """One file while it is read: its lines and what was found wrong so far."""

    def __init__(self, text: bytes, file_name: str) -> None:
        self.text = text
        self.bytes: Text = np.frombuffer(text, dtype=np.uint8)
        self.file_name = file_name
        self.lines = lines_of(self.bytes)
        self.kinds: npt.NDArray[np.uint8] = np.ascontiguousarray(self.lines["kind"])
        self.faults: list[tuple[int, Fault]] = []
        self._check_order()

    def where(self, line: int) -> str:
        return f"{self.file_name}, line {line + 1}"

    def line_text(self, line: int) -> str:
        return self.text[int(self.lines["start"][line]) : int(self.lines["end"][line])].decode("utf-8", "replace")

    def of_kind(self, kind: LineKind) -> npt.NDArray[np.int64]:
        return np.flatnonzero(self.kinds == kind)

    def _check_order(self) -> None:
        found = misplaced_lines(self.kinds)
        self.faults += [(one.line, misplaced_fault(self.text, one, self.lines[one.line], self.where(one.line))) for one in found]
        what, must_be = "a control character inside a line", "printable text"
        self.faults += [(int(line), Fault(self.where(int(line)), what, must_be=must_be, code="control_character"))
                        for line in np.flatnonzero(self.lines["has_control"])]
        for line in self.of_kind(LineKind.HEADER)[:1]:
            self.faults += [(int(line), fault) for fault in header_faults(self.line_text(line), self.where(line))]
        for line in self.of_kind(LineKind.END):
            if self.lines["end"][line] - self.lines["start"][line] != 3:
                was, must_be = repr(self.line_text(line)[:40]), "900 alone"
                self.faults.append((int(line), Fault(self.where(line), "the end record holds more", was, must_be, code="field_count")))
        filled = np.flatnonzero(self.kinds != LineKind.BLANK)
        if not filled.size:
            self.faults.append((0, Fault(self.file_name, "the file is empty", must_be="a NEM12 file from 100 to 900", code="empty_file")))
        elif self.kinds[filled[-1]] != LineKind.END:
            was, next_step = repr(self.line_text(filled[-1])[:40]), "the file seems cut off: ask for it again"
            fault = Fault(self.where(filled[-1]), "the file does not end", was, "a 900 as the last record", next_step, "missing_end")
            self.faults.append((len(self.lines), fault))

    def read_channels(self, tenant: str) -> Channels:
        at = self.of_kind(LineKind.CHANNEL)
        texts, wheres = [self.line_text(line) for line in at], [self.where(line) for line in at]
        channels, found = read_channels(texts, wheres, tenant=tenant)
        self.faults += [(int(line), fault) for line, faults in zip(at, found, strict=True) for fault in faults]
        return channels

    def note_records(self, channels: Channels, days: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> None:
        for row in days[days["fault"] != 0]:
            minutes = int(channels.rows["step_s"][row["channel"]]) // 60
            self.faults.append((int(row["line"]), day_fault(self.text, row, self.where(row["line"]), minutes)))
        for row in runs[runs["fault"] != 0]:
            count = int(days["count"][row["day"]]) if row["day"] >= 0 else 0
            self.faults.append((int(row["line"]), run_fault(self.text, row, self.where(row["line"]), count)))


def _read_records(
    reading: _Reading, channels: Channels
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.void], npt.NDArray[np.int64]]:
    """Days, runs and values by the kernels, each with its faults marked."""
    kinds, lines = reading.kinds, reading.lines
    day_lines, run_lines = reading.of_kind(LineKind.DAY), reading.of_kind(LineKind.RUN)
    days, runs = np.zeros(len(day_lines), dtype=DAY), np.zeros(len(run_lines), dtype=RUN)
    for rows, at in ((days, day_lines), (runs, run_lines)):
        rows["line"], rows["start"], rows["end"] = at, lines["start"][at], lines["end"][at]
    days["channel"] = (np.cumsum(kinds == LineKind.CHANNEL) - 1)[day_lines]
    if len(channels.rows):
        days["count"] = np.where(days["channel"] >= 0, channels.rows["count"][days["channel"]], 0)
    runs["day"] = (np.cumsum(kinds == LineKind.DAY) - 1)[run_lines]
    days["first_run"] = np.searchsorted(runs["day"], np.arange(len(days)))
    days["run_count"] = np.searchsorted(runs["day"], np.arange(len(days)), side="right") - days["first_run"]
    # A line shorter than its number of values is wrong for sure: such lines share one space, so that no file can ask for more
    # memory than it has bytes.
    room = np.where(days["end"] - days["start"] > days["count"], days["count"], 0).astype(np.int64)
    total = int(room.sum())
    days["first_value"] = np.where(room > 0, np.cumsum(room) - room, total)
    values = np.zeros(total + 1440, dtype=np.int64)
    read_days(reading.bytes, channels.rows, days, values)
    read_runs(reading.bytes, runs)
    finish_days(reading.bytes, channels.rows, days, runs, values)
    return days, runs, values[:total]


def _interval_days(
    text: bytes, channels: Channels, days: npt.NDArray[np.void], runs: npt.NDArray[np.void], values: npt.NDArray[np.int64]
) -> IntervalDays:
    channel = days["channel"]
    rows = channels.rows[channel] if len(days) else np.zeros(0, dtype=channels.rows.dtype)
    last_end = days["end"].copy()
    has_runs = days["run_count"] > 0
    last_end[has_runs] = runs["end"][(days["first_run"] + days["run_count"] - 1)[has_runs]]

    def named(texts: list[str]) -> pa.StringArray:
        return pa.array(texts, type=pa.string()).take(pa.array(channel))

    return IntervalDays(
        record_hi=days["record_hi"].copy(),
        record_lo=days["record_lo"].copy(),
        content_hash=days["content_hash"].copy(),
        source_offset=days["start"].copy(),
        source_length=(last_end - days["start"]).astype(np.int32),
        metering_point_id=named(channels.metering_point_id),
        channel=named(channels.suffix),
        meter_serial=named(channels.meter_serial),
        unit=named(channels.unit),
        day_on=days["day_on"].copy(),
        start_at=days["day_on"].astype(np.int64) * US_PER_DAY - CLOCK_US,
        step_s=rows["step_s"].copy(),
        count=days["count"].copy(),
        first_value=days["first_value"].copy(),
        values=values,
        kind=rows["kind"].copy(),
        quantity=days["quantity"].copy(),
        quality=days["worst"].copy(),
        quality_text=_quality_texts(text, days, runs),
        updated_at=days["updated_at"].copy(),
        status=_statuses(days, rows),
    )


def _statuses(days: npt.NDArray[np.void], rows: npt.NDArray[np.void]) -> npt.NDArray[np.uint8]:
    """The smallest Reason that applies to each day."""
    tests = {
        Reason.NEGATIVE_QUANTITY: (days["traits"] & NEGATIVE) != 0,
        Reason.QUANTITY_OUT_OF_RANGE: (days["traits"] & OUT_OF_RANGE) != 0,
        Reason.UNBILLED_CHANNEL: ~rows["is_billable"],
        Reason.NULL_QUALITY: days["worst"] == Quality.NULL,
        Reason.UNIT_NOT_BILLABLE: rows["decimals"] < 0,
    }
    assert list(tests) == sorted(tests), "reasons go by precedence"
    return np.select(list(tests.values()), [np.uint8(reason) for reason in tests], default=np.uint8(Reason.OK)).astype(np.uint8)


def _quality_texts(text: bytes, days: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> pa.StringArray:
    """Each different quality is written once, and days refer to it: most days of a file say the same."""
    _, sample, which = np.unique(days["quality_hash"], return_index=True, return_inverse=True)
    written = [_quality_text(text, days[index], runs) for index in sample]
    return pa.array(written, type=pa.string()).take(pa.array(which.reshape(-1)))


def _quality_text(text: bytes, day: npt.NDArray[np.void], runs: npt.NDArray[np.void]) -> str:
    """`A`, `S14:76:Communications Fault`, or runs `1-20:A;21-48:E52`; neighbors that say the same are one run."""
    if day["flag"] != _FLAG_V:
        return _run_text(text, day)
    merged: list[tuple[int, int, str]] = []
    for run in runs[day["first_run"] : day["first_run"] + day["run_count"]]:
        said = _run_text(text, run)
        first = merged.pop()[0] if merged and merged[-1][2] == said else int(run["first"])
        merged.append((first, int(run["last"]), said))
    return merged[0][2] if len(merged) == 1 else ";".join(f"{first}-{last}:{said}" for first, last, said in merged)


def _run_text(text: bytes, row: npt.NDArray[np.void]) -> str:
    method = "" if row["method"] == NO_METHOD else f"{int(row['method']):02d}"
    code = text[row["code_from"] : row["code_to"]].decode("utf-8", "replace")
    reason = text[row["text_from"] : row["text_to"]].decode("utf-8", "replace").replace('""', '"').replace(";", ",")
    return f"{chr(row['flag'])}{method}:{code}:{reason}".rstrip(":")


def to_table(days: IntervalDays) -> pa.Table:
    """The days as an Arrow table, one row a day, `values` as list<int64>; instants are timestamps in microseconds UTC."""
    instant = pa.timestamp("us", tz="UTC")
    offsets = np.append(days.first_value, len(days.values)).astype(np.int32)
    plain = ("record_hi", "record_lo", "content_hash", "source_offset", "source_length", "metering_point_id", "channel",
             "meter_serial", "unit")
    columns = {name: pa.array(getattr(days, name)) for name in plain}
    columns["day_on"] = pa.array(days.day_on).cast(pa.date32())
    columns["start_at"] = pa.array(days.start_at).cast(instant)
    columns["step_s"] = pa.array(days.step_s)
    columns["count"] = pa.array(days.count)
    columns["values"] = pa.ListArray.from_arrays(pa.array(offsets), pa.array(days.values))
    columns["kind"] = pa.array(days.kind)
    columns["quantity"] = pa.array(days.quantity)
    columns["quality"] = pa.array(days.quality)
    columns["quality_text"] = days.quality_text
    columns["updated_at"] = pa.array(days.updated_at).cast(instant)
    columns["status"] = pa.array(days.status)
    return pa.table(columns)
