"""What share of a monthly price is charged: days in force, 30ths, pauses, and what high use leaves of it."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.utility_terms import HighUse, Proration
from rating.utility.bill_input import BilledMonth
from rating.utility.bill_lines import Label, number_text
from rating.utility.exact import INT128, PPM, rounded_products


def day_share(rows: pl.DataFrame, how: Proration, month: BilledMonth, *, paused: bool = True) -> tuple[pl.Series, pl.Series]:
    """(days, of days) that a monthly amount is charged for: whole, by the period's days, or by 30ths (a whole month being 30).

    Paused days are not charged; an amount that is not prorated is charged whole, once, in the service's first part of the period.
    """
    stopped = pl.col("paused_days") if paused else pl.lit(0, dtype=pl.Int32)
    if how is Proration.DAYS:
        days, of_days = pl.col("days") - stopped, pl.lit(month.days, dtype=pl.Int32)
    elif how is Proration.THIRTY:
        full = pl.when(pl.col("days") >= month.days).then(30).otherwise(pl.min_horizontal(pl.col("days"), pl.lit(30)))
        days, of_days = full - stopped, pl.lit(30, dtype=pl.Int32)
    else:
        days, of_days = pl.col("is_first").cast(pl.Int32), pl.lit(1, dtype=pl.Int32)
    kept = pl.max_horizontal(days.cast(INT128), pl.lit(0, dtype=INT128)).alias("days")
    frame = rows.select(kept, of_days.cast(INT128).alias("of"))
    return frame["days"], frame["of"]


def use_factor(rows: pl.DataFrame, high_use: HighUse | None) -> pl.Series:
    """ppm of the price: what high use leaves of it where energy per installed kVA reaches the bound, else all of it."""
    if high_use is None:
        return pl.Series("use", [PPM], dtype=INT128).new_from_index(0, rows.height)
    threshold = rounded_products([rows["installed_milliva"].fill_null(0)], Fraction(high_use.milliwh_per_kva, 10**6), mode="up")
    frame = pl.DataFrame({"energy": rows["energy"].fill_null(0).cast(INT128), "threshold": threshold})
    reached = (pl.col("energy") >= pl.col("threshold")) & (pl.col("threshold") > 0)
    return frame.select(pl.when(reached).then(high_use.factor_ppm).otherwise(PPM).cast(INT128)).to_series()


def share_text(label: Label, quantity: pl.Series | None, days: pl.Series, of_days: pl.Series) -> pl.Series:
    frame = pl.DataFrame({"days": days, "of": of_days})
    share = pl.when(pl.col("days") == pl.col("of")).then(pl.lit("")).otherwise(
        pl.lit(" x ") + pl.col("days").cast(pl.String) + pl.lit("/") + pl.col("of").cast(pl.String) + pl.lit(" days")
    )  # fmt: skip
    if quantity is None:
        return frame.select(pl.lit(label.price_text) + share).to_series()
    frame = frame.with_columns(quantity.cast(INT128).alias("quantity"))
    return frame.select(number_text(pl.col("quantity"), 6) + pl.lit(f" {label.unit} x {label.price_text}") + share).to_series()
