"""The telecom parts of a tariff version: destinations, rates and rules."""

from __future__ import annotations

import re
from pathlib import Path

from rating.language.call_terms import Cap, Destination, Rate, Rule
from rating.language.decks import DeckColumns, read_deck
from rating.language.rates_text import quantity_text
from rating.language.read_rounding import read_rounding
from rating.language.shared_terms import Tier
from rating.language.written_values import UNITS, WEIGHT_MAX, amount, quantity, whole
from rating.language.yaml_places import Fields, Place
from schemas.errors import MeterlineError
from schemas.money import amount_text
from schemas.numbers import DIGITS_MAX
from schemas.quantities import UsageKind

CALL_KINDS = {kind.label: kind for kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)}
_PREFIX = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}")


def read_destinations(place: Place | None, folder: Path) -> dict[str, tuple[Destination | None, UsageKind | None]]:
    """name -> (destination, kind that its deck prices); a destination with faults is None, so that its name stays known."""
    found: dict[str, tuple[Destination | None, UsageKind | None]] = {}
    for name, _, value in place.pairs() if place else []:
        fields = value.fields((), ("prefixes", "deck"))
        prefixes, deck = fields.get("prefixes"), fields.get("deck")
        if (prefixes is None) == (deck is None):
            value.fault("prefixes or a deck", must_be="one of the two")
            found[name] = (None, None)
        elif deck is not None:
            found[name] = _deck_destination(name, deck, folder)
        else:
            assert prefixes is not None
            found[name] = (Destination(name, _prefixes(prefixes)), None)
    return found


def _prefixes(place: Place) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for item in place.items():
        text = item.text()
        if text is None:
            continue
        if not _PREFIX.fullmatch(text):
            item.fault("not a prefix", was=repr(text), must_be=f"1 to {DIGITS_MAX} digits, international and without +")
        elif text in found:
            item.fault("this prefix is there twice", was=text, must_be="once")
        else:
            found[text] = None
    return tuple(found)


def _deck_destination(name: str, place: Place, folder: Path) -> tuple[Destination | None, UsageKind | None]:
    before = len(place.faults)
    fields = place.fields(("file", "prefix", "price", "per", "increment"), ("connect_fee", "first_increment"))
    per = quantity(fields.get("per"))
    kind = per[0] if per else None
    increment = _deck_step(fields.get("increment"), kind)
    first = _deck_step(fields.get("first_increment"), kind)
    if per is None or increment is None or len(place.faults) > before:
        return None, kind
    columns = DeckColumns(
        fields.text("prefix"), fields.text("price"), per[1], fields.text("connect_fee") or None, increment, first
    )
    try:
        prefixes, rates = read_deck(folder / fields.text("file"), columns, per[0].label)
    except MeterlineError as refused:
        place.faults.extend(refused.faults)
        return None, kind
    return Destination(name, prefixes, fields.text("file"), rates), kind


def _deck_step(place: Place | None, kind: UsageKind | None) -> int | tuple[str, str] | None:
    """One size for all rows, or {column, unit}."""
    if place is None:
        return None
    if not place.is_mapping:
        step = quantity(place, kind)
        return step[1] if step else None
    fields = place.fields(("column", "unit"))
    unit_place = fields.get("unit")
    unit = unit_place.choice([unit for unit, (of, _) in UNITS.items() if kind in (None, of)]) if unit_place else None
    return (fields.text("column"), unit) if unit else None


def read_rates(place: Place | None) -> dict[str, tuple[Rate | None, UsageKind | None]]:
    """name -> (rate, kind that its units measure)."""
    return {name: read_rate(name, value) for name, _, value in (place.pairs() if place else [])}


def read_rate(name: str, place: Place) -> tuple[Rate | None, UsageKind | None]:
    before = len(place.faults)
    shape = ("tiers",) if any(key == "tiers" for key, _, _ in _quiet_pairs(place)) else ("price", "per", "increment")
    more = () if shape == ("tiers",) else ("first_increment",)
    fields = place.fields(shape, ("connect_fee", "minimum_charge", "cap", *more))
    fee = amount(fields.get("connect_fee"), negative=True) or 0
    minimum = amount(fields.get("minimum_charge")) or 0
    cap = _cap(fields.get("cap"))
    tiers = _tiers(fields.get("tiers")) if shape == ("tiers",) else _plain_tiers(fields)
    kind = tiers[0][0] if tiers else None
    if any(tier_kind != kind for tier_kind, _ in tiers):
        place.fault("units of different kinds in one rate", must_be="one kind")
    steps = tuple(tier for _, tier in tiers)
    if cap and minimum > cap.amount_nano:
        place.fault("the minimum lies above the cap", was=amount_text(minimum), must_be=f"at most {amount_text(cap.amount_nano)}")
    if (cap or minimum) and (fee < 0 or any(tier.price_nano < 0 for tier in steps)):
        place.fault("a negative price with a minimum or a cap", must_be="one without the other")
    if len(place.faults) > before or not steps:
        return None, kind
    return Rate(name, steps, fee, minimum, cap), kind


