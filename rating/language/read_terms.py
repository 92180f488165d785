"""The parts of a version that every service has besides windows: fees and taxes."""

from __future__ import annotations

from typing import TypeVar

from rating.language.shared_terms import Fee, Tax
from rating.language.written_values import amount, boolean, parts_per_million
from rating.language.yaml_places import Fields, Place

T = TypeVar("T", Fee, Tax)


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
