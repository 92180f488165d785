"""Holiday calendars and clocks: what is a holiday, what follows from it, and standard time all year."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from rating.compiled.day_types import type_columns
from rating.language.calendars import Calendar
from rating.language.clocks import clock_of, clock_table, first_instant_of_day
from rating.language.shared_terms import Window
from rating.tariff_files import check_tariff, load_tariff
from rating.tariff_warnings import CheckedFile, WarningTerms, tariff_warnings
from rating.tariff_winners import tariff_winners
from schemas.zones import instant_us, local_midnight_us, moment_of
from tests.reference.rating_twin import is_of_type
from tests.unit.rating.worked_tariffs import local, minute, tariff, voice

HEAD = """tariff: t
name: T
currency: EUR
zone: Europe/Berlin
service: telecom
"""
VERSION = """versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: record, mode: up, decimals: 4}
    windows: {special: {day_types: [TYPE]}}
    rates: {minute: {price: "0.09", per: 60 s, increment: 1 s}}
    rules: [{kind: voice, window: special, rate: minute, item: Calls}, {kind: voice, rate: minute, item: Calls, weight: -1}]
"""


def calendar_of(folder: Path, calendar: str, kind: str = "holiday") -> Calendar:
    path = folder / "t.yaml"
    path.write_text(f"{HEAD}calendars: {{c: {calendar}}}\n{VERSION.replace('TYPE', kind)}")
    found = load_tariff(path).versions[0].windows[0].calendar
    assert found is not None
    return found


HOLIDAYS = [
    ("{country: DE, subdivision: BY}", "2026-01-06", True),
    ("{country: DE, subdivision: BE}", "2026-01-06", False),
    ("{country: DE, subdivision: BE}", "2026-03-08", True),
    ("{country: DE}", "2026-04-03", True),
    ("{country: DE}", "2027-03-26", True),
    ("{country: DE}", "2026-12-24", False),
    ("{country: DE, add: [2026-12-24]}", "2026-12-24", True),
    ("{country: DE, remove: [2026-12-25]}", "2026-12-25", False),
    ("{country: DE, remove: [2026-12-25]}", "2027-12-25", True),
    ("{country: US}", "2026-07-03", True),
    ("{country: US, observed: false}", "2026-07-03", False),
    ("{add: [2026-12-24]}", "2026-12-24", True),
    ("{add: [2026-12-24]}", "2026-12-25", False),
    ("{country: DE, subdivision: BY, categories: [catholic]}", "2026-08-15", True),
]


@pytest.mark.parametrize(("calendar", "day", "expected"), HOLIDAYS)
def test_holidays(calendar: str, day: str, expected: bool, tmp_path: Path) -> None:
    assert (date.fromisoformat(day) in calendar_of(tmp_path, calendar).holidays) is expected


OWN = """{country: DE, weekend: [sun], day_types: {
  bridge_day: {dates: [2026-05-15, 2026-06-05]}, working: {without: [holiday, weekend, bridge_day]},
  summer_saturday: {weekdays: [sat], months: [7, 8]}, first: {month_days: [1], without: [working]}}}"""
DAYS = [
    ("2026-05-14", {"holiday"}),
    ("2026-05-15", {"workday", "bridge_day"}),
    ("2026-05-16", {"workday", "working"}),
    ("2026-05-17", {"weekend"}),
    ("2026-07-04", {"workday", "working", "summer_saturday"}),
    ("2026-11-01", {"weekend", "first"}),
    ("2026-05-01", {"holiday", "first"}),
]


@pytest.mark.parametrize(("day", "expected"), DAYS)
def test_day_types(day: str, expected: set[str], tmp_path: Path) -> None:
    calendar = calendar_of(tmp_path, OWN.replace("\n", " "), "bridge_day")
    of = date.fromisoformat(day)
    columns = type_columns(calendar, np.array([(of - date(1970, 1, 1)).days]))
    assert {name for name, holds in columns.items() if holds[0]} == expected
    assert {name for name in calendar.type_names if is_of_type(calendar, name, of)} == expected


def test_the_dates_enter_the_hash_and_the_layout_does_not(tmp_path: Path) -> None:
    def hash_of(calendar: str) -> str:
        calendar_of(tmp_path, calendar)
        return load_tariff(tmp_path / "t.yaml").content_hash

    assert hash_of("{country: DE}") == hash_of("{ country:  DE, categories: [public] }")
    assert hash_of("{country: DE}") != hash_of("{country: DE, add: [2026-12-24]}")
    assert hash_of("{country: DE, subdivision: BY}") != hash_of("{country: DE, subdivision: BE}")


def test_an_open_version_past_the_known_years_is_a_warning() -> None:
    known = Calendar("c", frozenset({date(2026, 1, 1)}), last_year=2030, source="XX")
    of = tariff(voice(minute("0.09"), window="w"), windows=(Window("w", day_types=frozenset({"holiday"}), calendar=known),))
    said = "calendar 'c' knows no holidays after 2030; end the version there, or add the dates when they are known"
    warnings = tariff_warnings(of, tariff_winners(of), CheckedFile(), WarningTerms())
    assert [str(fault).removeprefix(": ") for fault in warnings if fault.code == "warning_calendar"] == [said]


def test_a_version_before_the_known_years_is_a_fault(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    text = f"{HEAD}calendars: {{c: {{country: DE}}}}\n{VERSION.replace('TYPE', 'holiday')}"
    path.write_text(text.replace("2026-01-01", "1990-01-01"))
    assert [fault.code for fault in check_tariff(path)] == ["calendar_years"]


SUMMER, WINTER = "2026-07-01T12:00:00+00:00", "2026-01-01T12:00:00+00:00"
CLOCKS = [
    ("Europe/Berlin", SUMMER, "14:00", "13:00"),
    ("Europe/Berlin", WINTER, "13:00", "13:00"),
    ("Australia/Lord_Howe", WINTER, "23:00", "22:30"),
    ("Asia/Kathmandu", SUMMER, "17:45", "17:45"),
    ("America/New_York", SUMMER, "08:00", "07:00"),
]


@pytest.mark.parametrize(("zone", "at", "wall", "standard"), CLOCKS)
def test_clocks(zone: str, at: str, wall: str, standard: str) -> None:
    instant = instant_us(datetime.fromisoformat(at))
    for clock, expected in (("wall", wall), ("standard", standard)):
        assert moment_of(instant).astimezone(clock_of(zone, clock)).strftime("%H:%M") == expected
        table = clock_table(zone, clock)
        offset = int(table.offset_us[np.searchsorted(table.starts_at, instant, side="right") - 1])
        assert moment_of(instant + offset).strftime("%H:%M") == expected


def test_a_day_on_standard_time_begins_an_hour_later_in_summer() -> None:
    day = date(2026, 7, 1)
    assert first_instant_of_day(day, "Europe/Berlin", "wall") == local_midnight_us(day, "Europe/Berlin")
    assert first_instant_of_day(day, "Europe/Berlin", "standard") == instant_us(datetime(2026, 6, 30, 23, tzinfo=UTC))
    assert len(clock_table("Europe/Berlin", "standard").starts_at) == 1
    winter = date(2026, 1, 1)
    assert first_instant_of_day(winter, "Europe/Berlin", "standard") == local("2026-01-01T00:00")


def test_the_law_may_change_standard_time() -> None:
    """Moscow went from UTC+4 back to UTC+3 on 2014-10-26."""
    offsets = clock_table("Europe/Moscow", "standard").offset_us // 3_600_000_000
    assert offsets[-1] == 3 and 4 in offsets.tolist()