def _quiet_pairs(place: Place) -> list[tuple[str, Place, Place]]:
    """The keys, without entering faults (they are entered when the fields are read)."""
    return Place([], place.file, place.node, place.path).pairs()


def _cap(place: Place | None) -> Cap | None:
    if place is None:
        return None
    fields = place.fields(("amount", "strategy"))
    most = amount(fields.get("amount"))
    strategy_place = fields.get("strategy")
    strategy = strategy_place.choice(("free", "disconnect")) if strategy_place else None
    return Cap(most, strategy) if most is not None and strategy else None


def _plain_tiers(fields: Fields) -> list[tuple[UsageKind, Tier]]:
    """price, per and increment; with a first increment a the first tier is [0, a) in steps of a."""
    price = amount(fields.get("price"), negative=True)
    per = quantity(fields.get("per"))
    step = positive(fields.get("increment"), per[0] if per else None)
    first_place = fields.get("first_increment")
    first = positive(first_place, per[0] if per else None)
    if price is None or per is None or step is None or _not_positive(fields.get("per"), per[1]):
        return []
    if first is None or first == step:
        return [(per[0], Tier(0, price, per[1], step))]
    return [(per[0], Tier(0, price, per[1], first)), (per[0], Tier(first, price, per[1], step))]


def _tiers(place: Place | None) -> list[tuple[UsageKind, Tier]]:
    found: list[tuple[UsageKind, Tier]] = []
    for item in place.items() if place else []:
        fields = item.fields(("from", "price", "per", "increment"))
        per = quantity(fields.get("per"))
        kind = per[0] if per else None
        start = quantity(fields.get("from"), kind)
        price = amount(fields.get("price"), negative=True)
        step = positive(fields.get("increment"), kind)
        if per is None or start is None or price is None or step is None or _not_positive(fields.get("per"), per[1]):
            continue
        if (not found and start[1] != 0) or (found and start[1] <= found[-1][1].from_usage):
            last = f"more than {quantity_text(found[-1][1].from_usage, per[0])}" if found else "zero for the first tier"
            item.fault("tiers out of order", was=quantity_text(start[1], per[0]), must_be=last)
        found.append((per[0], Tier(start[1], price, per[1], step)))
    return found


def positive(place: Place | None, kind: UsageKind | None) -> int | None:
    found = quantity(place, kind)
    return None if found is None or _not_positive(place, found[1]) else found[1]


def _not_positive(place: Place | None, units: int) -> bool:
    if units <= 0 and place is not None:
        place.fault("zero", must_be="more than zero")
    return units <= 0


def read_rules(
    place: Place | None,
    windows: set[str],
    destinations: dict[str, tuple[Destination | None, UsageKind | None]],
    rates: dict[str, tuple[Rate | None, UsageKind | None]],
) -> tuple[Rule, ...]:
    found = [_rule(item, windows, destinations, rates) for item in (place.items() if place else [])]
    return tuple(rule for rule in found if rule is not None)


def _rule(
    place: Place,
    windows: set[str],
    destinations: dict[str, tuple[Destination | None, UsageKind | None]],
    rates: dict[str, tuple[Rate | None, UsageKind | None]],
) -> Rule | None:
    fields = place.fields(("kind", "item"), ("destination", "window", "rate", "weight", "rounding"))
    rounding_place = fields.get("rounding")
    rounding = read_rounding(rounding_place, line_only=False) if rounding_place else None
    kind_place, item = fields.get("kind"), fields.text("item")
    kind = kind_place.choice(CALL_KINDS) if kind_place else None
    to_place, window_place, rate_place = fields.get("destination"), fields.get("window"), fields.get("rate")
    to = to_place.reference(dict(destinations), "destination") if to_place else None
    window = window_place.reference(windows, "window") if window_place else None
    rate = rate_place.reference(dict(rates), "rate") if rate_place else None
    weight = whole(fields.get("weight"), -WEIGHT_MAX, WEIGHT_MAX) or 0
    deck_kind = destinations[to][1] if to else None
    if rate_place is None and to_place is None:
        place.fault("rate is missing", must_be="given, unless the destination is a deck", code="missing_key")
    elif rate_place is None and to and destinations[to][0] and deck_kind is None:
        place.fault("rate is missing", must_be=f"given, since destination {to!r} is no deck", code="missing_key")
    measured = rates[rate][1] if rate else (deck_kind if rate_place is None else None)
    if kind and measured is not None and measured != CALL_KINDS[kind]:
        place.fault(f"a {kind} rule with a rate for {measured.label}", must_be=f"a rate in units of {kind}")
    if not kind or not item:
        return None
    return Rule(CALL_KINDS[kind], to, window, rate, weight, item, rounding, place.where)
