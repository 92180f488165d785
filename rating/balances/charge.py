"""Charging usage: a batch of records in order, each paid by the balances that may (reference: rating §5, §6).

`book` takes usage that happened, `take` as much of it as credit allows, `grant` only says how much that is. A booking is all or
nothing; a grant or a taking ends at the first increment that nobody can pay, and its status says what ended it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.balances.balance_table import BalanceState, BalanceTable, book_lines
from rating.balances.charge_kernel import charge_records
from rating.balances.exact_walk import ExactWalk, group_is_large
from rating.balances.layout import (
    BOOKED,
    CALL_WORDS,
    COVERED,
    ELAPSED,
    NEEDS_EXACT,
    POSTING_COLUMNS,
    POSTINGS_FULL,
    Ints,
    Records,
)
from rating.compiled.book import TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.compiled.prefixes import node_of_number
from schemas.errors import Fault, MeterlineError
from schemas.quantities import INT64_MAX
from schemas.reasons import Reason

TASKS = ("book", "take", "grant")
_KINDS = (np.int32, np.int32, np.uint8, np.uint64, np.int64, np.int64)
_NAMES = ("account_index", "tariff_index", "kind", "called_number", "start_at", "quantity")


@dataclass(slots=True)
class ChargedUsage:
    """One row for each record in the order given, who paid, and the state after the last.

    `status` is 0 or a Reason; where a booking has one, nothing was moved. `charged_quantity` runs to the end of the last whole
    block or increment, `granted` is what of the quantity it covers. `postings` [m, 10] are laid out as POSTING_COLUMNS say.
    """

    status: npt.NDArray[np.uint8]
    charge_nano: Ints
    charged_quantity: Ints
    granted: Ints
    covered: Ints  # of the charged quantity, what unit balances paid
    over_limit_nano: Ints
    calls: Ints  # [n, 8] running calls, for slices that follow
    postings: Ints
    state: BalanceState

    def postings_frame(self) -> pl.DataFrame:
        """The postings as rows; integers beyond int64 as 128-bit ones."""
        kind = pl.Int128 if self.postings.dtype == object else pl.Int64
        return pl.DataFrame(
            {name: pl.Series(self.postings[:, place].tolist(), dtype=kind) for place, name in enumerate(POSTING_COLUMNS)}
        )


def charge_usage(
    book: TariffBook,
    table: BalanceTable,
    *,
    account_index: npt.ArrayLike,
    tariff_index: npt.ArrayLike,
    kind: npt.ArrayLike,
    called_number: npt.ArrayLike,
    start_at: npt.ArrayLike,
    quantity: npt.ArrayLike,
    category: npt.ArrayLike | None = None,
    task: str = "book",
    state: BalanceState | None = None,
    calls: Ints | None = None,
    bill: bool = False,
) -> ChargedUsage:
    """Let balances pay for records.

    Args:
        account_index: i4[n], accounts of the table. tariff_index: i4[n], -1 for a record without one.
        kind, called_number, start_at: as in `rate_calls`; sorted by (start_at, record id) within each settlement group.
        quantity: i8[n] >= 0, the whole usage of the call so far, earlier slices included.
        category: codes of the table's categories, -1 for others; None where usage has none.
        task: book, take or grant. state: what earlier usage left, None at the start; it is not changed.
        calls: running calls of earlier slices [n, 8]; None for calls that begin.
        bill: what no balance pays goes on the bill (balance -1) instead of the default money balance.
    Returns:
        `ChargedUsage`. Status: ZERO_USAGE, NO_TARIFF_FOR_SUBJECT, NO_RATE_FOR_DESTINATION, NO_RATE_AT_INSTANT (a hole later too),
        CHARGE_OVERFLOW, BLOCKED_BY_BALANCE, NOT_COVERED (a booking without a default money balance; the end of a grant).
    Raises:
        MeterlineError: columns of different lengths, rows that no stage may send.
    """
    given = (account_index, tariff_index, kind, called_number, start_at, quantity)
    columns = [kernel_column(values, of) for values, of in zip(given, _KINDS, strict=True)]
    _check(book, table, columns)
    categories = kernel_column([-1] if category is None else category, np.int32)
    after = table.start() if state is None else state.copy()
    accounts, tariffs, kinds, numbers, starts, asked = columns
    records = Records(accounts, tariffs, kinds, numbers, starts, asked, categories, np.full(1, -1, np.int32))
    batch = _Batch(book, table, records, TASKS.index(task), bill, after, calls)
    batch.run()
    return batch.charged()


def _check(book: TariffBook, table: BalanceTable, columns: list[npt.NDArray[Any]]) -> None:
    if len({len(column) for column in columns}) != 1:
        raise MeterlineError(Fault("charge_usage", "columns of different lengths", must_be="one length"))
    accounts, tariffs, kinds, _, starts, quantities = columns
    known = len(table.payers.group_of)
    refuse_row("account_index", (accounts < 0) | (accounts >= known), "no such account", accounts, f"0 to {known - 1}")
    refuse_row("tariff_index", tariffs >= len(book.tariff_ids), "no such tariff", tariffs, "an index of the book or -1")
    refuse_row("kind", kinds > 2, "not a kind of call", kinds, "0, 1 or 2")
    refuse_row("quantity", quantities < 0, "a negative quantity", quantities, "zero or more")
    bad = (starts < book.span[0]) | (starts >= book.span[1])
    refuse_row("start_at", bad, "outside the book's span", starts, str(book.span))


class _Batch:
    """A batch under way: the compiled walk, stopped and resumed where a record needs Python's integers or postings need room."""

    def __init__(
        self, book: TariffBook, table: BalanceTable, records: Records, task: int, bill: bool, state: BalanceState,
        calls: Ints | None,
    ) -> None:  # fmt: skip
        rows = len(records.account)
        self.book, self.table, self.records, self.task, self.bill, self.state = book, table, records, task, bill, state
        self.lines = book_lines(book)
        self.calls = np.zeros((rows, CALL_WORDS), dtype=np.int64) if calls is None else calls.copy()
        self.before = self.calls.copy()
        self.posts = np.empty((max(64, 4 * rows), len(POSTING_COLUMNS)), dtype=np.int64)
        self.posted = 0
        self.kept: list[Ints] = []  # postings before those in `posts`
        self.status = np.zeros(rows, dtype=np.uint8)
        self.over: Ints = np.zeros(max(rows, 1), dtype=np.int64)
        self.exact: ExactWalk | None = None

    def run(self) -> None:
        rows, at = len(self.status), 0
        if group_is_large(self.state) or self.calls.dtype == object:
            self.calls = self.calls.astype(object)
            for row in range(rows):
                self._walk_exactly(row)
            return
        scratch = np.zeros(CALL_WORDS, dtype=np.int64)
        listed = np.zeros((self.table.largest + 2, 3), dtype=np.int64)
        net, covered, payer = (np.empty(rows, dtype=np.int64) for _ in range(3))
        while at < rows:
            at, self.posted, stopped = charge_records(
                self.lines, self.table.prices, self.table.payers, self.state.left, self.book.prefixes.top,
                self.book.prefixes.sub, self.records, at, self.task, self.bill, np.zeros(0, np.int64), True, True, self.calls,
                scratch, listed, self.posts, self.posted, self.status, net, covered, payer, self.over,
            )  # fmt: skip
            if stopped == POSTINGS_FULL:
                self.posts = np.concatenate([self.posts, np.empty_like(self.posts)])
            elif stopped == NEEDS_EXACT:
                self._walk_exactly(at)
                at += 1
                if self.calls.dtype == object:  # a running call left int64; so may all that follow
                    for row in range(at, rows):
                        self._walk_exactly(row)
                    return

    def _walk_exactly(self, row: int) -> None:
        of = self.records
        asked, tariff, kind = int(of.asked[row]), int(of.tariff[row]), int(of.kind[row])
        if asked == 0 or tariff < 0:
            self.status[row] = Reason.ZERO_USAGE if asked == 0 else Reason.NO_TARIFF_FOR_SUBJECT
            return
        self.exact = self.exact or ExactWalk(self.book, self.table, self.lines)
        node = int(node_of_number(np.uint64(of.number[row]), self.book.prefixes.top, self.book.prefixes.sub))
        call = [int(word) for word in self.calls[row]]
        before = list(call)
        record = (int(of.account[row]), tariff, kind, int(of.start_at[row]), asked, int(of.category[row % len(of.category)]))
        status, posts, over = self.exact.charge(self.state, call, record, node, row=row, task=self.task, bill=self.bill)
        self.status[row] = status
        if status == Reason.CHARGE_OVERFLOW:
            call = before
        if self.calls.dtype != object and any(abs(word) > INT64_MAX for word in call):
            self.calls = self.calls.astype(object)
        self.calls[row] = call
        if abs(over) > INT64_MAX:
            self.over = self.over.astype(object)
        self.over[row] = over
        self.kept += [self.posts[: self.posted].copy(), np.array(posts, dtype=object).reshape(-1, len(POSTING_COLUMNS))]
        self.posted = 0

    def charged(self) -> ChargedUsage:
        postings = np.concatenate([*self.kept, self.posts[: self.posted]])
        if postings.dtype == object and all(abs(int(word)) <= INT64_MAX for word in postings.ravel()):
            postings = postings.astype(np.int64)
        names = {len(self.table.payers.term) - 1: -1}  # the bill, or nobody where it is free
        for column in (1, 3):
            postings[:, column] = np.where(postings[:, column] == next(iter(names)), -1, postings[:, column])
        asked = self.records.asked
        elapsed = self.calls[:, ELAPSED]
        return ChargedUsage(
            self.status, self.calls[:, BOOKED] - self.before[:, BOOKED], elapsed, np.minimum(elapsed, asked),
            self.calls[:, COVERED], self.over[: len(asked)], self.calls, postings, self.state,
        )  # fmt: skip
