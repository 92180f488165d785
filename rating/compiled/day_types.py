"""Which local days are of a calendar's day types: the exact dates of a tariff's calendar as a column."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rating.language.calendars import HOLIDAY, WEEKEND, WORKDAY, Calendar

Days = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


def days_of_types(calendar: Calendar, types: frozenset[str], days: Days) -> Flags:
    """[days]: whether each local day (days since 1970-01-01) is of any of the types."""
    found = type_columns(calendar, days)
    holds = np.zeros(len(days), dtype=np.bool_)
    for name in sorted(types):
        holds |= found[name]
    return holds


def type_columns(calendar: Calendar, days: Days) -> dict[str, Flags]:
    """name -> [days] for every type of a calendar."""
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    weekday = (days + 3) % 7 + 1
    found = {
        HOLIDAY: np.isin(dates, np.array(sorted(calendar.holidays), dtype="M8[D]")),
        WEEKEND: np.isin(weekday, sorted(calendar.weekend)),
    }
    found[WORKDAY] = ~(found[HOLIDAY] | found[WEEKEND])
    for of in calendar.types:
        holds = np.ones(len(days), dtype=np.bool_)
        if of.dates is not None:
            holds &= np.isin(dates, np.array(sorted(of.dates), dtype="M8[D]"))
        if of.weekdays is not None:
            holds &= np.isin(weekday, sorted(of.weekdays))
        if of.months is not None:
            holds &= np.isin(months.astype(np.int64) % 12 + 1, sorted(of.months))
        if of.month_days is not None:
            holds &= np.isin((dates - months.astype("M8[D]")).astype(np.int64) + 1, sorted(of.month_days))
        for other in of.without:
            holds &= ~found[other]
        found[of.name] = holds
    return found
