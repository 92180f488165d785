"""Rules that are legal but hardly meant: never the winner, there twice, ordered by accident, or leaving a hole in the week.

All of it is read off the winner table by columns of prefixes; a Python loop runs over patterns and rules only.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from rating.compiled.winners import Candidates, price_numbers
from rating.language.call_terms import Rule
from rating.language.tariff import TariffVersion
from rating.tariff_winners import KindWinners, TariffWinners
from schemas.errors import Fault
from schemas.quantities import UsageKind

_WEEK_MIN = 7 * 24 * 60
Ints = npt.NDArray[np.int64]


def rule_warnings(found: TariffWinners) -> list[Fault]:
    """Unreachable, duplicate and accidentally ordered rules, and holes, of all versions and kinds."""
    said: list[Fault] = []
    prices = price_numbers(found.rows)
    for kind, of_kind in found.calls.items():
        for index in of_kind.candidates:
            patterns = found.patterns_of(index)
            if not patterns:
                continue
            said += _unreachable(found, of_kind, index, patterns)
            said += _duplicates(found, of_kind.candidates[index], prices)
            said += _by_start_only(found, kind, index, patterns)
            said += _holes(found, kind, of_kind, index, patterns)
    return said + never_in_force(found)


def never_in_force(found: TariffWinners) -> list[Fault]:
    """Versions that no instant of the checked calendar belongs to."""
    return [
        Fault(
            version.where, f"version {version.label!r} is never in force", next_step="check its dates", code="warning_unreachable"
        )
        for index, version in enumerate(found.tariff.versions)
        if not found.patterns_of(index)
    ]


def never_open(found: TariffWinners, index: int) -> set[str]:
    """The windows of a version that do not occur while it is in force."""
    windows = found.tariff.versions[index].windows
    ranks = _ranks(found, found.patterns_of(index), len(windows))
    occurs = ranks.max(axis=0, initial=0) > 0
    return {window.name for window, at_all in zip(windows, occurs.tolist(), strict=True) if not at_all}


def _ranks(found: TariffWinners, patterns: list[int], windows: int) -> Ints:
    """[patterns, windows]"""
    rows = [found.timeline.patterns[number].ranks for number in patterns]
    return np.array(rows, dtype=np.int64).reshape(len(patterns), windows)


def _unreachable(found: TariffWinners, kind: KindWinners, index: int, patterns: list[int]) -> list[Fault]:
    """Rules of which no prefix ever wins, with the rule that wins instead."""
    own = kind.candidates[index]
    wins = np.zeros(len(own.row), dtype=np.bool_)
    for pattern in patterns:
        wins |= kind.winners[own.node, pattern] == own.row
    rules = _rule_numbers(found)
    of_pair = rules[own.row]
    winning = np.zeros(int(rules.max()) + 1, dtype=np.bool_)
    winning[of_pair[wins]] = True
    closed = never_open(found, index)
    said = []
    for number in np.unique(of_pair[~winning[of_pair]]).tolist():
        pair = int(np.argmax(of_pair == number))
        rule = found.rows[own.row[pair]].rule
        if rule.window in closed:
            continue  # said of the window
        other = _winner_instead(found, kind, own, pair, patterns)
        what = f"{rule.item!r} never prices anything" + (f": {other.item!r} ({_line(other)}) wins instead" if other else "")
        said.append(Fault(rule.where, what, next_step="give it a higher weight, or delete it", code="warning_unreachable"))
    return said


def _rule_numbers(found: TariffWinners) -> Ints:
    """[rows]: rows of one rule (a deck has many) have one number."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(id(row.rule), len(numbers)) for row in found.rows], dtype=np.int64)


def _winner_instead(found: TariffWinners, kind: KindWinners, own: Candidates, pair: int, patterns: list[int]) -> Rule | None:
    """Who wins the prefix of a pair at the first pattern in which its rule would hold."""
    window = int(own.window[pair])
    for pattern in patterns:
        if window < 0 or found.timeline.patterns[pattern].ranks[window]:
            winner = int(kind.winners[own.node[pair], pattern])
            return found.rows[winner].rule if winner >= 0 else None
    return None


def _line(rule: Rule) -> str:
    """`line 12` of a place such as `t.yaml:12:9 versions[0].rules[1]`."""
    parts = rule.where.partition(" ")[0].rsplit(":", 2)
    return f"line {parts[1]}" if len(parts) == 3 else rule.where


