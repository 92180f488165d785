"""Demand at given instants (the system's peaks): the power of the clock block that holds each instant."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.utility.demand_kernel import US_PER_HOUR
from rating.utility.meter_runs import MeterRuns
from schemas.errors import Fault, MeterlineError
from schemas.kernels import kernel
from schemas.zones import zone_table

_US_PER_MINUTE = 60_000_000
_MINUTES = (5, 10, 15, 20, 30, 60)


@kernel()
def _energy_between(  # type: ignore[no-untyped-def]
    place, from_at, to_at, group_start, start_at, step_us, first_value, count, scale, status, values, energy
):
    """Energy of `place[q]`'s runs in [from_at, to_at), -1 where not all of it is there in whole steps."""
    for query in range(len(place)):
        part, covered = np.int64(0), np.int64(0)
        for run in range(group_start[place[query]], group_start[place[query] + 1]):
            if status[run] != 0:
                continue
            step = step_us[run]
            low = max(-((start_at[run] - from_at[query]) // step), 0)
            high = min((to_at[query] - start_at[run]) // step, np.int64(count[run]))
            for n in range(low, high):
                part += values[first_value[run] + n] * scale[run]
                covered += step
        energy[query] = part if covered == to_at[query] - from_at[query] else -1


def demand_at(
    runs: MeterRuns, status: npt.NDArray[np.uint8], place: npt.ArrayLike, at: npt.ArrayLike, *, minutes: int, zone: str
) -> pl.DataFrame:
    """The demand of groups at instants.

    Args:
        runs: one channel for a group, not overlapping; status: u1[runs] as `supply_rows` gives it.
        place: i8[q] which group in order (0, 1, ...); at: i8[q] microseconds UTC.
        minutes: length of the block, which starts at a multiple of it on the zone's clock.
    Returns:
        [group i32, peak_milliw i64 (null where the block is incomplete), peak_at i64 start of the block], one row for each query.
    Raises:
        MeterlineError: a length that does not divide the hour.
    """
    if minutes not in _MINUTES:
        raise MeterlineError(Fault("demand_at", "the block does not divide the hour", f"{minutes} minutes", str(_MINUTES)))
    asked, instants = np.ascontiguousarray(place, dtype=np.int64), np.ascontiguousarray(at, dtype=np.int64)
    table = zone_table(zone)
    offset = table.offset_us[np.searchsorted(table.starts_at, instants, side="right") - 1]
    length = minutes * _US_PER_MINUTE
    start = instants - (instants + offset) % length
    energy = np.empty(len(asked), dtype=np.int64)
    _energy_between(
        asked, start, start + length, runs.group_start, runs.start_at, runs.step_us, runs.first_value, runs.count, runs.scale,
        status, runs.values, energy,
    )  # fmt: skip
    power = pl.Series("peak_milliw", energy * (US_PER_HOUR // length))
    return pl.DataFrame({"group": runs.group[runs.group_start[:-1][asked]], "peak_milliw": power, "peak_at": start}).with_columns(
        peak_milliw=pl.when(pl.col("peak_milliw") >= 0).then("peak_milliw")
    )
