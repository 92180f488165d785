"""Which rule wins, for many prefixes under many windows: shapes and records of `choices`, found by kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.choice_kernels import choose_rows, find_level
from rating.compiled.choices import Choices, Records, spread
from rating.compiled.prefix_table import PrefixTable
from rating.compiled.timeline import NO_VERSION, Pattern
from rating.compiled.winners import Candidates, Ints, Level
from rating.language.written_values import WEIGHT_MAX

_LEVEL_MAX = 10_000  # so many ambiguous pairs of rules are named at most
I32 = npt.NDArray[np.int32]


def choose(
    candidates: dict[int, Candidates], patterns: tuple[Pattern, ...], table: PrefixTable, price_of_row: Ints, rule_of_row: Ints
) -> tuple[Choices, list[Level]]:
    """The choices over the candidates of each version, and pairs of rules that are level at different prices, each once.

    Args:
        price_of_row, rule_of_row: numbers of the price and the rule of each rule row; equal numbers are one price, one rule.
    """
    parts = [(index, found) for index, found in candidates.items() if len(found.node)]
    version = np.repeat([index for index, _ in parts], [len(found.node) for _, found in parts]).astype(np.int64)
    node, row, weight, window = (
        np.concatenate([np.zeros(0, dtype=np.int64), *(getattr(found, name) for _, found in parts)])
        for name in ("node", "row", "weight", "window")
    )
    order = np.lexsort((row, node))
    node, row, version, weight, window = (column[order] for column in (node, row, version, weight, window))
    width = int(window.max(initial=-1)) + 2
    keys = (version * (2 * WEIGHT_MAX + 1) + weight + WEIGHT_MAX) * width + window + 1
    _, first_of_code, code = np.unique(keys, return_index=True, return_inverse=True)
    covers = _covering(node, version, window, [index for index, _ in parts])
    records, record_of = _records(node, row, code.reshape(-1), covers, table)
    records, record_of, node_of = _distinct(records, record_of, len(price_of_row))
    terms = np.stack([version[first_of_code], weight[first_of_code] + WEIGHT_MAX + 1, window[first_of_code]], axis=1)
    versions, ranks = _pattern_columns(patterns, set(candidates), width)
    shapes, example = np.unique(records.shape, return_index=True)
    rows = np.empty((len(shapes), len(patterns)), dtype=np.int32)
    is_tied = np.zeros(rows.shape, dtype=np.uint8)
    slots = (records.first, records.count, records.code, records.depth)
    choose_rows(example.astype(np.int64), *slots, terms.reshape(-1, 3), versions, ranks, rows, is_tied)
    level: list[Level] = []
    if is_tied.any():
        level = _level_rules(records, node_of, terms, versions, ranks, is_tied, price_of_row, rule_of_row)
    return Choices(rows, records, record_of), level


def _covering(node: Ints, version: Ints, window: Ints, versions: list[int]) -> npt.NDArray[np.bool_]:
    """By distinct node: whether some rule of its own holds at any instant in every version, so that it inherits nothing."""
    first = np.flatnonzero(np.diff(node, prepend=-1))
    covers = np.ones(len(first), dtype=np.bool_)
    for index in versions:
        covers &= np.add.reduceat((version == index) & (window < 0), first, dtype=np.int64) > 0
    return covers


def _records(node: Ints, row: Ints, code: Ints, covers: npt.NDArray[np.bool_], table: PrefixTable) -> tuple[Records, Ints]:
    """A record for each node with rules of its own, shorter prefixes first, after record 0 without any; that of each node."""
    own_first = np.flatnonzero(np.diff(node, prepend=-1))
    own_node, own_count = node[own_first], np.diff(np.append(own_first, len(node)))
    shape_of_own = sequence_numbers(np.zeros(len(own_first), dtype=np.int64), code, own_first, own_count)
    first, count, shape = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    slots = np.zeros((3, 0), dtype=np.int64)  # row, code, depth
    record_of = np.zeros(len(table.prefixes), dtype=np.int64)
    shapes: dict[int, int] = {}
    for length in range(int(table.length[-1]) + 1):
        low, high = np.searchsorted(table.length, [length, length + 1])
        nodes = np.arange(low, high)
        record_of[low:high] = record_of[table.parent[nodes]] if length else 0
        here = slice(*np.searchsorted(own_node, [low, high]))
        if here.start == here.stop:
            continue
        above = np.where(covers[here], 0, record_of[own_node[here]])
        more = count[above]
        own = np.stack([row, code, np.zeros(len(row), dtype=np.int64)])[:, spread(own_first[here], own_count[here])]
        inherited = slots[:, spread(first[above], more)] + np.array([[0], [0], [1]])
        total = own_count[here] + more
        start = slots.shape[1] + np.cumsum(total) - total
        slots = np.concatenate([slots, np.empty((3, int(total.sum())), dtype=np.int64)], axis=1)
        slots[:, spread(start, own_count[here])] = own
        slots[:, spread(start + own_count[here], more)] = inherited
        keys, inverse = np.unique(shape_of_own[here] * (2**31) + shape[above], return_inverse=True)
        numbers = np.array([shapes.setdefault(key, len(shapes) + 1) for key in keys.tolist()], dtype=np.int64)
        record_of[own_node[here]] = len(first) + np.arange(len(start))
        first, count = np.concatenate([first, start]), np.concatenate([count, total])
        shape = np.concatenate([shape, numbers[inverse.reshape(-1)]])
    return Records(first, count, shape, *slots), record_of


def sequence_numbers(given: Ints, values: Ints, first: Ints, count: Ints) -> Ints:
    """A number for each sequence `values[first : first + count]`, equal where `given` and the sequences are; in no order."""
    numbers = np.empty(len(first), dtype=np.int64)
    used = 0
    span = int(values.max(initial=0)) + 1
    for length in np.unique(count).tolist():
        of = np.flatnonzero(count == length)
        _, inverse = np.unique(given[of], return_inverse=True)
        for step in range(length):
            _, inverse = np.unique(inverse.reshape(-1) * span + values[first[of] + step], return_inverse=True)
        numbers[of] = used + inverse.reshape(-1)
        used += int(inverse.max(initial=-1)) + 1
    return numbers


def _distinct(records: Records, record_of: Ints, rows: int) -> tuple[Records, Ints, Ints]:
    """Each record once, shapes numbered anew in order of records; and a node of each record, the first that has it."""
    numbers = sequence_numbers(records.shape, records.row, records.first, records.count)
    number_of = numbers[record_of]
    used, node_of, dense = np.unique(number_of, return_index=True, return_inverse=True)
    order = np.argsort(node_of, kind="stable")  # records in order of their first node
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    kept = record_of[node_of[order]]
    slots = spread(records.first[kept], records.count[kept])
    count = records.count[kept]
    old = records.shape[kept]
    shapes, at, inverse = np.unique(old, return_index=True, return_inverse=True)
    shape_order = np.argsort(at, kind="stable")
    renamed = np.empty(len(shapes), dtype=np.int64)
    renamed[shape_order] = np.arange(len(shapes))
    found = Records(
        np.cumsum(count) - count,
        count,
        renamed[inverse.reshape(-1)],
        records.row[slots],
        records.code[slots],
        records.depth[slots],
    )
    return found, place[dense.reshape(-1)], node_of[order].astype(np.int64)


def _pattern_columns(patterns: tuple[Pattern, ...], versions: set[int], width: int) -> tuple[Ints, Ints]:
    """(version of each pattern, NO_VERSION where it has no rules; ranks [patterns, windows + 1], the last for no window)."""
    widest = max([width, *(len(pattern.ranks) + 1 for pattern in patterns)])
    ranks = np.zeros((len(patterns), widest), dtype=np.int64)
    for number, pattern in enumerate(patterns):
        ranks[number, : len(pattern.ranks)] = pattern.ranks
    of = [pattern.version if pattern.version in versions else NO_VERSION for pattern in patterns]
    return np.array(of, dtype=np.int64), ranks


def _level_rules(
    records: Records, node_of: Ints, terms: Ints, versions: Ints, ranks: Ints, is_tied: Any, price_of_row: Ints, rule_of_row: Ints
) -> list[Level]:
    """Each pair of rules once that is level at different prices, in order of patterns."""
    by_shape = np.argsort(records.shape, kind="stable")
    first_of_shape = np.searchsorted(records.shape[by_shape], np.arange(len(is_tied) + 1))
    rules = int(rule_of_row.max(initial=-1)) + 1
    seen = np.zeros((rules, rules), dtype=np.uint8)
    found = np.empty((_LEVEL_MAX, 4), dtype=np.int64)
    slots = (records.first, records.count, records.code, records.depth, records.row)
    count = find_level(by_shape, first_of_shape, *slots, terms, versions, ranks, is_tied, price_of_row, rule_of_row, seen, found)
    return [Level(int(node_of[at]), pattern, (one, other)) for pattern, at, one, other in found[:count].tolist()]
