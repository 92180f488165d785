"""Conditions that need the account: terms of new contracts to the day, what else is held, and discounts of fees."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from random import Random

import numpy as np
import polars as pl
import pytest

from rating.bundles import fee_discounts
from rating.calls.eligibility import first_instants, held_at, term_ends
from rating.calls.first_pass import rate_calls
from rating.calls.given_discounts import DiscountInput, apply_discounts, empty_counters
from rating.language.clocks import clock_table, first_instant_of_day
from rating.language.discount_terms import Discount, DiscountTier, FeeDiscount, Term
from rating.language.shared_terms import Fee
from rating.language.tariff import Tariff
from schemas.errors import MeterlineError
from schemas.numbers import packed_number
from schemas.periods import period_number, period_of
from schemas.zones import local_midnight_us
from tests.unit.rating.worked_tariffs import book_of, local, minute, nano, tariff, voice

TERMS = [
    ("2026-09-10T15:00", "30 days", "2026-10-10T00:00"),
    ("2026-09-10T00:00", "1 days", "2026-09-11T00:00"),
    ("2026-01-31T15:00", "1 months", "2026-02-28T00:00"),
    ("2028-01-31T15:00", "1 months", "2028-02-29T00:00"),
    ("2026-08-31T23:59", "6 months", "2027-02-28T00:00"),
    ("2026-03-28T12:00", "2 days", "2026-03-30T00:00"),  # over the clock change
]


@pytest.mark.parametrize(("start", "term", "end"), TERMS)
def test_terms(start: str, term: str, end: str) -> None:
    count, unit = term.split()
    ends = term_ends(np.array([local(start)]), Term(int(count), unit), clock_table("Europe/Berlin", "wall"))
    assert ends.tolist() == [local(end)]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Beirut"])
@pytest.mark.parametrize("clock", ["wall", "standard"])
def test_first_instants_are_those_of_the_calendar(zone: str, clock: str) -> None:
    """Sao Paulo (until 2019) and Beirut skip midnights."""
    days = [date(1995, 1, 1) + timedelta(days=n * 7 + n % 7) for n in range(1500)]
    numbers = np.array([(day - date(1970, 1, 1)).days for day in days], dtype=np.int64)
    found = first_instants(numbers, clock_table(zone, clock))
    assert found.tolist() == [first_instant_of_day(day, zone, clock) for day in days]


def contracts(*rows: tuple[int, str, int, int]) -> pl.DataFrame:
    names = {"account_index": pl.Int32, "tariff_id": pl.String, "effective_from_at": pl.Int64, "effective_to_at": pl.Int64}
    return pl.DataFrame(rows, schema=names, orient="row")


@pytest.mark.parametrize("seed", range(20))
def test_held_is_what_a_search_finds(seed: int) -> None:
    rng = Random(seed)
    rows = [(rng.randrange(4), rng.choice("xyz"), *sorted(rng.sample(range(100), 2))) for _ in range(rng.randint(0, 12))]
    asked = [(rng.randrange(5), rng.randrange(-5, 105)) for _ in range(200)]
    account, at = (np.array(column) for column in zip(*asked, strict=True))
    found = held_at(contracts(*rows), frozenset("xy"), account.astype(np.int32), at)
    assert found.tolist() == [any(a == row[0] and row[1] in "xy" and row[2] <= t < row[3] for row in rows) for a, t in asked]


def test_a_discount_that_needs_what_was_not_given() -> None:
    percent = (DiscountTier(0, 100_000),)
    at = local("2026-10-06T10:00")
    packed = np.array([packed_number("49")], dtype=np.uint64)
    for of, said in (
        (Discount("New", percent, new_for=Term(1, "months")), "discount 'New' of t: needs the start of the contract"),
        (Discount("With", percent, with_tariffs=frozenset({"x"})), "discount 'With' of t: needs what else the account holds"),
    ):
        book = book_of(tariff(voice(minute("0.60")), discounts=(of,)))
        rated = rate_calls(book, [0], [0], packed, [at], [1000])
        one = np.zeros(1, dtype=np.int64)
        taken = DiscountInput(
            np.zeros(1, dtype=np.int32), np.array([at]), packed, one + 1000, one, rated.rule_index, np.zeros(1, dtype=np.int32)
        )
        with pytest.raises(MeterlineError, match=said):
            apply_discounts(book, taken, rated.charge_nano, empty_counters(book, 1))


OCTOBER = period_of(period_number("2026-10"), "Europe/Berlin")
STARTS = np.array([local_midnight_us(date(2026, 10, 1) + timedelta(days=n), "Europe/Berlin") for n in range(32)])
BASIC, ONCE = Fee("Basic", nano("31.00"), True), Fee("Roaming", nano("5.00"), False)


def with_fees(*of: FeeDiscount) -> Tariff:
    plain = tariff(voice(minute("0.60")))
    return replace(plain, versions=(replace(plain.versions[0], fees=(BASIC, ONCE), fee_discounts=of),))


def at(day: int, hour: int = 0) -> int:
    return local(datetime(2026, 10, day, hour).isoformat())


BUNDLE = FeeDiscount("Bundle", 200_000, None, frozenset({"power"}))
FEES = [
    ("no other tariff", BUNDLE, [], []),
    ("all month", BUNDLE, [("power", 1, 32)], [("Basic", 31, "6.20"), ("Roaming", 31, "1.00")]),
    ("ten days", BUNDLE, [("power", 11, 21)], [("Basic", 10, "2.00")]),
    ("a day counts by its first instant", BUNDLE, [("power", 10.5, 20.5)], [("Basic", 10, "2.00")]),
    (
        "two that overlap count once",
        BUNDLE,
        [("power", 1, 11), ("power", 6, 16)],
        [("Basic", 15, "3.00"), ("Roaming", 15, "1.00")],
    ),
    ("one fee", replace(BUNDLE, fees=frozenset({"Roaming"})), [("power", 1, 32)], [("Roaming", 31, "1.00")]),
    (
        "until the 6th",
        replace(BUNDLE, with_tariffs=None, effective_to_at=at(6)),
        [],
        [("Basic", 5, "1.00"), ("Roaming", 5, "1.00")],
    ),
]


@pytest.mark.parametrize(("case", "of", "held", "expected"), FEES, ids=[case for case, *_ in FEES])
def test_discounts_of_fees(
    case: str, of: FeeDiscount, held: list[tuple[str, float, float]], expected: list[tuple[str, int, str]]
) -> None:
    spans = [(name, *(STARTS[0] + int((day - 1) * 86_400) * 10**6 for day in days)) for name, *days in held]
    spans = [(name, int(low), int(min(high, OCTOBER.end_at)) if high > STARTS[30] else int(high)) for name, low, high in spans]
    rows = contracts((0, "t", OCTOBER.start_at, OCTOBER.end_at), *((0, *span) for span in spans), (1, "power", 0, 2**62))
    found = fee_discounts([with_fees(of)], rows, period=OCTOBER, day_starts=STARTS)
    assert found.select("fee", "day_count", "amount_nano").rows() == [(fee, days, nano(amount)) for fee, days, amount in expected]
