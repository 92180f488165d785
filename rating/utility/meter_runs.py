"""Dense meter values as runs: a column of ticks beside a table of (group, tariff, start, step, count), checked once for all kernels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.utility.energy_kernel import COUNT_MAX, VALUE_MAX, check_runs
from schemas.errors import Fault, MeterlineError


@dataclass(frozen=True, slots=True)
class MeterRuns:
    """Runs of one or several channels, sorted by group; `status` and `total` [runs] are what the values themselves say.

    A group shares a ladder and its peaks: a service under one tariff in one period. Status: NO_TARIFF_FOR_SUBJECT,
    NEGATIVE_QUANTITY, QUANTITY_OUT_OF_RANGE or OK; total is in ticks, zero for refused runs.
    """

    group: I32
    tariff_index: I32
    start_at: I64
    step_us: I64
    first_value: I64
    count: I32
    scale: I64  # base units (milliwatt-hours, millivar-hours) in a tick
    values: npt.NDArray[Any]  # int32 or int64 ticks
    status: npt.NDArray[np.uint8]
    total: I64

    @property
    def group_start(self) -> I64:
        """[groups + 1] the first run of each group."""
        change = np.flatnonzero(np.diff(self.group)) + 1
        return np.concatenate([[0], change, [len(self.group)]]).astype(np.int64) if len(self.group) else np.zeros(1, np.int64)


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
    _, tariffs, _, steps, firsts, counts = columns
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
    status, total = np.empty(len(counts), dtype=np.uint8), np.empty(len(counts), dtype=np.int64)
    check_runs(tariffs, firsts, counts, VALUE_MAX // scale, ticks, status, total)
    return MeterRuns(*columns, scale, ticks, status, total)


def channel_totals(runs: MeterRuns, channel_role: str) -> pl.DataFrame:
    """[group, channel_role, quantity] in base units of the runs that are not refused; sums of kWh and kvarh alike."""
    frame = pl.DataFrame({"group": runs.group, "quantity": runs.total, "scale": runs.scale}).lazy()
    quantity = (pl.col("quantity").cast(pl.Int128) * pl.col("scale")).sum()
    totals = frame.group_by("group", maintain_order=True).agg(quantity=quantity.cast(pl.Int64))
    return totals.select("group", channel_role=pl.lit(channel_role), quantity="quantity").collect()
