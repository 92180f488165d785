"""Real load curves as NEM12 files: a year of half-hour use of buildings, with a total known to the milliwatt-hour.

A profile is 8,760 hourly shares of a year's energy, one a line, that sum to 1 (all but rounding). A building is one profile at
one annual energy. In a leap year 29 February repeats the day before. The clock is standard time; NEM12 takes it as UTC+10.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

HOURS_PER_PROFILE = 8760
FIRST_HOUR_OF_MARCH = (31 + 28) * 24
SCALES = (1, 2, 5)  # the same building small, middle and large
MILLIWH_PER_WH = 1000


@dataclass(frozen=True, slots=True)
class Building:
    """One metering point: which profile it follows and how much it takes in the year."""

    metering_point_id: str
    profile: str
    annual_wh: int


def read_shares(path: Path) -> list[Fraction]:
    """The hourly shares of a profile file, exactly as written."""
    shares = [Fraction(line) for line in path.read_text().split()]
    if len(shares) != HOURS_PER_PROFILE or min(shares) < 0:
        raise ValueError(f"{path}: {len(shares)} hourly shares, must be {HOURS_PER_PROFILE} that are not negative")
    return shares


def shares_of_year(shares: list[Fraction], year: int) -> list[Fraction]:
    """The shares of all hours of a year: 8,760, or 8,784 in a leap year."""
    if days_of(year) == 365:
        return shares
    return shares[:FIRST_HOUR_OF_MARCH] + shares[FIRST_HOUR_OF_MARCH - 24 : FIRST_HOUR_OF_MARCH] + shares[FIRST_HOUR_OF_MARCH:]


def days_of(year: int) -> int:
    return (date(year + 1, 1, 1) - date(year, 1, 1)).days


def hourly_wh(shares: list[Fraction], total_wh: int) -> list[int]:
    """`total_wh` over the hours by their shares in whole Wh that sum to it exactly: largest remainder, ties to the earliest."""
    exact = [total_wh * share / whole for whole in [sum(shares)] for share in shares]
    floors = [value.numerator // value.denominator for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda hour: (floors[hour] - exact[hour], hour))
    for hour in by_remainder[: total_wh - sum(floors)]:
        floors[hour] += 1
    return floors


def half_hourly_wh(hours: list[int]) -> list[int]:
    """Each hour in two halves that sum to it; an odd Wh goes to the first."""
    return [half for wh in hours for half in (wh - wh // 2, wh // 2)]


def nem12_text(building: Building, half_hours: list[int], year: int) -> str:
    """A NEM12 file of one building's year."""
    first, after = date(year, 1, 1), date(year + 1, 1, 1)
    lines = [f"100,NEM12,{after:%Y%m%d}0000,PROFILES,METERLINE"]
    lines.append(f"200,{building.metering_point_id},E1,1,E1,N1,{building.metering_point_id},Wh,30,")
    for day in range(days_of(year)):
        values = ",".join(map(str, half_hours[day * 48 : day * 48 + 48]))
        lines.append(f"300,{first + timedelta(days=day):%Y%m%d},{values},A,,,{after:%Y%m%d}000000,")
    return "\r\n".join([*lines, "900", ""])


def buildings_of(profiles: list[str], count: int, annual_kwh: int) -> list[Building]:
    """`count` buildings, profile by profile, at `annual_kwh` times 1, then 2, then 5, and again."""
    return [
        Building(f"NEMB{index + 1:06d}", profiles[index % len(profiles)], annual_kwh * 1000 * scale)
        for index, scale in ((index, SCALES[index // len(profiles) % len(SCALES)]) for index in range(count))
    ]


def building_text(building: Building, shares: list[Fraction], year: int) -> str:
    """The file of one building, from the shares of its profile."""
    return nem12_text(building, half_hourly_wh(hourly_wh(shares_of_year(shares, year), building.annual_wh)), year)


def write_buildings(profile_folder: Path, out: Path, *, count: int, annual_kwh: int, year: int) -> int:
    """Write one NEM12 file per building into `out`; returns the energy of all of them in milliwatt-hours."""
    shares = {path.stem: read_shares(path) for path in sorted(profile_folder.glob("*.dat"))}
    buildings = buildings_of(sorted(shares), count, annual_kwh)
    out.mkdir(parents=True, exist_ok=True)
    for building in buildings:
        text = building_text(building, shares[building.profile], year)
        (out / f"nem12_{building.metering_point_id}_{year}.csv").write_text(text, newline="")
    return sum(building.annual_wh for building in buildings) * MILLIWH_PER_WH


def main(arguments: list[str] | None = None) -> int:
    """Write the files that the command line asks for and print what they must add up to."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("profile_folder", type=Path, help="folder of *.dat files, 8,760 hourly shares each")
    parser.add_argument("out", type=Path, help="folder to write into")
    parser.add_argument("--buildings", type=int, default=24)
    parser.add_argument("--annual-kwh", type=int, default=100_000)
    parser.add_argument("--year", type=int, default=2023)
    chosen = parser.parse_args(arguments)
    total = write_buildings(
        chosen.profile_folder, chosen.out, count=chosen.buildings, annual_kwh=chosen.annual_kwh, year=chosen.year
    )
    print(f"{chosen.buildings} files, {total} milliwh")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
