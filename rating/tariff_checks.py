"""What only a whole tariff shows: rules that nothing orders (a fault), and what is legal but hardly meant (warnings)."""

from __future__ import annotations

import numpy as np

from rating.compiled.prefixes import compile_prefixes
from rating.compiled.timeline import Timeline, compile_timeline
from rating.compiled.winners import CALL_KIND_COUNT, RuleRow, call_candidates, energy_candidates, resolve, rule_rows
from rating.language.tariff import Tariff
from schemas.errors import Fault
from schemas.quantities import UsageKind
from schemas.zones import US_PER_S, moment_of, zone_of, zone_table

# Calendars repeat after 28 years (1901-2099), so this sees every combination of windows that an open version can have.
_HORIZON_US = (28 * 366) * 86_400 * US_PER_S


def life_timeline(tariff: Tariff) -> Timeline | None:
    """The timeline of a tariff from its first version to its end or for 28 years; None where it lies outside the zone's table."""
    if not tariff.versions:
        return None
    years = zone_table(tariff.zone).starts_at[0]
    start_at = max(tariff.versions[0].effective_from_at, int(years))
    last = tariff.versions[-1]
    open_from = max(last.effective_from_at, start_at)
    end_at = min(last.effective_to_at, open_from + _HORIZON_US)
    return compile_timeline(tariff, start_at, end_at) if start_at < end_at else None


def price_numbers(rows: tuple[RuleRow, ...]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """A number for each row, equal where the price is."""
    numbers: dict[tuple[object, ...], int] = {}
    return np.array([numbers.setdefault(row.price, len(numbers)) for row in rows], dtype=np.int64)


def level_rule_faults(tariff: Tariff) -> list[Fault]:
    """Rules that are level at different prices at some instant of the tariff's life, one fault for each pair."""
    timeline = life_timeline(tariff)
    if timeline is None:
        return []
    return _level_rules(tariff, timeline) + _level_energy(tariff, timeline)


def _level_rules(tariff: Tariff, timeline: Timeline) -> list[Fault]:
    rows = rule_rows(tariff)
    if not rows:
        return []
    table = compile_prefixes(prefix for version in tariff.versions for to in version.destinations for prefix in to.prefixes)
    prices = price_numbers(rows)
    faults: dict[tuple[str, str], Fault] = {}
    for kind in list(UsageKind)[:CALL_KIND_COUNT]:
        candidates = {
            index: call_candidates(version, index, kind, rows, table.node_of) for index, version in enumerate(tariff.versions)
        }
        for level in resolve(candidates, timeline.patterns, table, prices)[1]:
            one, other = sorted((rows[level.rows[0]].rule, rows[level.rows[1]].rule), key=lambda rule: rule.where)
            to = f"prefix {table.prefixes[level.node]}" if level.node else "any number"
            when = _first_instant(timeline, level.pattern, tariff.zone)
            faults.setdefault((one.where, other.where), _level_fault(other.where, one.where, f"{to} at {when}"))
    return list(faults.values())


def _level_energy(tariff: Tariff, timeline: Timeline) -> list[Fault]:
    table = compile_prefixes(())
    faults: dict[tuple[str, str], Fault] = {}
    for index, version in enumerate(tariff.versions):
        if not version.energy:
            continue
        prices = np.arange(len(version.energy), dtype=np.int64)  # each is an item of its own on the bill, so none may be level
        candidates = {index: energy_candidates(version.energy, version, 0)}
        for level in resolve(candidates, timeline.patterns, table, prices)[1]:
            one, other = sorted((version.energy[row] for row in level.rows), key=lambda price: price.where)
            when = _first_instant(timeline, level.pattern, tariff.zone)
            faults.setdefault((one.where, other.where), _level_fault(other.where, one.where, when))
    return list(faults.values())


def _level_fault(where: str, other: str, when: str) -> Fault:
    return Fault(
        where,
        f"ambiguous with {other} (first for {when})",
        must_be="ordered by prefix, weight or start of the window, or at one price",
        next_step="give one of them a higher weight",
        code="ambiguous_rules",
    )


def _first_instant(timeline: Timeline, pattern: int, zone: str) -> str:
    at = int(timeline.starts_at[np.argmax(timeline.pattern == pattern)])
    return moment_of(at).astimezone(zone_of(zone)).isoformat(timespec="minutes")


def tariff_warnings(tariff: Tariff) -> list[Fault]:
    """Names never used, gaps between versions, instants without an energy price."""
    found: list[Fault] = []
    for version in tariff.versions:
        used_windows = {rule.window for rule in version.rules} | {price.window for price in version.energy}
        used_windows |= {name for one in version.allowances for name in one.windows or ()}
        used_to = {rule.destination for rule in version.rules}
        used_to |= {to for one in version.allowances for to in (*(one.destinations or ()), *(one.excluded or ()))}
        used_rates = {rule.rate for rule in version.rules} | {one.rate.name for one in version.allowances if one.rate}
        unused = [f"window {window.name!r}" for window in version.windows if window.name not in used_windows]
        unused += [f"destination {to.name!r}" for to in version.destinations if to.name not in used_to]
        unused += [f"rate {rate.name!r}" for rate in version.rates if rate.name not in used_rates]
        for name in unused:
            found.append(Fault(version.where, f"{name} is not used", next_step="use it or delete it", code="warning_unused"))
    for before, after in zip(tariff.versions, tariff.versions[1:], strict=False):
        if before.effective_to_at < after.effective_from_at:
            what = f"between {before.label!r} and {after.label!r} no version is in force"
            found.append(Fault(after.where, what, next_step="usage in between is rejected", code="warning_gap"))
    return found + _energy_holes(tariff)


def _energy_holes(tariff: Tariff) -> list[Fault]:
    timeline = life_timeline(tariff)
    found: list[Fault] = []
    for index, version in enumerate(tariff.versions):
        if not version.energy or timeline is None:
            continue
        candidates = {index: energy_candidates(version.energy, version, 0)}
        winners, _ = resolve(candidates, timeline.patterns, compile_prefixes(()), np.zeros(len(version.energy), dtype=np.int64))
        holes = [n for n, pattern in enumerate(timeline.patterns) if pattern.version == index and winners[0, n] < 0]
        if holes:
            when = _first_instant(timeline, holes[0], tariff.zone)
            next_step = "add a price without a window, else such usage is rejected"
            found.append(Fault(version.where, f"no energy price holds from {when}", next_step=next_step, code="warning_hole"))
    return found
