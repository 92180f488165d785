"""Calendars as readable text, for `tariff show`: the holidays of a year and the day types that windows may name."""

from __future__ import annotations

from rating.described_terms import day_filters, instant_on
from rating.language.calendars import Calendar, DayType
from rating.language.tariff import Tariff
from schemas.periods import LAST_YEAR

_WEEKEND = frozenset({6, 7})


def calendars_of(tariff: Tariff) -> list[Calendar]:
    """The calendars that windows use, by name."""
    used = {window.calendar.name: window.calendar for version in tariff.versions for window in version.windows if window.calendar}
    return [used[name] for name in sorted(used)]


def calendar_lines(tariff: Tariff, calendar: Calendar) -> list[str]:
    """A calendar with the holidays of the year in which the last version starts (a list of dates in full), then its day types."""
    if calendar.source:
        year = instant_on(tariff.versions[-1].effective_from_at, tariff.zone, tariff.clock).year
        shown = [day for day in sorted(calendar.holidays) if day.year == year]
        head = f"calendar {calendar.name} ({calendar.source}): holidays of {year}"
    else:
        shown, head = sorted(calendar.holidays), f"calendar {calendar.name}: holidays"
    lines = [f"{head} {' '.join(day.isoformat() for day in shown) or 'none'}"]
    lines += [f"  weekend: {', '.join(day_filters(weekdays=calendar.weekend)) or 'none'}"] if calendar.weekend != _WEEKEND else []
    lines += [f"  holidays are known until {calendar.last_year}"] if calendar.last_year < LAST_YEAR else []
    return lines + [f"  {one.name}: {day_type_text(one)}" for one in calendar.types]


def day_type_text(of: DayType) -> str:
    """`Sun, month 7 8, no holiday`."""
    filters = day_filters(of.weekdays, of.month_days, of.months, dates=of.dates)
    return ", ".join([*filters, *(f"no {name}" for name in of.without)])
