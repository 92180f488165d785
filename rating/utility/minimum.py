"""Minimums: what is missing to the least that named lines come to, per month, per year, or per kW of billed demand."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.supply_terms import Minimum
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import BilledMonth, by_group, no_state
from rating.utility.bill_lines import Label, lines_of, named, no_lines, number_text, sum_of
from rating.utility.day_shares import day_share
from rating.utility.exact import INT128, rounded_products
from schemas.money import amount_text

_COUNTED = ("energy", "demand", "adjustment", "surcharge")
_KIND_OF = {"fixed": "fixed", "credits": "credit", "tax": "tax"}


def counted_lines(minimum: Minimum) -> pl.Expr:
    """Which lines count toward a minimum: the named ones and the kinds it adds, or all but fixed, credit and tax lines."""
    kinds = [_KIND_OF[name] for name in sorted(minimum.counts)]
    if minimum.of is not None:
        return named(minimum.of) | pl.col("kind").is_in(kinds)
    return pl.col("kind").is_in([*_COUNTED, *kinds])


def minimum_lines(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, lines: pl.DataFrame, state: pl.DataFrame,
    billing_milliw: pl.Series, *, after_tax: bool,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """(lines, state out) of the minimums that count taxes (`after_tax`) or do not; those that do are not taxed themselves.

    An annual minimum sums the counted lines of the year in state `minimum_nano` and settles in its month.
    """
    found, kept = [no_lines()], [no_state()]
    for place, one in enumerate(version.supply.minimums):
        if ("tax" in one.counts) is not after_tax:
            continue
        counted = sum_of(lines, groups["group"], counted_lines(one))
        due, of_due = day_share(groups, one.prorate, month)
        factors, scalar = [due], Fraction(one.amount_nano)
        if one.per == "kW":
            factors, scalar = [due, billing_milliw.fill_null(0)], scalar / 10**6
        least = rounded_products(factors, scalar, [of_due])
        rows = groups.with_columns(counted=counted, least=least)
        if one.per == "year":
            rows, year = _with_year(rows, one, month, state)
            kept.append(year)
        short = rows.with_columns(missing=pl.col("least") - pl.col("counted")).filter(pl.col("missing") > 0)
        text = f"{amount_text(one.amount_nano)} per {one.per}"
        said = short.select(
            number_text(pl.col("least"), 9, least=2)
            + pl.lit(" at least, lines come to ")
            + number_text(pl.col("counted"), 9, least=2)
        ).to_series()
        found.append(
            lines_of(
                Label("minimum", place + (100 if after_tax else 0), one.item, "", "", text), short["group"],
                factors=[short["missing"]], scalar=Fraction(1), rounding=version.rounding, base=short["counted"],
                explanation=said,
            )
        )  # fmt: skip
    return pl.concat(found), pl.concat(kept)


def _with_year(rows: pl.DataFrame, one: Minimum, month: BilledMonth, state: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the rows that settle now, with the year's counted sum; the sum to carry on for those that do not)."""
    before = state.filter((pl.col("topic") == "minimum_nano") & (pl.col("name") == one.item))
    before = before.group_by("group").agg(pl.col("value").sum())
    running = rows.with_columns(counted=pl.col("counted") + by_group(rows, before, "value").fill_null(0).cast(INT128))
    settles = (pl.lit(month.month == one.settled_in)) & pl.col("is_last")
    carried = running.filter(~settles).select(
        "group", topic=pl.lit("minimum_nano"), name=pl.lit(one.item), period=pl.lit(month.number, dtype=pl.Int32), value="counted"
    )
    least = pl.lit(one.amount_nano, dtype=INT128)
    return running.filter(settles).with_columns(least=least), carried
