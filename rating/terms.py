"""What a tariff agrees beyond usage: fees and taxes of each version, as frames for the account level."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rating.language.shared_terms import ServiceKind
from rating.language.supply_terms import ExportMethod, Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import BoundBasis, Ladder, Measure, MeasureKind, Pick, PowerUnit, TierScope
from rating.supply_lines import names_of_item
from rating.utility.energy import needs_time_order
from schemas.errors import ConfigurationError, Fault

_ELEMENTS = (
    "commodity", "add_ons", "demand", "capacity", "meter_size", "minimums", "export", "power_factor", "losses", "dynamic", "gas",
    "sewage", "surcharges",
)  # fmt: skip
_SPAN = {"tariff_id": pl.String, "version_from_at": pl.Int64, "version_to_at": pl.Int64, "name": pl.String}


def commercial_terms(tariffs: Sequence[Tariff]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(fees, taxes) in order of (tariff_id, version_from_at, name).

    Returns:
        fees: tariff_id, version_from_at, version_to_at (microseconds UTC, open = the largest int64), name, amount_nano, prorate;
            not of tariffs that are billed by elements, fees among them.
        taxes: tariff_id, version_from_at, version_to_at, name, rate_ppm, of_items (the items that it applies to; empty is all).
    Raises:
        ConfigurationError: versions with elements that a period close cannot bill: refused whole, never billed in part.
    """
    faults = [fault for tariff in tariffs for version in tariff.versions for fault in _not_in_the_close(tariff, version)]
    if faults:
        raise ConfigurationError(faults)
    fees: list[tuple[object, ...]] = []
    taxes: list[tuple[object, ...]] = []
    for tariff in tariffs:
        is_plain = not bills_by_elements(tariff)
        for version in tariff.versions:
            span = (tariff.tariff_id, version.effective_from_at, version.effective_to_at)
            fees += [(*span, fee.name, fee.amount_nano, fee.prorate) for fee in version.fees if is_plain]
            for tax in version.taxes:
                names = [name for item in tax.of or () for name in names_of_item(version, item)]
                taxes.append((*span, tax.name, tax.ppm, names))
    order = ("tariff_id", "version_from_at", "name")
    return (
        pl.DataFrame(fees, schema={**_SPAN, "amount_nano": pl.Int64, "prorate": pl.Boolean}, orient="row").sort(order),
        pl.DataFrame(taxes, schema={**_SPAN, "rate_ppm": pl.Int64, "of_items": pl.List(pl.String)}, orient="row").sort(order),
    )


def bills_by_elements(tariff: Tariff) -> bool:
    """Whether a period close bills the tariff by the elements of metered supply: it has more than prices and monthly fees."""
    plain = Supply()
    return (
        any(
            any(getattr(version.supply, name) != getattr(plain, name) for name in _ELEMENTS)
            or version.supply.ladder not in (Ladder(), Ladder(TierScope.SHARED_CHRONOLOGICAL))
            or any(fee.per != "month" or fee.thirtieths for fee in version.fees)
            or any(price.basis is not BoundBasis.PERIOD for price in version.energy)
            for version in tariff.versions
        )
        and tariff.service is ServiceKind.UTILITY
    )


def _not_in_the_close(tariff: Tariff, version: TariffVersion) -> list[Fault]:
    """The elements of a version that a close cannot bill, one fault for each."""
    supply, rule = version.supply, version.supply.export
    found = ["a tax rounded line by line (a bill has one tax line a rate)"] if supply.tax_by == "line" else []
    found += ["rounding of the total of a service (a bill rounds its lines)"] if version.rounding.scope == "total" else []
    for price in version.demand:
        if price.pick is Pick.COINCIDENT:
            found.append(f"demand {price.item} at the system's peaks (no file names them)")
        if price.unit is PowerUnit.KVA and not _kva_by_block(price.measure):
            found.append(f"demand {price.item} in kVA over a sliding window or a block that does not divide the hour")
    if supply.gas is not None and supply.gas.day_start_us:
        found.append("a gas day that starts after midnight (periods start at local midnight)")
    if rule is not None and rule.method is ExportMethod.NET_BILLING and rule.netting_minutes < 0 and needs_time_order(version):
        found.append(f"export {rule.item} netted over the period with tiers in time order")
    if tariff.service is ServiceKind.TELECOM and any(fee.per != "month" or fee.thirtieths for fee in version.fees):
        found += [f"fee {fee.name} per {fee.per}" for fee in version.fees if fee.per != "month" or fee.thirtieths]
    where = f"tariff {tariff.tariff_id}, version {version.label}"
    next_step = "price it with `tariff price --period`"
    return [Fault(where, f"{name}: not billed by a period close", next_step=next_step, code="not_in_close") for name in found]


def _kva_by_block(measure: Measure) -> bool:
    if measure.kind is MeasureKind.BLOCK:
        return measure.minutes > 0 and 60 % measure.minutes == 0
    return measure.kind is MeasureKind.STEP
