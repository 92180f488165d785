"""Real load curves as NEM12: what the tool writes is what the reader reads, to the milliwatt-hour."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from ingest.nem12 import read_nem12
from tests.tools.load_profiles import buildings_of, half_hourly_wh, hourly_wh, main, shares_of_year, write_buildings

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "load_profiles"


@pytest.fixture(scope="module")
def profiles() -> Path:
    if not FOLDER.exists():
        pytest.skip(f"real load profiles are missing: expected {FOLDER.resolve()} beside the checkout")
    return FOLDER


def test_largest_remainder_keeps_the_total() -> None:
    assert hourly_wh([Fraction(1)] * 3, 10) == [4, 3, 3]
    assert hourly_wh([Fraction(500), Fraction(300), Fraction(203)], 101) == [50, 30, 21]
    assert half_hourly_wh([7, 0, 2]) == [4, 3, 0, 0, 1, 1]


def test_a_leap_day_repeats_the_day_before() -> None:
    shares = [Fraction(hour) for hour in range(8760)]
    leap = shares_of_year(shares, 2024)
    assert len(leap) == 8784
    assert leap[59 * 24 : 60 * 24] == shares[58 * 24 : 59 * 24]
    assert leap[60 * 24 :] == shares[59 * 24 :]
    assert shares_of_year(shares, 2023) == shares


def test_every_profile_comes_in_three_sizes() -> None:
    buildings = buildings_of([f"p{index}" for index in range(8)], 24, 1000)
    assert len({(one.profile, one.annual_wh) for one in buildings}) == 24
    assert sum(one.annual_wh for one in buildings) == 8 * 8 * 1_000_000


@pytest.mark.parametrize("year", [2023, 2024])
def test_files_read_back_to_the_expected_total(profiles: Path, tmp_path: Path, year: int) -> None:
    expected = write_buildings(profiles, tmp_path, count=3, annual_kwh=123_457, year=year)
    read = [read_nem12(path.read_bytes(), file_name=path.name, tenant="t") for path in sorted(tmp_path.glob("*.csv"))]
    assert [len(days) for days in read] == [365 + (year == 2024)] * 3
    assert sum(int(days.quantity.sum()) for days in read) == expected == 3 * 123_457_000_000
    assert all((days.status == 0).all() and (days.step_s == 1800).all() for days in read)


def test_the_command_prints_the_total(profiles: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(profiles), str(tmp_path), "--buildings", "1", "--annual-kwh", "10"]) == 0
    assert capsys.readouterr().out == "1 files, 10000000 milliwh\n"
