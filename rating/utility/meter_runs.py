"""Dense meter values as runs: a column of ticks beside a table of (group, tariff, start, step, count), checked once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.utility.energy_kernel import COUNT_MAX, VALUE_MAX
from schemas.errors import Fault, MeterlineError


@dataclass(frozen=True, slots=True)
class MeterRuns:
    """Runs of one or several channels, sorted by group. A group shares a ladder and its peaks: a service in one period."""

    group: I32
    tariff_index: I32
    start_at: I64
    step_us: I64
    first_value: I64
    count: I32
    scale: I64  # base units (milliwatt-hours, millivar-hours) in a tick
    values: npt.NDArray[Any]  # int32 or int64 ticks
    group_start: I64  # [groups + 1] the first run of each group


def meter_runs(
    book: TariffBook,
    *,
    group: npt.ArrayLike,
    tariff_index: npt.ArrayLike,
    start_at: npt.ArrayLike,
    step_us: npt.ArrayLike,
    first_value: npt.ArrayLike,
    count: npt.ArrayLike,
    values: npt.ArrayLike,
    base_per_tick: npt.ArrayLike = 1,
) -> MeterRuns:
    """Check the columns of a batch.

    Args:
        group: i4[r], equal for neighbors that belong together. tariff_index: i4[r], -1 without a tariff.
        start_at: i8[r] microseconds UTC; step_us: i8[r] > 0; count: i4[r] steps of the run, 2**18 at most.
        first_value: i8[r], where the run's values start. values: i4[v] or i8[v] ticks, at most 2**44 base units each.
        base_per_tick: i8[r] or one number > 0, base units (milliwatt-hours) in a tick.
    Raises:
        MeterlineError: columns that do not fit together; names the row.
    """
    kinds = (np.int32, np.int32, np.int64, np.int64, np.int64, np.int32)
    given = (group, tariff_index, start_at, step_us, first_value, count)
    columns = [kernel_column(column, kind) for column, kind in zip(given, kinds, strict=True)]
    groups, tariffs, starts, steps, firsts, counts = columns
    if len({len(column) for column in columns}) != 1:
        raise MeterlineError(Fault("meter_runs", "columns of different lengths", must_be="one length"))
    held = np.asarray(values)
    ticks = kernel_column(held, np.int32 if held.dtype == np.int32 else np.int64)
    scale = kernel_column(np.broadcast_to(np.asarray(base_per_tick, dtype=np.int64), len(counts)), np.int64)
    refuse_row("tariff_index", tariffs >= len(book.tariff_ids), "no such tariff", tariffs, "an index of the book or -1")
    refuse_row("step_us", steps <= 0, "no step", steps, "more than zero")
    refuse_row("count", (counts < 0) | (counts > COUNT_MAX), "a count out of range", counts, f"0 to {COUNT_MAX}")
    refuse_row("first_value", (firsts < 0) | (firsts + counts > len(ticks)), "values missing", firsts, f"{len(ticks)} at most")
    refuse_row("base_per_tick", (scale <= 0) | (scale > VALUE_MAX), "a scale out of range", scale, f"1 to {VALUE_MAX}")
    borders = np.flatnonzero(groups[1:] != groups[:-1]) + 1
    ends = [0, len(groups)] if len(groups) else [0]
    group_start = np.concatenate([ends[:1], borders, ends[1:]]).astype(np.int64)
    return MeterRuns(groups, tariffs, starts, steps, firsts, counts, scale, ticks, group_start)
