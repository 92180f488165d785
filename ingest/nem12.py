"""NEM12 interval files into columns: one row per metering point, channel and day, checked to the end before any is returned.

A NEM12 file is trusted whole or not at all. Dates and times in it are UTC+10 all year. A day (NMI, suffix, date) is one record
that a later file replaces whole; which version wins is decided by whoever counts, from `quality`, `updated_at`, `content_hash`.

What the reader accepts beyond the plain form, and why:
- blank lines after the 900 only: elsewhere they are where files were cut or glued;
- fields missing at the right end of a 300 or 400 (writers drop trailing commas), a byte order mark, quotes around a reason;
- a 100 and 900 with nothing between, and a 200 without days: nothing was read, nothing is wrong;
- an empty value, stored as 0, where its interval has quality N; anywhere else it refuses the file, since empty is not zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.nem12_channels import Channels
from ingest.nem12_fields import CLOCK_US, NEGATIVE, OUT_OF_RANGE, US_PER_DAY
from ingest.nem12_lines import count_line_feeds
from ingest.nem12_reading import Nem12Reading
from ingest.nem12_texts import quality_texts
from ingest.zip_member import MEMBER_BYTES_MAX
from schemas.channels import ChannelRole
from schemas.errors import Fault, RefusedFileError
from schemas.quality import Quality
from schemas.reasons import Reason

LINES_MAX = 5_000_000  # 1 GiB of half-hour days with three decimals has fewer


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
        status: schemas.reasons.Reason: OK, NEGATIVE_QUANTITY, QUANTITY_OUT_OF_RANGE (a value with more decimals than the base
            unit holds, or too large), UNBILLED_CHANNEL (the role is not import), NULL_QUALITY (an interval is N),
            UNIT_NOT_BILLABLE. used_status: the same for a service whose tariff bills the role of the channel.
        role: schemas.channels.ChannelRole of the suffix: E import, B export, Q and K reactive import and export.
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
    used_status: npt.NDArray[np.uint8]
    role: npt.NDArray[np.uint8]

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
    line_feeds = _checked_size(text, file_name)
    reading = Nem12Reading(text, line_feeds, file_name)
    reading.check_lines()
    channels = reading.read_channels(tenant)
    days, runs, values = reading.read_records(channels)
    if reading.faults:
        raise RefusedFileError(reading.faults.reported(file_name))
    return _interval_days(text, channels, days, runs, values)


def _checked_size(text: bytes, file_name: str) -> int:
    """How many line feeds the file has; refuses what would need memory out of proportion, before any is taken."""
    was, must_be, line_feeds = f"{len(text)} bytes", f"at most {MEMBER_BYTES_MAX} bytes", 0
    if len(text) <= MEMBER_BYTES_MAX:
        line_feeds = count_line_feeds(np.frombuffer(text, dtype=np.uint8))
        was, must_be = f"{line_feeds} lines", f"at most {LINES_MAX} lines"
        if line_feeds <= LINES_MAX:
            return line_feeds
    raise RefusedFileError(Fault(file_name, "is too large", was, must_be, "split it by metering point", "file_size"))


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
        quality_text=quality_texts(text, days, runs),
        updated_at=days["updated_at"].copy(),
        status=_statuses(days, rows, rows["role"] == ChannelRole.IMPORT),
        used_status=_statuses(days, rows, rows["role"] != ChannelRole.NONE),
        role=rows["role"].copy(),
    )


def _statuses(days: npt.NDArray[np.void], rows: npt.NDArray[np.void], is_billed: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """The smallest Reason that applies to each day."""
    tests = {
        Reason.NEGATIVE_QUANTITY: (days["traits"] & NEGATIVE) != 0,
        Reason.QUANTITY_OUT_OF_RANGE: (days["traits"] & OUT_OF_RANGE) != 0,
        Reason.UNBILLED_CHANNEL: ~is_billed,
        Reason.NULL_QUALITY: days["worst"] == Quality.NULL,
        Reason.UNIT_NOT_BILLABLE: rows["decimals"] < 0,
    }
    assert list(tests) == sorted(tests), "reasons go by precedence"
    return np.select(list(tests.values()), [np.uint8(reason) for reason in tests], default=np.uint8(Reason.OK)).astype(np.uint8)


def to_table(days: IntervalDays) -> pa.Table:
    """The days as an Arrow table, one row a day, `values` as list<int64>; instants are timestamps in microseconds UTC."""
    instant = pa.timestamp("us", tz="UTC")
    offsets = np.append(days.first_value, len(days.values)).astype(np.int32)
    plain = (
        "record_hi",
        "record_lo",
        "content_hash",
        "source_offset",
        "source_length",
        "metering_point_id",
        "channel",
        "meter_serial",
        "unit",
    )
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
    columns["used_status"] = pa.array(days.used_status)
    columns["role"] = pa.array(days.role)
    return pa.table(columns)
