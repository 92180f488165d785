"""Bringing a batch into (account rank, start, record id) order: the order of storage, and in which allowances are used."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.kernels import inline_kernel, kernel

_PACKED_FROM = 4_096  # below it counting is as quick
BUSY_ACCOUNT = 512  # an account with more rows in a batch is sorted by comparison: insertion sort is quadratic


@inline_kernel
def finish_runs(rank, start_at, record_hi, record_lo, order):  # type: ignore[no-untyped-def]
    """Insertion sort of each run of equal rank in `order` by (start, record id): runs are an account's few rows."""
    for i in range(1, order.shape[0]):
        row = order[i]
        j = i - 1
        while j >= 0 and rank[order[j]] == rank[row]:
            other = order[j]
            if start_at[other] < start_at[row]:
                break
            if start_at[other] == start_at[row] and (
                record_hi[other] < record_hi[row] or (record_hi[other] == record_hi[row] and record_lo[other] < record_lo[row])
            ):
                break
            order[j + 1] = other
            j -= 1
        order[j + 1] = row


@kernel()
def sort_by_account(rank, start_at, record_hi, record_lo, counts, order):  # type: ignore[no-untyped-def]
    """Counting sort by rank (`counts`: zeros, one more than ranks), then insertion sort of each account's few rows."""
    rows = rank.shape[0]
    for i in range(rows):
        counts[rank[i] + 1] += 1
    for r in range(counts.shape[0] - 1):
        counts[r + 1] += counts[r]
    for i in range(rows):
        order[counts[rank[i]]] = i
        counts[rank[i]] += 1
    finish_runs(rank, start_at, record_hi, record_lo, order)


@kernel()
def settle_ties(packed, record_hi, record_lo, order):  # type: ignore[no-untyped-def]
    """Insertion sort of each run of equal keys in `order` by record id, then by row: runs are what starts in one microsecond."""
    for i in range(1, order.shape[0]):
        row = order[i]
        j = i - 1
        while j >= 0 and packed[order[j]] == packed[row]:
            other = order[j]
            if record_hi[other] < record_hi[row]:
                break
            if record_hi[other] == record_hi[row] and (
                record_lo[other] < record_lo[row] or (record_lo[other] == record_lo[row] and other < row)
            ):
                break
            order[j + 1] = other
            j -= 1
        order[j + 1] = row


def _packed_keys(rank: npt.NDArray[np.int32], start_at: npt.NDArray[np.int64], ranks: int) -> npt.NDArray[np.int64] | None:
    """(rank, start) in one integer, so that one sort of integers orders both; None where 63 bits do not hold them, or where many
    records of an account start at once."""
    first, last = int(start_at.min()), int(start_at.max())
    bits = (last - first).bit_length()
    if bits + int(ranks).bit_length() > 63 or bits < int(len(rank)).bit_length():
        return None
    return (rank.astype(np.int64) << np.int64(bits)) | (start_at - first)


def account_order(
    rank: npt.NDArray[np.int32],
    start_at: npt.NDArray[np.int64],
    record_hi: npt.NDArray[np.uint64],
    record_lo: npt.NDArray[np.uint64],
    *,
    ranks: int,
) -> npt.NDArray[np.int64]:
    """The permutation that sorts equal-length columns by (rank, start, record id); ranks lie in [0, ranks)."""
    rows = len(rank)
    packed = _packed_keys(rank, start_at, ranks) if rows > _PACKED_FROM else None
    if packed is not None:
        order = np.argsort(packed)
        settle_ties(packed, record_hi, record_lo, order)
        return order
    # insertion is quadratic in an account's rows, counting is linear in accounts: both only pay on a spread-out batch
    busiest = int(np.bincount(rank).max(initial=0)) if rows else 0
    if ranks > 8 * rows + 1024 or busiest > BUSY_ACCOUNT:
        return np.lexsort((record_lo, record_hi, start_at, rank)).astype(np.int64)
    order = np.empty(rows, np.int64)
    sort_by_account(rank, start_at, record_hi, record_lo, np.zeros(ranks + 1, np.int64), order)
    return order
