"""The prefixes of all tariffs as a table of nodes, parents and ranges; `prefixes` (kernels) and `prefix_lookup` match by it.

Kept apart from the kernels, so that what only needs a table (checks, comparisons, small trials) does not load numba.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

ROOT_NODE = 0  # the prefix of length 0, which every number has
TOP_DIGITS = 5


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
    top = np.zeros(16**TOP_DIGITS, dtype=np.int32)
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
    table, digits, width = top, prefix, TOP_DIGITS
    while len(digits) > width:
        at = int(digits[:width], 16)
        if table[at] >= 0:
            subs.append(np.full(16, table[at], dtype=np.int32))
            table[at] = -len(subs)
        table, digits, width = subs[-int(table[at]) - 1], digits[width:], 1
    free = width - len(digits)
    low = int(digits or "0", 16) << (4 * free)
    table[low : low + 16**free] = node
