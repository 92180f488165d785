"""The held ids: which record ids were seen, with 12 bytes a slot, by service partition.

A slot holds the upper half of the record id and 32 bits of the content hash. So a copy is told from a conflict without reading
a stored row (128 bits in agreement for a copy: 64 of the key, 32 of the content, and the 32 of chance that they were compared at
all are checked again in full by `reconcile`); only a *differing* content sends the caller to the stored rows.
The index is a fold over committed rows: it can be thrown away and refolded at any time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schemas.hashing import mixed_number
from schemas.kernels import kernel

PARTITIONS = 64
NEW, COPY, OTHER_CONTENT = np.uint8(0), np.uint8(1), np.uint8(2)

_LEAST_SLOTS = 64
_LOAD_NUM, _LOAD_DEN = 68, 100  # a partition grows at 68 %: linear probing then looks at five slots for a new id, not thirteen
_GROW_NUM, _GROW_DEN = 134, 100  # ... to never less than 50.7 % full: 12 / 0.507 = 23.7 bytes an id at most
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


@kernel()
def refill(old_keys, old_tags, keys, tags):  # type: ignore[no-untyped-def]
    """Put every held id of the old slots into empty new ones.

    The place grows with the mixed key (no modulo), so a refill walks both tables in order and costs no cache misses.
    """
    slots = np.uint64(keys.shape[0])
    for i in range(old_keys.shape[0]):
        key = old_keys[i]
        if key != _ZERO:
            at = (((key * _MIX) >> _HALF) * slots) >> _HALF
            while keys[at] != _ZERO:
                at += _ONE
                if at == slots:
                    at = _ZERO
            keys[at] = key
            tags[at] = old_tags[i]


@kernel()
def probe(ids, contents, rows, first, last, keys, tags, found):  # type: ignore[no-untyped-def]
    """Look up the grouped ids[first:last] and add the new ones; writes NEW, COPY or OTHER_CONTENT at each one's row number.

    Returns how many were added. The table must have room: the caller grows it first.
    """
    slots = np.uint64(keys.shape[0])
    added = 0
    for i in range(first, last):
        key = ids[i]
        at = (((key * _MIX) >> _HALF) * slots) >> _HALF
        while keys[at] != _ZERO and keys[at] != key:
            at += _ONE
            if at == slots:
                at = _ZERO
        if keys[at] == _ZERO:
            keys[at] = key
            tags[at] = contents[i]
            found[rows[i]] = NEW
            added += 1
        else:
            found[rows[i]] = COPY if tags[at] == contents[i] else OTHER_CONTENT
    return added


@kernel()
def group_by_partition(record_hi, content_hash, service_hash, has_id, starts, ids, contents, rows):  # type: ignore[no-untyped-def]
    """Scatter the batch into service partitions, stable, so that each partition is then read in one run.

    `starts` has PARTITIONS + 1 zeros. An id of 0 marks a free slot, so it is held as 1: the full comparison downstream tells them
    apart.
    """
    mask = np.uint64(PARTITIONS - 1)
    count = record_hi.shape[0]
    for i in range(count):
        starts[np.int64(service_hash[i] & mask) + 1] += has_id[i]
    for p in range(PARTITIONS):
        starts[p + 1] += starts[p]
    place = starts.copy()
    for i in range(count):
        if has_id[i] == 0:  # it was given no room: written here it would push another row out of its partition's run
            continue
        own = np.int64(service_hash[i] & mask)
        at = place[own]
        place[own] += 1
        rows[at] = i
        ids[at] = record_hi[i] if record_hi[i] != _ZERO else _ONE
        contents[at] = np.uint32(content_hash[i] >> _HALF)


@dataclass
class _Partition:
    keys: npt.NDArray[np.uint64] = field(default_factory=lambda: np.zeros(_LEAST_SLOTS, np.uint64))
    tags: npt.NDArray[np.uint32] = field(default_factory=lambda: np.zeros(_LEAST_SLOTS, np.uint32))
    held: int = 0

    def make_room(self, more: int) -> None:
        needed = self.held + more
        slots = len(self.keys)
        if needed * _LOAD_DEN <= slots * _LOAD_NUM:
            return
        while needed * _LOAD_DEN > slots * _LOAD_NUM:
            slots = slots * _GROW_NUM // _GROW_DEN + 1
        self._resize(slots)

    def reserve(self, ids: int) -> None:
        slots = ids * _LOAD_DEN // _LOAD_NUM + 1
        if slots > len(self.keys):
            self._resize(slots)

    def _resize(self, slots: int) -> None:
        keys, tags = np.zeros(slots, np.uint64), np.zeros(slots, np.uint32)
        refill(self.keys, self.tags, keys, tags)
        self.keys, self.tags = keys, tags


class DuplicateIndex:
    """The held ids of all service partitions."""

    def __init__(self) -> None:
        self._partitions = [_Partition() for _ in range(PARTITIONS)]

    @property
    def held(self) -> int:
        return sum(partition.held for partition in self._partitions)

    @property
    def size_bytes(self) -> int:
        return sum(partition.keys.nbytes + partition.tags.nbytes for partition in self._partitions)

    def reserve(self, more: int) -> None:
        """Make room for ids that are known to come (a file of a known size), so that a bulk load refills each table once."""
        expected = (self.held + more) * 103 // (100 * PARTITIONS)  # partitions differ by a few per cent
        for partition in self._partitions:
            partition.reserve(expected)

    def add(
        self,
        record_hi: npt.NDArray[np.uint64],
        content_hash: npt.NDArray[np.uint64],
        service_hash: npt.NDArray[np.uint64],
        has_id: npt.NDArray[np.uint8] | None = None,
    ) -> npt.NDArray[np.uint8]:
        """Per row NEW (now held), COPY or OTHER_CONTENT against what was held before it, earlier rows of the batch included.

        Args: equal-length arrays; `service_hash` chooses the partition and must be a function of the service identifier alone;
            rows with `has_id` 0 (they could not be read) are NEW and not held.
        """
        count = len(record_hi)
        found = np.zeros(count, np.uint8)
        with_id = np.ones(count, np.uint8) if has_id is None else has_id
        starts, rows = np.zeros(PARTITIONS + 1, np.int64), np.empty(count, np.int64)
        ids, contents = np.empty(count, np.uint64), np.empty(count, np.uint32)
        group_by_partition(record_hi, content_hash, service_hash, with_id, starts, ids, contents, rows)
        for number, partition in enumerate(self._partitions):
            first, last = int(starts[number]), int(starts[number + 1])
            if first < last:
                partition.make_room(last - first)
                partition.held += probe(ids, contents, rows, first, last, partition.keys, partition.tags, found)
        return found


@kernel()
def hash_services(numbers, out):  # type: ignore[no-untyped-def]
    """A well-mixed word of each packed number; its low bits choose the service partition."""
    for i in range(numbers.shape[0]):
        out[i] = mixed_number(numbers[i])
