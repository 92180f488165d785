"""The recurring local time spans of a version."""

from __future__ import annotations

from rating.language.calendars import Calendar
from rating.language.shared_terms import DAY_US, Window
from rating.language.written_values import day_numbers, local_dates, time_of_day_us, week_days
from rating.language.yaml_places import Fields, Place
from schemas.periods import FIRST_YEAR, LAST_YEAR

_DAY_KEYS = ("weekdays", "month_days", "months", "years", "dates", "day_types", "calendar")


def read_windows(place: Place | None, calendars: dict[str, Calendar]) -> dict[str, Window]:
    """The windows of a version by name; day types are those of the tariff's calendars."""
    return {name: _window(name, value, calendars) for name, _, value in (place.pairs() if place else [])}


def _window(name: str, place: Place, calendars: dict[str, Calendar]) -> Window:
    fields = place.fields((), (*_DAY_KEYS, "start", "end"))
    start, end = fields.get("start"), fields.get("end")
    start_us = (time_of_day_us(start) if start else 0) or 0
    end_us = time_of_day_us(end) if end else DAY_US
    if start and start_us == DAY_US:
        start.fault("a window that starts at the end of the day", was="24:00", must_be="00:00 to 23:59:59")
    calendar, types = _day_types(fields, calendars)
    return Window(
        name,
        week_days(fields.get("weekdays")),
        day_numbers(fields.get("month_days"), 1, 31),
        day_numbers(fields.get("months"), 1, 12),
        day_numbers(fields.get("years"), FIRST_YEAR, LAST_YEAR),
        local_dates(fields.get("dates")),
        start_us,
        DAY_US if end_us is None else end_us,
        types,
        calendar,
    )


def _day_types(fields: Fields, calendars: dict[str, Calendar]) -> tuple[Calendar | None, frozenset[str] | None]:
    """The calendar of a window and the types of its days; a tariff with one calendar need not name it."""
    types_place, calendar_place = fields.get("day_types"), fields.get("calendar")
    if types_place is None:
        if calendar_place:
            calendar_place.fault("a calendar without day_types", must_be="left out, or day_types given")
        return None, None
    name = calendar_place.reference(dict(calendars), "calendar") if calendar_place else None
    if calendar_place is None and len(calendars) == 1:
        (name,) = calendars
    elif calendar_place is None:
        known = f"one of {', '.join(calendars)}" if calendars else "a calendar of the tariff (calendars)"
        types_place.fault("day_types without a calendar", must_be=known, code="missing_key")
    if name is None:
        return None, None
    found = [item.reference(set(calendars[name].type_names), f"day type of calendar {name}") for item in types_place.items()]
    return calendars[name], frozenset(text for text in found if text)
