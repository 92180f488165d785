"""Undoing: a refund restores, re-rating follows event time whatever the order of arrival, a shorter call costs what it would have."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.balances.refunds import refund, rerate, shorter_call
from schemas.numbers import packed_number
from tests.properties.test_balances import Case, cases
from tests.unit.rating.test_worked_charging import AT, PLAIN, charged, made, money, seconds

SEEDS = st.integers(0, 2**32 - 1)


def state_of(state: object) -> list[list[int]]:
    return [getattr(state, name).tolist() for name in ("value", "used", "member_used")]


def columns_of(case: Case) -> dict[str, object]:
    of = case.records
    return {
        "account_index": [case.table.accounts.index(row[2]) for row in of],
        "tariff_index": [case.book.tariff_index("main")] * len(of),
        "kind": [row[6] for row in of],
        "called_number": np.array([packed_number(row[3]) for row in of], dtype=np.uint64),
        "start_at": [row[0] for row in of],
        "quantity": [row[4] for row in of],
        "category": [case.table.categories.get(row[5], -1) for row in of],
    }


@settings(max_examples=40, deadline=None, print_blob=True)
@given(SEEDS, st.sampled_from(("book", "take")))
def test_a_refund_restores_every_balance(seed: int, task: str) -> None:
    case = cases(seed)
    if case is None or not case.records:
        return
    found = case.charge(slice(None), task)
    accounts = columns_of(case)["account_index"]
    back = refund(case.table, found.state, found.postings, account_of_record=accounts)  # type: ignore[arg-type]
    assert state_of(back.state) == state_of(case.table.start())
    assert not len(back.lapsed) and not len(back.unallocated)


@settings(max_examples=40, deadline=None, print_blob=True)
@given(SEEDS)
def test_a_refund_of_some_records_in_two_steps_is_one_refund(seed: int) -> None:
    case = cases(seed)
    if case is None or not case.records:
        return
    found = case.charge(slice(None), "book")
    accounts, some = columns_of(case)["account_index"], found.postings[:, 0] % 2 == seed % 2
    step = refund(case.table, found.state, found.postings[some], account_of_record=accounts).state  # type: ignore[arg-type]
    both = refund(case.table, step, found.postings[~some], account_of_record=accounts).state  # type: ignore[arg-type]
    assert state_of(both) == state_of(case.table.start())


@settings(max_examples=40, deadline=None, print_blob=True)
@given(SEEDS)
def test_re_rating_gives_what_event_time_gives_whatever_arrived_first(seed: int) -> None:
    case = cases(seed)
    if case is None or not case.records:
        return
    in_time = case.charge(slice(None), "book")
    ids = np.arange(len(case.records))
    arrival = list(range(len(case.records)))
    Random(seed).shuffle(arrival)
    case.records = [case.records[row] for row in arrival]
    first = case.charge(slice(None), "book")
    again, order = rerate(
        case.book, case.table, first.state, first.postings, columns_of(case), record_id=ids[arrival], bill=case.bill  # type: ignore[arg-type]
    )  # fmt: skip
    assert ids[arrival][order].tolist() == ids.tolist()
    assert state_of(again.state) == state_of(in_time.state)
    for name in ("status", "charge_nano", "covered", "over_limit_nano", "postings"):
        assert getattr(again, name).tolist() == getattr(in_time, name).tolist(), name


@pytest.mark.parametrize("used", [0, 1, 44_999, 45_000, 60_000, 60_001, 119_999, 150_000, 199_999, 200_000])
def test_a_shorter_call_gives_units_back_last_payer_first(used: int) -> None:
    """45 s in blocks of 15 s, 100 s in blocks of 50 s, then money: as if it had been that short from the start."""
    balances = [seconds("A", 45, 15, priority=5), seconds("B", 100, 50), money("m", "1", default=True)]
    book, table = made(PLAIN, balances)
    found = charged(book, table, [("49", AT, 200_000)])
    stay, back = shorter_call(table, found.postings, used, start_rule=0)
    after = refund(table, found.state, back, account_of_record=[0]).state
    short = charged(book, table, [("49", AT, used)])
    assert state_of(after) == state_of(short.state)
    assert stay.tolist() == short.postings.tolist()
    assert int(stay[:, 2].sum() + back[:, 2].sum()) == int(found.postings[:, 2].sum())
