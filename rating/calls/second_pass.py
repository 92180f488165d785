"""The second pass: allowances and discounts, which depend on what the settlement group used before in the period.

A pure fold: state in, state out. Any split of the records, between groups or in time with the state handed on, gives the same
rows. For every record list = net + allowance value + discount, list being the charge of the first pass, and the discount is the
sum of what each of its discounts gave, by name.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.balances.balance_table import BalanceState, book_lines
from rating.balances.charge_kernel import charge_records
from rating.balances.exact_walk import ExactWalk
from rating.balances.layout import (
    BOOK,
    BOOKED,
    CALL_WORDS,
    COVERED,
    FIRST_PAYER,
    NEEDS_EXACT,
    POSTING_COLUMNS,
    POSTINGS_FULL,
    Records,
)
from rating.calls.allowances import Grants
from rating.calls.given_discounts import (
    DiscountInput,
    GivenDiscounts,
    apply_discounts,
    apply_retroactive,
    empty_counters,
)
from rating.compiled.book import TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.compiled.prefixes import node_of_number
from schemas.errors import Fault, MeterlineError

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DiscountState:
    """What the period has used so far: what is left of each grant (in 1/den units), its use, what members used of capped ones,
    and the discounts' counters [accounts, counters, 5]."""

    units_left: I64
    counters: I64
    used: I64
    member_used: I64

    def copy(self) -> DiscountState:
        return DiscountState(self.units_left.copy(), self.counters.copy(), self.used.copy(), self.member_used.copy())


@dataclass(frozen=True, slots=True)
class DiscountedCalls:
    """One row for each record, in the order given, and the state after the last.

    Where `status` is not 0 (a blocker that cannot pay, a hole in a bundle's tariff) nothing was taken and the record is nobody's
    charge: net and allowance are 0, the record goes to suspense.
    """

    net_nano: I64
    allowance_units: I64  # base units of the kind, whole blocks
    allowance_nano: I64  # what the allowance was worth: list - net - discount
    discount_nano: I64
    allowance_index: I32  # the first allowance that paid, -1 none
    given: GivenDiscounts
    status: npt.NDArray[np.uint8]
    state: DiscountState


def start_of_period(book: TariffBook, grants: Grants) -> DiscountState:
    """The state before the first record."""
    of = grants.table.start()
    return DiscountState(of.value[:-1], empty_counters(book, len(grants.group_of_account)), of.used[:-1], of.member_used)


def discount_calls(
    book: TariffBook,
    *,
    group_start: npt.ArrayLike,
    account_index: npt.ArrayLike,
    start_at: npt.ArrayLike,
    kind: npt.ArrayLike,
    called_number: npt.ArrayLike,
    quantity: npt.ArrayLike,
    charge_nano: npt.ArrayLike,
    rule_index: npt.ArrayLike,
    tariff_index: npt.ArrayLike,
    grants: Grants,
    category: npt.ArrayLike | None = None,
    state: DiscountState | None = None,
    contracts: pl.DataFrame | None = None,
    activation_at: npt.ArrayLike | None = None,
) -> DiscountedCalls:
    """Net charges of rated records.

    Args:
        group_start: i8[g + 1], where each settlement group's records start; ends with n.
        account_index: i4[n], counted as in the contracts that the grants come from.
        start_at, kind, called_number, quantity: as in `rate_calls`, sorted by (settlement group, start_at, record id).
        charge_nano, rule_index, tariff_index: of records that the first pass priced (status 0).
        category: codes of `grants.table.categories`, -1 for others; None where usage has none.
        grants: the period's grants; state: what earlier records of the period left, None at its start.
        contracts: as for the grants, where a discount asks what else the account holds.
        activation_at: i8[n], when the contract of each record started (NO_ACTIVATION_AT unknown), where a discount asks for it.
    Raises:
        MeterlineError: a row without rule, account or tariff.
    """
    kinds = (np.int64, np.int32, np.int64, np.uint8, np.uint64, np.int64, np.int64, np.int32, np.int32)
    given = (group_start, account_index, start_at, kind, called_number, quantity, charge_nano, rule_index, tariff_index)
    columns = [kernel_column(values, of) for values, of in zip(given, kinds, strict=True)]
    _check(book, columns, grants)
    after = start_of_period(book, grants) if state is None else state.copy()
    _, accounts, starts, kinds_of, numbers, used, charges, rules, tariffs = columns
    categories = kernel_column([-1] if category is None else category, np.int32)
    records = Records(accounts, tariffs, kinds_of, numbers, starts, used, categories, rules)
    paid = _Paid(book, grants, records, charges, after)
    paid.run()
    net = paid.net
    allowance = np.append(grants.allowance_index, np.int32(-1))[paid.payer]  # payer -1 is the last
    covered_nano = np.subtract(charges, net, out=paid.payer)  # fresh memory is dear: the payers are not read any more
    if paid.status.any():
        covered_nano[paid.status != 0] = 0
    started = None if activation_at is None else kernel_column(activation_at, np.int64)
    taken = DiscountInput(columns[1], columns[2], columns[4], columns[5], paid.covered, columns[7], columns[8])
    discount, by_name = apply_discounts(book, taken, net, after.counters, contracts, started)
    return DiscountedCalls(net, paid.covered, covered_nano, discount, allowance, by_name, paid.status, paid.state())


