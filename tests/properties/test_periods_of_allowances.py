"""Months of allowances with rollover and several periods' validity: granted + carried in = used + carried out + lapsed + left."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.calls.allowances import Grants, allowance_grants, carry_over
from rating.calls.second_pass import start_of_period
from rating.compiled.book import TariffBook
from rating.language.call_terms import Allowance, Expiry, Rollover
from schemas.errors import ConfigurationError
from schemas.periods import Period, period_number, period_of
from tests.unit.rating.test_second_pass import allowance, contracts, day_starts, settle
from tests.unit.rating.worked_tariffs import YEAR, book_of, minute, tariff, voice

MONTHS = [period_of(period_number("2026-03") + n, "Europe/Berlin") for n in range(9)]
MIN = 60


def granted(book: TariffBook, frame: pl.DataFrame, month: int, carried: pl.DataFrame | None) -> Grants:
    ends = [one.end_at for one in MONTHS[month + 1 :]]
    return allowance_grants(
        book, frame, period=MONTHS[month], day_starts=day_starts(MONTHS[month]), later_ends=ends, carried=carried
    )


def calls_of(period: Period, seconds: list[int], accounts: list[int]) -> list[tuple[int, int, str, int, float]]:
    step = (period.end_at - period.start_at) // (len(seconds) + 1)
    return [(account, 0, "49", period.start_at + n * step, used) for n, (account, used) in
            enumerate(zip(accounts, seconds, strict=True), start=1)]  # fmt: skip


def months(of: tuple[Allowance, ...], used: list[list[int]], accounts: int = 1) -> list[dict[str, dict[str, int]]]:
    """For each month and allowance: seconds granted, carried in, used, carried out, lapsed and left."""
    book = book_of(tariff(voice(minute("0.12")), allowances=of))
    frame = contracts(*((account, 0, "t", *YEAR) for account in range(accounts)))
    carried, told = None, []
    handed_on: dict[str, int] = {}
    for month, seconds in enumerate(used):
        grants = granted(book, frame, month, carried)
        calls = calls_of(MONTHS[month], seconds, [n % accounts for n in range(len(seconds))])
        state, taken = start_of_period(book, grants), 0
        if calls:
            _, found = settle(book, grants, calls)
            state, taken = found.state, int(found.allowance_units.sum())
        ends = [one.end_at for one in MONTHS[month + 1 :]]
        carried, done = carry_over(book, grants, state.units_left, state.used, period=MONTHS[month], later_ends=ends)
        in_all = done.used + done.carried + done.lapsed + done.left
        assert in_all.tolist() == grants.units.tolist(), "every grant's units are accounted for"
        assert taken == int(state.used.sum()), "what records took is what grants gave"
        sums: dict[str, dict[str, int]] = {}
        for row, index in enumerate(grants.allowance_index.tolist()):
            name = book.allowances[index].allowance.name
            of_name = sums.setdefault(name, dict.fromkeys(("granted", "carried_in", "used", "carried", "lapsed", "left"), 0))
            of_name["carried_in" if grants.carried[row] else "granted"] += int(grants.units[row]) // 1000
            for what in ("used", "carried", "lapsed", "left"):
                of_name[what] += int(getattr(done, what)[row]) // 1000
        for name, one in sums.items():
            assert one["carried_in"] == handed_on.get(name, 0), "what one month hands on the next one takes"
        handed_on = {name: one["carried"] + one["left"] for name, one in sums.items()}
        told.append(sums)
    return told


def test_e25_rollover_through_grants_and_records() -> None:
    """Cap 100: 300 granted, 180 used; then 300 granted, 350 used: 100 carried, 20 lapse; 100 old + 250 new used, 50 carried."""
    of = replace(allowance("m", 300), rollover=Rollover(100_000, 1))
    first, second, third = (one["m"] for one in months((of,), [[180], [350], []]))
    assert first == {"granted": 300, "carried_in": 0, "used": 180, "carried": 100, "lapsed": 20, "left": 0}
    assert second == {"granted": 300, "carried_in": 100, "used": 350, "carried": 50, "lapsed": 0, "left": 0}
    assert third == {"granted": 300, "carried_in": 50, "used": 0, "carried": 100, "lapsed": 250, "left": 0}


def test_an_allowance_of_three_months_lapses_after_the_third() -> None:
    of = replace(allowance("m", 100), expiry=Expiry(3))
    told = [one["m"] for one in months((of,), [[30], [], [], [250]])]
    assert [(one["carried_in"], one["lapsed"], one["left"]) for one in told] == [
        (0, 0, 70),
        (70, 0, 170),
        (170, 70, 200),
        (200, 0, 50),
    ]


def test_a_grant_of_two_months_rolls_over_when_it_ends_and_only_once() -> None:
    of = replace(allowance("m", 100), expiry=Expiry(2), rollover=Rollover(40_000, 1))
    told = [one["m"] for one in months((of,), [[10], [], [], []])]
    assert [(one["carried"], one["lapsed"], one["left"]) for one in told] == [
        (0, 0, 90), (40, 50, 100), (40, 100, 100), (40, 100, 100),
    ]  # fmt: skip


def test_days_of_validity_reach_into_the_next_month() -> None:
    of = replace(allowance("m", 100), expiry=Expiry(days=40))
    told = [one["m"] for one in months((of,), [[10], [], []])]
    assert [(one["carried_in"], one["lapsed"], one["left"]) for one in told] == [(0, 0, 90), (90, 90, 100), (100, 100, 100)]


def test_periods_that_are_not_known_are_refused() -> None:
    frame = contracts((0, 0, "t", *YEAR))
    book = book_of(tariff(voice(minute("0.12")), allowances=(replace(allowance("m", 100), expiry=Expiry(3)),)))
    with pytest.raises(ConfigurationError, match="allowance m: valid for more periods than are known, was 3 periods"):
        allowance_grants(book, frame, period=MONTHS[0], day_starts=day_starts(MONTHS[0]), later_ends=[MONTHS[1].end_at])
    book = book_of(tariff(voice(minute("0.12")), allowances=(replace(allowance("m", 100), rollover=Rollover(1_000, 2)),)))
    grants = granted(book, frame, 0, None)
    with pytest.raises(ConfigurationError, match="allowance m: carried over more periods than are known, was 2 periods"):
        carry_over(book, grants, grants.units, np.zeros(1), period=MONTHS[0], later_ends=[MONTHS[1].end_at])


@settings(max_examples=25, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_units_add_up_over_months(seed: int) -> None:
    rng = Random(seed)
    of = tuple(
        replace(
            allowance(f"a{n}", rng.randint(0, 40) * 30, rng.choice((1, 30)), priority=rng.choice((0, 0, 5)),
                      scope=rng.choice(("account", "group"))),
            expiry=rng.choice((Expiry(), Expiry(2), Expiry(3), Expiry(days=rng.randint(1, 80)))),
            rollover=rng.choice((None, Rollover(rng.randint(0, 20) * 30_000, rng.choice((1, 2))))),
        )
        for n in range(rng.randint(1, 3))
    )  # fmt: skip
    accounts = rng.randint(1, 2)
    used = [[30 * rng.randint(1, 40) for _ in range(rng.randint(1, 4))] for _ in range(5)]
    for sums in months(of, used, accounts):
        for one in sums.values():
            assert one["granted"] + one["carried_in"] == one["used"] + one["carried"] + one["lapsed"] + one["left"]
