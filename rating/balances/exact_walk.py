"""The walk on integers of any size: the very source of the compiled walk, run by Python.

Rows whose products could leave int64, and accounts whose balances do, are walked so: one truth of who pays, and no second
implementation that could differ.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any

import numpy as np

from rating.balances.balance_table import BalanceState, BalanceTable
from rating.balances.charge_kernel import charge_call
from rating.balances.layout import (
    BALANCE,
    BOOKED,
    CALL_WORDS,
    ELAPSED,
    GRANT,
    MONEY_BALANCE,
    POSTINGS_FULL,
    Ints,
    Left,
    Lines,
    Payers,
)
from rating.balances.payer_list import list_payers
from rating.compiled.book import TariffBook
from rating.compiled.price_terms import PriceTerms, price_terms
from schemas.quantities import INT64_MAX
from schemas.reasons import Reason

EXACT_LIMIT = 2**4000
_POSTINGS_FIRST = 64
_PER_GROUP = ("owner", "share", "term", "valid_from", "valid_to", "credit", "member_first")


@cache
def python_source(compiled: Any) -> Callable[..., Any]:
    """The plain function behind a compiled one, with everything compiled that it calls replaced likewise."""
    plain: FunctionType = compiled.py_func
    named = {name: plain.__globals__[name] for name in plain.__code__.co_names if name in plain.__globals__}
    names = {name: python_source(value) if hasattr(value, "py_func") else value for name, value in named.items()}
    return FunctionType(
        plain.__code__, names | {"__builtins__": __builtins__}, plain.__name__, plain.__defaults__, plain.__closure__
    )


class ExactWalk:
    """What exact rows of one batch need, made once when the first comes up."""

    def __init__(self, book: TariffBook, table: BalanceTable, lines: Lines) -> None:
        self._table, self._book = table, book
        of = lines
        self._lines = Lines(of.span_start, of.span_end, of.steps, of.segment.astype(object), of.cell_of, of.choices)
        self._prices: PriceTerms = price_terms(table.rules, exact=True)
        self._shared = {name: getattr(table.payers, name) for name in Payers._fields if name not in _PER_GROUP}
        self._shared |= {name: self._shared[name].astype(object) for name in ("terms", "window_at", "window_first")}

    def charge(
        self, state: BalanceState, call: list[int], record: tuple[int, ...], node: int, *, row: int, task: int, bill: bool
    ) -> tuple[int, list[list[int]], int]:
        """(status, postings, over limit) of one record (account, tariff, kind, start_at, asked, category); `state` is changed.

        `call` [8] is the running call as Python integers, changed in place.
        """
        account, tariff, kind, start_at, asked, category = record
        group = int(self._table.payers.group_of[account])
        first, last = (int(at) for at in self._table.payers.group_first[group : group + 2]) if group >= 0 else (0, 0)
        rows = np.array([*range(first, last), len(self._table.payers.term) - 1])
        small = {name: getattr(self._table.payers, name)[rows].astype(object) for name in _PER_GROUP}
        payers = Payers(**{**self._shared, **small, "group_of": {account: 0}, "group_first": np.array([0, last - first])})
        left = Left(state.value[rows].astype(object), state.used[rows].astype(object), state.member_used.astype(object))
        listed = np.zeros((len(rows) + 2, 3), dtype=object)
        entries, _, moves = python_source(list_payers)(payers, left, listed, account, 0, kind, node, category)
        room, status, posted = _POSTINGS_FIRST, POSTINGS_FULL, 0
        while status == POSTINGS_FULL:  # a call with more postings than expected is walked again with room for all
            room *= 4
            posts = np.zeros((room, 10), dtype=object)
            status, posted = python_source(charge_call)(
                self._lines, self._prices, payers, left, listed, entries, moves, call, [0] * CALL_WORDS, posts, 0, row, account,
                tariff, kind, node, start_at, -1, asked, task, bill, EXACT_LIMIT,
            )  # fmt: skip
        return self._settled(state, rows, left, posts[:posted], status, call, task)

    def _settled(
        self, state: BalanceState, rows: Ints, left: Left, posts: Ints, status: int, call: list[int], task: int
    ) -> tuple[int, list[list[int]], int]:
        """Write back what moved, unless it leaves the state's integers; postings with the balances' own numbers."""
        large = state.value.dtype == object
        moved = () if large else (*left.value, *left.used)
        if any(abs(int(one)) > INT64_MAX for one in (*moved, call[BOOKED], call[ELAPSED])):
            return int(Reason.CHARGE_OVERFLOW), [], 0
        over = 0
        for place, row in enumerate(rows.tolist()[:-1]):
            is_default = self._table.balances and self._table.balances[row].default
            if is_default and task != GRANT:
                credit = int(self._table.payers.credit[row])
                over += max(0, -(left.value[place] + credit)) - max(0, -(int(state.value[row]) + credit))
        state.value[rows], state.used[rows], state.member_used[:] = left.value, left.used, left.member_used
        names = dict(enumerate(rows.tolist())) | {-1: -1}
        found = [[int(word) for word in post] for post in posts]
        for post in found:
            post[BALANCE], post[MONEY_BALANCE] = names[post[BALANCE]], names[post[MONEY_BALANCE]]
        return status, found, over


def group_is_large(state: BalanceState) -> bool:
    """Whether a state is kept in Python integers."""
    return state.value.dtype == object
