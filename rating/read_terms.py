"""The parts of a version that every service has, and energy prices: windows, energy, fees, taxes."""

from __future__ import annotations

from datetime import date
from typing import TypeVar

from rating.rates_text import quantity_text
from rating.tariff import DAY_US, EnergyPrice, Fee, Tax, Tier, Window
from rating.written_values import WEIGHT_MAX, amount, boolean, local_date, parts_per_million, quantity, time_of_day_us, whole
from rating.yaml_places import Fields, Place
from schemas.periods import FIRST_YEAR, LAST_YEAR
from schemas.quantities import UsageKind

DAY_NAMES = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)}
TIER_SCOPES = ("shared_chronological",)
T = TypeVar("T", Fee, Tax)


def read_windows(place: Place | None) -> dict[str, Window]:
    return {name: _window(name, value) for name, _, value in (place.pairs() if place else [])}


def _window(name: str, place: Place) -> Window:
    fields = place.fields((), ("weekdays", "month_days", "months", "years", "dates", "start", "end"))
    start, end = fields.get("start"), fields.get("end")
    start_us = (time_of_day_us(start) if start else 0) or 0
    end_us = time_of_day_us(end) if end else DAY_US
    if start and start_us == DAY_US:
        start.fault("a window that starts at the end of the day", was="24:00", must_be="00:00 to 23:59:59")
    return Window(
        name,
        _weekdays(fields.get("weekdays")),
        _numbers(fields.get("month_days"), 1, 31),
        _numbers(fields.get("months"), 1, 12),
        _numbers(fields.get("years"), FIRST_YEAR, LAST_YEAR),
        _dates(fields.get("dates")),
        start_us,
        DAY_US if end_us is None else end_us,
    )


def _weekdays(place: Place | None) -> frozenset[int] | None:
    if place is None:
        return None
    found = set()
    for item in place.items():
        text = item.choice((*DAY_NAMES, *(str(number) for number in DAY_NAMES.values())))
        if text:
            found.add(DAY_NAMES.get(text) or int(text))
    return frozenset(found)


def _numbers(place: Place | None, least: int, most: int) -> frozenset[int] | None:
    if place is None:
        return None
    found = [whole(item, least, most) for item in place.items()]
    return frozenset(number for number in found if number is not None)


def _dates(place: Place | None) -> frozenset[date] | None:
    if place is None:
        return None
    found = [local_date(item) for item in place.items()]
    return frozenset(day for day in found if day is not None)


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


def read_fees(place: Place | None) -> tuple[Fee, ...]:
    found: dict[str, Fee] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "amount"), ("per", "prorate"))
        per = fields.get("per")
        if per:
            per.choice(("month",))
        nano = amount(fields.get("amount"), negative=True)
        prorate = boolean(fields.get("prorate"), True)
        _enter(found, item, fields, None if nano is None else Fee(fields.text("name"), nano, prorate))
    return tuple(found.values())


def read_taxes(place: Place | None) -> tuple[Tax, ...]:
    found: dict[str, Tax] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "percent"))
        ppm = parts_per_million(fields.get("percent"), most_percent=1_000)
        _enter(found, item, fields, None if ppm is None else Tax(fields.text("name"), ppm))
    return tuple(found.values())


def _enter(found: dict[str, T], place: Place, fields: Fields, entry: T | None) -> None:
    name = fields.text("name")
    if name in found:
        place.fault("this name is there twice", was=repr(name), must_be="one name for one entry")
    if entry is not None:
        found[name] = entry
