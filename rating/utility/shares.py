"""Splitting a whole into shares that sum to it exactly."""

from __future__ import annotations

import polars as pl

from rating.utility.exact import INT128, rounded_products


def split_by_shares(parts: pl.DataFrame, whole: pl.DataFrame, *, weight: str) -> pl.Series:
    """The whole of each group over its parts by weight: differences of the running share rounded down, so nothing is lost.

    Args:
        parts: [group, <weight> >= 0] in the order in which what is left over falls.
        whole: [group, whole >= 0], each group once.
    Returns:
        A share for each part. Where all weights of a group are zero its first part takes the whole. No share is more than one
        unit from the exact one, none is negative, and where the whole is at most the sum of weights none exceeds its weight.
    """
    weights = parts.select("group", weight=pl.col(weight).cast(INT128)).with_row_index("row").join(whole, on="group", how="left")
    weights = weights.sort("row").with_columns(
        weight=pl.when((pl.col("weight").sum().over("group") == 0) & (pl.int_range(pl.len()).over("group") == 0))
        .then(pl.lit(1, dtype=INT128))
        .otherwise("weight"),
        whole=pl.col("whole").fill_null(0).cast(INT128),
    )
    weights = weights.with_columns(running=pl.col("weight").cum_sum().over("group"), total=pl.col("weight").sum().over("group"))
    weights = weights.with_columns(total=pl.max_horizontal("total", pl.lit(1, dtype=INT128)))
    until = rounded_products([weights["whole"], weights["running"]], divisors=[weights["total"]], mode="down")
    return (
        weights.with_columns(until=until)
        .select(share=pl.col("until") - pl.col("until").shift(1, fill_value=0).over("group"))
        .to_series()
    )
