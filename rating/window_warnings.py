"""Windows that never open, and calendars of dates or years that leave out a year of the version."""

from __future__ import annotations

from rating.described_terms import instant_on
from rating.language.shared_terms import FOREVER_AT, Window
from rating.language.tariff import Tariff, TariffVersion
from rating.rule_warnings import never_open
from rating.tariff_winners import TariffWinners
from rating.warning_places import Places
from schemas.errors import Fault
from schemas.periods import LAST_YEAR


def window_warnings(found: TariffWinners, places: Places, until_year: int | None) -> list[Fault]:
    """Windows that do not occur while their version is in force, and lists of dates that skip a year.

    Args:
        until_year: the last year that lists of dates must reach in a version without an end; None asks for none beyond those
            listed, since an open version says nothing about how long it is meant to last.
    """
    said = []
    for index, version in enumerate(found.tariff.versions):
        if not found.patterns_of(index):
            continue
        closed = never_open(found, index)
        for window in version.windows:
            where = places.of(version, "windows", window.name)
            if window.name in closed:
                what = f"window {window.name!r} never occurs while version {version.label!r} is in force"
                said.append(Fault(where, what, next_step="check its filters and dates", code="warning_unreachable"))
                continue
            said += _skipped_years(found.tariff, version, window, where, until_year)
        said += _calendar_ends(version)
    return said


def _calendar_ends(version: TariffVersion) -> list[Fault]:
    """An open version whose calendars know holidays up to some year only."""
    if version.effective_to_at != FOREVER_AT:
        return []
    last = {w.calendar.name: w.calendar.last_year for w in version.windows if w.calendar and w.calendar.last_year < LAST_YEAR}
    next_step = "end the version there, or add the dates when they are known"
    return [
        Fault(version.where, f"calendar {name!r} knows no holidays after {year}", next_step=next_step, code="warning_calendar")
        for name, year in sorted(last.items())
    ]


def _skipped_years(tariff: Tariff, version: TariffVersion, window: Window, where: str, until_year: int | None) -> list[Fault]:
    """Years that a list of dates leaves out although the version is in force in them."""
    if window.dates is None:
        return []
    listed = {day.year for day in window.dates}
    first = instant_on(version.effective_from_at, tariff.zone, tariff.clock).year
    if version.effective_to_at == FOREVER_AT:
        last = max(max(listed), until_year or 0)
    else:
        last = instant_on(version.effective_to_at - 1, tariff.zone, tariff.clock).year
    missing = [year for year in range(first, last + 1) if year not in listed]
    if not missing:
        return []
    years = ", ".join(map(str, missing[:5])) + (" …" if len(missing) > 5 else "")
    what = f"window {window.name!r} lists no date in {years}, and version {version.label!r} is in force then"
    return [Fault(where, what, next_step="add the dates of these years, or end the version", code="warning_calendar")]
