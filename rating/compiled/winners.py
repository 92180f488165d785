"""Which rule wins: for every prefix, kind and pattern, by longer prefix, higher weight, later start of the window occurrence.

Rules still level at different prices are ambiguous and stop the tariff; at one price the smaller row wins, rows being ordered by
content, so that the order in which a tariff lists its rules never matters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.prefix_table import ROOT_NODE, PrefixTable
from rating.compiled.timeline import NO_VERSION, Pattern
from rating.language.call_terms import Destination, Rate, Rule
from rating.language.shared_terms import Rounding
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.language.written_values import WEIGHT_MAX
from schemas.quantities import UsageKind

NO_RATE_AT_INSTANT = -1  # the destination has rules in this version, none of them now
NO_RATE_FOR_DESTINATION = -2
CALL_KIND_COUNT = 3
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One priced row of a version: a rule with its rate, or with one rate of its deck."""

    version: int
    kind: UsageKind
    item: str
    destination: str  # empty: any
    window: str  # empty: any
    rate: Rate
    rounding: Rounding
    rule: Rule

    @property
    def price(self) -> tuple[object, ...]:
        """What must be equal for two level rules to be no contradiction."""
        rate = self.rate
        return (rate.connect_fee_nano, rate.minimum_charge_nano, rate.cap, rate.tiers, self.rounding)

    @property
    def order(self) -> tuple[object, ...]:
        tiers = tuple((tier.from_usage, tier.price_nano, tier.per, tier.increment) for tier in self.rate.tiers)
        names = (self.item, self.destination, self.window, self.rate.name)
        amounts = (self.rate.connect_fee_nano, self.rate.minimum_charge_nano, str(self.rate.cap), str(self.rounding))
        return (self.version, int(self.kind), *names, tiers, *amounts, self.rule.weight)


@dataclass(frozen=True, slots=True)
class Candidates:
    """The (prefix, rule row) pairs of one version and kind."""

    node: Ints
    row: Ints
    weight: Ints
    window: Ints  # index in the version's windows, -1 any


@dataclass(frozen=True, slots=True)
class Level:
    """Two rows that nothing orders, and where."""

    node: int
    pattern: int
    rows: tuple[int, int]


def rule_rows(tariff: Tariff) -> tuple[RuleRow, ...]:
    """All rows of a tariff in canonical order; equal rates of a deck share a row."""
    rows: dict[tuple[object, ...], RuleRow] = {}
    for index, version in enumerate(tariff.versions):
        rates = {rate.name: rate for rate in version.rates}
        decks = {destination.name: destination.deck_rates for destination in version.destinations}
        for rule in version.rules:
            found = [rates[rule.rate]] if rule.rate else distinct_rates(decks[rule.destination or ""])
            for rate in found:
                names = (rule.item, rule.destination or "", rule.window or "")
                row = RuleRow(index, rule.kind, *names, rate, rule.rounding or version.rounding, rule)
                rows.setdefault(row.order, row)
    return tuple(rows[order] for order in sorted(rows, key=_sortable))


def distinct_rates(rates: tuple[Rate, ...]) -> list[Rate]:
    """The different rates of a deck. Equal ones are mostly one object, so few have to be compared by content."""
    return list(dict.fromkeys({id(rate): rate for rate in rates}.values()))


def _sortable(order: tuple[object, ...]) -> tuple[str, ...]:
    return tuple(f"{part:020d}" if isinstance(part, int) else str(part) for part in order)


def call_candidates(
    version: TariffVersion, index: int, kind: UsageKind, rows: tuple[RuleRow, ...], node_of: dict[str, int]
) -> Candidates:
    """The candidates of a version for a kind of usage; rows are those of the tariff."""
    windows = {window.name: number for number, window in enumerate(version.windows)}
    own = [(number, row) for number, row in enumerate(rows) if row.version == index and row.kind == kind]
    named = {row.destination for _, row in own}
    nodes_of: dict[str, Ints] = {"": np.array([ROOT_NODE], dtype=np.int64)}
    deck_nodes: dict[tuple[str, Rate], Ints] = {}
    for to in version.destinations:
        if to.name in named:
            nodes_of[to.name] = np.fromiter(map(node_of.__getitem__, to.prefixes), dtype=np.int64, count=len(to.prefixes))
            deck_nodes |= _nodes_by_rate(to, nodes_of[to.name])
    parts = [np.zeros((4, 0), dtype=np.int64)]
    for number, row in own:
        nodes = nodes_of[row.destination] if row.rule.rate else deck_nodes[row.destination, row.rate]
        part = np.empty((4, len(nodes)), dtype=np.int64)
        part[0] = nodes
        part[1:] = [[number], [row.rule.weight], [windows[row.window] if row.window else -1]]
        parts.append(part)
    return Candidates(*np.concatenate(parts, axis=1))


