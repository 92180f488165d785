"""Winners without a table of [nodes, patterns]: nodes whose rules are chosen alike share one row of choices.

Which of its rules wins for a node depends on the pattern only by version, weight and window of each, not on their prices. So a
node has a *record*, its own rules and those that it inherits, and a *shape*, what the choice among them depends on. A deck of
100,000 prefixes with 50 windows has some thousand shapes; a full table would have as many rows as prefixes.

The words of a tariff and kind: first a row for each shape, `row[pattern column]` being an offset into a record; then the records
`[place of the shape's row, NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION, rule, rule, ...]`. `rule_at` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.prefix_table import ROOT_NODE
from rating.compiled.winners import (
    NO_RATE_AT_INSTANT,
    NO_RATE_FOR_DESTINATION,
    Ints,
    RuleRow,
)

_LEVEL_MAX = 10_000  # so many ambiguous pairs of rules are named at most
_FIRST_RULE = 3  # offset of the first rule in a record
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Records:
    """Rules of nodes, one after another: record r has `count[r]` of them from `first[r]` on; its shape is `shape[r]`."""

    first: Ints
    count: Ints
    shape: Ints
    row: Ints  # [rules of records] rule rows of the tariff, own ones before inherited ones
    code: Ints  # [rules of records] which (version, weight, window) it is
    depth: Ints  # [rules of records] 0 own, 1 of the next shorter prefix that has any, ...


@dataclass(frozen=True, slots=True)
class Choices:
    """Rows of choices by shape, records, and the record of each node."""

    rows: I32  # [shapes, patterns]
    records: Records
    record_of: Ints  # [nodes]

    def words(self, place: int, first_rule: int) -> tuple[Ints, I32]:
        """(cell of each node, words) where the words will stand at `place` and the tariff's rules from `first_rule` on."""
        records = self.records
        at = self.rows.size + records.first + _FIRST_RULE * np.arange(len(records.first))
        words = np.empty(self.rows.size + len(records.row) + _FIRST_RULE * len(at), dtype=np.int32)
        words[: self.rows.size] = self.rows.ravel()
        words[at] = place + records.shape * self.rows.shape[1]
        words[at + 1] = NO_RATE_AT_INSTANT
        words[at + 2] = NO_RATE_FOR_DESTINATION
        words[spread(at + _FIRST_RULE, records.count)] = records.row + first_rule
        return place + at[self.record_of], words

    def table(self) -> I32:
        """[nodes, patterns]: the rule row that wins, NO_RATE_AT_INSTANT or NO_RATE_FOR_DESTINATION, written out in full."""
        records = self.records
        offset = self.rows[records.shape[self.record_of]].astype(np.int64)
        place = np.minimum(records.first[self.record_of][:, None] + np.maximum(offset - _FIRST_RULE, 0), len(records.row) - 1)
        rule = records.row[place] if len(records.row) else np.zeros_like(offset)
        none = np.where(offset == 1, NO_RATE_AT_INSTANT, NO_RATE_FOR_DESTINATION)
        return np.where(offset >= _FIRST_RULE, rule, none).astype(np.int32)


def spread(first: Ints, count: Ints) -> Ints:
    """first[0], first[0] + 1, ... count[0] of them, then those of first[1], ..."""
    ends = np.cumsum(count)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(first - ends + count, count) + np.arange(total, dtype=np.int64)


def dense_choices(winners: I32) -> Choices:
    """The choices of a full table [nodes, patterns] of rule rows: each distinct row is a shape of its own."""
    distinct, record_of = np.unique(winners, axis=0, return_inverse=True)
    count = np.full(len(distinct), distinct.shape[1], dtype=np.int64)
    offsets = np.where(distinct >= 0, np.arange(distinct.shape[1]) + _FIRST_RULE, np.where(distinct == NO_RATE_AT_INSTANT, 1, 2))
    number = np.arange(len(distinct), dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    records = Records(number * distinct.shape[1], count, number, distinct.ravel().astype(np.int64), nothing, nothing)
    return Choices(offsets.astype(np.int32), records, record_of.reshape(-1))


def rule_numbers(rows: tuple[RuleRow, ...]) -> Ints:
    """A number for the rule of each rule row."""
    numbers: dict[int, int] = {}
    return np.array([numbers.setdefault(id(row.rule), len(numbers)) for row in rows], dtype=np.int64)


assert ROOT_NODE == 0, "records begin with the root, which has no parent"
