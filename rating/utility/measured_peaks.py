"""Peaks of demand by the kernel: kW of import, kvar of reactive import, kVA of both."""

from __future__ import annotations

import numpy as np
import polars as pl

from rating.language.utility_terms import DemandPrice, MeasureKind, PowerUnit
from rating.utility.channel_steps import ChannelRuns, runs_of, steps_of
from rating.utility.determinants import supply_determinants
from rating.utility.exact import INT128, whole_roots
from rating.utility.supply_books import SupplyBooks
from schemas.zones import zone_table

PEAK_SCHEMA = {
    "group": pl.Int32,
    "demand_index": pl.Int32,
    "rank": pl.Int32,
    "peak_milliw": pl.Int64,
    "peak_at": pl.Int64,
    "windows_missing": pl.Int64,
}
_US_PER_MINUTE = 60_000_000
_ROLES = {PowerUnit.KW: "import", PowerUnit.KVAR: "reactive_import"}


def measured_peaks(
    books: SupplyBooks, tariff_index: int, version_index: int, groups: pl.DataFrame, channels: ChannelRuns
) -> pl.DataFrame:
    """The peaks of each demand price of a version.

    Args:
        groups: `GROUP_SCHEMA`; windows are expected over each group's part. channels: one channel for a group and role.
    Returns:
        `PEAK_SCHEMA`: the ranks of each price. A null peak: windows were expected and none was complete. Zero: the price was out
        of force all the time. Groups without the channel have no row.
    """
    tariff = books.book.tariffs[tariff_index]
    found = [pl.DataFrame(schema=PEAK_SCHEMA)]
    read: dict[tuple[PowerUnit, int], pl.DataFrame] = {}
    for index, price in enumerate(tariff.versions[version_index].demand):
        key = (price.unit, _block_us(price))
        if key not in read:
            runs = channels.of(_ROLES[price.unit]) if price.unit in _ROLES else _apparent(channels, key[1], tariff.zone)
            read[key] = _peaks(books, tariff_index, groups, runs)
        found.append(
            read[key]
            .filter((pl.col("demand_index") == index) & (pl.col("version_index") == version_index))
            .select(PEAK_SCHEMA.keys())
        )
    return pl.concat(found)


def _block_us(price: DemandPrice) -> int:
    """The length that kVA are computed over: that of the price's blocks, or 0 for the meter's step."""
    apparent = price.unit is PowerUnit.KVA and price.measure.kind is MeasureKind.BLOCK
    return price.measure.minutes * _US_PER_MINUTE if apparent else 0


def _peaks(books: SupplyBooks, tariff_index: int, groups: pl.DataFrame, channels: ChannelRuns) -> pl.DataFrame:
    runs = channels.meter_runs(books.book, tariff_index)
    asked = pl.DataFrame({"group": runs.group[runs.group_start[:-1]]}, schema={"group": pl.Int32})
    span = asked.join(groups.select("group", "from_at", "to_at"), on="group", how="left", maintain_order="left")
    period = (span["from_at"].to_numpy(), span["to_at"].to_numpy())
    _, demand, _ = supply_determinants(books.book, runs, measures=books.measures, period=period)
    never = pl.col("peak_milliw").is_null() & (pl.col("windows_missing") == 0)
    kinds = {**PEAK_SCHEMA, "version_index": pl.Int32}
    return demand.with_columns(peak_milliw=pl.when(never).then(0).otherwise("peak_milliw")).select(
        pl.col(name).cast(kind) for name, kind in kinds.items()
    )


def _apparent(channels: ChannelRuns, block_us: int, zone: str) -> ChannelRuns:
    """kVAh of blocks by the local clock (of steps where `block_us` is 0) of which both channels are whole."""
    sides = []
    for role in ("import", "reactive_import"):
        steps = steps_of(channels.of(role))
        if block_us:
            table = zone_table(zone)
            at = steps["start_at"].to_numpy()
            local = at + table.offset_us[np.searchsorted(table.starts_at, at, side="right") - 1]
            steps = steps.with_columns(
                pl.Series("start_at", at - local % block_us, dtype=pl.Int64),
                fits=pl.Series(local % block_us) + steps["step_us"] <= block_us,
            )
            blocks = steps.group_by("group", "start_at").agg(
                pl.col("quantity").sum(),
                covered=pl.col("step_us").sum(),
                fits=pl.col("fits").all(),
                step_us=pl.lit(block_us, dtype=pl.Int64),
            )
            steps = blocks.filter(pl.col("fits") & (pl.col("covered") == block_us))
        sides.append(steps.select("group", "start_at", "step_us", "quantity"))
    key = ["group", "start_at", "step_us"]
    both = sides[0].join(sides[1], on=key, how="inner", suffix="_reactive").sort(key)
    one, other = pl.col("quantity").cast(INT128), pl.col("quantity_reactive").cast(INT128)
    roots = whole_roots(both.select(one * one + other * other).to_series()).cast(pl.Int64)
    return runs_of(both.select(*key, role=pl.lit("import")).with_columns(roots.alias("quantity")))
