"""Taxes on named lines or on all that are in the tax base, rounded on their sum or line by line."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Tax
from rating.language.tariff import TariffVersion
from rating.utility.bill_lines import Label, lines_of, named, no_lines, number_text, percent_text
from rating.utility.exact import PPM, line_amounts


def tax_lines(version: TariffVersion, lines: pl.DataFrame) -> pl.DataFrame:
    """One line for each group and tax over the lines before it. With `tax_by: line` each line's tax is rounded by itself."""
    outside = [surcharge.item for surcharge in version.supply.surcharges if not surcharge.in_tax_base]
    found = [no_lines()]
    for place, tax in enumerate(version.taxes):
        taxed = lines.filter(_in_base(tax, outside))
        if not taxed.is_empty():
            found.append(_lines(version, tax, taxed, place))
    return pl.concat(found)


def _in_base(tax: Tax, outside: list[str]) -> pl.Expr:
    return named(tax.of) if tax.of is not None else ~named(outside)


def _lines(version: TariffVersion, tax: Tax, taxed: pl.DataFrame, place: int) -> pl.DataFrame:
    rate = Fraction(tax.ppm, PPM)
    if version.supply.tax_by == "line":
        taxed = taxed.with_columns(tax=line_amounts([taxed["amount_nano"]], rate, (), version.rounding))
        sums = taxed.group_by("group").agg(base=pl.col("amount_nano").sum(), tax=pl.col("tax").sum()).sort("group")
        factors, scalar = [sums["tax"]], Fraction(1)
    else:
        sums = taxed.group_by("group").agg(base=pl.col("amount_nano").sum()).sort("group")
        factors, scalar = [sums["base"]], rate
    text = percent_text(tax.ppm)
    of = "" if tax.of is None else f" ({', '.join(tax.of)})"
    said = sums.select(pl.lit(f"{text} of ") + number_text(pl.col("base"), 9, least=2) + pl.lit(of)).to_series()
    label = Label("tax", place, tax.name, "", "", text)
    return lines_of(
        label, sums["group"], factors=factors, scalar=scalar, rounding=version.rounding, base=sums["base"], explanation=said
    )
