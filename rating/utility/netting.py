"""Import against export within a netting interval: what of each is left (net billing)."""

from __future__ import annotations

import polars as pl

from rating.utility.shares import split_by_shares

_MINUTE_US = 60_000_000


def netted_steps(bought: pl.DataFrame, sold: pl.DataFrame, minutes: int, origin_at: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(import, export) steps after netting within each interval: at most one of the two keeps energy there.

    Args:
        bought, sold: [group, start_at, step_us, quantity], each step once.
        minutes: 0 nets within each step, -1 over everything, else within intervals of so many minutes from `origin_at` on.
    Returns:
        The same steps with what each keeps. Within an interval what is left is shared over its steps by their energy, so that
        every step keeps its own price. Sums: import - export stays what it was, in every interval.
    """
    if minutes == 0:
        interval = pl.col("start_at")
    elif minutes < 0:
        interval = pl.lit(0, dtype=pl.Int64)
    else:
        interval = (pl.col("start_at") - origin_at) // (minutes * _MINUTE_US)
    key = ["group", "interval"]
    one, other = (rows.with_columns(interval=interval).sort(*key, "start_at") for rows in (bought, sold))
    sums = one.group_by(key).agg(bought=pl.col("quantity").sum()).join(
        other.group_by(key).agg(sold=pl.col("quantity").sum()), on=key, how="full", coalesce=True
    )  # fmt: skip
    sums = sums.with_columns(pl.col("bought", "sold").fill_null(0)).with_columns(net=pl.col("bought") - pl.col("sold"))
    sums = sums.sort(key).with_row_index("slot")
    return _kept(one, sums, pl.max_horizontal("net", 0)), _kept(other, sums, pl.max_horizontal(pl.lit(0) - pl.col("net"), 0))


def _kept(rows: pl.DataFrame, sums: pl.DataFrame, left: pl.Expr) -> pl.DataFrame:
    placed = rows.join(sums.select("group", "interval", "slot"), on=["group", "interval"], how="left", maintain_order="left")
    whole = sums.select(pl.col("slot").alias("group"), whole=left.cast(pl.Int64))
    share = split_by_shares(placed.select(pl.col("slot").alias("group"), "quantity"), whole, weight="quantity")
    kept = rows.with_columns(quantity=share.cast(pl.Int64)).filter(pl.col("quantity") != 0)
    return kept.drop("interval")
