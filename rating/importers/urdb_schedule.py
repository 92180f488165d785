"""12 x 24 schedules (month, hour) of weekdays and weekends as few windows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from rating.importers.deck_values import Unreadable

WEEKDAYS, WEEKEND = ("mon", "tue", "wed", "thu", "fri"), ("sat", "sun")
_MONTHS, _HOURS = range(12), range(24)
Cell = tuple[int, bool, int]  # month 0-11, is a weekend, hour 0-23


def schedule_cells(
    weekday: object, weekend: object, periods: int, of: Callable[[int, int], Hashable]
) -> dict[Hashable, set[Cell]]:
    """The cells of each class; `of(period, month)` is the class of a cell.

    Raises:
        Unreadable: no 12 x 24 whole numbers, or a period that has no rates.
    """
    found: dict[Hashable, set[Cell]] = {}
    for is_weekend, grid in ((False, weekday), (True, weekend)):
        if not isinstance(grid, list) or len(grid) != 12 or any(not isinstance(row, list) or len(row) != 24 for row in grid):
            raise Unreadable("not 12 x 24 periods")
        for month in _MONTHS:
            for hour in _HOURS:
                period = grid[month][hour]
                if not isinstance(period, int) or not 0 <= period < periods:
                    raise Unreadable(f"period {period!r} has no rates")
                found.setdefault(of(period, month), set()).add((month, is_weekend, hour))
    return found


def windows_of(cells: set[Cell]) -> list[dict[str, object] | None]:
    """Windows that hold exactly these cells; None is all the time.

    A window past midnight belongs to the date on which it starts: only a night that is the same all year becomes one.
    """
    if len(cells) == 12 * 2 * 24:
        return [None]
    nights = _night(cells)
    if nights:
        start, end = nights
        inside = {hour for hour in _HOURS if hour >= start or hour < end}
        rest = {cell for cell in cells if cell[2] not in inside}
        return [{"start": _clock(start), "end": _clock(end)}, *(windows_of(rest) if rest else [])]
    spans: dict[tuple[int, int], dict[bool, set[int]]] = {}
    for is_weekend in (False, True):
        for month in _MONTHS:
            for span in _spans({hour for of_month, of_day, hour in cells if (of_month, of_day) == (month, is_weekend)}):
                spans.setdefault(span, {False: set(), True: set()})[is_weekend].add(month)
    found: list[dict[str, object] | None] = []
    for span, months in sorted(spans.items()):
        both = months[False] & months[True]
        for days, of in ((None, both), (WEEKDAYS, months[False] - both), (WEEKEND, months[True] - both)):
            if of:
                found.append(_window(span, days, of))
    return found


def _night(cells: set[Cell]) -> tuple[int, int] | None:
    """(start, end) of a span past midnight that is the same on every day of the year."""
    every = [hour for hour in _HOURS if all((month, day, hour) in cells for month in _MONTHS for day in (False, True))]
    others = {hour for hour in _HOURS if any((month, day, hour) in cells for month in _MONTHS for day in (False, True))}
    spans = _spans(set(every))
    if len(spans) < 2 or spans[0][0] != 0 or spans[-1][1] != 24:
        return None
    start, end = spans[-1][0], spans[0][1]
    return (start, end) if others >= set(every) else None


def _spans(hours: set[int]) -> list[tuple[int, int]]:
    """Half-open runs of hours."""
    found: list[list[int]] = []
    for hour in sorted(hours):
        if found and found[-1][1] == hour:
            found[-1][1] = hour + 1
        else:
            found.append([hour, hour + 1])
    return [(low, high) for low, high in found]


def _window(span: tuple[int, int], days: Sequence[str] | None, months: set[int]) -> dict[str, object]:
    window: dict[str, object] = {}
    if days:
        window["weekdays"] = list(days)
    if len(months) < 12:
        window["months"] = [month + 1 for month in sorted(months)]
    if span[0]:
        window["start"] = _clock(span[0])
    if span[1] < 24:
        window["end"] = _clock(span[1])
    return window


def _clock(hour: int) -> str:
    return f"{hour:02d}:00"


def months_of(window: dict[str, object] | None) -> set[int]:
    """The months in which a window has occurrences."""
    listed = (window or {}).get("months")
    return set(listed) if isinstance(listed, list) else set(range(1, 13))
