"""Usage lines and discount lines: rated usage summed over an account's services, per tariff version and item."""

from __future__ import annotations

import polars as pl

from settlement.bill_lines import as_parts
from settlement.exact import negated
from settlement.line_kinds import LineKind

_KEY = ["account_id", "tariff_id", "version", "item", "kind", "unit"]


def usage_and_discount_lines(usage_items: pl.DataFrame) -> pl.DataFrame:
    """Line parts of the period's usage.

    A usage line's exact value is net + discount, which is list less what an allowance covered; a discount line, made where the
    discounts do not cancel, takes the discount off again. So both lines sum to net, whatever rounding net has been through.
    The value of allowances is not money on the bill: the line shows quantity used and quantity charged.

    Returns:
        line parts (`settlement.bill_lines.PARTS`) of kinds usage and discount. The price text is that of the items when they all
        agree, else empty: a blend has no one price.
    """
    sums = ["record_count", "quantity", "charged_quantity", "allowance_nano", "discount_nano", "net_nano"]
    grouped = (
        usage_items.group_by(_KEY)
        .agg(
            *[pl.col(name).sum() for name in sums],
            service_count=pl.col("service_id").n_unique(),
            first_price=pl.col("price_text").min(),
            last_price=pl.col("price_text").max(),
        )
        .with_columns(
            price_text=pl.when(pl.col("first_price") == pl.col("last_price")).then("first_price").otherwise(pl.lit("")),
            exact_nano=pl.col("net_nano") + pl.col("discount_nano"),
        )
        .rename({"kind": "usage_kind"})
    )
    discounted = grouped.filter(pl.col("discount_nano") != 0).select(
        "account_id", "tariff_id", "version", "item", "usage_kind", "unit", exact_nano=negated(pl.col("discount_nano"))
    )
    return pl.concat([as_parts(grouped, LineKind.USAGE), as_parts(discounted, LineKind.DISCOUNT)])
