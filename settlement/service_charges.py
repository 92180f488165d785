"""Charges of a service over the whole period: demand, adjustments, surcharges, minimums and credits, and the lines they make."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from settlement.bill_lines import as_parts
from settlement.exact import INT128
from settlement.frames import SERVICE_CHARGES, Columns
from settlement.line_kinds import LineKind

if TYPE_CHECKING:
    from settlement.account_settlement import Settlement

_KEY = ["account_id", "tariff_id", "version", "kind", "item", "unit", "collected_for", "untaxed"]
CHARGED_SERVICES: Columns = {
    "bill_number": pl.String,
    "period": pl.String,
    "line_id": pl.String,
    **{name: dtype for name, dtype in SERVICE_CHARGES.items() if name != "untaxed"},
    "currency": pl.String,
}


def no_service_charges() -> pl.DataFrame:
    """A frame without rows, for settlements of usage and fees alone."""
    return pl.DataFrame(schema=dict(SERVICE_CHARGES))


def service_charge_lines(charges: pl.DataFrame) -> pl.DataFrame:
    """One line per account, tariff version, kind and item over all services; amounts are exact sums.

    Returns:
        line parts (`settlement.bill_lines.PARTS`). The price text is that of the charges when they all agree, else empty.
    """
    grouped = charges.group_by(_KEY).agg(
        pl.col("quantity").sum(),
        pl.col("exact_nano").sum(),
        service_count=pl.col("service_id").n_unique().cast(pl.Int64),
        first_price=pl.col("price_text").min(),
        last_price=pl.col("price_text").max(),
    )
    agreed = pl.when(pl.col("first_price") == pl.col("last_price")).then("first_price").otherwise(pl.lit(""))
    named = grouped.with_columns(price_text=agreed, line_kind=pl.col("kind"))
    lines = [as_parts(named.filter(pl.col("line_kind") == kind.value), kind) for kind in LineKind if kind.of_service]
    return pl.concat(lines)


def charged_services(charges: pl.DataFrame, settlement: Settlement) -> pl.DataFrame:
    """The service charges with the bill line that each went to, so that a line leads back to its services.

    Returns:
        CHARGED_SERVICES, sorted by account, service, tariff, version, kind and item.
    """
    key = [name for name in _KEY if name != "untaxed"]
    lines = settlement.lines.select(*key, "bill_number", "period", "line_id", "currency")
    return (
        charges.join(lines, on=key, how="inner")
        .select(list(CHARGED_SERVICES))
        .sort("account_id", "service_id", "tariff_id", "version", "kind", "item", "unit", "collected_for", "explanation")
    )


def charged_sum(charges: pl.DataFrame) -> pl.DataFrame:
    """[account_id, exact_nano]: what the service charges of each account come to."""
    return charges.group_by("account_id").agg(pl.col("exact_nano").cast(INT128).sum())
