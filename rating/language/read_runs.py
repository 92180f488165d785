"""The derived runs of a version: what else the same usage is priced for, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping

from rating.language.call_terms import DerivedRun
from rating.language.read_calls import CALL_KINDS
from rating.language.yaml_places import Place

RETAIL = "retail"  # the run of the subject's own tariff
SIDES = ("cost", "revenue")
_NAME = re.compile(r"[a-z0-9_.-]{1,32}")


def read_runs(place: Place | None, destinations: Mapping[str, object]) -> tuple[DerivedRun, ...]:
    """The runs of a version by name."""
    found: dict[str, DerivedRun] = {}
    for item in place.items() if place else []:
        run = _run(item, destinations)
        if run is None:
            continue
        if run.name in found:
            item.fault("a run of this name is there twice", was=repr(run.name), must_be="one name for one run")
        found[run.name] = run
    return tuple(found[name] for name in sorted(found))


def _run(place: Place, destinations: Mapping[str, object]) -> DerivedRun | None:
    fields = place.fields(("run", "side"), ("tariff", "subject", "when"))
    name_place, side_place = fields.get("run"), fields.get("side")
    name = name_place.text() if name_place else None
    if name_place and name is not None and (name == RETAIL or not _NAME.fullmatch(name)):
        name_place.fault(
            "not a name of a run", was=repr(name), must_be=f"lower-case letters, digits, _, . or -, and not {RETAIL}"
        )
        name = None
    side = side_place.choice(SIDES) if side_place else None
    tariff, subject = fields.get("tariff"), fields.get("subject")
    if (tariff is None) == (subject is None):
        place.fault("tariff or subject", must_be="one of the two")
    when_place = fields.get("when")
    when = when_place.fields((), ("kinds", "destinations")) if when_place else None
    kinds, to = (when.get("kinds"), when.get("destinations")) if when else (None, None)
    chosen = [item.choice(CALL_KINDS) for item in kinds.items()] if kinds else None
    names = [item.reference(destinations, "destination") for item in to.items()] if to else None
    if name is None or side is None:
        return None
    return DerivedRun(
        name,
        side,
        fields.text("tariff"),
        fields.text("subject"),
        None if chosen is None else frozenset(CALL_KINDS[label] for label in chosen if label),
        None if names is None else tuple(one for one in names if one),
    )
