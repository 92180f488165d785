"""Where and how amounts are rounded, as a version or one of its rules says it."""

from __future__ import annotations

from rating.language.shared_terms import Rounding
from rating.language.written_values import whole
from rating.language.yaml_places import Place

ROUNDING_MODES = ("up", "down", "half_up", "half_even", "none")


def _is_record(place: Place) -> bool:
    return getattr(place.node, "value", None) == "record"  # a scope of calls, which has a message of its own


def read_rounding(place: Place | None, *, line_only: bool) -> Rounding:
    """What the version says, or a stand-in where that has faults."""
    if place is None:
        return Rounding("line", "half_up", 2)
    fields = place.fields(("scope", "mode"), ("decimals",))
    scope_place, mode_place, decimals_place = fields.get("scope"), fields.get("mode"), fields.get("decimals")
    scope = (
        scope_place.choice(("line", "total") if line_only and not _is_record(scope_place) else ("record", "line"))
        if scope_place
        else None
    )
    mode = mode_place.choice(ROUNDING_MODES) if mode_place else None
    decimals = whole(decimals_place, 0, 9)
    if mode == "none" and decimals_place:
        decimals_place.fault("decimals without rounding", must_be="left out, or a mode given")
    if mode and mode != "none" and decimals_place is None:
        place.fault("decimals is missing", must_be="0 to 9", code="missing_key")
    if line_only and scope == "record" and scope_place:
        scope_place.fault("energy is not rounded by record", was="record", must_be="line")
    return Rounding(scope or "line", mode or "half_up", 9 if mode == "none" or decimals is None else decimals)
