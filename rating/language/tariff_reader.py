"""From the top of a tariff's YAML to a `Tariff`: identity, versions and their order in time."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from datetime import date
from enum import Enum
from functools import cache
from pathlib import Path

from rating.language.calendars import Calendar
from rating.language.call_terms import Destination
from rating.language.clocks import CLOCKS, WALL, clock_of
from rating.language.read_allowances import read_allowances
from rating.language.read_calendars import check_years, read_calendars
from rating.language.read_calls import read_destinations, read_rates, read_rules
from rating.language.read_discounts import DiscountNames, read_discounts, read_fee_discounts
from rating.language.read_rounding import read_rounding
from rating.language.read_runs import read_runs
from rating.language.read_supply import SUPPLY_KEYS, SupplyOf, read_supply
from rating.language.read_terms import read_fees, read_taxes
from rating.language.read_windows import read_windows
from rating.language.shared_terms import FOREVER_AT, PricedAt, ServiceKind
from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.written_values import instant_at
from rating.language.yaml_places import Fields, Place
from schemas.errors import MeterlineError
from schemas.periods import FIRST_YEAR
from schemas.zones import zone_of

_SHARED_KEYS = ("effective_to", "windows", "fees", "taxes", "fee_discounts")
_TELECOM_KEYS = ("priced_at", "destinations", "rates", "allowances", "discount", "discounts", "derived")
_DECK = "deck_rates"
_YEAR = re.compile(r"([0-9]{4})-")


@dataclasses.dataclass(frozen=True, slots=True)
class _Frame:
    """What the versions of a tariff share: its clock, its calendars and where its decks lie."""

    service: ServiceKind
    zone: str
    clock: str
    calendars: dict[str, Calendar]
    folder: Path


def read_tariff(top: Place, folder: Path) -> Tariff | None:
    """The tariff under a top node; decks are looked for in `folder`. None where identity or versions cannot be read."""
    fields = top.fields(("tariff", "name", "currency", "zone", "service", "versions"), ("clock", "calendars", "fallback"))
    service_place, zone_place, versions_place = fields.get("service"), fields.get("zone"), fields.get("versions")
    service = service_place.choice([str(kind) for kind in ServiceKind]) if service_place else None
    zone = (_zone(zone_place) if zone_place else None) or "UTC"  # a stand-in, so that the rest is read all the same
    _check_identity(fields)
    if service is None or versions_place is None:
        return None
    clock_place = fields.get("clock")
    clock = (clock_place.choice(CLOCKS) if clock_place else None) or WALL
    calendars = read_calendars(fields.get("calendars"), _first_year(versions_place))
    frame = _Frame(ServiceKind(service), zone, clock, calendars, folder)
    versions = [_version(item, frame) for item in versions_place.items()]
    in_order = _in_order([version for version in versions if version is not None], versions_place)
    names = (fields.text("tariff"), fields.text("name"), fields.text("currency"))
    fallback = _fallback(fields, names[0], ServiceKind(service))
    tariff = Tariff(*names, zone, ServiceKind(service), in_order, clock, fallback, "", top.file)
    return dataclasses.replace(tariff, content_hash=content_hash(tariff))


def _check_identity(fields: Fields) -> None:
    for key, pattern, must_be in (
        ("tariff", r"[A-Za-z0-9_.-]{1,64}", "1 to 64 letters, digits, _, . or -"),
        ("currency", r"[A-Z]{3}", "an ISO 4217 code such as EUR"),
    ):
        place = fields.get(key)
        text = place.text() if place else None
        if place and text is not None and not re.fullmatch(pattern, text):
            place.fault(f"not a valid {key}", was=repr(text), must_be=must_be)


def _zone(place: Place) -> str | None:
    name = place.text()
    if name is None:
        return None
    try:
        zone_of(name)
    except MeterlineError as refused:
        fault = refused.faults[0]
        place.fault(fault.what, was=repr(name), must_be=fault.must_be, code=fault.code)
        return None
    return name


def _first_year(versions: Place) -> int:
    """The year in which the first version starts, as far as it can be read; what cannot is a fault elsewhere."""
    quiet = Place([], versions.file, versions.node)
    texts = [value.text() or "" for item in quiet.items() for key, _, value in item.pairs() if key == "effective_from"]
    years = [int(found[1]) for text in texts if (found := _YEAR.match(text))]
    return min(years, default=FIRST_YEAR)


def _fallback(fields: Fields, own: str, service: ServiceKind) -> tuple[str, ...]:
    place = fields.get("fallback")
    if place is None:
        return ()
    if service is not ServiceKind.TELECOM:
        place.fault("a fallback of metered supply", must_be="left out: fallbacks are for calls, messages and volumes")
    found: list[str] = []
    for item in place.items():
        text = item.text()
        if text == own or text in found:
            item.fault("this tariff is in the chain already", was=repr(text), must_be="another tariff")
        elif text:
            found.append(text)
    return tuple(found)


def _version(place: Place, frame: _Frame) -> TariffVersion | None:
    telecom, zone, clock = frame.service is ServiceKind.TELECOM, frame.zone, frame.clock
    required = ("version", "effective_from", "rounding", *(("rules",) if telecom else ()))
    fields = place.fields(required, _SHARED_KEYS + (_TELECOM_KEYS if telecom else SUPPLY_KEYS))
    if not telecom and fields.get("energy") is None and fields.get("dynamic") is None:
        place.fault("energy is missing", must_be="given", code="missing_key")
    from_at = instant_at(fields.get("effective_from"), zone, clock)
    to_place = fields.get("effective_to")
    to_at = instant_at(to_place, zone, clock) if to_place else FOREVER_AT
    if from_at is not None and to_at is not None and to_place and to_at <= from_at:
        to_place.fault("the version ends before it starts", was=str(to_place.text()), must_be="later than effective_from")
    windows = read_windows(fields.get("windows"), frame.calendars)
    if from_at is not None and to_at is not None:
        check_years(place, windows, from_at, to_at, clock_of(zone, clock))
    destinations = read_destinations(fields.get("destinations"), frame.folder)
    rates = read_rates(fields.get("rates"))
    priced_place = fields.get("priced_at")
    priced_at = priced_place.choice([str(choice) for choice in PricedAt]) if priced_place else None
    rules = read_rules(fields.get("rules"), set(windows), destinations, rates)
    fees, taxes = read_fees(fields.get("fees"), utility=not telecom), read_taxes(fields.get("taxes"), utility=not telecom)
    of_supply = SupplyOf((), Supply()) if telecom else read_supply(fields, set(windows), fees, taxes, zone, clock)
    names = DiscountNames(set(windows), dict(destinations), rates, {rule.item for rule in rules}, zone, clock)
    version = TariffVersion(
        label=fields.text("version"),
        effective_from_at=from_at or 0,
        effective_to_at=FOREVER_AT if to_at is None else to_at,
        rounding=read_rounding(fields.get("rounding"), line_only=not telecom),
        priced_at=PricedAt(priced_at or "increment_start"),
        windows=tuple(windows.values()),
        destinations=tuple(destination for destination, _ in destinations.values() if destination),
        rates=tuple(rate for rate, _ in rates.values() if rate),
        rules=rules,
        allowances=read_allowances(fields.get("allowances"), destinations, set(windows), rates),
        discounts=read_discounts(fields.get("discounts"), fields.get("discount"), names),
        energy=of_supply.energy,
        fees=fees,
        taxes=taxes,
        derived=read_runs(fields.get("derived"), dict(destinations)),
        fee_discounts=read_fee_discounts(fields.get("fee_discounts"), {fee.name for fee in fees}, zone, clock),
        where=place.where,
        supply=of_supply.supply,
    )
    return version if from_at is not None else None


def _in_order(versions: list[TariffVersion], place: Place) -> tuple[TariffVersion, ...]:
    """By start; overlaps and labels that come twice are faults."""
    in_order = sorted(versions, key=lambda version: version.effective_from_at)
    for before, after in zip(in_order, in_order[1:], strict=False):
        if before.effective_to_at > after.effective_from_at:
            place.fault(
                f"versions {before.label!r} and {after.label!r} overlap",
                must_be="one after the other",
                next_step=f"end {before.label!r} (effective_to) where {after.label!r} starts",
                code="version_overlap",
            )
    labels = [version.label for version in in_order]
    for label in sorted({label for label in labels if labels.count(label) > 1}):
        place.fault("this version is there twice", was=repr(label), must_be="one label for one version")
    return tuple(in_order)


def content_hash(tariff: Tariff) -> str:
    """SHA-256 over everything that the tariff says, decks included, in a form that the layout of the file does not change."""
    return hashlib.sha256(json.dumps(_canonical(tariff), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@cache
def _hashed_fields(kind: type) -> tuple[tuple[str, object], ...]:
    """(name, default) of the fields of a dataclass that enter a hash."""
    return tuple((field.name, field.default) for field in dataclasses.fields(kind) if field.compare)


def _canonical(value: object) -> object:
    if isinstance(value, (str, int)) and not isinstance(value, Enum):
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        # What is left at its default does not enter, so that a key that the language gains leaves old hashes as they are.
        shown = [(name, getattr(value, name), default) for name, default in _hashed_fields(type(value))]
        found = {name: _canonical(of) for name, of, default in shown if name != _DECK and of is not default and of != default}
        if isinstance(value, Destination) and value.deck_rates:  # of many prefixes and few rates
            number = {rate: place for place, rate in enumerate(dict.fromkeys(value.deck_rates))}
            found[_DECK] = [[_canonical(rate) for rate in number], [number[rate] for rate in value.deck_rates]]
        return found
    if isinstance(value, frozenset):
        return sorted(str(_canonical(item)) for item in value)
    if isinstance(value, tuple):
        return list(value) if all(type(item) is str for item in value) else [_canonical(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    return value.isoformat() if isinstance(value, date) else value
