"""Bill lines: one shape for every kind of charge, canonical order, stable ids, one rounding to the minor unit."""

from __future__ import annotations

import polars as pl

from schemas.periods import Period
from settlement.content_ids import content_ids
from settlement.exact import INT128, rounded_to
from settlement.frames import Columns
from settlement.line_kinds import LineKind

# What the author of each kind of line supplies; `as_parts` fills in what a kind does not have.
PARTS: Columns = {
    "account_id": pl.String,
    "kind": pl.String,
    "usage_kind": pl.String,
    "tariff_id": pl.String,
    "version": pl.String,
    "item": pl.String,
    "unit": pl.String,
    "service_count": pl.Int64,
    "record_count": pl.Int64,
    "quantity": INT128,
    "charged_quantity": INT128,
    "allowance_nano": INT128,
    "price_text": pl.String,
    "rate_ppm": pl.Int64,
    "base_nano": INT128,
    "exact_nano": INT128,
    "collected_for": pl.String,  # the third party that gets it; empty: the house
    "untaxed": pl.Boolean,  # in no tax base
}
LINES: Columns = {
    "bill_number": pl.String,
    "line_no": pl.Int64,
    "line_id": pl.String,
    "period": pl.String,
    "bill_to_account_id": pl.String,
    **{name: dtype for name, dtype in PARTS.items() if name != "untaxed"},
    "amount_nano": INT128,
    "currency": pl.String,
}
_ABSENT: dict[object, str | bool] = {pl.String: "", pl.Boolean: False}
_ORDER = [
    *("bill_to_account_id", "closing", "account_id", "rank"),
    *("tariff_id", "version", "item", "usage_kind", "unit", "rate_ppm", "collected_for"),
]
_KEY = ["account_id", "period", "kind", "tariff_id", "version", "item", "usage_kind", "unit", "rate_ppm", "collected_for"]


def as_parts(frame: pl.DataFrame, kind: LineKind) -> pl.DataFrame:
    """The columns of a line in their order and types; absent texts are empty, absent numbers zero, absent flags false."""
    columns = []
    for name, dtype in PARTS.items():
        if name == "kind":
            columns.append(pl.lit(kind.value).alias(name))
        elif name in frame.columns:
            columns.append(pl.col(name).cast(dtype))
        else:
            columns.append(pl.lit(_ABSENT.get(dtype, 0), dtype=dtype).alias(name))
    return frame.select(columns)


def with_payer(parts: pl.DataFrame, accounts: pl.DataFrame, minor_units: pl.DataFrame) -> pl.DataFrame:
    """Line parts with bill_to_account_id, currency and minor_nano of the account that pays."""
    payers = accounts.select("account_id", "bill_to_account_id", "currency").join(minor_units, on="currency", how="left")
    return parts.join(payers, on="account_id", how="inner")


def with_amounts(lines: pl.DataFrame) -> pl.DataFrame:
    """The amounts that people pay: each line's exact value half up at the minor unit, once."""
    return lines.with_columns(amount_nano=rounded_to(pl.col("exact_nano"), pl.col("minor_nano")))


def numbered_lines(lines: pl.DataFrame, period: Period, *, seed: int) -> pl.DataFrame:
    """Lines in canonical order with bill number, line number and id.

    The order is payer, then the lines of each account (fees, usage, discounts; tariff, version, item), then taxes, then rounding.
    A line's id follows from (account, period, kind, tariff, version, item) and what tells two such lines apart: kind and unit of
    usage, rate of tax.
    """
    ranks = {kind.value: kind.rank for kind in LineKind}
    closing = [kind.value for kind in LineKind if kind.closes_bill]
    ordered = lines.with_columns(
        rank=pl.col("kind").replace_strict(ranks, return_dtype=pl.Int8),
        closing=pl.col("kind").is_in(closing),
        period=pl.lit(period.label),
        bill_number=pl.concat_str(pl.lit(f"{period.label}-"), "bill_to_account_id"),
    ).sort(*_ORDER)
    key = [ordered[name].cast(pl.String) for name in _KEY]
    numbered = ordered.with_columns(
        content_ids(key, seed=seed).alias("line_id"),
        line_no=pl.int_range(1, pl.len() + 1).over("bill_to_account_id"),
    )
    return numbered.select(list(LINES))
