"""The row account spelled out: collected = billed + pending + rejected + duplicate + superseded + filtered + merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from meterline.cli.output import number_text, table_text
from schemas.ports import RowCount
from schemas.quantities import UsageKind
from schemas.reasons import Disposition, Reason


def kind_label(kind: int) -> str:
    return UsageKind(kind).label if kind < len(UsageKind) else "unreadable"


def identity_text(rows: Sequence[RowCount]) -> str:
    """The identity in one line, zero terms included: they are claims too."""
    counts = Counter[str]()
    for entry in rows:
        counts[entry.disposition] += entry.rows
    terms = " + ".join(f"{number_text(counts[place])} {place}" for place in Disposition)
    return f"{number_text(sum(counts.values()))} collected = {terms}"


def account_text(rows: Sequence[RowCount]) -> str:
    """The identity, then rejects and filtered records by reason."""
    reasons = Counter[tuple[str, str]]()
    for entry in rows:
        if entry.reason != Reason.OK:
            reasons[entry.disposition, entry.reason.label] += entry.rows
    text = identity_text(rows)
    if reasons:
        listed = [(place, reason, count) for (place, reason), count in sorted(reasons.items())]
        text += "\n\n" + table_text(("disposition", "reason", "records"), listed, right=("records",))
    return text


def account_json(rows: Sequence[RowCount]) -> dict[str, Any]:
    counts = Counter[str]()
    quantities: dict[str, dict[str, int]] = {}
    for entry in rows:
        counts[entry.disposition] += entry.rows
        if entry.kind < len(UsageKind):
            unit = UsageKind(entry.kind).unit
            by_place = quantities.setdefault(f"{kind_label(entry.kind)}_{unit}", {})
            by_place[entry.disposition] = by_place.get(entry.disposition, 0) + entry.quantity
    reasons = Counter[str]()
    for entry in rows:
        if entry.reason != Reason.OK:
            reasons[entry.reason.label] += entry.rows
    return {
        "collected": sum(counts.values()),
        **{str(place): counts[place] for place in Disposition},
        "reasons": dict(sorted(reasons.items())),
        "quantities": quantities,
    }
