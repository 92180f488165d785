"""The parts of CGRateS rating plans, read once each: windows, destinations, rates and how a destination rate rounds and caps."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from rating.importers.cgrates_rows import PlanRows, Row
from rating.importers.cgrates_values import amount_of, count_of, quantity_of, window_of_timing
from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind
from schemas.numbers import DIGITS_MAX
from schemas.quantities import UsageKind

ANY = "*any"
_MODES = {"*up": "up", "*middle": "half_up", "*down": "down"}


@dataclass(frozen=True, slots=True)
class Part:
    """A part that can be used, and the rows it was read from."""

    value: object
    rows: tuple[Row, ...]


@dataclass(slots=True)
class Parts:
    """What rules refer to, by id. An id that is there but could not be read is in `broken`."""

    timings: dict[str, Part] = field(default_factory=dict)
    destinations: dict[str, Part] = field(default_factory=dict)
    rates: dict[str, list[Row]] = field(default_factory=dict)
    broken: set[tuple[str, str]] = field(default_factory=set)


def read_parts(plan: PlanRows) -> Parts:
    parts = Parts(rates=plan.grouped("Rates"))
    for name, rows in plan.grouped("Timings").items():
        _timing(plan, parts, name, rows)
    for name, rows in plan.grouped("Destinations").items():
        _destination(plan, parts, name, rows)
    for rows in parts.rates.values():
        _slots(plan, rows)
    return parts


def _timing(plan: PlanRows, parts: Parts, name: str, rows: list[Row]) -> None:
    for row in rows[1:]:
        plan.find(FindingKind.CONFLICT, row, f"this timing is there twice: line {rows[0].line} stands", name)
    try:
        window, corrected = window_of_timing(rows[0].cells)
    except Unreadable as reason:
        schedule = rows[0]["time"].startswith("*")
        if not schedule:  # schedules are those of action plans; where a rating plan uses one, that row says so
            plan.refuse(rows[0], reason.what, ",".join(list(rows[0].cells.values())[1:]), reason.next_step)
        parts.broken.add(("timing", name))
        return
    if corrected:
        plan.find(FindingKind.NOTE, rows[0], "the end is inclusive there: a second was added", rows[0]["time"])
    parts.timings[name] = Part(window, (rows[0],))


def _destination(plan: PlanRows, parts: Parts, name: str, rows: list[Row]) -> None:
    prefixes: dict[str, Row] = {}
    for row in rows:
        digits = row["prefix"].removeprefix("+")
        if not re.fullmatch(rf"[0-9]{{1,{DIGITS_MAX}}}", digits):
            plan.refuse(row, "not a prefix of digits", row["prefix"], f"1 to {DIGITS_MAX} digits")
        elif digits in prefixes:
            plan.find(FindingKind.DUPLICATE, row, f"says the same as line {prefixes[digits].line}", row["prefix"])
        else:
            prefixes[digits] = row
    if prefixes:
        parts.destinations[name] = Part(list(prefixes), tuple(prefixes.values()))
    else:
        parts.broken.add(("destination", name))


def _slots(plan: PlanRows, rows: list[Row]) -> None:
    """What is wrong with a rate whatever it measures; what depends on the kind is found where a plan uses it."""
    starts: dict[int, Row] = {}
    for row in rows:
        try:
            for name in ("connect_fee", "rate"):
                amount_of(row[name] or "0")
            start, _ = count_of(row["start"])
            if count_of(row["unit"])[0] == 0 or count_of(row["increment"])[0] == 0:
                plan.find(FindingKind.NOTE, row, "a unit or increment of zero is one second there")
        except Unreadable as reason:
            plan.refuse(row, reason.what, ",".join(list(row.cells.values())[1:]), reason.next_step)
            continue
        if start in starts:
            same = starts[start].cells == row.cells
            what = "says the same as" if same else "another slot with this start: there stands"
            plan.find(
                FindingKind.DUPLICATE if same else FindingKind.CONFLICT, row, f"{what} line {starts[start].line}", row["start"]
            )
        else:
            starts[start] = row
        if row is not rows[0] and amount_of(row["connect_fee"] or "0").strip("0.") and not plan.is_named(row):
            plan.refuse(row, "a connect fee of a later slot, which is never charged there", row["connect_fee"], "delete it")


def rate_of(plan: PlanRows, rows: list[Row], kind: UsageKind) -> dict[str, object]:
    """A rate as a tariff writes it.

    Raises:
        Unreadable: a slot that is named already, or that cannot be counted in units of `kind`.
    """
    usable = [row for row in rows if not plan.is_named(row)]
    if len(usable) < len([row for row in rows if (row.file, row.line) not in plan.duplicates]):
        raise Unreadable("a slot of this rate could not be imported")
    ordered = sorted(usable, key=lambda row: count_of(row["start"])[0])
    if count_of(ordered[0]["start"])[0]:
        raise Unreadable("no slot of this rate starts at zero", "a rate needs a price from the start of the usage")
    tiers: list[dict[str, object]] = []
    for row in ordered:
        unit, step = (row[name] if count_of(row[name])[0] else "1s" for name in ("unit", "increment"))
        tiers.append(
            {
                "from": quantity_of(row["start"] or "0", kind),
                "price": amount_of(row["rate"] or "0"),
                "per": quantity_of(unit, kind),
                "increment": quantity_of(step, kind),
            }
        )
    fee = amount_of(rows[0]["connect_fee"] or "0")
    found: dict[str, object] = {"connect_fee": fee} if fee.strip("0.") else {}
    if len(tiers) == 1:
        return {**found, **{key: value for key, value in tiers[0].items() if key != "from"}}
    return {**found, "tiers": tiers}


def rounding_of_rate(row: Row) -> dict[str, object]:
    """Rounding of a destination rate; 0 decimals, and more than nine, are none there."""
    decimals = row["decimals"] or "0"
    if not re.fullmatch(r"[0-9]{1,3}", decimals):
        raise Unreadable("not a number of decimals", "0 to 9")
    if row["rounding"] not in ("", *_MODES):
        raise Unreadable("not a rounding method", " or ".join(_MODES))
    if not row["rounding"] or not 1 <= int(decimals) <= 9:
        return {"scope": "record", "mode": "none"}
    return {"scope": "record", "mode": _MODES[row["rounding"]], "decimals": int(decimals)}


def cap_of_rate(row: Row) -> dict[str, object] | None:
    """The most one record may cost; none where it is zero."""
    most = amount_of(row["max_cost"] or "0")
    if not most.strip("0."):
        return None
    if most.startswith("-"):
        raise Unreadable("a maximum below zero")
    if row["strategy"] not in ("*free", "*disconnect"):
        raise Unreadable("not a strategy of a maximum", "*free or *disconnect")
    return {"amount": most, "strategy": row["strategy"].removeprefix("*")}
