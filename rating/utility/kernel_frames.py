"""Determinants as the kernels give them, in the form that the elements of a bill take."""

from __future__ import annotations

import polars as pl

from rating.language.tariff import TariffVersion
from rating.utility.bill_input import DEMAND_SCHEMA, ENERGY_SCHEMA, TIERED_SCHEMA, Determinants
from rating.utility.energy import needs_time_order


def kernel_determinants(
    version: TariffVersion, groups: pl.DataFrame, energy: pl.DataFrame, demand: pl.DataFrame, channels: pl.DataFrame
) -> Determinants:
    """`Determinants` of one version's groups.

    Args:
        energy: [group, price_index, tier, quantity] milliwatt-hours. Tiers are taken as they are where they depend on the order
            of time; otherwise they are cut again from the sums, by the bounds of the bill.
        demand: [group, demand_index, rank, peak_milliw, peak_at, windows_missing]; a null peak says that no window was complete.
            A price with a window and no row never held in the period: its demand is zero.
        channels: [group, channel_role, quantity].
    """
    tiered = energy.select(pl.col(name).cast(kind) for name, kind in TIERED_SCHEMA.items())
    sums = tiered.group_by("group", "price_index").agg(pl.col("quantity").sum()).sort("group", "price_index")
    found = demand.rename({"peak_milliw": "peak"}).select(pl.col(name).cast(kind) for name, kind in DEMAND_SCHEMA.items())
    metered = groups.select("group").join(channels.filter(pl.col("channel_role") == "import"), on="group", how="semi")
    parts = [found.filter(pl.col("peak").is_not_null())]
    for index, price in enumerate(version.demand):
        if price.window is not None:
            none = metered.join(found.filter(pl.col("demand_index") == index), on="group", how="anti")
            parts.append(
                none.select(
                    "group", demand_index=pl.lit(index, dtype=pl.Int32), rank=pl.lit(1, dtype=pl.Int32),
                    peak=pl.lit(0, dtype=pl.Int64), peak_at=pl.lit(None, dtype=pl.Int64),
                    windows_missing=pl.lit(0, dtype=pl.Int32),
                )
            )  # fmt: skip
    return Determinants(
        energy=sums.select(ENERGY_SCHEMA.keys()),
        tiered=tiered if needs_time_order(version) else None,
        demand=pl.concat(parts).sort("group", "demand_index", "rank"),
        channels=channels.select(pl.col("group").cast(pl.Int32), role="channel_role", quantity=pl.col("quantity").cast(pl.Int64)),
    )
