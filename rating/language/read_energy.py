"""The energy prices of a version: TOU periods and tiers."""

from __future__ import annotations

from rating.language.rates_text import quantity_text
from rating.language.shared_terms import Tier
from rating.language.utility_terms import EnergyPrice
from rating.language.written_values import WEIGHT_MAX, amount, quantity, whole
from rating.language.yaml_places import Place
from schemas.quantities import UsageKind

TIER_SCOPES = ("shared_chronological",)


def read_energy(place: Place | None, windows: set[str]) -> tuple[EnergyPrice, ...]:
    if place is None:
        return ()
    fields = place.fields(("prices",), ("tier_scope",))
    scope_place, prices_place = fields.get("tier_scope"), fields.get("prices")
    if scope_place:
        scope_place.choice(TIER_SCOPES)
    found: list[EnergyPrice] = []
    for item in prices_place.items() if prices_place else []:
        price = _energy_price(item, windows)
        if price is None:
            continue
        if any(other.item == price.item for other in found):
            item.fault("a price of this name is there twice", was=repr(price.item), must_be="one item for one price")
        found.append(price)
    if scope_place is None and any(len(price.tiers) > 1 for price in found):
        place.fault("tier_scope is missing", must_be=" or ".join(TIER_SCOPES), code="missing_key")
    return tuple(found)


def _energy_price(place: Place, windows: set[str]) -> EnergyPrice | None:
    fields = place.fields(("item", "per"), ("window", "weight", "price", "tiers"))
    window_place, price_place, tiers_place = fields.get("window"), fields.get("price"), fields.get("tiers")
    window = window_place.reference(windows, "window") if window_place else None
    per = quantity(fields.get("per"), UsageKind.ENERGY)
    weight = whole(fields.get("weight"), -WEIGHT_MAX, WEIGHT_MAX) or 0
    if (price_place is None) == (tiers_place is None):
        place.fault("price or tiers", must_be="one of the two")
        return None
    if per is not None and per[1] == 0:
        place.fault("per is zero", must_be="more than zero")
        return None
    if per is None:
        return None
    if tiers_place is None:
        price = amount(price_place, negative=True)
        tiers = [] if price is None else [Tier(0, price, per[1], 1)]
    else:
        tiers = _energy_tiers(tiers_place, per[1])
    item = fields.text("item")
    return EnergyPrice(item, window, weight, tuple(tiers), place.where) if item and tiers else None


def _energy_tiers(place: Place, per: int) -> list[Tier]:
    found: list[Tier] = []
    for item in place.items():
        fields = item.fields(("from", "price"))
        start, price = quantity(fields.get("from"), UsageKind.ENERGY), amount(fields.get("price"), negative=True)
        if start is None or price is None:
            continue
        if (not found and start[1] != 0) or (found and start[1] <= found[-1].from_usage):
            last = f"more than {quantity_text(found[-1].from_usage, UsageKind.ENERGY)}" if found else "zero for the first tier"
            item.fault("tiers out of order", was=quantity_text(start[1], UsageKind.ENERGY), must_be=last)
        found.append(Tier(start[1], price, per, 1))
    return found
