"""What a tariff agrees beyond usage: fees and taxes of each version, as frames for the account level."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rating.language.tariff import Tariff

_SPAN = {"tariff_id": pl.String, "version_from_at": pl.Int64, "version_to_at": pl.Int64, "name": pl.String}


def commercial_terms(tariffs: Sequence[Tariff]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(fees, taxes) in order of (tariff_id, version_from_at, name).

    Returns:
        fees: tariff_id, version_from_at, version_to_at (microseconds UTC, open = the largest int64), name, amount_nano, prorate.
        taxes: tariff_id, version_from_at, version_to_at, name, rate_ppm, of_items (the items that it applies to; empty is all).
    """
    fees: list[tuple[object, ...]] = []
    taxes: list[tuple[object, ...]] = []
    for tariff in tariffs:
        for version in tariff.versions:
            span = (tariff.tariff_id, version.effective_from_at, version.effective_to_at)
            fees += [(*span, fee.name, fee.amount_nano, fee.prorate) for fee in version.fees]
            taxes += [(*span, tax.name, tax.ppm, []) for tax in version.taxes]
    order = ("tariff_id", "version_from_at", "name")
    return (
        pl.DataFrame(fees, schema={**_SPAN, "amount_nano": pl.Int64, "prorate": pl.Boolean}, orient="row").sort(order),
        pl.DataFrame(taxes, schema={**_SPAN, "rate_ppm": pl.Int64, "of_items": pl.List(pl.String)}, orient="row").sort(order),
    )
