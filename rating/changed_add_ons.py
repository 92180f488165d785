"""Add-on tiers whose bounds changed within the months of their ladder."""

from __future__ import annotations

from rating.language.shared_terms import Tier
from rating.language.tariff import Tariff, TariffVersion
from rating.utility.bill_input import BilledMonth
from schemas.periods import period_of


def changed_add_ons(tariff: Tariff, version: TariffVersion, month: BilledMonth) -> dict[str, tuple[Tier, ...]]:
    """Tiers of add-ons whose bounds differ between the versions of their ladder's months: each month counts its share of them.

    A month has the bounds of the version in force at its start; a month that no version covers has those of this version.
    """
    found: dict[str, tuple[Tier, ...]] = {}
    for add_on in version.supply.add_ons:
        began = month.ladder_start(add_on.months, add_on.first_month)
        sums = [0] * len(add_on.tiers)
        for number in range(began, began + add_on.months):
            at = period_of(number, tariff.zone).start_at
            holds = next((one for one in tariff.versions if one.effective_from_at <= at < one.effective_to_at), version)
            own = next((one for one in holds.supply.add_ons if one.item == add_on.item and len(one.tiers) == len(sums)), add_on)
            sums = [total + tier.from_usage for total, tier in zip(sums, own.tiers, strict=True)]
        bounds = [(2 * total + add_on.months) // (2 * add_on.months) for total in sums]
        if bounds != [tier.from_usage for tier in add_on.tiers]:
            found[add_on.item] = tuple(
                Tier(start, tier.price_nano, tier.per, tier.increment) for start, tier in zip(bounds, add_on.tiers, strict=True)
            )
    return found
