"""Tiers in time order: each step's energy lies in the tiers that the running total of the ladder crosses during it."""

from __future__ import annotations

import polars as pl

from rating.language.tariff import TariffVersion
from rating.language.utility_terms import TierScope
from rating.utility.bill_input import TIERED_SCHEMA, BilledMonth, sums_by_group
from rating.utility.energy import bounds_of, tier_parts
from rating.utility.exact import INT128, constant


def tiers_in_time_order(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, steps: pl.DataFrame, prior: pl.DataFrame,
    billing_milliw: pl.Series,
) -> pl.DataFrame:  # fmt: skip
    """`TIERED_SCHEMA` of steps [group, price_index, start_at, quantity].

    The running total is that of all prices, or of each price under `per_period`. A step that crosses a bound is split there, or
    takes the tier in which it starts where `split_at_bound` is false.
    """
    ladder = version.supply.ladder
    own = ladder.scope is TierScope.PER_PERIOD
    keys = ["group", "price_index"] if own else ["group"]
    quantity = pl.col("quantity").cast(INT128)
    ordered = steps.sort("group", "start_at", "price_index").with_columns(low=quantity.cum_sum().over(keys) - quantity)
    found = []
    for index, price in enumerate(version.energy):
        bounds = bounds_of(
            price.tiers, price.basis, groups, month,
            prorate=ladder.prorate, months=ladder.months, billing_milliw=billing_milliw,
        )  # fmt: skip
        ran = sums_by_group(groups, prior.filter(pl.col("name") == (price.item if own else "")), "value")
        limits = groups.select("group").with_columns(ran=ran, **{f"b{tier}": bound for tier, bound in enumerate(bounds)})
        rows = ordered.filter(pl.col("price_index") == index).join(limits, on="group", how="inner", maintain_order="left")
        starts = [rows[f"b{tier}"] for tier in range(len(bounds))]
        low = rows["low"] + rows["ran"]
        if ladder.split_at_bound:
            parts = tier_parts(rows["quantity"], low, starts)
        else:
            size = rows["quantity"].cast(INT128)
            chosen = tier_parts(constant(size, 1), low, starts)  # one unit at the step's start lies in exactly one tier
            parts = [size * one for one in chosen]
        for tier, part in enumerate(parts):
            sums = pl.DataFrame({"group": rows["group"], "quantity": part}).group_by("group").agg(pl.col("quantity").sum())
            found.append(
                sums.select(
                    "group", price_index=pl.lit(index, dtype=pl.Int32), tier=pl.lit(tier, dtype=pl.Int32),
                    quantity=pl.col("quantity").cast(pl.Int64),
                )
            )  # fmt: skip
    kept = pl.concat(found) if found else pl.DataFrame(schema=TIERED_SCHEMA)
    return kept.filter(pl.col("quantity") != 0).sort("group", "price_index", "tier").select(TIERED_SCHEMA.keys())
