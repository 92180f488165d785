"""Allowances of a tariff version, and the terms under which any balance pays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction

from rating.language.call_terms import Allowance, Destination, Expiry, PayTerms, Rate, Rollover
from rating.language.read_calls import CALL_KINDS, positive, read_rate
from rating.language.written_values import QUANTITY_MAX, WEIGHT_MAX, boolean, quantity, whole
from rating.language.yaml_places import Fields, Place
from schemas.quantities import UsageKind

GENERIC_LABEL = "generic"
SHARE_ORDERS = ("own_first", "lowest", "highest")
TERM_KEYS = (
    *("block", "factor", "per_unit", "destinations", "excluded", "categories", "windows", "rate", "tariff"),
    *("blocker", "unlimited", "fee_with_allowance", "share_order", "member_cap"),
)
PERIODS_MAX = 120
_FACTOR = re.compile(r"([0-9]{1,9})(?:/([0-9]{1,9}))?")
_DECIMAL = re.compile(r"[0-9]{1,18}(\.[0-9]{1,9})?")
# Reference: rating §5, one second or one unit.
_DEFAULT_BLOCK = {UsageKind.VOICE: 1_000, UsageKind.MESSAGE: 1, UsageKind.VOLUME: 1}


def read_allowances(
    place: Place | None,
    destinations: Mapping[str, tuple[Destination | None, UsageKind | None]],
    windows: set[str],
    rates: Mapping[str, tuple[Rate | None, UsageKind | None]],
) -> tuple[Allowance, ...]:
    """The allowances of a version; names that come twice, units of another kind and options at odds are faults."""
    found: dict[str, Allowance] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "kind", "units", "scope"), (*TERM_KEYS, "prorate", "priority", "valid_for", "rollover"))
        name, kind_place, scope_place = fields.text("name"), fields.get("kind"), fields.get("scope")
        label = kind_place.choice((*CALL_KINDS, GENERIC_LABEL)) if kind_place else None
        kind = CALL_KINDS.get(label) if label else None
        units = read_units(fields.get("units"), label)
        scope = scope_place.choice(("account", "group")) if scope_place else None
        terms = read_pay_terms(fields, label, set(destinations), windows, rates)
        priority = whole(fields.get("priority"), -WEIGHT_MAX, WEIGHT_MAX) or 0
        prorate = boolean(fields.get("prorate"), True)
        expiry = _expiry(fields.get("valid_for"))
        rollover = _rollover(fields.get("rollover"), label)
        if name in found:
            item.fault("an allowance of this name is there twice", was=repr(name), must_be="one name for one allowance")
        if scope == "account" and (terms.member_cap is not None or terms.share_order != "own_first"):
            item.fault("member_cap or share_order without a group", must_be="scope: group, or left out")
        if rollover and terms.unlimited:
            item.fault("an unlimited allowance that rolls over", must_be="one of the two")
        if label is None or units is None or scope is None or not name:
            continue
        if units.denominator != 1:
            item.fault("a fraction of a unit", was=str(units), must_be="whole units")
            continue
        default = 0 if kind is None else _DEFAULT_BLOCK[kind]
        found[name] = Allowance(
            name, kind, terms.destinations, units.numerator, terms.block or default, scope, prorate, priority, terms.excluded,
            terms.categories, terms.windows, terms.factor, terms.per_unit, terms.rate, terms.tariff_id, terms.blocker,
            terms.unlimited, terms.fee_with_allowance, terms.share_order, terms.member_cap, expiry, rollover,
        )  # fmt: skip
    return tuple(found.values())


def read_units(place: Place | None, label: str | None) -> Fraction | None:
    """Base units of a quantity of a kind; generic units are a plain decimal."""
    if label != GENERIC_LABEL:
        found = quantity(place, CALL_KINDS.get(label) if label else None)
        return Fraction(found[1]) if found else None
    if place is None or (text := place.text()) is None:
        return None
    if not _DECIMAL.fullmatch(text) or Fraction(text) > QUANTITY_MAX:
        place.fault("not a number of generic units", was=repr(text), must_be='a decimal without a unit such as "100"')
        return None
    return Fraction(text)


def read_pay_terms(
    fields: Fields,
    label: str | None,
    destinations: set[str],
    windows: set[str],
    rates: Mapping[str, tuple[Rate | None, UsageKind | None]],
) -> PayTerms:
    """The terms among the fields of an allowance or a balance; `label` is voice, message, volume, generic or money."""
    kind = CALL_KINDS.get(label) if label else None
    share_place, tariff_place, rate_place = fields.get("share_order"), fields.get("tariff"), fields.get("rate")
    rate = _bundle_rate(rate_place, kind, rates)
    if tariff_place and rate_place:
        tariff_place.fault("a rate and a tariff of its own", must_be="one of the two")
    if (tariff_place or rate_place) and label is not None and kind is None:
        (tariff_place or rate_place or fields.place).fault("a price of its own", must_be="a balance of voice, message or volume")
    for key, allowed in (("block", kind is not None), ("factor", label != "money"), ("per_unit", label == GENERIC_LABEL)):
        place = fields.get(key)
        if place and label and not allowed:
            place.fault(f"{key} for {label}", must_be="left out")
    if label == GENERIC_LABEL and fields.get("per_unit") is None:
        fields.place.fault("per_unit is missing", must_be="what one unit buys, such as {voice: 60 s}", code="missing_key")
    block_place = fields.get("block")
    if block_place and (tariff_place or rate_place):
        block_place.fault("a block beside a price of its own", must_be="left out: its rate's increments are taken")
    cap = read_units(fields.get("member_cap"), label) if label != "money" else None
    return PayTerms(
        block=positive(block_place, kind) if block_place and kind is not None else None,
        factor=_factor(fields.get("factor")),
        per_unit=_per_unit(fields.get("per_unit")),
        destinations=_names(fields.get("destinations"), destinations, "destination"),
        excluded=_names(fields.get("excluded"), destinations, "destination"),
        categories=_names(fields.get("categories"), None, "category"),
        windows=_names(fields.get("windows"), windows, "window"),
        rate=rate,
        tariff_id=(tariff_place.text() or "") if tariff_place else "",
        blocker=boolean(fields.get("blocker"), False),
        unlimited=boolean(fields.get("unlimited"), False),
        fee_with_allowance=boolean(fields.get("fee_with_allowance"), False),
        share_order=(share_place.choice(SHARE_ORDERS) if share_place else None) or "own_first",
        member_cap=None if cap is None else cap.numerator // cap.denominator,
    )


def _bundle_rate(
    place: Place | None, kind: UsageKind | None, rates: Mapping[str, tuple[Rate | None, UsageKind | None]]
) -> Rate | None:
    """A rate of the version by name, or one that is written here."""
    if place is None:
        return None
    if place.is_mapping:
        found = read_rate("own rate", place)
    else:
        name = place.reference(dict(rates), "rate")
        found = rates[name] if name else (None, None)
    rate, measured = found
    if rate and kind is not None and measured not in (None, kind):
        place.fault(f"a rate for {measured.label if measured else ''}", must_be=f"a rate in units of {kind.label}")
    return rate


def _names(place: Place | None, known: set[str] | None, what: str) -> tuple[str, ...] | None:
    if place is None:
        return None
    found = [item.text() if known is None else item.reference(known, what) for item in place.items()]
    return tuple(name for name in found if name)


def _factor(place: Place | None) -> tuple[int, int]:
    """An exact pair: `3`, or `1/3`."""
    if place is None or (text := place.text()) is None:
        return 1, 1
    match = _FACTOR.fullmatch(text)
    pair = (int(match[1]), int(match[2] or 1)) if match else (0, 0)
    if 0 in pair:
        place.fault("not a factor", was=repr(text), must_be="a whole number or a fraction such as 1/3, more than zero")
        return 1, 1
    return pair


def _per_unit(place: Place | None) -> tuple[tuple[UsageKind, int], ...]:
    found = []
    for name, at_key, value in place.pairs() if place else []:
        if name not in CALL_KINDS:
            at_key.fault("not a kind of usage", was=repr(name), must_be=" or ".join(CALL_KINDS))
            continue
        usage = positive(value, CALL_KINDS[name])
        if usage is not None:
            found.append((CALL_KINDS[name], usage))
    return tuple(found)


def _expiry(place: Place | None) -> Expiry:
    if place is None:
        return Expiry()
    fields = place.fields((), ("periods", "days"))
    periods, days = whole(fields.get("periods"), 1, PERIODS_MAX), whole(fields.get("days"), 1, 366 * 10)
    if (fields.get("periods") is None) == (fields.get("days") is None):
        place.fault("periods or days", must_be="one of the two")
    return Expiry(periods or 1, days or 0)


def _rollover(place: Place | None, label: str | None) -> Rollover | None:
    if place is None:
        return None
    fields = place.fields(("cap", "periods"))
    cap, periods = read_units(fields.get("cap"), label), whole(fields.get("periods"), 1, PERIODS_MAX)
    if cap is None or periods is None:
        return None
    return Rollover(cap.numerator // cap.denominator, periods)
