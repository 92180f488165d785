"""What a month leaves to later ones: peaks, running totals of ladders, water used; and the reading of them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from rating.language.tariff import TariffVersion
from rating.language.utility_terms import TierScope
from rating.utility.bill_input import STATE_SCHEMA, BilledMonth, no_state, sums_by_group
from rating.utility.demand import BilledDemand, peaks_out
from rating.utility.exact import INT128

_KEPT_MONTHS = 36


def _ladders(version: TariffVersion, month: BilledMonth) -> Iterator[tuple[str, int, int | None]]:
    """(name, period in which the ladder began, price index or None for all energy) of every ladder that is carried.

    A ladder of one month is carried over a change of version within it, unless its bounds are prorated by each version's days.
    """
    ladder = version.supply.ladder
    began = month.ladder_start(ladder.months, ladder.first_month)
    if any(len(price.tiers) > 1 for price in version.energy) and not (ladder.prorate and ladder.months == 1):
        if ladder.scope is TierScope.PER_PERIOD or len(version.energy) == 1:
            for index, price in enumerate(version.energy):
                yield price.item, began, index
        yield "", began, None
    for add_on in version.supply.add_ons:
        yield add_on.item, month.ladder_start(add_on.months, add_on.first_month), None


def prior_ladders(version: TariffVersion, month: BilledMonth, state: pl.DataFrame) -> pl.DataFrame:
    """[group, name, value] of the ladders that are still running."""
    began = pl.DataFrame(
        [(name, start) for name, start, _ in _ladders(version, month)],
        schema={"name": pl.String, "period": pl.Int32},
        orient="row",
    )
    return (
        state.filter(pl.col("topic") == "ladder").join(began, on=["name", "period"], how="semi").select("group", "name", "value")
    )


def state_out(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, state: pl.DataFrame, energy: pl.DataFrame, total: pl.Series,
    demands: list[BilledDemand],
) -> list[pl.DataFrame]:  # fmt: skip
    """State frames of these groups but for credits and annual minimums, which their elements give."""
    recent = pl.col("period") > month.number - _KEPT_MONTHS
    found = [_highest([state.filter((pl.col("topic") == "peak") & recent), peaks_out(demands, month)])]
    prior = prior_ladders(version, month, state)
    for name, began, index in _ladders(version, month):
        used = total if index is None else sums_by_group(groups, energy.filter(pl.col("price_index") == index), "quantity")
        ran = sums_by_group(groups, prior.filter(pl.col("name") == name), "value")
        found.append(_rows(groups, "ladder", name, began, ran + used))
    if version.supply.sewage is not None:
        used_before = state.filter((pl.col("topic") == "use") & recent)
        now = used_before.filter(pl.col("period") == month.number)
        found += [
            used_before.filter(pl.col("period") != month.number).select(STATE_SCHEMA.keys()),
            _rows(groups, "use", "", month.number, total + sums_by_group(groups, now, "value")),
        ]
    return [frame.select(STATE_SCHEMA.keys()) for frame in found]


def _rows(groups: pl.DataFrame, topic: str, name: str, period: int, value: pl.Series) -> pl.DataFrame:
    return groups.select(
        "group", topic=pl.lit(topic), name=pl.lit(name), period=pl.lit(period, dtype=pl.Int32), value=value.cast(INT128)
    )


def _highest(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One peak for each month and element: the higher of several parts of a month."""
    key = ["group", "topic", "name", "period"]
    rows = pl.concat([no_state(), *(frame.select(STATE_SCHEMA.keys()) for frame in frames)])
    return rows.group_by(key).agg(pl.col("value").max()).sort(key)
