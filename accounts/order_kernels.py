"""Kernels of the account order: rows go to blocks of accounts that fit the second-level cache and are sorted there.

A sort of the whole batch misses the cache at each level, and a gather by its result once for each row and column. Here every
pass over the whole batch reads in order and writes to a few hundred places, each in order (reference: performance §3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas.kernels_borrowed import borrowing_kernel, borrowing_part

INSERTED_MAX = 48  # an account with more rows is sorted by a heap: insertion is quadratic
_ONE = np.uint64(1)


@borrowing_kernel
def spread_keys(rank, start_at, first_at, time_bits, block_bits, starts, target, row_of, keys):  # type: ignore[no-untyped-def]
    """Bring rows to the blocks of their accounts, stable.

    Args:
        rank: i4[n] >= 0. start_at: i8[n], `first_at` the least of them; the differences fit `time_bits`, and together with
            `block_bits` 63. A block holds 2**block_bits accounts.
        starts: i8[blocks + 2], zeros.
    Writes:
        starts: where each block starts, [blocks + 1] of them, the last is n. target: u4[n], the place of each row; row_of: u4[n],
        the row at each place; keys: u8[n], (account in its block, time since `first_at`) of each place.
    """
    rows = len(rank)
    for i in range(rows):
        starts[(rank[i] >> block_bits) + 2] += 1
    for before in range(2, len(starts)):
        starts[before] += starts[before - 1]
    low = (1 << block_bits) - 1
    shift = np.uint64(time_bits)
    for i in range(rows):
        of_block = np.uint64(rank[i] >> block_bits) + _ONE
        place = np.uint64(starts[of_block])
        starts[of_block] = np.int64(place + _ONE)
        target[i] = place
        row_of[place] = i
        keys[place] = (np.uint64(rank[i] & low) << shift) | np.uint64(start_at[i] - first_at)


@borrowing_part
def precedes(key: Any, place: Any, other_key: Any, other: Any, row_of: Any, record_hi: Any, record_lo: Any) -> bool:
    """Order by key, then by record id, then as given."""
    if key != other_key:
        return bool(key < other_key)
    row, other_row = np.uint64(row_of[place]), np.uint64(row_of[other])
    if record_hi[row] != record_hi[other_row]:
        return bool(record_hi[row] < record_hi[other_row])
    if record_lo[row] != record_lo[other_row]:
        return bool(record_lo[row] < record_lo[other_row])
    return bool(place < other)


@borrowing_part
def insert_rows(keys: Any, places: Any, low: int, high: int, row_of: Any, record_hi: Any, record_lo: Any) -> None:
    """Insertion sort of [low, high): an account's few rows."""
    for j in range(low + 1, high):
        key, place = keys[np.uint64(j)], places[np.uint64(j)]
        at = j
        while at > low and precedes(
            key, place, keys[np.uint64(at - 1)], places[np.uint64(at - 1)], row_of, record_hi, record_lo
        ):  # fmt: skip
            keys[np.uint64(at)], places[np.uint64(at)] = keys[np.uint64(at - 1)], places[np.uint64(at - 1)]
            at -= 1
        keys[np.uint64(at)], places[np.uint64(at)] = key, place


@borrowing_part
def sink(keys: Any, places: Any, low: int, top: int, count: int, row_of: Any, record_hi: Any, record_lo: Any) -> None:
    """Let the entry at `top` of the heap [low, low + count) sink to where no child comes after it."""
    key, place = keys[low + top], places[low + top]
    child = 2 * top + 1
    while child < count:
        if child + 1 < count and precedes(
            keys[low + child], places[low + child], keys[low + child + 1], places[low + child + 1], row_of, record_hi, record_lo
        ):  # fmt: skip
            child += 1
        if not precedes(key, place, keys[low + child], places[low + child], row_of, record_hi, record_lo):
            break
        keys[low + top], places[low + top] = keys[low + child], places[low + child]
        top = child
        child = 2 * top + 1
    keys[low + top], places[low + top] = key, place


@borrowing_part
def heap_rows(keys: Any, places: Any, low: int, high: int, row_of: Any, record_hi: Any, record_lo: Any) -> None:
    """Heap sort of [low, high), unless it is in order already: an account's many rows, without memory of its own."""
    j = low + 1
    while j < high and precedes(keys[j - 1], places[j - 1], keys[j], places[j], row_of, record_hi, record_lo):
        j += 1
    if j >= high:
        return
    count = high - low
    for top in range(count // 2 - 1, -1, -1):
        sink(keys, places, low, top, count, row_of, record_hi, record_lo)
    for end in range(count - 1, 0, -1):
        keys[low], keys[low + end] = keys[low + end], keys[low]
        places[low], places[low + end] = places[low + end], places[low]
        sink(keys, places, low, 0, end, row_of, record_hi, record_lo)


@borrowing_kernel
def sort_blocks(starts, time_bits, keys, row_of, record_hi, record_lo, ends, in_order, place_of):  # type: ignore[no-untyped-def]
    """Sort each block by account, by counting, then each account's rows by (start, record id).

    Args:
        starts, keys, row_of: from `spread_keys`. record_hi, record_lo: u8[n] by row.
        ends: i8[accounts of a block + 1], scratch. in_order: u8[n], scratch.
    Writes:
        place_of: u4[n], the places in order.
    """
    shift = np.uint64(time_bits)
    accounts = len(ends) - 1
    for block in range(len(starts) - 1):
        low, high = starts[block], starts[block + 1]
        if low == high:
            continue
        for account in range(accounts + 1):
            ends[account] = 0
        for place in range(low, high):
            ends[(keys[np.uint64(place)] >> shift) + _ONE] += 1
        ends[0] = low
        for account in range(accounts):
            ends[account + 1] += ends[account]
        for place in range(low, high):
            account = keys[np.uint64(place)] >> shift
            at = np.uint64(ends[account])
            ends[account] = np.int64(at + _ONE)
            in_order[at] = keys[np.uint64(place)]
            place_of[at] = place
        first = low
        for account in range(accounts):
            last = ends[account]
            if last - first > INSERTED_MAX:
                heap_rows(in_order, place_of, first, last, row_of, record_hi, record_lo)
            elif last - first > 1:
                insert_rows(in_order, place_of, first, last, row_of, record_hi, record_lo)
            first = last


@borrowing_kernel
def move_column(values, target, place_of, scratch, out):  # type: ignore[no-untyped-def]
    """Bring a column [n] into the order of `sort_blocks`: to its blocks in `scratch` [n], then within each to `out` [n]."""
    for i in range(len(values)):
        scratch[target[i]] = values[i]
    for i in range(len(values)):
        out[i] = scratch[place_of[i]]
