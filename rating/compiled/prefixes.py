"""Longest-prefix match over the prefixes of all tariffs: a direct table on five digits, then one digit at a time.

Numbers are packed nibbles (`schemas.numbers`). A table entry is a node (>= 0) or -(s + 1) for the sixteen entries of subtable s,
one cache line. Ranges are filled over all sixteen nibbles, so that the F fill of a short number leads to its longest prefix.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.kernels import inline_kernel
from schemas.kernels_inlined import tight_kernel

ROOT_NODE = 0  # the prefix of length 0, which every number has
_TOP_DIGITS = 5
U_DIGIT_BITS = np.uint64(4)
U_DIGIT = np.uint64(15)
U_TOP_SHIFT = np.uint64(64 - 4 * _TOP_DIGITS)
U_SUB_SHIFT = np.uint64(64 - 4 * _TOP_DIGITS - 4)


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
    ordered = tuple(sorted({"", *prefixes}, key=lambda prefix: (len(prefix), prefix)))
    node_of = {prefix: node for node, prefix in enumerate(ordered)}
    parent = [_parent(prefix, node_of) for prefix in ordered]
    top = np.zeros(16**_TOP_DIGITS, dtype=np.int32)
    subs: list[npt.NDArray[np.int32]] = []
    for node, prefix in enumerate(ordered):
        _enter(prefix, node, top, subs)
    sub = np.concatenate(subs) if subs else np.zeros(16, dtype=np.int32)
    lengths = np.array([len(prefix) for prefix in ordered], dtype=np.int32)
    return PrefixTable(ordered, node_of, np.array(parent, dtype=np.int32), lengths, top, sub)


def _parent(prefix: str, node_of: dict[str, int]) -> int:
    for length in range(len(prefix) - 1, 0, -1):
        node = node_of.get(prefix[:length])
        if node is not None:
            return node
    return ROOT_NODE


def _enter(prefix: str, node: int, top: npt.NDArray[np.int32], subs: list[npt.NDArray[np.int32]]) -> None:
    """Fill the range of one prefix; shorter prefixes were entered before."""
    table, digits, width = top, prefix, _TOP_DIGITS
    while len(digits) > width:
        at = int(digits[:width], 16)
        if table[at] >= 0:
            subs.append(np.full(16, table[at], dtype=np.int32))
            table[at] = -len(subs)
        table, digits, width = subs[-int(table[at]) - 1], digits[width:], 1
    free = width - len(digits)
    low = int(digits or "0", 16) << (4 * free)
    table[low : low + 16**free] = node


@inline_kernel
def node_of_number(number: np.uint64, top: npt.NDArray[np.int32], sub: npt.NDArray[np.int32]) -> Any:
    """The node of the longest prefix of a packed number."""
    node: Any = np.int64(top[np.int64(number >> U_TOP_SHIFT)])
    shift = U_SUB_SHIFT
    while node < 0:
        node = np.int64(sub[((-node - 1) << 4) + np.int64((number >> shift) & U_DIGIT)])
        shift -= U_DIGIT_BITS
    return node


@tight_kernel
def match_block(
    numbers: npt.NDArray[np.uint64],
    first: int,
    rows: int,
    top: npt.NDArray[np.int32],
    sub: npt.NDArray[np.int32],
    node: npt.NDArray[np.int32],
    waiting: npt.NDArray[np.int32],
) -> None:
    """The nodes of `rows` numbers from `first` on, digit by digit over all that still wait: no branch depends on a table."""
    count: Any = 0
    for j in range(rows):
        found = np.int64(top[numbers[np.uint64(first + j)] >> U_TOP_SHIFT])
        node[np.uint64(j)] = found
        waiting[np.uint64(count)] = j
        count += found < 0
    shift = U_SUB_SHIFT
    while count > 0:
        left: Any = 0
        for k in range(count):
            row = np.int64(waiting[np.uint64(k)])
            digit = (numbers[np.uint64(first + row)] >> shift) & U_DIGIT
            found = np.int64(sub[np.uint64(-np.int64(node[np.uint64(row)]) - 1) << U_DIGIT_BITS | digit])
            node[np.uint64(row)] = found
            waiting[np.uint64(left)] = row
            left += found < 0
        count = left
        shift -= U_DIGIT_BITS
