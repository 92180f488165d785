"""Tax lines: per bill and tax rate, over the exact net of the lines that the tax applies to, rounded once."""

from __future__ import annotations

import polars as pl

from schemas.periods import Period
from settlement.bill_lines import as_parts
from settlement.exact import PPM, rounded_ratio
from settlement.line_kinds import LineKind


def taxes_in_force(taxes: pl.DataFrame, period: Period) -> pl.DataFrame:
    """[tariff_id, name, rate_ppm, of_items]: the taxes of the tariff version that holds at the end of the period.

    Usage billed by period counts as supplied when the period expires (Directive 2006/112/EC, Art. 64(1)), so a rate that changes
    within the period applies to all of it. A tariff that ended earlier takes the taxes of its last version. A tariff that stops
    being taxed says so with a rate of zero, not with an absent row.
    """
    held = taxes.filter((pl.col("version_from_at") < period.end_at) & (pl.col("version_to_at") > period.start_at))
    last = pl.col("version_from_at") == pl.col("version_from_at").max().over("tariff_id")
    return held.filter(last).select("tariff_id", "name", "rate_ppm", "of_items")


def tax_lines(lines: pl.DataFrame, taxes: pl.DataFrame, *, period: Period) -> pl.DataFrame:
    """Tax lines of the bills that `lines` make up.

    Args:
        lines: net lines with [bill_to_account_id, tariff_id, item, untaxed, exact_nano, currency, minor_nano]. A tax applies to
            the lines whose item it names, or to all; never to one that is untaxed.

    Returns:
        line parts with the payer's columns; account_id is the payer. base_nano is the exact net taxed; exact_nano is the tax half
        up at the minor unit: a tax is defined as rounded, so it leaves no residue.
    """
    payer = ["bill_to_account_id", "currency", "minor_nano"]
    based = (
        lines.filter(~pl.col("untaxed"))
        .select(*payer, "tariff_id", "item", "exact_nano")
        .join(taxes_in_force(taxes, period), on="tariff_id", how="inner")
        .filter((pl.col("of_items").list.len() == 0) | pl.col("of_items").list.contains(pl.col("item")))
        .group_by([*payer, "name", "rate_ppm"])
        .agg(base_nano=pl.col("exact_nano").sum())
        .with_columns(
            account_id=pl.col("bill_to_account_id"),
            item=pl.col("name"),
            exact_nano=rounded_ratio(pl.col("base_nano") * pl.col("rate_ppm"), pl.col("minor_nano") * PPM) * pl.col("minor_nano"),
        )
        .join(_rate_texts(taxes), on="rate_ppm", how="left")
    )
    return pl.concat([as_parts(based, LineKind.TAX), based.select(payer)], how="horizontal")


def rate_text(rate_ppm: int) -> str:
    """A rate as people write it: 190000 is `19 %`, 77000 is `7.7 %`."""
    whole, rest = divmod(rate_ppm, 10_000)
    digits = f"{rest:04d}".rstrip("0")
    return f"{whole}.{digits} %" if digits else f"{whole} %"


def _rate_texts(taxes: pl.DataFrame) -> pl.DataFrame:
    rates = taxes["rate_ppm"].unique()
    return pl.DataFrame({"rate_ppm": rates, "price_text": pl.Series([rate_text(rate) for rate in rates], dtype=pl.String)})
