"""Kernels that carry a batch of call records through the wiring: where each record belongs, then into the order of storage.

Rows are first scattered into (period, bucket) partitions, whose columns fit the second-level cache, and sorted and gathered
there: a direct gather from the whole batch costs three times as much (reference: performance §3, §12).
"""

from __future__ import annotations

import numpy as np

from accounts.account_order import BUSY_ACCOUNT, finish_runs
from ingest.duplicate_index import PARTITIONS
from schemas.hashing import mixed_number
from schemas.kernels import kernel
from schemas.reasons import Reason

_LAST_UNREADABLE = int(Reason.BAD_QUOTING)
_BAD_TIMESTAMP = np.uint8(Reason.BAD_TIMESTAMP)
_UNKNOWN = np.uint8(Reason.UNKNOWN_SERVICE)
_NO_SERVICE = np.uint8(Reason.NO_SERVICE_AT_INSTANT)
_CLOSED = np.uint8(Reason.PERIOD_CLOSED)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_PARTITION_MASK = np.uint64(PARTITIONS - 1)
_COUNT_BITS, _COUNT_MASK = np.uint64(16), np.uint64(0xFFFF)
_BLOCK = 256


@kernel()
def place_calls(  # type: ignore[no-untyped-def]
    served_number, start_at, kind, slots, assignments, period_starts, first_period, is_closed,
    status, period, rank, tariff, has_id, service_hash, services_touched, kind_rated,
):  # fmt: skip
    """For each record its period, account rank and tariff as of its start, and whether it has an id of its own.

    Args: slots u8[s, 2]: (packed number, first assignment << 16 | count), open-addressed; assignments i8[a, 4]: (from, to, rank,
        tariff); period_starts i8[p + 1]; is_closed u1[p]; `status` is read and sharpened in place; the rest is written.
    """
    mask = np.uint64(slots.shape[0] - 1)
    periods = period_starts.shape[0] - 1
    at = 0  # place in period_starts: records of a file lie close together
    rows = served_number.shape[0]
    # Look-ups miss the cache. A block of them is begun before the first is used, so that the misses overlap.
    met, span = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint64)
    opened = np.empty((_BLOCK, 4), np.int64)
    for low in range(0, rows, _BLOCK):
        high = min(low + _BLOCK, rows)
        for i in range(low, high):
            word = mixed_number(served_number[i])
            service_hash[i] = word
            met[i - low] = slots[word & mask, 0]
            span[i - low] = slots[word & mask, 1]
        for i in range(low, high):
            j = i - low
            slot = service_hash[i] & mask
            while met[j] != _ZERO and met[j] != served_number[i]:
                slot = (slot + _ONE) & mask
                met[j] = slots[slot, 0]
                span[j] = slots[slot, 1]
            first = np.int64(span[j] >> _COUNT_BITS) if met[j] != _ZERO else 0
            for part in range(4):
                opened[j, part] = assignments[first, part]
        for i in range(low, high):
            j = i - low
            period[i], rank[i], tariff[i], has_id[i], kind_rated[i] = -1, -1, -1, 0, 0
            if status[i] != 0 and status[i] <= _LAST_UNREADABLE:
                continue
            instant = start_at[i]
            if instant < period_starts[0] or instant >= period_starts[periods]:
                status[i] = _BAD_TIMESTAMP
                continue
            if instant < period_starts[at] or instant >= period_starts[at + 1]:
                at = np.searchsorted(period_starts, instant, side="right") - 1
            period[i] = first_period + at
            has_id[i] = 1
            kind_rated[i] = kind[i]
            services_touched[np.int64(service_hash[i] & _PARTITION_MASK)] = 1
            if status[i] != 0:
                continue
            if met[j] == _ZERO:
                status[i] = _UNKNOWN
                continue
            status[i] = _NO_SERVICE
            if opened[j, 0] <= instant < opened[j, 1]:
                rank[i], tariff[i] = opened[j, 2], opened[j, 3]
                status[i] = _CLOSED if is_closed[at] else np.uint8(0)
                continue
            first = np.int64(span[j] >> _COUNT_BITS)
            for row in range(first + 1, first + np.int64(span[j] & _COUNT_MASK)):
                if assignments[row, 0] <= instant < assignments[row, 1]:
                    rank[i], tariff[i] = assignments[row, 2], assignments[row, 3]
                    status[i] = _CLOSED if is_closed[at] else np.uint8(0)
                    break


@kernel()
def partition_rows(status, found, period, rank, bucket_of_rank, first_period, buckets, starts, target):  # type: ignore[no-untyped-def]
    """Where each accepted row goes when rows are grouped by (period, bucket), stable; -1 for the others.

    Args: starts i8[periods * buckets + 1], zeros: written as the start of each partition.
    """
    rows = status.shape[0]
    for i in range(rows):
        if status[i] == 0 and found[i] == 0:
            part = (period[i] - first_period) * buckets + bucket_of_rank[rank[i]]
            target[i] = part
            starts[part + 1] += 1
        else:
            target[i] = -1
    for part in range(starts.shape[0] - 1):
        starts[part + 1] += starts[part]
    place = starts.copy()
    for i in range(rows):
        if target[i] >= 0:
            part = target[i]
            target[i] = place[part]
            place[part] += 1


@kernel()
def scatter(values, target, out):  # type: ignore[no-untyped-def]
    """out[target[i]] = values[i] where the row has a target."""
    for i in range(values.shape[0]):
        if target[i] >= 0:
            out[target[i]] = values[i]


@kernel()
def gather(values, order, out):  # type: ignore[no-untyped-def]
    """out[i] = values[order[i]]."""
    for i in range(order.shape[0]):
        out[i] = values[order[i]]


@kernel()
def order_partitions(starts, buckets, bucket_first_rank, rank, start_at, record_hi, record_lo, counts, order):  # type: ignore[no-untyped-def]
    """Order of the partitioned rows by (rank, start, record id) within each partition; returns the rows of the busiest account.

    Counting sort by rank, then insertion sort of each account's few rows. `counts` i8[largest bucket + 2] is scratch. If an
    account has more than BUSY_ACCOUNT rows the order is not finished and the caller sorts by comparison.
    """
    busiest = 0
    for part in range(starts.shape[0] - 1):
        low, high = starts[part], starts[part + 1]
        if low == high:
            continue
        base = bucket_first_rank[part % buckets]
        accounts = bucket_first_rank[part % buckets + 1] - base
        for a in range(accounts + 1):
            counts[a] = 0
        for i in range(low, high):
            counts[rank[i] - base + 1] += 1
        for a in range(accounts):
            busiest = max(busiest, counts[a + 1])
            counts[a + 1] += counts[a]
        for i in range(low, high):
            a = rank[i] - base
            order[low + counts[a]] = i
            counts[a] += 1
    if busiest > BUSY_ACCOUNT:
        return busiest
    finish_runs(rank, start_at, record_hi, record_lo, order)
    return busiest
