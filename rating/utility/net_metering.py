"""Net metering: export takes import off in kWh, and what is left over is carried to later months."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rating.language.supply_terms import Carry, Export
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import ENERGY_SCHEMA, BilledMonth
from rating.utility.carried_credits import expired, lots_of, spend
from rating.utility.exact import INT128
from rating.utility.shares import split_by_shares

_POOL = ["group", "name"]


@dataclass(frozen=True)
class Netted:
    """`energy`: [group, price_index, quantity] still to be billed; `lots`: kWh carried on; `surplus`: what this month left over,
    by group; `ended`: lots that expired; `used`: kWh taken from this month's export and from lots."""

    energy: pl.DataFrame
    lots: pl.DataFrame
    surplus: pl.DataFrame
    ended: pl.DataFrame
    used: pl.DataFrame


def net_metered(
    version: TariffVersion, rule: Export, month: BilledMonth, energy: pl.DataFrame, export: pl.DataFrame, state: pl.DataFrame
) -> Netted:
    """Net each price's import against its own export, then (unless `within_tou`) what is left against all other imports.

    Carried lots pay like this month's export, oldest first, after it. Across prices what nets is shared by what each still has
    to bill. Sums: import = billed + used; export + lots in = used + lots out + expired.
    """
    names = {index: price.item if rule.within_tou else "" for index, price in enumerate(version.energy)}
    rows = _rows(energy, export)
    own = pl.min_horizontal("import", "export")
    rows = rows.with_columns(used=own).with_columns(
        name=pl.col("price_index").replace_strict(names, return_dtype=pl.String, default=""),
        open=pl.col("import") - own,
        over=pl.col("export") - own,
    )
    lots, ended = expired(lots_of(state, "credit_quantity"), month.number, rule.expires_months)
    pools = rows.group_by(_POOL).agg(pl.col("open").sum(), pl.col("over").sum())
    pools = pools.join(lots.group_by(_POOL).agg(lot=pl.col("value").sum()), on=_POOL, how="full", coalesce=True)
    nil = pl.lit(0, dtype=INT128)
    pools = pools.with_columns(pl.col("open", "over", "lot").fill_null(0).cast(INT128)).with_columns(
        by_now=pl.min_horizontal("open", "over")
    )
    pools = pools.with_columns(by_lot=pl.min_horizontal(pl.col("open") - pl.col("by_now"), pl.col("lot"))).sort(_POOL)
    left = spend(lots, pools.select(*_POOL, used="by_lot"))
    fresh = pools.select(
        *_POOL, period=pl.lit(month.number, dtype=pl.Int32), value=pl.col("over") - pl.col("by_now")
    ).filter(pl.col("value") > nil)  # fmt: skip
    billed = _billed(rows, pools)
    surplus = fresh.group_by("group").agg(pl.col("value").sum())
    carried = left if rule.carry is Carry.MONEY else pl.concat([left, fresh.select(left.columns)])
    used = rows.group_by("group").agg(own=pl.col("used").sum())
    used = used.join(pools.group_by("group").agg(by=(pl.col("by_now") + pl.col("by_lot")).sum()), on="group", how="left")
    return Netted(billed, carried, surplus, ended, used.select("group", used=pl.col("own") + pl.col("by").fill_null(0)))


def _rows(energy: pl.DataFrame, export: pl.DataFrame) -> pl.DataFrame:
    """[group, price_index, import, export] of every price that has either."""
    key = ["group", "price_index"]
    bought = energy.group_by(key).agg(pl.col("quantity").cast(INT128).sum().alias("import"))
    sold = export.group_by(key).agg(pl.col("quantity").cast(INT128).sum().alias("export"))
    joined = bought.join(sold, on=key, how="full", coalesce=True).sort(key)
    return joined.with_columns(pl.col("import", "export").fill_null(0).cast(INT128))


def _billed(rows: pl.DataFrame, pools: pl.DataFrame) -> pl.DataFrame:
    """What each price still bills: its open import less its share of what the pool paid."""
    keyed = rows.with_columns(pl.struct(_POOL).rank("dense").alias("pool"))
    paid = keyed.select(*_POOL, "pool").unique().join(
        pools.select(*_POOL, whole=pl.col("by_now") + pl.col("by_lot")), on=_POOL, how="left"
    )  # fmt: skip
    share = split_by_shares(
        keyed.select(pl.col("pool").alias("group"), "open"), paid.select(pl.col("pool").alias("group"), "whole"), weight="open"
    )
    billed = rows.with_columns(quantity=(pl.col("open") - share).cast(pl.Int64)).filter(pl.col("quantity") != 0)
    return billed.select(ENERGY_SCHEMA.keys())
