"""Settlement groups are a closure that no order changes; account order is a sort by four keys."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.account_order import account_order
from accounts.settlement_groups import bucket_of, settlement_groups


def _accounts(rows: list[tuple[str, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["account_id", "bill_to_account_id", "group_id"], orient="row")


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        ([("A", "A", ""), ("B", "B", "")],                       {"A": "A", "B": "B"}),  # alone
        ([("A", "A", ""), ("B", "A", "")],                       {"A": "A", "B": "A"}),  # one payer
        ([("A", "A", "G"), ("B", "B", "G"), ("C", "C", "H")],    {"A": "A", "B": "A", "C": "C"}),  # one allowance
        ([("C", "B", ""), ("B", "B", "G"), ("A", "A", "G")],     {"A": "A", "B": "A", "C": "A"}),  # payer, then allowance
        ([("D", "C", ""), ("C", "B", ""), ("B", "A", ""), ("A", "A", "")], dict.fromkeys("ABCD", "A")),  # a chain of payers
        ([("B", "B", ""), ("C", "C", ""), ("A", "A", "")],       {"A": "A", "B": "B", "C": "C"}),  # no group is not a group
    ],
)  # fmt: skip
def test_groups(rows: list[tuple[str, str, str]], groups: dict[str, str]) -> None:
    assert settlement_groups(_accounts(rows)) == groups
    assert settlement_groups(_accounts(rows[::-1])) == groups


_NAMES = [f"A{number}" for number in range(9)]


@given(
    st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(["", "", "G", "H"])), min_size=9, max_size=9),
    st.permutations(range(9)),
)
def test_groups_are_the_connected_accounts_in_any_order(links: list[tuple[str, str]], order: list[int]) -> None:
    rows = [(name, payer, group) for name, (payer, group) in zip(_NAMES, links, strict=True)]
    reached = {name: {name} for name in _NAMES}
    for _ in _NAMES:  # slow and obvious: spread until nothing changes
        for name, payer, group in rows:
            near = {payer, *(other for other, _, of in rows if group and of == group)}
            joined = set().union(*(reached[one] for one in {name, *near}))
            for one in joined:
                reached[one] = joined
    assert settlement_groups(_accounts([rows[place] for place in order])) == {name: min(reached[name]) for name in _NAMES}


def test_buckets_are_fixed_by_name_and_spread() -> None:
    assert [bucket_of("A000001", 64), bucket_of("A000001", 1)] == [bucket_of("A000001", 64), 0]
    counts = np.bincount([bucket_of(f"A{number:06d}", 64) for number in range(6_400)], minlength=64)
    assert counts.min() > 50 and counts.max() < 160


def test_account_order_is_by_rank_then_start_then_id_then_row() -> None:
    #  rank, start, id
    rows = [(1, 5, (0, 0)), (0, 9, (0, 0)), (0, 2, (7, 1)), (0, 2, (7, 0)), (0, 2, (6, 9)), (1, 5, (0, 0))]
    rank, start_at, ids = zip(*rows, strict=True)
    hi, lo = (np.array([of[half] for of in ids], dtype=np.uint64) for half in range(2))
    order = account_order(np.array(rank, dtype=np.int32), np.array(start_at), hi, lo, ranks=2)
    assert order.tolist() == [4, 3, 2, 1, 0, 5]
