"""Weeks drawn by half-hours: the winner by weight and start, nights that belong to the day before, seasons, short versions."""

from __future__ import annotations

import dataclasses
from datetime import date

from rating.language.shared_terms import DAY_US
from rating.week_grids import week_grids
from tests.unit.rating.worked_tariffs import YEAR, minute, tariff, voice, window

DAY, NIGHT = window("day", 8, 20, weekdays=range(1, 6)), window("night", 22, 6, weekdays=[5])


def test_friday_night_ends_on_saturday() -> None:
    (grid,) = week_grids(tariff(voice(minute("0.1"), "49"), voice(minute("0.2"), "49", "night"), windows=(NIGHT,)), 0)
    assert grid.rows[4] == "." * 44 + "aaaa" and grid.rows[5] == "a" * 12 + "." * 36
    assert grid.legend == {"a": "night", ".": "other times"}
    assert {*grid.rows[:4], grid.rows[6]} == {"." * 48}


def test_the_higher_weight_wins_and_holes_show() -> None:
    late = window("late", 18, 22)
    (grid,) = week_grids(
        tariff(voice(minute("0.1"), "49", "day", 5), voice(minute("0.2"), "49", "late", 1), windows=(DAY, late)), 0
    )
    assert grid.rows[0] == "-" * 16 + "a" * 24 + "b" * 4 + "-" * 4
    assert grid.rows[6] == "-" * 36 + "b" * 8 + "-" * 4


def test_destinations_of_one_layout_share_a_grid_and_seasons_have_their_own() -> None:
    summer = window("summer", 8, 20, months=[6, 7, 8])
    rules = [voice(minute(price), prefix, name) for prefix in ("49", "43") for price, name in (("0.1", None), ("0.2", "summer"))]
    grids = week_grids(tariff(*rules, windows=(summer,)), 0)
    assert [(grid.priced, grid.rows[2][16:40]) for grid in grids] == [(("voice to 49", "voice to 43"), "a" * 24)]
    assert 10 <= grids[0].weeks <= 13


def test_a_version_of_less_than_a_week_has_none() -> None:
    of = tariff(voice(minute("0.1"), "49", "day"), windows=(DAY,))
    short = dataclasses.replace(of.versions[0], effective_from_at=YEAR[0], effective_to_at=YEAR[0] + 5 * DAY_US)
    assert week_grids(dataclasses.replace(of, versions=(short,)), 0) == []


def test_the_week_named_has_the_layout() -> None:
    xmas = dataclasses.replace(window("xmas"), dates=frozenset({date(2024, 12, 25)}))
    of = tariff(voice(minute("0.1"), "49"), voice(minute("0.2"), "49", "xmas", 1), windows=(xmas,))
    (grid,) = week_grids(of, 0)
    assert (grid.first_week_on, grid.weeks, grid.rows[2]) == (date(2024, 12, 23), 1, "a" * 48)