def end_of_period(book: TariffBook, account_index: npt.ArrayLike, discounted: DiscountedCalls) -> DiscountedCalls:
    """The same records with what retroactive ladders give, now that the period has no more: `discounted` holds all of it.

    Args:
        account_index: as in `discount_calls`.
    """
    accounts = kernel_column(account_index, np.int32)
    whole = (discounted.state.counters, discounted.given, discounted.net_nano, discounted.discount_nano)
    net, discount, given = apply_retroactive(book, accounts, *whole)
    return dataclasses.replace(discounted, net_nano=net, discount_nano=discount, given=given)


class _Paid:
    """Records under way through the grants; the bill pays what no grant does."""

    def __init__(self, book: TariffBook, grants: Grants, records: Records, list_nano: I64, state: DiscountState) -> None:
        rows = len(list_nano)
        self._book, self._table, self._records, self._list = book, grants.table, records, list_nano
        self._counters = state.counters
        self._state = BalanceState(np.append(state.units_left, 0), np.append(state.used, 0), state.member_used)
        self.net, self.covered, self.payer = (np.empty(rows, dtype=np.int64) for _ in range(3))
        self.status = np.zeros(rows, dtype=np.uint8)

    def run(self) -> None:
        book, table, at = self._book, self._table, 0
        calls, scratch = np.zeros((1, CALL_WORDS), dtype=np.int64), np.zeros(CALL_WORDS, dtype=np.int64)
        listed = np.zeros((table.largest + 2, 3), dtype=np.int64)
        posts, over = np.zeros((64, len(POSTING_COLUMNS)), dtype=np.int64), np.zeros(1, dtype=np.int64)
        lines, exact = book_lines(book), None
        while at < len(self.net):
            at, _, stopped = charge_records(
                lines, table.prices, table.payers, self._state.left, book.prefixes.top, book.prefixes.sub, self._records, at,
                BOOK, True, self._list, False, False, calls, scratch, listed, posts, 0, self.status, self.net, self.covered,
                self.payer, over,
            )  # fmt: skip
            if stopped == POSTINGS_FULL:
                posts = np.zeros((2 * len(posts), len(POSTING_COLUMNS)), dtype=np.int64)
            elif stopped == NEEDS_EXACT:
                exact = exact or ExactWalk(book, table, lines)
                self._walk_exactly(exact, at)
                at += 1

    def _walk_exactly(self, exact: ExactWalk, row: int) -> None:
        of, prefixes = self._records, self._book.prefixes
        node = int(node_of_number(np.uint64(of.number[row]), prefixes.top, prefixes.sub))
        record = (
            of.account[row],
            of.tariff[row],
            of.kind[row],
            of.start_at[row],
            of.asked[row],
            of.category[row % len(of.category)],
        )
        call = [0] * CALL_WORDS
        numbers = tuple(int(word) for word in record)
        self.status[row], _, _ = exact.charge(self._state, call, numbers, node, row=row, task=BOOK, bill=True)
        if self.status[row] == 0:
            self.net[row], self.covered[row], self.payer[row] = call[BOOKED], call[COVERED], call[FIRST_PAYER] - 1
        else:
            self.net[row], self.covered[row], self.payer[row] = 0, 0, -1

    def state(self) -> DiscountState:
        return DiscountState(self._state.value[:-1], self._counters, self._state.used[:-1], self._state.member_used)


def _check(book: TariffBook, columns: list[npt.NDArray[np.int64]], grants: Grants) -> None:
    groups, accounts, starts, rules, tariffs = columns[0], columns[1], columns[2], columns[7], columns[8]
    if len({len(column) for column in columns[1:]}) != 1:
        raise MeterlineError(Fault("discount_calls", "columns of different lengths", must_be="one length"))
    if not len(groups) or groups[0] != 0 or groups[-1] != len(accounts) or (groups[1:] < groups[:-1]).any():
        raise MeterlineError(Fault("group_start", "not the starts of groups", must_be="from 0 to the records' number, ascending"))
    known = len(grants.group_of_account)
    _refuse_outside("account_index", accounts, (0, known), "no contract has this account", f"0 to {known - 1}")
    _refuse_outside("rule_index", rules, (0, len(book.rules)), "a record without a rule", "a rule of the book")
    _refuse_outside("tariff_index", tariffs, (0, len(book.tariff_ids)), "no such tariff", "an index of the book")
    _refuse_outside("start_at", starts, book.span, "outside the book's span", str(book.span))


def _refuse_outside(where: str, values: npt.NDArray[Any], span: tuple[int, int], what: str, must_be: str) -> None:
    if len(values) and (values.min() < span[0] or values.max() >= span[1]):
        refuse_row(where, (values < span[0]) | (values >= span[1]), what, values, must_be)
