"""Steps of metered usage placed in a tariff version: which price, which windows, which local day."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.prefix_table import compile_prefixes
from rating.compiled.timeline import Timeline, compile_timeline
from rating.compiled.winners import energy_candidates, resolve
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from schemas.zones import instant_us, moment_of, zone_table

_DAY_US = 86_400_000_000
STEP_COLUMNS = ("group", "role", "start_at", "step_us", "quantity")


def year_span(first_at: int, last_at: int) -> tuple[int, int]:
    """The whole UTC years around two instants, and a day on both sides."""
    first, last = moment_of(first_at).year, moment_of(last_at).year
    start, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last + 1, 1, 1, tzinfo=UTC)
    return instant_us(start) - _DAY_US, instant_us(end) + _DAY_US


def timeline_of(tariff: Tariff, version: TariffVersion, span: tuple[int, int]) -> Timeline:
    """The timeline of one version by itself."""
    alone = dataclasses.replace(tariff, versions=(version,))
    return compile_timeline(alone, *year_span(*span))


def price_indices(
    version: TariffVersion, prices: tuple[EnergyPrice, ...], timeline: Timeline, start_at: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """The position in `prices` that holds at each instant, by weight and start of window as for all prices; -1 for none."""
    if not prices:
        return np.full(len(start_at), -1, dtype=np.int32)
    level = np.arange(len(prices), dtype=np.int64)
    winners, _ = resolve({0: energy_candidates(prices, version, 0)}, timeline.patterns, compile_prefixes(()), level)
    of_pattern = np.maximum(winners[0], -1).astype(np.int32)
    return np.asarray(of_pattern[_patterns(timeline, start_at)], dtype=np.int32)


def in_window(
    version: TariffVersion, window: str | None, timeline: Timeline, start_at: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Whether a window holds at each instant; without a window always."""
    if window is None:
        return np.ones(len(start_at), dtype=np.bool_)
    number = [one.name for one in version.windows].index(window)
    holds = np.array([pattern.version >= 0 and pattern.ranks[number] > 0 for pattern in timeline.patterns], dtype=np.bool_)
    return holds[_patterns(timeline, start_at)]


def _patterns(timeline: Timeline, start_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    return timeline.pattern[np.searchsorted(timeline.starts_at, start_at, side="right") - 1]


def local_days(zone: str, start_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The local day of each instant as a number of days."""
    table = zone_table(zone)
    offset = table.offset_us[np.searchsorted(table.starts_at, start_at, side="right") - 1]
    return (start_at + offset) // _DAY_US


def of_role(steps: pl.DataFrame, *roles: str) -> pl.DataFrame:
    """The steps of some channels, several channels of one role at one time added up; in order of group and time."""
    chosen = steps.filter(pl.col("role").is_in(list(roles)))
    summed = chosen.group_by("group", "start_at", "step_us").agg(pl.col("quantity").sum())
    return summed.sort("group", "start_at", "step_us")
