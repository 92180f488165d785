"""The energy prices of a version: TOU periods, tiers and the ladder that they climb."""

from __future__ import annotations

from rating.language.rates_text import quantity_text
from rating.language.shared_terms import Tier
from rating.language.utility_terms import AddOn, BoundBasis, EnergyPrice, Ladder, TierScope
from rating.language.utility_values import bound, month_number, step_rounding
from rating.language.written_values import UNITS, WEIGHT_MAX, amount, boolean, quantity, whole
from rating.language.yaml_places import Place
from schemas.quantities import UsageKind

TIER_SCOPES = tuple(str(scope) for scope in TierScope)
_LADDER_KEYS = (
    "tier_scope",
    "split_at_bound",
    "whole_quantity",
    "prorate_bounds",
    "ladder_months",
    "ladder_starts_in",
    "round_quantity",
)


def read_energy(
    place: Place | None, windows: set[str], kind: UsageKind = UsageKind.ENERGY
) -> tuple[tuple[EnergyPrice, ...], Ladder, tuple[AddOn, ...]]:
    """(prices, their ladder, add-ons); quantities are of `kind`: energy, or liquid for water."""
    if place is None:
        return (), Ladder(), ()
    fields = place.fields(("prices",), (*_LADDER_KEYS, "add_ons"))
    scope_place, prices_place, add_ons_place = fields.get("tier_scope"), fields.get("prices"), fields.get("add_ons")
    scope = scope_place.choice(TIER_SCOPES) if scope_place else None
    found = read_prices(prices_place, windows, kind)
    if scope_place is None and any(len(price.tiers) > 1 for price in found):
        place.fault("tier_scope is missing", must_be=" or ".join(TIER_SCOPES), code="missing_key")
    units = {unit: scale for unit, (of, scale) in UNITS.items() if of is kind}
    ladder = Ladder(
        TierScope(scope or "shared_chronological"),
        boolean(fields.get("split_at_bound"), True),
        boolean(fields.get("whole_quantity"), False),
        boolean(fields.get("prorate_bounds"), False),
        whole(fields.get("ladder_months"), 1, 12) or 1,
        month_number(fields.get("ladder_starts_in"), 1),
        step_rounding(fields.get("round_quantity"), units),
    )
    if ladder.whole_quantity and ladder.scope is TierScope.SHARED_CHRONOLOGICAL and len(found) > 1:
        place.fault("whole_quantity has no order in time", must_be="tier_scope shared_prorated or per_period")
    add_ons = [_add_on(item, kind) for item in (add_ons_place.items() if add_ons_place else [])]
    return found, ladder, tuple(add_on for add_on in add_ons if add_on)


def read_prices(
    place: Place | None, windows: set[str], kind: UsageKind = UsageKind.ENERGY, *, tiers: bool = True
) -> tuple[EnergyPrice, ...]:
    """A list of prices by window; also the credit prices of export, which have no tiers."""
    found: list[EnergyPrice] = []
    for item in place.items() if place else []:
        price = _energy_price(item, windows, kind, tiers)
        if price is None:
            continue
        if any(other.item == price.item for other in found):
            item.fault("a price of this name is there twice", was=repr(price.item), must_be="one item for one price")
        found.append(price)
    return tuple(found)


def _energy_price(place: Place, windows: set[str], kind: UsageKind, may_have_tiers: bool) -> EnergyPrice | None:
    fields = place.fields(("item", "per"), ("window", "weight", "price", *(("tiers",) if may_have_tiers else ())))
    window_place, price_place, tiers_place = fields.get("window"), fields.get("price"), fields.get("tiers")
    window = window_place.reference(windows, "window") if window_place else None
    per = quantity(fields.get("per"), kind)
    weight = whole(fields.get("weight"), -WEIGHT_MAX, WEIGHT_MAX) or 0
    if (price_place is None) == (tiers_place is None):
        place.fault("price or tiers", must_be="one of the two")
        return None
    if per is not None and per[1] == 0:
        place.fault("per is zero", must_be="more than zero")
        return None
    if per is None:
        return None
    basis = BoundBasis.PERIOD
    if tiers_place is None:
        price = amount(price_place, negative=True)
        tiers = [] if price is None else [Tier(0, price, per[1], 1)]
    else:
        tiers, basis = energy_tiers(tiers_place, per[1], kind)
    item = fields.text("item")
    return EnergyPrice(item, window, weight, tuple(tiers), place.where, basis) if item and tiers else None


def energy_tiers(place: Place, per: int, kind: UsageKind) -> tuple[list[Tier], BoundBasis]:
    """Tiers in order of their starts, which all have one basis; zero has any."""
    found: list[Tier] = []
    bases: set[BoundBasis] = set()
    for item in place.items():
        fields = item.fields(("from", "price"))
        start, price = bound(fields.get("from"), kind), amount(fields.get("price"), negative=True)
        if start is None or price is None:
            continue
        basis, units = start
        if (not found and units != 0) or (found and units <= found[-1].from_usage):
            last = f"more than {quantity_text(found[-1].from_usage, kind)}" if found else "zero for the first tier"
            item.fault("tiers out of order", was=quantity_text(units, kind), must_be=last)
        if units:
            bases.add(basis)
        found.append(Tier(units, price, per, 1))
    if len(bases) > 1:
        place.fault("bounds of different kinds", was=" and ".join(sorted(bases)), must_be="of one kind")
    return found, min(bases, default=BoundBasis.PERIOD)


def _add_on(place: Place, kind: UsageKind) -> AddOn | None:
    fields = place.fields(("item", "per", "tiers"), ("ladder_months", "ladder_starts_in"))
    per, tiers_place = quantity(fields.get("per"), kind), fields.get("tiers")
    months, first = whole(fields.get("ladder_months"), 1, 12) or 1, month_number(fields.get("ladder_starts_in"), 1)
    if per is None or not per[1] or tiers_place is None:
        return None
    tiers, basis = energy_tiers(tiers_place, per[1], kind)
    item = fields.text("item")
    return AddOn(item, tuple(tiers), months, first, basis) if item and tiers else None
