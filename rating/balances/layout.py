"""How balances, running calls and postings lie in flat arrays: written by `balance_table`, read by the walk.

A balance's value is an integer: nano-units of money, or units in 1/den (its factor's denominator), so that every factor is exact.
What many balances share (an allowance of a tariff) is one row of `terms`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

Ints = npt.NDArray[Any]

GENERIC, MONEY = 3, 4  # unit kinds beside those of calls: voice 0, message 1, volume 2

# Columns of `Payers.terms`.
KIND = 0  # unit kind
FLAGS = 1
BLOCK = 2  # .. 4: the block for usage of each kind, base units; 0 where it does not pay for that kind
TAKE = 5  # .. 7: value taken for a block; for a priced bundle, for each base unit of usage
FILTER = 8  # row of `match`
CATEGORIES = 9  # bit set, 0 is any
WINDOW = 10  # row of `window_first`, -1 always
TARIFF = 11  # priced bundle: index of its own tariff, -1 none
RULE = 12  # priced bundle: its one rule, -1 none
MEMBER_CAP = 13  # value that one member may take in a period, -1 no cap
SHARE_ORDER = 14
DEN = 15  # the value is kept in 1/den units
TERM_WORDS = 16

BLOCKER, UNLIMITED, DEFAULT, FEE_TOO, BUNDLE = 1, 2, 4, 8, 16  # flags
OWN_FIRST, LOWEST, HIGHEST = range(3)  # share orders

# Columns of a posting: one movement of units, of money, or of both.
RECORD, BALANCE, UNITS, MONEY_BALANCE, MONEY_NANO, FROM, TO, COUNT, RULE_INDEX, TIER = range(10)
POSTING_COLUMNS = (
    "record",
    "balance",
    "units",
    "money_balance",
    "money_nano",
    "elapsed_from",
    "elapsed_to",
    "count",
    "rule",
    "tier",
)

# Words of a running call: all that later slices of it need.
ELAPSED, TOTAL, COMMON_D, BOOKED, STARTED, MINIMUM_NANO, COVERED, FIRST_PAYER = range(8)
CALL_WORDS = 8  # TOTAL over COMMON_D is exact; COVERED counts what unit balances paid; FIRST_PAYER is the first of them + 1

# What is asked of the walk.
BOOK, TAKE_UP_TO, GRANT = range(3)

# Statuses inside the room; reasons of schemas.reasons lie below 200.
NEEDS_EXACT, POSTINGS_FULL = 255, 254


class Lines(NamedTuple):
    """What finds the rule at an instant: `Timelines`, cells and choices of a book."""

    span_start: int
    span_end: int
    steps: Ints
    segment: Ints
    cell_of: Ints
    choices: Ints


class Payers(NamedTuple):
    """Balances [b + 1] in order of (settlement group, priority, valid_to, granted_at, id); the last row is the bill, or nobody.

    `group_first[g]` is the first balance of a settlement group; accounts [a] have a group (-1 none), a share group (-1 none) and
    their place among the members of the settlement group.
    """

    group_of: Ints
    share_of: Ints
    member_of: Ints
    group_first: Ints
    owner: Ints  # account, -1 where a group owns it
    share: Ints  # share group, -1 own use only
    term: Ints
    valid_from: Ints
    valid_to: Ints
    credit: Ints  # how far below zero a default money balance may go online
    member_first: Ints  # into `member_used`, -1 where members have no cap
    terms: Ints  # [terms, TERM_WORDS]
    match: Ints  # [filters, nodes] matched prefix length + 1, 0 = does not pay
    window_first: Ints
    window_at: Ints  # instants at which a window set opens and closes in turn


class Left(NamedTuple):
    """What moves: value left, value used so far, and what members used of capped balances."""

    value: Ints
    used: Ints
    member_used: Ints


class Records(NamedTuple):
    """Usage [n] in order of (settlement group, start_at, record id); `asked` is the whole usage of the call so far."""

    account: Ints
    tariff: Ints
    kind: Ints
    number: Ints
    start_at: Ints
    asked: Ints
    category: Ints  # [n], or one for all
    rule: Ints  # [n] the rule at the start where it is known, or one -1 for all
