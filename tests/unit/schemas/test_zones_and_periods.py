"""Civil time: skipped midnights, clock changes, and months that tile time in every zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import available_timezones

import numpy as np
import pytest

from schemas.errors import ConfigurationError
from schemas.periods import FIRST_YEAR, LAST_YEAR, period_number, period_of, period_starts
from schemas.zones import (
    instant_us,
    local_midnight_us,
    moment_of,
    next_clock_change,
    tzdata_version,
    zone_of,
    zone_table,
)

# half-hour changes, changes at midnight, changes of whole days, changes of sign, none at all
ZONES = (
    "Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Asia/Beirut", "Australia/Lord_Howe", "Australia/Sydney",
    "Pacific/Apia", "Pacific/Kiritimati", "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "America/Havana",
    "Etc/GMT+12", "UTC",
)  # fmt: skip


@pytest.mark.parametrize(
    ("zone", "day", "first_instant", "what"),
    [
        ("America/Sao_Paulo", date(2017, 10, 15), "2017-10-15T03:00:00", "midnight is skipped: the day starts at 01:00"),
        ("Asia/Beirut",       date(2022, 3, 27),  "2022-03-26T22:00:00", "midnight is skipped"),
        ("America/Havana",    date(2024, 11, 3),  "2024-11-03T04:00:00", "midnight comes once, 00:30 comes twice"),
        ("Europe/Berlin",     date(2026, 3, 29),  "2026-03-28T23:00:00", "the clock changes later that day"),
        ("Europe/Berlin",     date(2026, 10, 26), "2026-10-25T23:00:00", "the day after the clock was put back"),
        ("Pacific/Apia",      date(2011, 12, 30), "2011-12-30T10:00:00", "the whole day is skipped: the next one's start"),
        ("Asia/Kathmandu",    date(2026, 1, 1),   "2025-12-31T18:15:00", "an offset of 5:45"),
    ],
)  # fmt: skip
def test_a_local_day_starts_at_its_first_instant(zone: str, day: date, first_instant: str, what: str) -> None:
    expected = instant_us(datetime.fromisoformat(first_instant).replace(tzinfo=UTC))
    assert local_midnight_us(day, zone) == expected, what


@pytest.mark.parametrize("zone", ZONES)
def test_months_tile_time_without_gap_or_overlap(zone: str) -> None:
    first, starts = period_starts(zone)
    assert len(starts) == (LAST_YEAR - FIRST_YEAR + 1) * 12 + 1
    assert (np.diff(starts) > 26 * 86_400_000_000).all()
    for number in (first, first + 321, first + 442, first + len(starts) - 2):
        period = period_of(number, zone)
        assert (period.start_at, period.end_at) == (starts[number - first], starts[number - first + 1])
        local = moment_of(period.start_at).astimezone(zone_of(zone))
        assert (local.year, local.month) == (number // 12, number % 12 + 1)
        before = moment_of(period.start_at - 1).astimezone(zone_of(zone))
        assert (before.year, before.month) == ((number - 1) // 12, (number - 1) % 12 + 1)
        assert period_number(period.label) == number


@pytest.mark.parametrize("zone", ZONES)
def test_the_compiled_table_has_the_offset_of_every_instant(zone: str) -> None:
    table = zone_table(zone)
    assert (np.diff(table.starts_at) > 0).all() and (np.diff(table.offset_us) != 0).all()
    near = [at + off for at in table.starts_at[1:].tolist() for off in (-1, 0, 1)]
    spread = range(int(table.starts_at[0]), int(instant_us(datetime(2062, 1, 1, tzinfo=UTC))), 97 * 86_400_000_000)
    for instant in [*near[:240], *near[-30:], *spread]:
        found = table.offset_us[np.searchsorted(table.starts_at, instant, side="right") - 1]
        assert timedelta(microseconds=int(found)) == moment_of(instant).astimezone(zone_of(zone)).utcoffset(), (zone, instant)


@pytest.mark.parametrize("zone", ZONES)
def test_the_table_reaches_over_the_years_around_every_period(zone: str) -> None:
    """A book of tariffs is compiled for whole years and a day more on both sides, wherever a period of the first year begins."""
    _, starts = period_starts(zone)
    first_year = moment_of(int(starts[0])).year
    assert zone_table(zone).starts_at[0] <= instant_us(datetime(first_year, 1, 1, tzinfo=UTC)) - 86_400_000_000


def test_the_clock_change_is_found_to_the_microsecond() -> None:
    change = next_clock_change(zone_of("Europe/Berlin"), instant_us(datetime(2026, 3, 1, tzinfo=UTC)))
    assert moment_of(change) == datetime(2026, 3, 29, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["Europe/Berlinn", "UTC+01:00", "", "../zones", "Europe", "/etc/localtime"])
def test_a_name_that_is_no_zone_is_refused_in_words(name: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        zone_of(name)
    assert str(refused.value) == f"zone {name!r}: no such time zone, must be an IANA name such as Europe/Berlin"


def test_the_pinned_database_knows_the_usual_zones() -> None:
    assert tzdata_version() >= "2026.1"
    assert {"Europe/Berlin", "Australia/Sydney"} <= available_timezones()


@pytest.mark.parametrize("label", ["2026-13", "2026-00", "2026-1", "26-01", "2026/01", "", "2026-01-01"])
def test_a_label_that_is_no_month_is_refused(label: str) -> None:
    with pytest.raises(ConfigurationError, match="must be YYYY-MM"):
        period_number(label)


def test_days_are_those_of_the_local_month() -> None:
    assert [period_of(period_number(f"2024-{month:02d}"), "Europe/Berlin").days for month in (1, 2, 3, 4)] == [31, 29, 31, 30]
