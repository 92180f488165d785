"""What a tariff agrees beyond usage: fees and taxes of each version, as frames for the account level."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import BoundBasis, Ladder, TierScope
from schemas.errors import ConfigurationError, Fault

_SPAN = {"tariff_id": pl.String, "version_from_at": pl.Int64, "version_to_at": pl.Int64, "name": pl.String}


def commercial_terms(tariffs: Sequence[Tariff]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(fees, taxes) in order of (tariff_id, version_from_at, name).

    Returns:
        fees: tariff_id, version_from_at, version_to_at (microseconds UTC, open = the largest int64), name, amount_nano, prorate.
        taxes: tariff_id, version_from_at, version_to_at, name, rate_ppm, of_items (the items that it applies to; empty is all).
    Raises:
        ConfigurationError: versions with elements that the period close does not bill yet: refused whole, never billed in part.
    """
    faults = [fault for tariff in tariffs for version in tariff.versions for fault in _not_in_the_close(tariff, version)]
    if faults:
        raise ConfigurationError(faults)
    fees: list[tuple[object, ...]] = []
    taxes: list[tuple[object, ...]] = []
    for tariff in tariffs:
        for version in tariff.versions:
            span = (tariff.tariff_id, version.effective_from_at, version.effective_to_at)
            fees += [(*span, fee.name, fee.amount_nano, fee.prorate) for fee in version.fees]
            taxes += [(*span, tax.name, tax.ppm, list(tax.of or ())) for tax in version.taxes]
    order = ("tariff_id", "version_from_at", "name")
    return (
        pl.DataFrame(fees, schema={**_SPAN, "amount_nano": pl.Int64, "prorate": pl.Boolean}, orient="row").sort(order),
        pl.DataFrame(taxes, schema={**_SPAN, "rate_ppm": pl.Int64, "of_items": pl.List(pl.String)}, orient="row").sort(order),
    )


def _not_in_the_close(tariff: Tariff, version: TariffVersion) -> list[Fault]:
    """The elements of a version that only `bill_usage` prices, one fault for each."""
    supply, plain = version.supply, Supply()
    found = [
        name
        for name in ("commodity", "add_ons", "demand", "capacity", "meter_size", "minimums", "export", "power_factor", "losses",
                     "dynamic", "gas", "sewage", "surcharges", "tax_by")
        if getattr(supply, name) != getattr(plain, name)
    ]  # fmt: skip
    if supply.ladder not in (Ladder(), Ladder(TierScope.SHARED_CHRONOLOGICAL)):
        found.append("energy.tier_scope and ladder")
    found += [f"fee {fee.name}" for fee in version.fees if fee.per != "month" or fee.thirtieths]
    found += [f"tiers of {price.item} by day or demand" for price in version.energy if price.basis is not BoundBasis.PERIOD]
    found += ["rounding of the total"] if version.rounding.scope == "total" else []
    where = f"tariff {tariff.tariff_id}, version {version.label}"
    next_step = "price it with `tariff price --period`"
    return [Fault(where, f"{name}: not billed by a period close", next_step=next_step, code="not_in_close") for name in found]
