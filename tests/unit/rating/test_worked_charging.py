"""The worked examples of the rating reference (§11) with balances, E17-E23 and E25: kernel and twin give the table's figures."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from rating.balances.balance_table import BalanceTable, compile_balances
from rating.balances.balance_values import Balance
from rating.balances.charge import ChargedUsage, charge_usage
from rating.balances.layout import GENERIC, MONEY
from rating.balances.refunds import refund, rerate, shorter_call
from rating.balances.reservations import Reservations, RunningCall, update
from rating.balances.rollover import end_period
from rating.compiled.book import TariffBook
from rating.language.call_terms import PayTerms, Rate, Rule
from rating.language.shared_terms import Tier
from rating.language.tariff import Tariff
from schemas.errors import ConservationError
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.reference.balance_twin import BalanceTwin
from tests.unit.rating.worked_tariffs import book_of, local, minute, nano, tariff, tiered, voice

AT = local("2026-11-03T10:00")
MB = 10**6


def money(name: str, amount: str, **more: object) -> Balance:
    return Balance(name, "me", MONEY, Fraction(nano(amount)), **more)  # type: ignore[arg-type]


def seconds(
    name: str, value: int, block: int = 1, *, priority: int = 0, to: str = "", until: str = "", **terms: object
) -> Balance:
    of = PayTerms(block=block * 1000, destinations=(to,) if to else None, **terms)  # type: ignore[arg-type]
    end = local(until) if until else 2**63 - 1
    return Balance(name, "me", 0, Fraction(value * 1000), priority, valid_to_at=end, terms=of)


def volume() -> Tariff:
    rate = Rate("mb", (Tier(0, nano("0.20"), MB, MB),))
    return tariff((Rule(UsageKind.VOLUME, None, None, "mb", 0, "Internet"), rate, ""))


PLAIN = tariff(voice(minute("0.12")), voice(minute("0.12"), "44"))
E17 = tariff(voice(tiered((0, "0.30", 60), (60, "0.18", 1), fee="0.10")))
E20 = tariff(voice(minute("0.07")), decimals=2)
E22 = tariff(voice(minute("0.40", 60, 60, fee="0.10")))
E22B = tariff(voice(minute("0.05", fee="0.10")), voice(minute("0.05", fee="0.10"), "44"), decimals=2)
DEFAULT = money("default", "0.80", default=True, credit_limit_nano=nano("0.50"))
BLOCKER = money("b", "1.00", priority=9, terms=PayTerms(destinations=("44",), blocker=True))
E18 = [
    seconds("A", 45, priority=5, to="44"), seconds("B", 100, priority=50, until="2026-12-01T00:00"),
    seconds("C", 30, priority=50, until="2026-11-04T00:00"), money("M", "1"),
]  # fmt: skip
SHARED = Balance("family", "", 0, Fraction(600_000), terms=PayTerms(member_cap=30_000), share="family")
GENERIC_UNITS = Balance("G", "me", GENERIC, Fraction(2), terms=PayTerms(per_unit=((UsageKind.VOICE, 60_000),)))

# case, tariff, balances, asked as, number, start, used (s, or MB), outcome, granted or charged (s, MB), charge, left (human units)
TABLE = [
    ("E17 allowance, then money", E17, [seconds("a", 90, 60), money("m", "1.00")], "book", "49", AT, 150, "ok", 150, "0.27", {"a": 30, "m": "0.73"}),
    ("E17 without allowance    ", E17, [money("m", "1.00")], "take", "49", AT, 150, "ok", 150, "0.67", {"m": "0.33"}),
    ("E18 debit order          ", PLAIN, E18, "take", "447700", AT, 200, "ok", 200, "0.05", {"A": 0, "B": 0, "C": 0, "M": "0.95"}),
    ("E18 lapses mid-call      ", PLAIN, E18[2:], "take", "49", local("2026-11-03T23:59:50"), 60, "ok", 60, "0.10", {"C": 20, "M": "0.90"}),
    ("E18 group, member cap    ", PLAIN, [seconds("own", 20), SHARED, money("m", "1")], "take", "49", AT, 90, "ok", 90, "0.08", {"own": 0, "family": 570, "m": "0.92"}),
    ("E19 factor 3             ", volume(), [Balance("a", "me", 2, Fraction(100 * MB), terms=PayTerms(block=MB, factor=(3, 1))), money("m", "5")], "take", "", AT, 40, "ok", 40, "1.40", {"a": 1, "m": "3.60"}),
    ("E19 generic units        ", PLAIN, [GENERIC_UNITS], "take", "49", AT, 30, "ok", 30, "0", {"G": "1.5"}),
    ("E20 one rounding, shared ", E20, [money("M1", "0.03", priority=1), money("M2", "1")], "take", "49", AT, 68, "ok", 68, "0.08", {"M1": 0, "M2": "0.95"}),
    ("E22 grant to the limit   ", E22, [DEFAULT], "grant", "49", AT, 600, "not_covered", 180, "1.30", {"default": "0.80"}),
    ("E22 what happened        ", E22, [DEFAULT], "book", "49", AT, 300, "ok", 300, "2.10", {"default": "-1.30"}),
    ("E22 blocker              ", E22B, [BLOCKER, money("m", "20")], "grant", "44", AT, 3600, "blocked_by_balance", 1080, "1.00", {"b": 1, "m": 20}),
    ("E22 blocker not seen     ", E22B, [BLOCKER, money("m", "20")], "grant", "33", AT, 3600, "ok", 3600, "3.10", {"b": 1, "m": 20}),
    ("blocked booking          ", E22B, [BLOCKER, DEFAULT], "book", "44", AT, 3600, "blocked_by_balance", 0, "0", {"b": 1}),
    ("E14 disconnect           ", tariff(voice(minute("0.25", 60, 60, fee="0.20", cap="1.50", how="disconnect"))), [money("m", "9")], "grant", "49", AT, 600, "not_covered", 300, "1.45", {"m": 9}),
    ("free on an empty account ", tariff(voice(minute("0"))), [money("m", "0")], "take", "49", AT, 600, "ok", 600, "0", {"m": 0}),
    ("the fee cannot be paid   ", E17, [money("m", "0.09")], "grant", "49", AT, 60, "not_covered", 0, "0", {"m": "0.09"}),
]  # fmt: skip


def made(of: Tariff, balances: list[Balance]) -> tuple[TariffBook, BalanceTable]:
    book = book_of(of)
    return book, compile_balances(book, balances, accounts={"me": "g", "you": "g"}, shares={"me": "family", "you": "family"})


def charged(
    book: TariffBook, table: BalanceTable, calls: list[tuple[str, int, int]], kind: int = 0, **more: object
) -> ChargedUsage:
    numbers, starts, used = zip(*calls, strict=True)
    zeros = [0] * len(calls)
    return charge_usage(
        book, table, account_index=zeros, tariff_index=zeros, kind=[kind] * len(calls),
        called_number=np.array([packed_number(number) for number in numbers], dtype=np.uint64), start_at=starts, quantity=used, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def left(table: BalanceTable, state: object) -> dict[str, Fraction]:
    return {one.balance_id: table.value(state, row) for row, one in enumerate(table.balances)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "of", "balances", "task", "number", "at", "used", "outcome", "granted", "charge", "after"),
    TABLE,
    ids=[row[0] for row in TABLE],
)
def test_worked_example(
    case: str, of: Tariff, balances: list[Balance], task: str, number: str, at: int, used: int, outcome: str, granted: int,
    charge: str, after: dict[str, object],
) -> None:  # fmt: skip
    is_volume = of.versions[0].rules[0].kind is UsageKind.VOLUME
    scale, kind = (MB, 2) if is_volume else (1000, 0)
    book, table = made(of, balances)
    found = charged(book, table, [(number, at, used * scale)], kind, task=task)
    status = Reason(int(found.status[0]))
    assert ("ok" if status == 0 else status.label, int(found.granted[0]), int(found.charge_nano[0])) == (
        outcome,
        granted * scale,
        nano(charge),
    )
    scales = {MONEY: 10**9, GENERIC: 1, 0: 1000, 2: MB}
    human = {one.balance_id: left(table, found.state)[one.balance_id] / scales[one.kind] for one in balances}
    assert {name: human[name] for name in after} == {name: Fraction(str(value)) for name, value in after.items()}
    twin = BalanceTwin([of], balances, {"me": "g", "you": "g"}, {"me": "family", "you": "family"})
    wanted = twin.charge("me", "t", kind, number, at, used * scale, task=task)
    assert (wanted.status, wanted.charge, wanted.elapsed) == (status, found.charge_nano[0], found.charged_quantity[0])
    assert twin.values == left(table, found.state)


def test_e20_parts_add_up_to_the_one_rounded_total() -> None:
    book, table = made(E20, [money("M1", "0.03", priority=1), money("M2", "1")])
    found = charged(book, table, [("49", AT, 68_000)], task="take")
    assert [(post[7], post[4]) for post in found.postings.tolist()] == [(25, nano("0.03")), (43, nano("0.05"))]


def test_e21_five_slices_and_a_repeated_step() -> None:
    book, table = made(E20, [money("m", "1", default=True)])
    of = RunningCall(0, 0, 0, packed_number("49"), AT)
    now, booked = Reservations(table.start()), []
    for step in range(5):
        now, answer = update(book, table, now, "r", step, of, used=20_000, close=step == 4)
        again, same = update(book, table, now, "r", step, of, used=99_000)
        assert (again, same) == (now, answer), "a repeated step gets the stored answer"
        booked.append(answer.booked_nano)
    assert np.diff([0, *booked]).tolist() == [nano(part) for part in ("0.03", "0.02", "0.02", "0.03", "0.02")]


def test_closing_at_zero_gives_all_back_fee_included() -> None:
    book, table = made(E22, [money("m", "5")])
    of = RunningCall(0, 0, 0, packed_number("49"), AT)
    now, answer = update(book, table, Reservations(table.start()), "r", 1, of, requested=120_000)
    assert (answer.granted, answer.reserved_nano, left(table, now.state)["m"]) == (120_000, nano("0.90"), nano("4.10"))
    now, answer = update(book, table, now, "r", 2, of, close=True)
    assert (answer.booked_nano, left(table, now.state)["m"]) == (0, nano("5"))
    _, late = update(book, table, now, "r", 3, of, used=1)
    assert late.status == Reason.NOT_COVERED, "closed"


def test_used_beyond_the_reserved_is_debited() -> None:
    book, table = made(E22, [DEFAULT])
    of = RunningCall(0, 0, 0, packed_number("49"), AT)
    now, _ = update(book, table, Reservations(table.start()), "r", 1, of, requested=60_000)
    now, answer = update(book, table, now, "r", 2, of, used=300_000, close=True)
    assert (answer.booked_nano, answer.over_limit_nano) == (nano("2.10"), nano("0.80"))


def test_e22_over_limit_is_reported() -> None:
    book, table = made(E22, [DEFAULT])
    assert charged(book, table, [("49", AT, 300_000)]).over_limit_nano.tolist() == [nano("0.80")]


def test_e23_re_rating_is_refund_of_all_then_debit_in_event_time() -> None:
    book, table = made(tariff(voice(minute("0.30", 60, 60, fee="0.05"))), [seconds("a", 120), money("m", "2.00", default=True)])
    x, y = (("49", local("2026-11-03T09:00"), 180_000), ("49", local("2026-11-03T08:00"), 90_000))
    first = charged(book, table, [x, y])
    assert (first.charge_nano.tolist(), left(table, first.state)["m"]) == ([nano("0.30"), nano("0.65")], nano("1.05"))
    records = {
        "account_index": [0, 0], "tariff_index": [0, 0], "kind": [0, 0], "start_at": [x[1], y[1]], "quantity": [x[2], y[2]],
        "called_number": np.array([packed_number("49")] * 2, dtype=np.uint64),
    }  # fmt: skip
    again, order = rerate(book, table, first.state, first.postings, records, record_id=[1, 2])  # type: ignore[arg-type]
    assert (order.tolist(), again.charge_nano.tolist()) == ([1, 0], [0, nano("0.90")])
    assert left(table, again.state)["m"] == nano("1.10")


def test_e25_rollover_keeps_every_unit_accounted_for() -> None:
    """Cap 100: 300 granted, 180 used; then 100 carried in and 300 granted, 350 used."""
    first = end_period([300], [120], [180], [10], [100], [20], end_at=10)
    assert (first.carried.tolist(), first.lapsed.tolist(), first.carried_to_at.tolist()) == ([100], [20], [20])
    second = end_period([100, 300], [0, 50], [100, 250], [20, 20], [-1, 100], [0, 30], end_at=20)
    assert (second.used.tolist(), second.carried.tolist(), second.lapsed.tolist()) == ([100, 250], [0, 50], [0, 0])
    for end, granted in ((first, [300]), (second, [100, 300])):
        assert (end.used + end.carried + end.lapsed + end.left).tolist() == granted
    with pytest.raises(ConservationError, match="units do not add up"):
        end_period([300], [120], [181], [10], [100], [20], end_at=10)


def test_refund_restores_and_a_lapsed_balance_lapses_again() -> None:
    book, table = made(PLAIN, E18)
    found = charged(book, table, [("447700", AT, 200_000)], task="take")
    back = refund(table, found.state, found.postings, account_of_record=[0])
    assert back.state.value.tolist() == table.start().value.tolist()
    late = refund(table, found.state, found.postings, account_of_record=[0], at=local("2026-11-05T00:00"))
    names = {table.balances[row].balance_id: amount for row, amount in late.lapsed.tolist()}
    assert (names, left(table, late.state)["C"]) == ({"C": 30_000}, 0)
    lost = found.postings.copy()
    lost[lost[:, 3] >= 0, 3] = 99
    assert refund(table, found.state, lost).unallocated.tolist() == [[0, 0, nano("0.05")]]


def test_a_shorter_call_gives_back_the_difference_of_running_totals() -> None:
    book, table = made(E20, [money("M1", "0.03", priority=1), money("M2", "1")])
    found = charged(book, table, [("49", AT, 68_000)], task="take")
    for used in (1, 25_000, 30_000, 67_001):
        stay, back = shorter_call(table, found.postings, used, start_rule=0)
        short = charged(book, table, [("49", AT, used)], task="take")
        after = refund(table, found.state, back).state
        assert (int(stay[:, 4].sum()), after.value.tolist()) == (int(short.charge_nano[0]), short.state.value.tolist())
    _, back = shorter_call(table, found.postings, 0, start_rule=0)
    assert refund(table, found.state, back).state.value.tolist() == table.start().value.tolist()
