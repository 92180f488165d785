"""Bringing a batch into (account rank, start, record id) order: the order of storage, and in which allowances are used.

Rows that agree in all of it stay as they were given: the order is that of `numpy.lexsort`, whatever the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from accounts.order_kernels import move_column, sort_blocks, spread_keys
from schemas.kernels import inline_kernel

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]
_ROWS_MAX = 2**32
_KEY_BITS = 63
_BLOCK_BITS = 10  # accounts of a block: with a few rows each, keys and a column of it stay in the second-level cache
_BLOCKS_MAX = 2_048  # more blocks than this, and writing to all of them in turn misses the cache
_WORD = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
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
                record_hi[other] < record_hi[row] or (record_hi[other] == record_hi[row] and record_lo[other] <= record_lo[row])
            ):
                break
            order[j + 1] = other
            j -= 1
        order[j + 1] = row


@dataclass(frozen=True, slots=True)
class Arrangement:
    """How a batch comes into account order; every column of it takes the same two steps."""

    place_of: U32 | I64  # the places in order; of rows where there are no blocks
    target: U32 | None = None  # the place of each row, in blocks of accounts; None where there are none
    row_of: U32 | None = None  # the row at each place
    scratch: U64 | None = None

    def rows(self) -> I64:
        """The permutation that sorts equal-length columns."""
        found: I64 = (self.place_of if self.row_of is None else self.row_of[self.place_of]).astype(np.int64)
        return found

    def take(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """`values[rows()]`, with memory read and written in order."""
        column = np.ascontiguousarray(values)
        word = _WORD.get(column.dtype.itemsize)
        if self.target is None or self.scratch is None or column.ndim != 1 or word is None or column.dtype.hasobject:
            return column[self.rows()]
        out = np.empty(len(column), dtype=column.dtype)
        move_column(column.view(word), self.target, self.place_of, self.scratch.view(word)[: len(column)], out.view(word))
        return out


def arrange_by_account(rank: npt.NDArray[np.int32], start_at: I64, record_hi: U64, record_lo: U64, *, ranks: int) -> Arrangement:
    """How to sort equal-length columns by (rank, start, record id); ranks lie in [0, ranks)."""
    rows = len(rank)
    assert len(start_at) == len(record_hi) == len(record_lo) == rows, "columns of one length"
    assert not rows or (int(rank.min()) >= 0 and int(rank.max()) < ranks), "ranks in [0, ranks)"
    first_at = int(start_at.min()) if rows else 0
    time_bits = (int(start_at.max()) - first_at).bit_length() if rows else 0
    block_bits = max(_BLOCK_BITS, (int(ranks) // _BLOCKS_MAX).bit_length())
    if time_bits + block_bits > _KEY_BITS or rows >= _ROWS_MAX:
        return Arrangement(np.lexsort((record_lo, record_hi, start_at, rank)).astype(np.int64))
    starts = np.zeros((ranks >> block_bits) + 3, dtype=np.int64)
    target, row_of, place_of = (np.empty(rows, dtype=np.uint32) for _ in range(3))
    keys, in_order = (np.empty(rows, dtype=np.uint64) for _ in range(2))
    spread_keys(rank, start_at, first_at, time_bits, block_bits, starts, target, row_of, keys)
    ends = np.zeros((1 << block_bits) + 1, dtype=np.int64)
    sort_blocks(starts[:-1], time_bits, keys, row_of, record_hi, record_lo, ends, in_order, place_of)
    return Arrangement(place_of, target, row_of, in_order)


def account_order(rank: npt.NDArray[np.int32], start_at: I64, record_hi: U64, record_lo: U64, *, ranks: int) -> I64:
    """The permutation that sorts equal-length columns by (rank, start, record id); ranks lie in [0, ranks)."""
    return arrange_by_account(rank, start_at, record_hi, record_lo, ranks=ranks).rows()
