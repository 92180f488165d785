"""Longest-prefix match of one number in plain Python: for the exact path and for trials, which need no kernel to be loaded."""

from __future__ import annotations

from rating.compiled.prefix_table import ROOT_NODE, PrefixTable
from schemas.numbers import number_text


def node_of_packed(table: PrefixTable, number: int) -> int:
    """The node of the longest prefix of a packed number; `prefixes.node_of_number` for kernels gives the same."""
    digits = number_text(number)
    for length in range(min(len(digits), int(table.length[-1])), 0, -1):
        node = table.node_of.get(digits[:length])
        if node is not None:
            return node
    return ROOT_NODE