def _duplicates(found: TariffWinners, own: Candidates, prices: Ints) -> list[Fault]:
    """Rules level at one price: the same prefix, window and weight twice."""
    order = np.lexsort((own.row, own.weight, own.window, own.node))
    node, window, weight, row = (part[order] for part in (own.node, own.window, own.weight, own.row))
    same = (node[1:] == node[:-1]) & (window[1:] == window[:-1]) & (weight[1:] == weight[:-1])
    same &= prices[row[1:]] == prices[row[:-1]]
    rules = _rule_numbers(found)
    counted: dict[tuple[int, int], tuple[int, int]] = {}
    pairs = np.stack([rules[row[:-1][same]], rules[row[1:][same]]], axis=1)
    if not len(pairs):
        return []
    distinct, first, counts = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    places = np.flatnonzero(same)
    said = []
    for (one, other), at, count in zip(distinct.tolist(), first.tolist(), counts.tolist(), strict=True):
        if one == other or (one, other) in counted:
            continue
        counted[one, other] = (at, count)
        here = int(places[at])
        pair = sorted((found.rows[row[here]].rule, found.rows[row[here + 1]].rule), key=lambda rule: _position(rule.where))
        prefix = found.table.prefixes[node[here]]
        to = (f"{count} prefixes such as {prefix}" if count > 1 else f"prefix {prefix}") if prefix else "any number"
        what = f"{pair[1].item!r} prices {to} like {pair[0].item!r} ({_line(pair[0])}) does, at the same times and weight"
        said.append(Fault(pair[1].where, what, next_step="delete one of them", code="warning_duplicate"))
    return said


def _position(where: str) -> tuple[int, ...]:
    parts = where.partition(" ")[0].rsplit(":", 2)
    return tuple(int(part) for part in parts[1:] if part.isdigit())


def _by_start_only(found: TariffWinners, kind: UsageKind, index: int, patterns: list[int]) -> list[Fault]:
    """Rules of one destination and weight at different prices whose windows overlap: only the later start orders them.

    Different weights are an order that somebody wrote down, and are not mentioned.
    """
    version = found.tariff.versions[index]
    numbers = {window.name: number for number, window in enumerate(version.windows)}
    ranks = _ranks(found, patterns, len(version.windows))
    groups: dict[tuple[str | None, int], list[Rule]] = {}
    for rule in version.rules:
        if rule.kind == kind and rule.window:
            groups.setdefault((rule.destination, rule.weight), []).append(rule)
    said = []
    for rules in groups.values():
        for one, other in combinations(rules, 2):
            assert one.window and other.window
            first, second = ranks[:, numbers[one.window]], ranks[:, numbers[other.window]]
            both = np.flatnonzero((first > 0) & (second > 0) & (first != second))
            if one.window == other.window or one.rate == other.rate or not len(both):
                continue
            later = one if first[both[0]] > second[both[0]] else other
            when = found.first_instant(patterns[int(both[0])])
            what = (
                f"windows {one.window!r} and {other.window!r} overlap (first {when}) at one weight: "
                f"{later.item!r} wins there, because its window starts later"
            )
            said.append(Fault(other.where, what, next_step="say so by a weight", code="warning_overlap"))
    return said


def _holes(found: TariffWinners, kind: UsageKind, of_kind: KindWinners, index: int, patterns: list[int]) -> list[Fault]:
    """Destinations with a price at some times and none at others, one warning for each set of times."""
    version = found.tariff.versions[index]
    own = of_kind.candidates[index]
    nodes = np.unique(own.node)
    empty = of_kind.winners[np.ix_(nodes, np.array(patterns))] < 0
    with_hole = np.flatnonzero(empty.any(axis=1))
    nodes, empty = nodes[with_hole], empty[with_hole]
    if not len(nodes):
        return []
    times, of_node = np.unique(empty, axis=0, return_inverse=True)
    of_node = of_node.reshape(-1)
    duration = found.duration_us()[patterns]
    said = []
    for number, hole in enumerate(times):
        inside = nodes[of_node == number]
        rule = found.rows[own.row[np.argmax(own.node == inside[0])]].rule
        first = patterns[int(np.argmax(hole))]
        minutes = _WEEK_MIN * int(duration[hole].sum()) // int(duration.sum())
        what = (
            f"{_to(version, kind, rule, inside, found)} has no price from {found.first_instant(first)} "
            f"({minutes // 60} h {minutes % 60:02d} min of an average week)"
        )
        next_step = "add a rule without a window; such usage is rejected"
        said.append(Fault(rule.where, what, next_step=next_step, code="warning_hole"))
    return said


def _to(version: TariffVersion, kind: UsageKind, rule: Rule, nodes: Ints, found: TariffWinners) -> str:
    prefix = found.table.prefixes[int(nodes[0])]
    if not prefix:
        return f"{kind.label}"
    more = f" and {len(nodes) - 1} more prefixes" if len(nodes) > 1 else ""
    return f"{kind.label} to {rule.destination} ({prefix}{more})"
