"""Weeks as a person draws them: seven rows of half-hours that say which window prices what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from rating.compiled.timeline import compile_timeline
from rating.described_terms import instant_on
from rating.language.clocks import clock_table, first_instant_of_day
from rating.language.shared_terms import Window
from rating.language.tariff import Tariff, TariffVersion

HALF_HOUR_US = 1_800_000_000
SLOTS = 48
_WEEKS = 53
_LAYOUTS_MAX = 4
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
ALWAYS, NOTHING = ".", "-"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True)
class WeekGrid:
    """What prices some destinations in weeks of one layout. `rows`: 7 texts of 48 half-hours, Monday first; see `legend`."""

    priced: tuple[str, ...]  # `voice to national`, or `energy`
    first_week_on: date
    weeks: int  # of the year shown
    rows: tuple[str, ...]
    legend: dict[str, str]  # mark -> window; `.` no window, `-` no rule of its own

    def lines(self) -> list[str]:
        """Text of at most 60 columns: a scale, seven days, the legend beside the first days."""
        said = [f"{mark} {window}" for mark, window in self.legend.items()]
        lines = ["     0     3     6     9     12    15    18    21"]
        for number, row in enumerate(self.rows):
            note = f"   {said[number]}" if number < len(said) else ""
            lines.append(f"{_DAYS[number]}  {row}{note}")
        return lines + [f"{'':53}   {each}" for each in said[7:]]


@dataclass(frozen=True, slots=True)
class _Selector:
    """A rule or an energy price as far as the choice of a window goes."""

    priced: str
    window: str
    weight: int


def week_grids(tariff: Tariff, index: int) -> list[WeekGrid]:
    """The layouts of the weeks of a version's first year, the most frequent first; destinations with one layout together.

    Weeks in which the clock changes are left out; layouts beyond the fourth (single holidays) are not drawn. What a
    destination has no rule for is `-`, although a shorter prefix may price it.
    """
    version = tariff.versions[index]
    selectors = _selectors(version)
    if not version.windows or not any(selector.window for selector in selectors):
        return []
    mondays = _mondays(tariff, version)
    if not mondays:
        return []
    sampled = _sampled(tariff, index, mondays)
    marks = {window.name: _LETTERS[number % len(_LETTERS)] for number, window in enumerate(version.windows)}
    by_marks: dict[tuple[bytes, ...], list[str]] = {}
    drawn: dict[tuple[bytes, ...], npt.NDArray[np.str_]] = {}
    for priced in dict.fromkeys(selector.priced for selector in selectors):
        own = [selector for selector in selectors if selector.priced == priced]
        if not any(selector.window for selector in own):
            continue
        grid = _marks(own, version.windows, marks, sampled)
        key = (grid.tobytes(),)
        by_marks.setdefault(key, []).append(priced)
        drawn[key] = grid
    return [each for key, priced in by_marks.items() for each in _layouts(tuple(priced), mondays, drawn[key], marks)]


def _selectors(version: TariffVersion) -> list[_Selector]:
    found = []
    for rule in version.rules:
        to = f" to {rule.destination}" if rule.destination else ""
        found.append(_Selector(f"{rule.kind.label}{to}", rule.window or "", rule.weight))
    return found + [_Selector("energy", price.window or "", price.weight) for price in version.energy]


def _mondays(tariff: Tariff, version: TariffVersion) -> list[date]:
    """The Mondays of whole weeks without a clock change, from the start of a version on, for a year or to its end."""
    zone = clock_table(tariff.zone, tariff.clock)
    start = instant_on(max(version.effective_from_at, int(zone.starts_at[0])), tariff.zone, tariff.clock).date()
    monday = start + timedelta(days=(-start.weekday()) % 7)
    found = []
    for number in range(_WEEKS):
        first, end = monday + timedelta(weeks=number), monday + timedelta(weeks=number + 1)
        low, high = (first_instant_of_day(day, tariff.zone, tariff.clock) for day in (first, end))
        changes = np.searchsorted(zone.starts_at, [low, high], side="right")
        if high <= version.effective_to_at and changes[0] == changes[1]:
            found.append(first)
    return found


def _sampled(tariff: Tariff, index: int, mondays: list[date]) -> npt.NDArray[np.int64]:
    """[weeks, 336, windows]: the rank of each window at the start of each half-hour, 0 = closed."""
    starts = np.array([first_instant_of_day(monday, tariff.zone, tariff.clock) for monday in mondays], dtype=np.int64)
    timeline = compile_timeline(tariff, int(starts[0]), int(starts[-1]) + 8 * SLOTS * HALF_HOUR_US)
    instants = starts[:, None] + np.arange(7 * SLOTS, dtype=np.int64) * HALF_HOUR_US
    place = np.searchsorted(timeline.starts_at, instants, side="right") - 1
    width = len(tariff.versions[index].windows)
    ranks = np.zeros((len(timeline.patterns), width), dtype=np.int64)
    for number, pattern in enumerate(timeline.patterns):
        if pattern.version == index:
            ranks[number] = pattern.ranks
    return ranks[timeline.pattern[place]]


def _marks(
    own: list[_Selector], windows: tuple[Window, ...], marks: dict[str, str], sampled: npt.NDArray[np.int64]
) -> npt.NDArray[np.str_]:
    """[weeks, 336] marks of the winners: higher weight, then later start of the window."""
    names = [window.name for window in windows]
    best = np.full(sampled.shape[:2], -1, dtype=np.int64)
    found = np.full(sampled.shape[:2], NOTHING, dtype="<U1")
    least = min(selector.weight for selector in own)
    for selector in own:
        rank = sampled[:, :, names.index(selector.window)] if selector.window else np.zeros(sampled.shape[:2], dtype=np.int64)
        holds = (rank > 0) if selector.window else np.ones(sampled.shape[:2], dtype=np.bool_)
        score = np.where(holds, (selector.weight - least) * (len(names) + 1) + rank, -1)
        better = score > best
        best = np.where(better, score, best)
        found = np.where(better, marks[selector.window] if selector.window else ALWAYS, found)
    return found


def _layouts(priced: tuple[str, ...], mondays: list[date], grid: npt.NDArray[np.str_], marks: dict[str, str]) -> list[WeekGrid]:
    layouts, first, counts = np.unique(grid, axis=0, return_index=True, return_counts=True)
    order = sorted(range(len(layouts)), key=lambda number: (-counts[number], first[number]))
    texts = ["".join(layout.tolist()) for layout in layouts]
    shown = [number for number in order if counts[number] > 2 and texts[number].strip(ALWAYS + NOTHING)][:_LAYOUTS_MAX]
    shown = shown or [number for number in order if texts[number].strip(ALWAYS + NOTHING)][:1]  # a window of a few days
    found = []
    for number in shown:
        text = texts[number]
        legend = {mark: name for name, mark in marks.items() if mark in text}
        legend |= {mark: what for mark, what in ((ALWAYS, "other times"), (NOTHING, "no rule of its own")) if mark in text}
        rows = tuple(text[day * SLOTS : (day + 1) * SLOTS] for day in range(7))
        found.append(WeekGrid(priced, mondays[int(first[number])], int(counts[number]), rows, legend))
    return found
