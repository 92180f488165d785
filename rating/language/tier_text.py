"""How a line of an energy tier says which it is."""

from __future__ import annotations

from rating.language.rates_text import quantity_text
from rating.language.shared_terms import Tier
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import AddOn, BoundBasis, Commodity, EnergyPrice
from schemas.quantities import UsageKind


def tier_detail(version: TariffVersion, price: EnergyPrice | AddOn, tier: Tier) -> str:
    """How a line of a tier says which it is; empty for the first."""
    kind = UsageKind.LIQUID if version.supply.commodity is Commodity.WATER else UsageKind.ENERGY
    return f"above {_bound_text(tier.from_usage, price.basis, kind)}" if tier.from_usage else ""


def _bound_text(from_usage: int, basis: BoundBasis, kind: UsageKind) -> str:
    suffix = {BoundBasis.PER_DAY: "/day", BoundBasis.PER_KW: "/kW", BoundBasis.PER_KW_DAY: "/kW/day"}.get(basis, "")
    return quantity_text(from_usage, kind) + suffix
