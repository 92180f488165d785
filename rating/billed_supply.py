"""Bill metered supply of one month: services' parts of it, version by version, out of runs of meter values and carried state."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rating.changed_add_ons import changed_add_ons
from rating.utility.bill_input import GROUP_SCHEMA, REFUSAL_SCHEMA, STATE_SCHEMA, BilledMonth
from rating.utility.bill_lines import LINE_SCHEMA
from rating.utility.channel_steps import ChannelRuns
from rating.utility.measured_supply import SuppliedVersion, measured_supply
from rating.utility.supply_books import SupplyBooks
from rating.utility.utility_bill import bill_services

PARTS_SCHEMA = {**GROUP_SCHEMA, "chain": pl.Int32, "tariff_index": pl.Int32, "version_index": pl.Int32}
CHAIN_STATE = {"chain": pl.Int32, **{name: kind for name, kind in STATE_SCHEMA.items() if name != "group"}}


@dataclass(frozen=True)
class SuppliedBills:
    """`lines`: LINE_SCHEMA of all parts; `refusals`: REFUSAL_SCHEMA; `state`: CHAIN_STATE to carry on."""

    lines: pl.DataFrame
    refusals: pl.DataFrame
    state: pl.DataFrame


def bill_supply(
    books: SupplyBooks, month: BilledMonth, parts: pl.DataFrame, channels: ChannelRuns, state: pl.DataFrame
) -> SuppliedBills:
    """Bill the parts of a month.

    Args:
        parts: `PARTS_SCHEMA`: a group for each part that a version is in force for, with the terms of its service; `chain` is one
            service of an account on one tariff, whose state goes from part to part. `is_first` and `is_last` are set here.
        channels: runs that lie in their group's part.
        state: `CHAIN_STATE` of the month before.
    Returns:
        Lines of the chains that could be billed in all their parts; the others have refusals and keep their state.
    """
    ordered = parts.with_columns(place=pl.col("from_at").rank("ordinal").over("chain"), last=pl.len().over("chain"))
    ordered = ordered.with_columns(is_first=pl.col("place") == 1, is_last=pl.col("place") == pl.col("last")).sort("group")
    lines, refusals, carried = (
        [pl.DataFrame(schema=LINE_SCHEMA)],
        [pl.DataFrame(schema=REFUSAL_SCHEMA)],
        state.select(CHAIN_STATE.keys()),
    )
    key = ["place", "tariff_index", "version_index"]
    for place, tariff_index, version_index in ordered.select(key).unique().sort(key).iter_rows():
        own = ordered.filter(
            (pl.col("place") == place) & (pl.col("tariff_index") == tariff_index) & (pl.col("version_index") == version_index)
        )
        groups = own.select(pl.col(name).cast(kind) for name, kind in GROUP_SCHEMA.items())
        chains = own.select("group", "chain")
        before = carried.join(chains, on="chain", how="inner").select(STATE_SCHEMA.keys())
        runs = ChannelRuns(channels.runs.join(groups, on="group", how="semi", maintain_order="left"), channels.values)
        at = SuppliedVersion(books, tariff_index, version_index)
        found = measured_supply(at, month, groups, runs, before)
        tiers = changed_add_ons(books.book.tariffs[tariff_index], at.version, month)
        billed = bill_services(at.version, month, groups, found, before, add_on_tiers=tiers)
        lines.append(billed.lines)
        refusals.append(billed.refusals)
        after = billed.state.join(chains, on="group", how="inner").select(CHAIN_STATE.keys())
        carried = pl.concat([carried.join(chains, on="chain", how="anti"), after])
    refused = pl.concat(refusals)
    lost = ordered.join(refused, on="group", how="semi").select("chain").unique()
    kept = ordered.join(lost, on="chain", how="anti").select("group")
    carried = pl.concat(
        [carried.join(lost, on="chain", how="anti"), state.select(CHAIN_STATE.keys()).join(lost, on="chain", how="semi")]
    )
    billed_lines = pl.concat(lines).join(kept, on="group", how="semi").sort("group", "line", maintain_order=True)
    return SuppliedBills(billed_lines, refused, carried.sort("chain", "topic", "name", "period"))
