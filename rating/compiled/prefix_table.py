"""The prefixes of all tariffs as a table of nodes, parents and ranges; `prefixes` (kernels) and `prefix_lookup` match by it.

Kept apart from the kernels, so that what only needs a table (checks, comparisons, small trials) does not load numba.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.numbers import DIGITS_MAX

ROOT_NODE = 0  # the prefix of length 0, which every number has
TOP_DIGITS = 5
U_ALL = np.uint64(2**64 - 1)


@dataclass(frozen=True, slots=True)
class PrefixTable:
    """Nodes in order of (length, digits); `parent[n]` is the next shorter prefix in the table, `top` and `sub` serve kernels."""

    prefixes: tuple[str, ...]
    node_of: dict[str, int]
    parent: npt.NDArray[np.int32]
    length: npt.NDArray[np.int32]
    top: npt.NDArray[np.int32]  # [16 ** 5]
    sub: npt.NDArray[np.int32]  # [subtables * 16]


def compile_prefixes(prefixes: Iterable[str]) -> PrefixTable:
    """The table of a set of digit strings; the empty prefix is always in it."""
    ordered = tuple(sorted(sorted({"", *prefixes}), key=len))
    length = np.fromiter(map(len, ordered), dtype=np.int32, count=len(ordered))
    packed = _packed(ordered, length)
    node_of = dict(zip(ordered, range(len(ordered)), strict=True))
    top, sub = _tables(packed, length)
    return PrefixTable(ordered, node_of, _parents(packed, length), length, top, sub)


def _packed(ordered: tuple[str, ...], length: npt.NDArray[np.int32]) -> npt.NDArray[np.uint64]:
    """Digits as left-justified nibbles, filled with zeros: within one length in the order of the texts."""
    texts = np.array(ordered, dtype=f"S{DIGITS_MAX + 1}").view(np.uint8).reshape(len(ordered), DIGITS_MAX + 1)
    packed = np.zeros(len(ordered), dtype=np.uint64)
    for place in range(DIGITS_MAX):
        digit = np.where(place < length, texts[:, place] - np.uint8(48), np.uint8(0)).astype(np.uint64)
        packed |= digit << np.uint64(60 - 4 * place)
    return packed


def _of_length(length: npt.NDArray[np.int32], digits: int) -> slice:
    low, high = np.searchsorted(length, [digits, digits + 1])
    return slice(int(low), int(high))


def _parents(packed: npt.NDArray[np.uint64], length: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    parent = np.full(len(packed), ROOT_NODE, dtype=np.int32)
    for shorter in range(1, DIGITS_MAX):  # the longest is entered last
        of = _of_length(length, shorter)
        if of.start == of.stop:
            continue
        head = packed[of.stop :] & (U_ALL << np.uint64(64 - 4 * shorter))
        place = np.minimum(np.searchsorted(packed[of], head), of.stop - of.start - 1)
        parent[of.stop :] = np.where(packed[of][place] == head, of.start + place, parent[of.stop :])
    return parent


def _tables(packed: npt.NDArray[np.uint64], length: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """(top, sub): digit by digit, so that shorter prefixes are entered before a subtable copies what they left."""
    top = np.zeros(16**TOP_DIGITS, dtype=np.int32)
    for digits in range(1, TOP_DIGITS + 1):
        of = _of_length(length, digits)
        at = (packed[of] >> np.uint64(64 - 4 * digits)).astype(np.int64)
        top.reshape(16**digits, -1)[at] = np.arange(of.start, of.stop, dtype=np.int32)[:, None]
    subs: list[npt.NDArray[np.int32]] = []
    above, above_heads, count = top, np.zeros(0, dtype=np.int64), 0
    for digits in range(TOP_DIGITS + 1, int(length[-1]) + 1):
        paths = (packed >> np.uint64(64 - 4 * digits)).astype(np.int64)
        heads = np.unique(paths[length >= digits] >> 4)
        at = heads if digits == TOP_DIGITS + 1 else np.searchsorted(above_heads, heads >> 4) * 16 + (heads & 15)
        table = np.repeat(above[at], 16)
        above[at] = -(count + 1 + np.arange(len(heads)))
        of = _of_length(length, digits)
        table[np.searchsorted(heads, paths[of] >> 4) * 16 + (paths[of] & 15)] = np.arange(of.start, of.stop)
        subs.append(table)
        above, above_heads, count = table, heads, count + len(heads)
    return top, np.concatenate(subs) if subs else np.zeros(16, dtype=np.int32)
