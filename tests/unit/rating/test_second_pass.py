"""Allowances and discounts: worked examples, order of payment, proration, the identity of every record, state handed on."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from rating.calls.allowances import Grants, allowance_grants
from rating.calls.first_pass import rate_calls
from rating.calls.second_pass import DiscountedCalls, DiscountState, discount_calls
from rating.compiled.book import TariffBook
from rating.language.call_terms import Allowance
from rating.language.discount_terms import Discount, DiscountTier
from rating.language.tariff import Tariff
from schemas.errors import MeterlineError
from schemas.numbers import packed_number
from schemas.periods import Period, period_number, period_of
from schemas.quantities import INT64_MAX, UsageKind
from schemas.zones import local_midnight_us
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, nano, tariff, tiered, voice

NOVEMBER = period_of(period_number("2026-11"), "Europe/Berlin")


def allowance(
    name: str,
    seconds: int,
    block_s: int = 1,
    *,
    to: tuple[str, ...] | None = None,
    priority: int = 0,
    scope: str = "account",
    prorate: bool = True,
) -> Allowance:
    return Allowance(name, UsageKind.VOICE, to, seconds * 1000, block_s * 1000, scope, prorate, priority)


def day_starts(period: Period) -> np.ndarray:
    days = [date.fromordinal(period.first_on.toordinal() + n) for n in range(period.days + 1)]
    return np.array([local_midnight_us(day, "Europe/Berlin") for day in days])


def contracts(*rows: tuple[int, int, str, int, int]) -> pl.DataFrame:
    """(account, group, tariff, from, to)."""
    names = ("account_index", "group_index", "tariff_id", "effective_from_at", "effective_to_at")
    kinds = (pl.Int32, pl.Int32, pl.String, pl.Int64, pl.Int64)
    return pl.DataFrame(rows, schema=dict(zip(names, kinds, strict=True)), orient="row")


def grants_of(book: TariffBook, frame: pl.DataFrame, period: Period = NOVEMBER) -> Grants:
    return allowance_grants(book, frame, period=period, day_starts=day_starts(period))


def settle(
    book: TariffBook,
    grants: Grants,
    calls: list[tuple[int, int, str, int, float]],
    groups: list[int] | None = None,
    state: DiscountState | None = None,
) -> tuple[np.ndarray, DiscountedCalls]:
    """(list charges, result) of calls (account, tariff, number, start, seconds), sorted already."""
    account, tariffs, numbers, starts, seconds = zip(*calls, strict=True)
    packed = np.array([packed_number(number) for number in numbers], dtype=np.uint64)
    used = [round(s * 1000) for s in seconds]
    kind = np.zeros(len(calls), dtype=np.uint8)
    rated = rate_calls(book, tariffs, kind, packed, starts, used)
    assert not rated.status.any()
    found = discount_calls(
        book, group_start=groups or [0, len(calls)], account_index=account, start_at=starts, kind=kind, called_number=packed,
        quantity=used, charge_nano=rated.charge_nano, rule_index=rated.rule_index, tariff_index=tariffs, grants=grants,
        state=state,
    )  # fmt: skip
    assert (found.net_nano + found.allowance_nano + found.discount_nano == rated.charge_nano).all()
    return rated.charge_nano, found


def one_account(of: Tariff) -> tuple[TariffBook, Grants]:
    book = book_of(of)
    return book, grants_of(book, contracts((0, 0, "t", YEAR[0], INT64_MAX)))


def test_e17_a_rest_smaller_than_a_block_stays() -> None:
    rate = tiered((0, "0.30", 60), (60, "0.18", 1), fee="0.10")
    book, grants = one_account(tariff(voice(rate), allowances=(allowance("90 s", 90, 60),)))
    charged, found = settle(book, grants, [(0, 0, "49", local("2026-11-03T10:00"), 150)])
    assert charged.tolist() == [nano("0.67")]
    assert (found.net_nano[0], found.allowance_units[0], found.allowance_nano[0]) == (nano("0.27"), 60_000, nano("0.40"))
    assert found.state.units_left.tolist() == [30_000]


def test_e18_debit_order() -> None:
    """A: 44 only, priority 5, 45 s; B: priority 50 to 1 Dec, 100 s; C: priority 50 to 4 Nov, 30 s; 3 Nov, 200 s to 44."""
    a, b = allowance("A", 45, to=("44",), priority=5), allowance("B", 100, priority=50)
    c = allowance("C", 30, priority=50, prorate=False)
    of = [tariff(voice(minute("0.12")), voice(minute("0.12"), "44"), allowances=(one,), tariff_id=one.name) for one in (a, b)]
    of.append(tariff(voice(minute("0.12")), allowances=(c,), tariff_id="C"))
    book = book_of(*of)
    to_4_november = local("2026-11-04T00:00")
    grants = grants_of(
        book, contracts((0, 0, "A", YEAR[0], INT64_MAX), (0, 0, "B", YEAR[0], INT64_MAX), (0, 0, "C", YEAR[0], to_4_november))
    )
    _, found = settle(book, grants, [(0, 0, "447700900123", local("2026-11-03T10:00"), 200)])
    names = [book.allowances[index].allowance.name for index in grants.allowance_index]
    left = dict(zip(names, found.state.units_left.tolist(), strict=True))
    assert (left, found.net_nano[0]) == ({"A": 0, "B": 0, "C": 0}, nano("0.05"))
    assert book.allowances[found.allowance_index[0]].allowance.name == "A"
    only_c = grants_of(book, contracts((0, 0, "C", YEAR[0], to_4_november)))
    _, lapsing = settle(book, only_c, [(0, book.tariff_index("C"), "49", local("2026-11-03T23:59:50"), 60)])
    assert (lapsing.allowance_units[0], lapsing.net_nano[0]) == (10_000, nano("0.10")), "pays only what starts before its end"


def test_e23_allowance_is_consumed_in_event_time_order() -> None:
    book, grants = one_account(tariff(voice(minute("0.30", 60, 60, fee="0.05")), allowances=(allowance("120 s", 120),)))
    calls = [(0, 0, "49", local("2026-11-03T08:00"), 90.0), (0, 0, "49", local("2026-11-03T09:00"), 180.0)]
    _, found = settle(book, grants, calls)
    assert found.net_nano.tolist() == [0, nano("0.90")]
    assert found.allowance_units.tolist() == [90_000, 30_000]


def test_e25_proration_by_local_days_of_the_whole_period() -> None:
    october = period_of(period_number("2026-10"), "Europe/Berlin")
    whole = replace(allowance("whole", 7), prorate=False)
    book = book_of(tariff(voice(minute("0.09")), allowances=(allowance("300 min", 300 * 60, 60), whole)))
    grants = grants_of(book, contracts((0, 0, "t", YEAR[0], local("2026-10-11T00:00"))), october)
    assert sorted(grants.units.tolist()) == [7_000, 300 * 60_000 * 10 // 31]
    assert grants.units.max() // 60_000 == 96, "96 whole minutes"


def test_a_day_belongs_to_what_is_in_force_at_its_first_instant() -> None:
    minutes = (allowance("m", 3000),)
    book = book_of(*(tariff(voice(minute("0.09")), allowances=minutes, tariff_id=name) for name in ("t", "u")))
    meet = local("2026-11-11T15:00")
    grants = grants_of(book, contracts((0, 0, "t", YEAR[0], meet), (0, 0, "u", meet, INT64_MAX)))
    assert sorted(grants.units.tolist()) == [11 * 100_000, 19 * 100_000]


def test_group_allowance_own_first_then_shared() -> None:
    of = tariff(voice(minute("0.12")), allowances=(allowance("shared", 30, scope="group"),))
    book = book_of(of, tariff(voice(minute("0.12")), tariff_id="plain"))
    rows = contracts((0, 0, "t", YEAR[0], INT64_MAX), (1, 0, "t", YEAR[0], INT64_MAX), (2, 1, "plain", YEAR[0], INT64_MAX))
    grants = grants_of(book, rows)
    at = local("2026-11-03T10:00")
    _, found = settle(book, grants, [(1, 1, "49", at, 40), (0, 1, "49", at + 1, 30), (2, 0, "49", at, 10)], groups=[0, 2, 3])
    own = {int(account): int(left) for account, left in zip(grants.account_index, found.state.units_left, strict=True)}
    assert found.allowance_units.tolist() == [40_000, 20_000, 0], "own 30 + 10 of the other's; the 20 left; a stranger gets none"
    assert own == {0: 0, 1: 0}


def test_destinations_limit_an_allowance() -> None:
    of = tariff(voice(minute("0.12"), "49"), voice(minute("0.24"), "44"), allowances=(allowance("national", 600, to=("49",)),))
    book, grants = one_account(of)
    at = local("2026-11-03T10:00")
    _, found = settle(book, grants, [(0, 0, "4930", at, 60), (0, 0, "4420", at + 1, 60)])
    assert found.net_nano.tolist() == [0, nano("0.24")]


LADDER = Discount("volume", (DiscountTier(nano("1.00"), 50_000), DiscountTier(nano("2.00"), 100_000)))


def test_a_record_takes_the_tier_at_the_running_total_before_it() -> None:
    book, grants = one_account(tariff(voice(minute("0.60")), discounts=(LADDER,), allowances=(allowance("60 s", 60),)))
    at = local("2026-11-03T10:00")
    _, found = settle(book, grants, [(0, 0, "49", at + n * 10**9, 60) for n in range(6)])
    assert found.net_nano.tolist() == [0, nano("0.60"), nano("0.60"), nano("0.57"), nano("0.57"), nano("0.54")]
    assert found.discount_nano.tolist() == [0, 0, 0, nano("0.03"), nano("0.03"), nano("0.06")]


@pytest.mark.parametrize("cut", range(1, 12))
def test_state_handed_on_gives_the_same_rows(cut: int) -> None:
    book, grants = one_account(
        tariff(voice(minute("0.60", 60, 1)), discounts=(LADDER,), allowances=(allowance("400 s", 400, 60),))
    )
    at = local("2026-11-03T10:00")
    calls = [(0, 0, "49", at + n * 10**9, 37.5 * (n + 1)) for n in range(12)]
    _, whole = settle(book, grants, calls)
    _, first = settle(book, grants, calls[:cut])
    _, rest = settle(book, grants, calls[cut:], state=first.state)
    assert whole.net_nano.tolist() == [*first.net_nano.tolist(), *rest.net_nano.tolist()]
    assert whole.state.units_left.tolist() == rest.state.units_left.tolist()
    assert whole.state.counters.tolist() == rest.state.counters.tolist()


def test_a_rest_too_large_for_int64_is_priced_exactly() -> None:
    """One nano short of a whole in the denominators: every sum is taken in Python integers, and still adds up."""
    rate = replace(minute("0.60"), tiers=(replace(minute("0.60").tiers[0], per=2**40 - 87, price_nano=10**18, increment=7_000),))
    book, grants = one_account(tariff(voice(rate), mode="half_up", decimals=9, allowances=(allowance("10 s", 10),)))
    assert book.rule_rows[0, 2] == -1
    charged, found = settle(book, grants, [(0, 0, "49", local("2026-11-03T10:00"), 45)])
    each = 10**18 * 7_000
    assert charged.tolist() == [(2 * 7 * each + 2**40 - 87) // (2 * (2**40 - 87))]
    assert found.net_nano.tolist() == [(2 * 5 * each + 2**40 - 87) // (2 * (2**40 - 87))]


def test_rows_that_no_stage_may_send_are_refused_by_number() -> None:
    book, grants = one_account(tariff(voice(minute("0.60"))))
    with pytest.raises(MeterlineError, match="account_index row 1: no contract has this account, was 9"):
        settle(book, grants, [(0, 0, "49", local("2026-11-03T10:00"), 1), (9, 0, "49", local("2026-11-03T10:00"), 1)])
