"""Demand that past months hold up: ratchets and means over months (reference: utility §4)."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.utility_terms import Ratchet
from rating.utility.bill_input import by_group
from rating.utility.exact import INT128, PPM, constant, rounded_products


def ratcheted(groups: pl.DataFrame, current: pl.Series, history: pl.DataFrame, ratchet: Ratchet, period: int) -> pl.Series:
    """max(floor, current, percent of the month of the peak x peak over the months looked back), to the nearest milli-unit.

    Args:
        current: milli-units by group, in the order of `groups`.
        history: [group, period, value] peaks of earlier months; a month without a row is absent, not zero.
    """
    seen = history.filter(pl.col("period").is_between(period - ratchet.months, period - 1))
    found = current if ratchet.include_current else constant(current, 0)
    highest = pl.DataFrame({"group": groups["group"], "held": found.cast(INT128)})
    parts = [highest.with_columns(held=pl.max_horizontal("held", pl.lit(ratchet.floor, dtype=INT128)))]
    for month, ppm in enumerate(ratchet.percent_ppm):
        of_month = seen.filter(pl.col("period") % 12 == month)
        if ppm and not of_month.is_empty():
            held = rounded_products([of_month["value"]], Fraction(ppm, PPM))
            parts.append(pl.DataFrame({"group": of_month["group"], "held": held}))
    best = pl.concat(parts).group_by("group").agg(pl.col("held").max())
    return by_group(groups, best, "held").cast(INT128)


def mean_over_months(
    groups: pl.DataFrame, current: pl.Series, history: pl.DataFrame, months: int, minimum: int, period: int
) -> tuple[pl.Series, pl.Series]:
    """(sum, count) over this month and up to `months` - 1 before; each month counts with `minimum` at least."""
    seen = history.filter(pl.col("period").is_between(period - months + 1, period - 1)).select("group", "value")
    now = pl.DataFrame({"group": groups["group"], "value": current.cast(INT128)})
    rows = pl.concat([now, seen.with_columns(pl.col("value").cast(INT128))])
    rows = rows.with_columns(value=pl.max_horizontal("value", pl.lit(minimum, dtype=INT128)))
    sums = rows.group_by("group").agg(total=pl.col("value").sum(), count=pl.len().cast(INT128))
    return by_group(groups, sums, "total"), by_group(groups, sums, "count")
