"""The recurring local time spans of a version."""

from __future__ import annotations

from datetime import date

from rating.language.shared_terms import DAY_US, Window
from rating.language.written_values import local_date, time_of_day_us, whole
from rating.language.yaml_places import Place
from schemas.periods import FIRST_YEAR, LAST_YEAR

DAY_NAMES = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)}


def read_windows(place: Place | None) -> dict[str, Window]:
    return {name: _window(name, value) for name, _, value in (place.pairs() if place else [])}


def _window(name: str, place: Place) -> Window:
    fields = place.fields((), ("weekdays", "month_days", "months", "years", "dates", "start", "end"))
    start, end = fields.get("start"), fields.get("end")
    start_us = (time_of_day_us(start) if start else 0) or 0
    end_us = time_of_day_us(end) if end else DAY_US
    if start and start_us == DAY_US:
        start.fault("a window that starts at the end of the day", was="24:00", must_be="00:00 to 23:59:59")
    return Window(
        name,
        _weekdays(fields.get("weekdays")),
        _numbers(fields.get("month_days"), 1, 31),
        _numbers(fields.get("months"), 1, 12),
        _numbers(fields.get("years"), FIRST_YEAR, LAST_YEAR),
        _dates(fields.get("dates")),
        start_us,
        DAY_US if end_us is None else end_us,
    )


def _weekdays(place: Place | None) -> frozenset[int] | None:
    if place is None:
        return None
    found = set()
    for item in place.items():
        text = item.choice((*DAY_NAMES, *(str(number) for number in DAY_NAMES.values())))
        if text:
            found.add(DAY_NAMES.get(text) or int(text))
    return frozenset(found)


def _numbers(place: Place | None, least: int, most: int) -> frozenset[int] | None:
    if place is None:
        return None
    found = [whole(item, least, most) for item in place.items()]
    return frozenset(number for number in found if number is not None)


def _dates(place: Place | None) -> frozenset[date] | None:
    if place is None:
        return None
    found = [local_date(item) for item in place.items()]
    return frozenset(day for day in found if day is not None)
