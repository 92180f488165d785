"""The 300 and 400 records of a NEM12 file into rows and values, by kernels, each record on its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.nem12_fields import field_end, is_flag, read_day_on, read_decimal, read_digits, read_flag, read_instant, read_reason
from ingest.nem12_lines import Text
from ingest.nem12_rows import FLAG_V, set_fault
from schemas.kernels import inline_kernel, kernel


@kernel()
def read_days(
    text: Text, channels: npt.NDArray[np.void], days: npt.NDArray[np.void], values: npt.NDArray[np.int64]
) -> None:  # pragma: no cover
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
        elif row.flag == FLAG_V:
            set_fault(row, 16, flag_at, 0)
        else:
            at = read_reason(text, at + 1, end, row)
            if at < 0:
                set_fault(row, 8, row.text_from, 0)
            elif at <= end:
                set_fault(row, 9, at, 0)
