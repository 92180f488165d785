"""Charges: the priced usage of a period with the bill lines that it went to, so that a line leads back to its services."""

from __future__ import annotations

import polars as pl

from settlement.account_settlement import Settlement
from settlement.exact import INT128
from settlement.frames import USAGE_ITEMS, Columns
from settlement.line_kinds import LineKind

CHARGES: Columns = {
    "bill_number": pl.String,
    "period": pl.String,
    "line_id": pl.String,
    "discount_line_id": pl.String,
    **{name: dtype for name, dtype in USAGE_ITEMS.items() if name != "price_text"},
    "price_text": pl.String,
    "currency": pl.String,
}
_KEY = ["account_id", "tariff_id", "version", "item", "kind", "unit"]
_NUMBERS = [name for name, dtype in USAGE_ITEMS.items() if dtype in (pl.Int64, INT128)]


def charges_of(usage_items: pl.DataFrame, settlement: Settlement) -> pl.DataFrame:
    """The charges of a settlement in canonical order.

    Args:
        usage_items: the rated usage that was settled (`settlement.frames.USAGE_ITEMS`); rows of one account, service, tariff
            version and item are summed.

    Returns:
        CHARGES, sorted by account, service, tariff, version, item, kind, unit and price.
    """
    lines = settlement.lines.drop("kind").with_columns(line_kind=settlement.lines["kind"]).rename({"usage_kind": "kind"})
    usage = lines.filter(pl.col("line_kind") == LineKind.USAGE.value)
    discount = lines.filter(pl.col("line_kind") == LineKind.DISCOUNT.value)
    key = [name for name in USAGE_ITEMS if name not in _NUMBERS]
    return (
        usage_items.group_by(key)
        .agg(pl.col(name).sum() for name in _NUMBERS)
        .join(usage.select(*_KEY, "bill_number", "period", "line_id", "currency"), on=_KEY, how="inner")
        .join(discount.select(*_KEY, pl.col("line_id").alias("discount_line_id")), on=_KEY, how="left")
        .with_columns(pl.col("discount_line_id").fill_null(""))
        .select(list(CHARGES))
        .sort("account_id", "service_id", "tariff_id", "version", "item", "kind", "unit", "price_text")
    )
