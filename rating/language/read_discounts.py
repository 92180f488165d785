"""The discounts of a version as written: one of `percent`, `tiers` or `rate`, filters, conditions, limits and their order."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass

from rating.language.discount_terms import CHARGE, MONEY, NO_START_AT, QUANTITY, REST, Discount, DiscountTier, FeeDiscount, Term
from rating.language.rates_text import quantity_text
from rating.language.read_calls import CALL_KINDS
from rating.language.shared_terms import FOREVER_AT
from rating.language.written_values import amount, boolean, instant_at, parts_per_million, quantity, whole
from rating.language.yaml_places import Fields, Place
from schemas.money import amount_text
from schemas.quantities import UsageKind

DISCOUNTS_MAX = 60  # of one version: each has a bit in a word
_GIVEN = ("percent", "tiers", "rate")
_FILTERS = ("kinds", "destinations", "items", "windows", "from", "until", "new_for", "with", "after")
_LIMITS = ("first", "first_records", "budget")
_KEYS = (*_GIVEN, *_FILTERS, *_LIMITS, "order", "of", "exclusive", "split_at_bound", "retroactive")
_TERM = re.compile(r"([1-9][0-9]{0,3}) +(days?|months?)")


@dataclass(frozen=True, slots=True)
class DiscountNames:
    """What a discount may name: the version's own windows, destinations, rates and items, and the tariff's clock."""

    windows: set[str]
    destinations: Mapping[str, object]
    rates: Mapping[str, tuple[object, UsageKind | None]]
    items: set[str]
    zone: str
    clock: str


def read_discounts(place: Place | None, short: Place | None, names: DiscountNames) -> tuple[Discount, ...]:
    """In stacking order. `short` is the form for a version with one ladder over everything: item and tiers."""
    if short is not None and place is None:
        fields = short.fields(("item", "tiers"))
        basis, tiers = _tiers(fields.get("tiers"))
        if basis == QUANTITY:
            short.fault("a ladder over quantities", must_be="one over money; others go under discounts")
        return (Discount(fields.text("item"), tiers, basis=basis, where=short.where),)
    if short is not None:
        short.fault("discount beside discounts", must_be="one of the two")
    entries = place.items() if place else []
    found = [(item, one) for item in entries if (one := _discount(item, names, len(entries) > 1)) is not None]
    _check_together(found)
    if place is not None and len(found) > DISCOUNTS_MAX:
        place.fault("too many discounts", was=str(len(found)), must_be=f"at most {DISCOUNTS_MAX}")
    return tuple(sorted((one for _, one in found), key=lambda one: (one.order, one.item)))


def _discount(place: Place, names: DiscountNames, ordered: bool) -> Discount | None:
    before = len(place.faults)
    fields = place.fields(("name", "order") if ordered else ("name",), _KEYS)
    given = [key for key in _GIVEN if fields.get(key)]
    if len(given) != 1:
        place.fault("percent, tiers or rate", was=" and ".join(given) or "none", must_be="one of the three")
        return None
    basis, tiers = _tiers(fields.get("tiers"))
    if percent := fields.get("percent"):
        ppm = parts_per_million(percent)
        basis, tiers = MONEY, (DiscountTier(0, ppm),) if ppm is not None else ()
    rate_place = fields.get("rate")
    rate = rate_place.reference(dict(names.rates), "rate") if rate_place else None
    of_place = fields.get("of")
    found = _filtered(fields, names, Discount(fields.text("name"), tiers, basis=basis, rate=rate or "", where=place.where))
    found = dataclasses.replace(
        found,
        order=whole(fields.get("order"), 0, 1_000_000) or 0,
        base=(of_place.choice((REST, CHARGE)) if of_place else None) or REST,
        exclusive=fields.text("exclusive"),
        split_at_bound=boolean(fields.get("split_at_bound"), False),
        retroactive=boolean(fields.get("retroactive"), False),
        budget_nano=amount(fields.get("budget")),
        first_records=whole(fields.get("first_records"), 1, 999_999_999),
    )
    found = _one_kind(place, fields, names, found)
    _check_alone(place, fields, found)
    return found if len(place.faults) == before and found.item else None


def _tiers(place: Place | None) -> tuple[str, tuple[DiscountTier, ...]]:
    """(basis, tiers): quoted bounds are money, bounds with a unit are quantities."""
    tiers: list[DiscountTier] = []
    basis = ""
    kind: UsageKind | None = None
    start: int | None
    for item in place.items() if place else []:
        tier = item.fields(("from", "percent"))
        start_place, ppm = tier.get("from"), parts_per_million(tier.get("percent"))
        if start_place is None:
            continue
        own = MONEY if start_place.is_quoted else QUANTITY
        if basis and own != basis:
            start_place.fault("bounds of money and of quantity in one ladder", must_be="all quoted amounts, or all quantities")
            continue
        basis = own
        if own == MONEY:
            start = amount(start_place)
        else:
            kind, start = quantity(start_place, kind) or (kind, None)
        if start is None or ppm is None:
            continue
        if tiers and start <= tiers[-1].from_total:
            was, last = (_total_text(total, kind) for total in (start, tiers[-1].from_total))
            item.fault("tiers out of order", was=was, must_be=f"more than {last}")
        tiers.append(DiscountTier(start, ppm))
    return basis or MONEY, tuple(tiers)


def _total_text(total: int, kind: UsageKind | None) -> str:
    return amount_text(total) if kind is None else quantity_text(total, kind)


def _filtered(fields: Fields, names: DiscountNames, found: Discount) -> Discount:
    """With its filters and conditions."""
    kinds, to, items, windows, held = (fields.get(key) for key in ("kinds", "destinations", "items", "windows", "with"))
    start, end, after_place = fields.get("from"), fields.get("until"), fields.get("after")
    from_at = instant_at(start, names.zone, names.clock)
    to_at = instant_at(end, names.zone, names.clock)
    if end and from_at is not None and to_at is not None and to_at <= from_at:
        end.fault("it ends before it starts", was=str(end.text()), must_be="later than from")
    chosen = [item.choice(CALL_KINDS) for item in kinds.items()] if kinds else None
    return dataclasses.replace(
        found,
        kinds=None if chosen is None else frozenset(CALL_KINDS[label] for label in chosen if label),
        destinations=_references(to, names.destinations, "destination"),
        items=None if items is None else frozenset(_references(items, names.items, "item of a rule") or ()),
        windows=None if windows is None else frozenset(_references(windows, names.windows, "window") or ()),
        effective_from_at=NO_START_AT if from_at is None else from_at,
        effective_to_at=FOREVER_AT if to_at is None else to_at,
        new_for=_term(fields.get("new_for")),
        with_tariffs=None if held is None else frozenset(text for item in held.items() if (text := item.text())),
        after_basis=QUANTITY if after_place and not after_place.is_quoted else MONEY,
    )


def _references(place: Place | None, known: Mapping[str, object] | set[str], what: str) -> tuple[str, ...] | None:
    if place is None:
        return None
    return tuple(name for item in place.items() if (name := item.reference(known, what)))


def _term(place: Place | None) -> Term | None:
    text = place.text() if place else None
    if place is None or text is None:
        return None
    match = _TERM.fullmatch(text)
    if not match:
        place.fault("not a term", was=repr(text), must_be="a number of days or months such as 30 days")
        return None
    return Term(int(match[1]), match[2].rstrip("s") + "s")


def _one_kind(place: Place, fields: Fields, names: DiscountNames, found: Discount) -> Discount:
    """Quantities and rates measure one kind of usage, so that the discount is for that kind only."""
    kinds: set[UsageKind] = set()
    first, after = fields.get("first"), fields.get("after")
    first_units = quantity(first)
    if first and first_units:
        kinds.add(first_units[0])
        if first_units[1] == 0:
            first.fault("zero", must_be="more than zero")
    after_total = 0
    if after and found.after_basis == QUANTITY:
        measured = quantity(after)
        if measured:
            kinds.add(measured[0])
            after_total = measured[1]
    elif after:
        after_total = amount(after) or 0
    tiers = fields.get("tiers")
    if tiers and found.basis == QUANTITY:
        bounds = [
            quantity(entry.fields(("from",), ("percent",)).get("from")) for entry in Place([], tiers.file, tiers.node).items()
        ]
        kinds |= {bound[0] for bound in bounds if bound}
    of_rate = names.rates[found.rate][1] if found.rate else None
    kinds |= {of_rate} if of_rate is not None else set()
    if len(kinds) > 1 or (kinds and found.kinds is not None and found.kinds != kinds):
        labels = ", ".join(sorted(kind.label for kind in kinds | (found.kinds or frozenset())))
        place.fault("a discount that measures several kinds of usage", was=labels, must_be="one kind")
    return dataclasses.replace(
        found,
        kinds=frozenset(kinds) if kinds else found.kinds,
        after_total=after_total,
        first_units=first_units[1] if first_units else None,
    )


def _check_alone(place: Place, fields: Fields, found: Discount) -> None:
    """Keys that say nothing together."""
    if (found.split_at_bound or found.retroactive) and not fields.get("tiers"):
        place.fault("split_at_bound or retroactive without tiers", must_be="tiers")
    if found.split_at_bound and found.retroactive:
        place.fault("split_at_bound and retroactive", must_be="one of the two: a retroactive ladder reprices the whole period")
    limits = [key for key in (*_LIMITS, "after", "exclusive", "of") if fields.get(key)]
    if found.retroactive and limits:
        place.fault("a retroactive ladder with a limit", was=", ".join(limits), must_be="tiers, filters and dates only")
    if found.rate and found.base == CHARGE:
        place.fault("a rate of the charge", must_be="percent or tiers; a rate replaces what is left of the charge")


def _check_together(found: list[tuple[Place, Discount]]) -> None:
    """Names and orders that come twice, and what must come last."""
    names: set[str] = set()
    orders: dict[int, str] = {}
    last_plain = max([one.order for _, one in found if not one.retroactive], default=-1)
    for place, one in found:
        if one.item in names:
            place.fault("a discount of this name is there twice", was=repr(one.item), must_be="one name for one discount")
        names.add(one.item)
        other = orders.setdefault(one.order, one.item)
        if other != one.item:
            place.fault("this order is there twice", was=f"{one.order} ({other!r})", must_be="one order for one discount")
        if one.retroactive and one.order < last_plain:
            place.fault("a retroactive ladder before others", was=f"order {one.order}", must_be=f"more than {last_plain}")


def read_fee_discounts(place: Place | None, fees: set[str], zone: str, clock: str) -> tuple[FeeDiscount, ...]:
    """Discounts of the version's fees, by name."""
    found: dict[str, FeeDiscount] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "percent"), ("fees", "with", "from", "until"))
        ppm, name = parts_per_million(fields.get("percent")), fields.text("name")
        held, of = fields.get("with"), fields.get("fees")
        start, end = instant_at(fields.get("from"), zone, clock), instant_at(fields.get("until"), zone, clock)
        chosen = None if of is None else frozenset(_references(of, fees, "fee") or ())
        tariffs = None if held is None else frozenset(text for one in held.items() if (text := one.text()))
        if name in found:
            item.fault("a discount of this name is there twice", was=repr(name), must_be="one name for one discount")
        if ppm is not None and name:
            span = (NO_START_AT if start is None else start, FOREVER_AT if end is None else end)
            found[name] = FeeDiscount(name, ppm, chosen, tariffs, *span)
    return tuple(found[name] for name in sorted(found))
