"""The 300 and 400 records of a NEM12 file: values, quality runs, identity and content hash of each day, by kernels.

`DAY` has one row per 300 record, `RUN` one per 400 record, `CHANNEL` one per 200 record; rows point to each other by index, both
in file order. A kernel that finds a row wrong sets `fault` (a FaultCode), `fault_at` (byte) and `fault_count`, and goes on.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.nem12_fields import (
    EMPTY_VALUE,
    absorb_text,
    field_end,
    is_flag,
    quality_rank,
    read_day_on,
    read_decimal,
    read_digits,
    read_flag,
    read_instant,
    read_reason,
)
from ingest.nem12_lines import Text
from schemas.hashing import HI_MULTIPLIER, HI_SEED, LO_MULTIPLIER, absorb
from schemas.kernels import inline_kernel, kernel

_QUALITY_FIELDS = [
    ("flag", np.uint8),  # ASCII: A S F N E V
    ("method", np.uint8),
    ("code_from", np.int64),  # spans of reason code and reason description
    ("code_to", np.int64),
    ("text_from", np.int64),
    ("text_to", np.int64),
    ("fault", np.uint8),
    ("fault_at", np.int64),
    ("fault_count", np.int32),
]
DAY = np.dtype(
    [
        ("line", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("channel", np.int32),  # row in CHANNEL
        ("count", np.int32),  # values that the 200 announces; 0 when that 200 is wrong itself
        ("first_value", np.int64),
        ("first_run", np.int64),
        ("run_count", np.int32),
        ("day_on", np.int32),  # days since 1970-01-01
        ("values_from", np.int64),
        ("values_to", np.int64),
        ("updated_at", np.int64),
        ("traits", np.uint8),  # of all values together, as read_decimal says
        ("worst", np.uint8),  # Quality
        ("quantity", np.int64),
        ("quality_hash", np.uint64),
        ("content_hash", np.uint64),
        ("record_hi", np.uint64),
        ("record_lo", np.uint64),
        *_QUALITY_FIELDS,
    ],
    align=True,
)
RUN = np.dtype(
    [
        ("line", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("day", np.int32),  # row in DAY
        ("first", np.int32),  # intervals from 1, both inclusive
        ("last", np.int32),
        *_QUALITY_FIELDS,
    ],
    align=True,
)
CHANNEL = np.dtype(
    [
        ("count", np.int32),
        ("step_s", np.int32),
        ("decimals", np.int8),  # of the base unit; -1 unknown unit
        ("kind", np.uint8),  # UsageKind
        ("is_billable", np.bool_),
        ("hi", np.uint64),  # lanes of the record id before the day is absorbed
        ("lo", np.uint64),
        ("content", np.uint64),  # lane of the content hash before values are absorbed
    ],
    align=True,
)

_FLAG_N = 78
_FLAG_V = 86
_ORDINAL_OF_EPOCH = 719_163  # date(1970, 1, 1).toordinal()


class FaultCode(IntEnum):
    """What is wrong with one 300 or 400 record; `nem12_faults` has the words."""

    NONE = 0
    BAD_DATE = 1
    TOO_FEW_VALUES = 2
    TOO_MANY_VALUES = 3
    BAD_NUMBER = 4
    BAD_FLAG = 5
    BAD_UPDATE_TIME = 6
    BAD_LOAD_TIME = 7
    BAD_QUOTING = 8
    TOO_MANY_FIELDS = 9
    EMPTY_VALUE = 10
    NO_RUNS = 11
    RUNS_INCOMPLETE = 12
    RUN_GAP = 13
    RUN_UNEXPECTED = 14
    BAD_RANGE = 15
    RUN_FLAG_V = 16


@inline_kernel
def set_fault(row: Any, code: int, at: int, count: int) -> None:  # pragma: no cover
    """Mark a row as wrong."""
    row.fault = code
    row.fault_at = at
    row.fault_count = count


@kernel()
def read_days(text: Text, channels: npt.NDArray[np.void], days: npt.NDArray[np.void], values: npt.NDArray[np.int64]) -> None:  # pragma: no cover
    """Read each 300 line [start, end) of `days` whose `count` is known into the row and into `values` from `first_value` on."""
    for index in range(days.shape[0]):
        row = days[index]
        if row.count > 0:
            at = read_values(text, row, channels[row.channel].decimals, values)
            if at >= 0:
                read_day_tail(text, at, row)


@inline_kernel
def read_values(text: Text, row: Any, decimals: int, values: npt.NDArray[np.int64]) -> int:  # pragma: no cover
    """Date and values of one 300 line; returns where the quality method begins, or -1 after a fault."""
    end = row.end
    at = min(row.start + 4, end)
    to = field_end(text, at, end)
    row.day_on = read_day_on(text, at, to)
    if row.day_on < 0:
        set_fault(row, 1, at, 0)
        return -1
    at = to + 1
    row.values_from = at
    quantity = 0
    row.traits = 0
    for place in range(row.count):
        if at > end:
            set_fault(row, 2, end, place)
            return -1
        value, traits, to = read_decimal(text, at, end, decimals)
        if traits & 8:
            few = is_flag(text, at, field_end(text, at, end))
            set_fault(row, 2 if few else 4, at, place)
            return -1
        values[row.first_value + place] = value
        row.traits |= traits
        if traits & 4 == 0:
            quantity += value
        at = to + 1
    row.values_to = to
    row.quantity = quantity
    return int(at)


@inline_kernel
def read_day_tail(text: Text, at: int, row: Any) -> None:  # pragma: no cover
    """What follows the values of one 300 line: quality method, reason, update and load time."""
    end = row.end
    flag_at = at
    at = read_flag(text, at, end, row)
    if at < 0:
        extra, to = 0, flag_at - 1
        while to < end:
            _, traits, to = read_decimal(text, to + 1, end, -1)
            if traits & 12:
                break
            extra += 1
        if extra > 0 and flag_at <= end:
            set_fault(row, 3, flag_at, row.count + extra)
        else:
            set_fault(row, 5, flag_at, 0)
        return
    at = read_reason(text, at + 1, end, row)
    if at < 0:
        set_fault(row, 8, row.text_from, 0)
        return
    row.updated_at = 0
    for field in range(2):
        if at <= end:
            to = field_end(text, at, end)
            instant = read_instant(text, at, to)
            if instant < 0:
                set_fault(row, 6 + field, at, 0)
                return
            if field == 0:
                row.updated_at = instant
            at = to + 1
    if at <= end:
        set_fault(row, 9, at, 0)


@kernel()
def read_runs(text: Text, runs: npt.NDArray[np.void]) -> None:  # pragma: no cover
    """Read each 400 line [start, end) of `runs` into its row."""
    for index in range(runs.shape[0]):
        row = runs[index]
        end = row.end
        at = min(row.start + 4, end)
        to = field_end(text, at, end)
        row.first = read_digits(text, at, to)
        from_at, at = at, min(to + 1, end)
        to = field_end(text, at, end)
        row.last = read_digits(text, at, to)
        if row.first < 1 or row.last < row.first:
            set_fault(row, 15, from_at, 0)
            continue
        flag_at = to + 1
        at = read_flag(text, flag_at, end, row)
        if at < 0:
            set_fault(row, 5, flag_at, 0)
        elif row.flag == _FLAG_V:
            set_fault(row, 16, flag_at, 0)
        else:
            at = read_reason(text, at + 1, end, row)
            if at < 0:
                set_fault(row, 8, row.text_from, 0)
            elif at <= end:
                set_fault(row, 9, at, 0)


@kernel()
def finish_days(  # pragma: no cover
    text: Text,
    channels: npt.NDArray[np.void],
    days: npt.NDArray[np.void],
    runs: npt.NDArray[np.void],
    values: npt.NDArray[np.int64],
) -> None:
    """Join days with their runs: check that runs tile the day, settle empty values, find the worst quality, compute the hashes.

    Days and runs with a fault are left alone.
    """
    for index in range(days.shape[0]):
        day = days[index]
        if day.count > 0 and day.fault == 0 and runs_tile(day, runs):
            settle_empty_values(day, runs, values)
            day.quality_hash = hash_quality(text, day, runs)
            hash_day(text, channels[day.channel], day, values)


@inline_kernel
def runs_tile(day: Any, runs: npt.NDArray[np.void]) -> bool:  # pragma: no cover
    """Whether the runs of a day with flag V cover 1..count without gap or overlap, and a day with another flag has none."""
    if day.flag != _FLAG_V:
        if day.run_count > 0 and runs[day.first_run].fault == 0:
            set_fault(runs[day.first_run], 14, day.start, 0)
        day.worst = quality_rank(day.flag)
        return bool(day.run_count == 0)
    if day.run_count == 0:
        set_fault(day, 11, day.values_to + 1, 0)
        return False
    due, worst = 1, 5
    for place in range(day.first_run, day.first_run + day.run_count):
        run = runs[place]
        if run.fault != 0:
            return False
        if run.first != due or run.last > day.count:
            set_fault(run, 13, run.start, due)
            return False
        due = run.last + 1
        worst = min(worst, quality_rank(run.flag))
    if due != day.count + 1:
        set_fault(runs[day.first_run + day.run_count - 1], 12, day.start, day.count)
        return False
    day.worst = worst
    return True


@inline_kernel
def settle_empty_values(day: Any, runs: npt.NDArray[np.void], values: npt.NDArray[np.int64]) -> None:  # pragma: no cover
    """An empty value is no zero: allowed, and then stored as 0, only where the quality is null."""
    if day.traits & 4 == 0:
        return
    run = day.first_run
    for place in range(day.count):
        flag = day.flag
        if flag == _FLAG_V:
            while runs[run].last < place + 1:
                run += 1
            flag = runs[run].flag
        if values[day.first_value + place] == EMPTY_VALUE:
            values[day.first_value + place] = 0
            if flag != _FLAG_N and day.fault == 0:
                set_fault(day, 10, day.values_from, place + 1)


@inline_kernel
def same_span(text: Text, at: int, to: int, other_at: int, other_to: int) -> bool:  # pragma: no cover
    """Whether two spans hold the same bytes."""
    if to - at != other_to - other_at:
        return False
    for place in range(to - at):  # noqa: SIM110 - a kernel has no generators
        if text[at + place] != text[other_at + place]:
            return False
    return True


@inline_kernel
def same_quality(text: Text, one: Any, other: Any) -> bool:  # pragma: no cover
    """Whether two runs say the same of their intervals."""
    return bool(
        one.flag == other.flag
        and one.method == other.method
        and same_span(text, one.code_from, one.code_to, other.code_from, other.code_to)
        and same_span(text, one.text_from, one.text_to, other.text_from, other.text_to)
    )


@inline_kernel
def absorb_quality(state: np.uint64, text: Text, last: int, row: Any) -> np.uint64:  # pragma: no cover
    """One lane takes a run that ends with interval `last`."""
    word = np.uint64(last) << np.uint64(16) | np.uint64(row.flag) << np.uint64(8) | np.uint64(row.method)
    state = absorb(state, word, HI_MULTIPLIER)
    state = absorb_text(state, text, row.code_from, row.code_to)
    return absorb_text(state, text, row.text_from, row.text_to)


@inline_kernel
def hash_quality(text: Text, day: Any, runs: npt.NDArray[np.void]) -> np.uint64:  # pragma: no cover
    """Hash of the canonical runs of a day: neighbors that say the same are one, so that `A` equals `V` with `400,1,48,A`."""
    state = HI_SEED
    if day.flag != _FLAG_V:
        return absorb_quality(state, text, day.count, day)
    end = day.first_run + day.run_count
    for place in range(day.first_run, end):
        if place + 1 == end or not same_quality(text, runs[place], runs[place + 1]):
            state = absorb_quality(state, text, runs[place].last, runs[place])
    return state


@inline_kernel
def hash_day(text: Text, channel: Any, day: Any, values: npt.NDArray[np.int64]) -> None:  # pragma: no cover
    """Identity (NMI, suffix, date) and content hash (unit, step, values, quality runs, update time) of a day.

    Where a value could not be converted, the text of the values is part of the content instead of what it would have been.
    """
    ordinal = np.uint64(day.day_on + _ORDINAL_OF_EPOCH)
    day.record_hi = absorb(channel.hi, ordinal, HI_MULTIPLIER)
    day.record_lo = absorb(channel.lo, ordinal, LO_MULTIPLIER)
    state = channel.content
    for place in range(day.first_value, day.first_value + day.count):
        state = absorb(state, np.uint64(values[place]), HI_MULTIPLIER)
    if day.traits & 2 or channel.decimals < 0:
        state = absorb_text(state, text, day.values_from, day.values_to)
    state = absorb(state, day.quality_hash, HI_MULTIPLIER)
    day.content_hash = absorb(state, np.uint64(day.updated_at), HI_MULTIPLIER)
