"""The parts of a version that every service has besides windows: fees and taxes."""

from __future__ import annotations

from typing import TypeVar

from rating.language.shared_terms import Fee, Tax
from rating.language.utility_values import line_names
from rating.language.written_values import amount, boolean, parts_per_million
from rating.language.yaml_places import Fields, Place

T = TypeVar("T", Fee, Tax)


def read_fees(place: Place | None, *, utility: bool = False) -> tuple[Fee, ...]:
    """Recurring amounts; those of a utility may be per day or year, and prorated by thirtieths."""
    found: dict[str, Fee] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "amount"), ("per", "prorate"))
        per_place, prorate_place = fields.get("per"), fields.get("prorate")
        per = (per_place.choice(("month", "day", "year") if utility else ("month",)) if per_place else None) or "month"
        nano = amount(fields.get("amount"), negative=True)
        if utility and prorate_place:
            how = prorate_place.choice(("true", "false", "thirtieths")) or "true"
        else:
            how = "true" if boolean(prorate_place, True) else "false"
        fee = None if nano is None else Fee(fields.text("name"), nano, how != "false", per, how == "thirtieths")
        _enter(found, item, fields, fee)
    return tuple(found.values())


def read_taxes(place: Place | None, *, utility: bool = False) -> tuple[Tax, ...]:
    """Rates; those of a utility may name the lines they apply to (that there are such lines is checked with all elements)."""
    found: dict[str, Tax] = {}
    for item in place.items() if place else []:
        fields = item.fields(("name", "percent"), ("of",) if utility else ())
        ppm = parts_per_million(fields.get("percent"), most_percent=1_000)
        _enter(found, item, fields, None if ppm is None else Tax(fields.text("name"), ppm, line_names(fields.get("of"))))
    return tuple(found.values())


def _enter(found: dict[str, T], place: Place, fields: Fields, entry: T | None) -> None:
    name = fields.text("name")
    if name in found:
        place.fault("this name is there twice", was=repr(name), must_be="one name for one entry")
    if entry is not None:
        found[name] = entry