def _nodes_by_rate(to: Destination, nodes: Ints) -> dict[tuple[str, Rate], Ints]:
    """(destination, rate) -> nodes of a deck."""
    if not to.deck_rates:
        return {}
    objects = np.fromiter(map(id, to.deck_rates), dtype=np.int64, count=len(to.deck_rates))
    _, first, inverse, count = np.unique(objects, return_index=True, return_inverse=True, return_counts=True)
    parts = np.split(nodes[np.argsort(inverse.reshape(-1), kind="stable")], np.cumsum(count)[:-1])
    found: dict[tuple[str, Rate], Ints] = {}
    for at, part in zip(first.tolist(), parts, strict=True):
        key = (to.name, to.deck_rates[at])
        found[key] = np.concatenate([found[key], part]) if key in found else part
    return found


def energy_candidates(prices: tuple[EnergyPrice, ...], version: TariffVersion, first: int) -> Candidates:
    """Energy prices as candidates of the empty prefix; rows count from `first`."""
    windows = {window.name: number for number, window in enumerate(version.windows)}
    rows = np.arange(first, first + len(prices), dtype=np.int64)
    weight = np.array([price.weight for price in prices], dtype=np.int64)
    window = np.array([windows[price.window] if price.window else -1 for price in prices], dtype=np.int64)
    return Candidates(np.zeros(len(prices), dtype=np.int64), rows, weight, window)


def resolve(
    candidates: dict[int, Candidates], patterns: tuple[Pattern, ...], table: PrefixTable, price_of_row: Ints
) -> tuple[npt.NDArray[np.int32], list[Level]]:
    """Winners [nodes, patterns] over the candidates of each version, and what is level at different prices."""
    winners = np.empty((len(table.prefixes), len(patterns)), dtype=np.int32)
    reach = {index: _reach(found, table) for index, found in candidates.items()}
    anywhere = np.zeros(len(table.prefixes), dtype=np.bool_)
    for of_version in reach.values():
        anywhere |= of_version
    level: list[Level] = []
    for number, pattern in enumerate(patterns):
        if pattern.version == NO_VERSION or pattern.version not in candidates:
            winners[:, number] = np.where(anywhere, NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION)
            continue
        own, clashes = _own_winners(candidates[pattern.version], pattern, len(table.prefixes), price_of_row)
        level.extend(Level(node, number, rows) for node, rows in clashes)
        _inherit(own, table)
        nothing = np.where(reach[pattern.version], NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION)
        winners[:, number] = np.where(own >= 0, own, nothing)
    return winners, level


def _own_winners(
    found: Candidates, pattern: Pattern, nodes: int, price_of_row: Ints
) -> tuple[Ints, list[tuple[int, tuple[int, int]]]]:
    """The winner of each prefix among the rules that hold exactly this prefix, -1 for none; and clashes."""
    ranks = np.array([*pattern.ranks, 0], dtype=np.int64)  # window -1 takes the last: any window started before all others
    rank = ranks[found.window]
    holds = (rank > 0) | (found.window < 0)
    score = np.where(holds, (found.weight + WEIGHT_MAX + 1) * (len(pattern.ranks) + 1) + rank, -1)
    best = np.full(nodes, -1, dtype=np.int64)
    np.maximum.at(best, found.node, score)
    at_best = holds & (score == best[found.node])
    node, row = found.node[at_best], found.row[at_best]
    winner = np.full(nodes, np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(winner, node, row)
    differs = price_of_row[row] != price_of_row[winner[node]]
    clashes = [(int(at), (int(winner[at]), int(other))) for at, other in zip(node[differs], row[differs], strict=True)]
    return np.where(best >= 0, winner, -1), clashes


def _inherit(own: Ints, table: PrefixTable) -> None:
    """A prefix without a winner takes that of the next shorter one."""
    for length in range(1, int(table.length[-1]) + 1):
        low, high = np.searchsorted(table.length, [length, length + 1])
        of_length = own[low:high]
        own[low:high] = np.where(of_length < 0, own[table.parent[low:high]], of_length)


def _reach(found: Candidates, table: PrefixTable) -> npt.NDArray[np.bool_]:
    """The prefixes that some rule of the version prices at some time."""
    own = np.full(len(table.prefixes), -1, dtype=np.int64)
    own[found.node] = 1
    _inherit(own, table)
    return own > 0


def price_numbers(rows: tuple[RuleRow, ...]) -> Ints:
    """A number for each row, equal where the price is."""
    numbers: dict[tuple[object, ...], int] = {}
    return np.array([numbers.setdefault(row.price, len(numbers)) for row in rows], dtype=np.int64)
