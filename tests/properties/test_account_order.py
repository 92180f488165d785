"""The account order is numpy's lexsort to the row: ties, busy accounts, spans too wide to pack, few rows and many accounts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.account_order import account_order, arrange_by_account
from accounts.order_kernels import INSERTED_MAX

Batch = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def a_batch(seed: int, rows: int, ranks: int, span: int, sorted_part: int = 0) -> Batch:
    """(rank, start, record id halves): starts within +-span, ids of few values, so that rows tie in part and in full."""
    draw = np.random.default_rng(seed)
    rank = draw.integers(0, ranks, rows).astype(np.int32)
    start_at = draw.integers(-span, span, rows)
    start_at[:sorted_part] = np.sort(start_at[:sorted_part])
    # ids that differ only in one half, and halves above 2**63
    hi, lo = (draw.choice(np.array([1, 2, 2**63, 2**64 - 1], np.uint64), rows) for _ in range(2))
    return rank, start_at, hi, lo


def assert_is_lexsort(batch: Batch, ranks: int) -> None:
    rank, start_at, hi, lo = batch
    expected = np.lexsort((lo, hi, start_at, rank))
    assert np.array_equal(account_order(*batch, ranks=ranks), expected)
    arranged = arrange_by_account(*batch, ranks=ranks)
    for column in (rank, start_at, lo, lo > 1, start_at.astype(np.uint8), start_at.astype(np.uint16), start_at.astype(str)):
        found = arranged.take(column)
        assert found.dtype == column.dtype and np.array_equal(found, column[expected])


@settings(max_examples=120, deadline=None, print_blob=True)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([0, 1, 2, 40, 700, 4_095, 4_096, 4_097, 9_000]),
    st.sampled_from([1, 3, 900, 1_024, 1_025, 40_000, 3_000_000]),
    st.sampled_from([1, 3, 10**6, 2**42, 2**60]),
    st.booleans(),
)
def test_any_batch(seed: int, rows: int, ranks: int, span: int, half_in_order: bool) -> None:
    assert_is_lexsort(a_batch(seed, rows, ranks, span, rows // 2 if half_in_order else 0), ranks)


@pytest.mark.parametrize("rows", [INSERTED_MAX - 1, INSERTED_MAX, INSERTED_MAX + 1, 1_000])
@pytest.mark.parametrize("turn", ["as drawn", "in order", "backward", "all at once"])
def test_one_busy_account(rows: int, turn: str) -> None:
    rank, start_at, hi, lo = a_batch(5, rows, 1, 1 if turn == "all at once" else 300)
    if turn in ("in order", "backward"):
        start_at = np.sort(start_at)[:: 1 if turn == "in order" else -1].copy()
    assert_is_lexsort((rank + np.int32(7), start_at, hi, lo), 9)


def test_read_only_columns() -> None:
    batch = a_batch(6, 5_000, 2_000, 10**9)
    for column in batch:
        column.flags.writeable = False
    assert_is_lexsort(batch, 2_000)
