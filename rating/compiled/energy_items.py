"""Energy prices as bill items: one for each tier of a price, with a label of its own."""

from __future__ import annotations

from rating.compiled.book import EnergyItem
from rating.language.tariff import Tariff, TariffVersion
from rating.language.tier_text import tier_detail
from rating.language.utility_terms import EnergyPrice


def energy_items_of(tariff: Tariff, version: TariffVersion, price: EnergyPrice) -> list[EnergyItem]:
    """The items of a price in order of their tiers."""
    items = []
    for tier in price.tiers:
        label = f"{price.item} {tier_detail(version, price, tier)}".rstrip()
        items.append(
            EnergyItem(tariff.tariff_id, version.label, label, tier.price_nano, tier.per, tier.from_usage, version.rounding)
        )
    return items
