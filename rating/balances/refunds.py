"""Undoing and doing again: refunds posting by posting, a call that turns out shorter, re-rating (reference: rating §7).

A refund reverses booked integers, to exactly the balances that paid; nothing is rounded again and no other balance is touched.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from rating.balances.balance_table import BalanceState, BalanceTable
from rating.balances.charge import ChargedUsage, charge_usage
from rating.balances.layout import (
    BALANCE,
    COUNT,
    FLAGS,
    FROM,
    MONEY_BALANCE,
    MONEY_NANO,
    RECORD,
    RULE_INDEX,
    TIER,
    TO,
    UNITS,
    UNLIMITED,
    Ints,
)
from rating.compiled.book import BookRule, TariffBook
from rating.compiled.rule_arrays import weights_of
from schemas.errors import Fault, MeterlineError
from schemas.money import round_ratio
from schemas.quantities import INT64_MAX


@dataclass(frozen=True, slots=True)
class Refunded:
    """What a refund gave back. `lapsed` [m, 2]: balance and what of it lapsed again at once, since its validity is over;
    `unallocated` [m, 3]: record, units and nano-units whose balance does not exist any more."""

    state: BalanceState
    lapsed: Ints
    unallocated: Ints


def refund(
    table: BalanceTable,
    state: BalanceState,
    postings: Ints,
    *,
    account_of_record: npt.ArrayLike | None = None,
    at: int | None = None,
) -> Refunded:
    """Give back postings [m, 10] (layout.POSTING_COLUMNS); state in, state out.

    Args:
        account_of_record: accounts by record number, so that what members used of capped balances goes down again.
        at: the instant of the refund: what goes back to a balance that ended before it lapses again. None: nothing lapses.
    Raises:
        MeterlineError: a balance would leave int64.
    """
    after = state.copy()
    known = len(table.payers.term) - 1
    units, nanos = _sums(postings, BALANCE, UNITS, known), _sums(postings, MONEY_BALANCE, MONEY_NANO, known)
    given = units + nanos
    takes = table.payers.terms[table.payers.term[:-1], FLAGS] & UNLIMITED == 0
    value = after.value[:-1].astype(object) + np.where(takes, given, 0)
    used = after.used[:-1].astype(object) - given
    lapsed: list[tuple[int, int]] = []
    if at is not None:
        over = (table.payers.valid_to[:-1] <= at) & (given != 0) & takes
        lapsed = [(int(row), int(given[row])) for row in np.flatnonzero(over)]
        value = value - np.where(over, given, 0)
    if after.value.dtype != object and any(abs(int(one)) > INT64_MAX for one in value):
        raise MeterlineError(Fault("refund", "a balance would leave int64", must_be="a smaller refund"))
    after.value[:-1], after.used[:-1] = value, used
    if account_of_record is not None:
        _give_back_to_members(table, after, postings, np.asarray(account_of_record))
    lost = ((postings[:, BALANCE] >= known) | (postings[:, MONEY_BALANCE] >= known)).nonzero()[0]
    unallocated = [
        (
            int(postings[row, RECORD]),
            int(postings[row, UNITS]) if postings[row, BALANCE] >= known else 0,
            int(postings[row, MONEY_NANO]) if postings[row, MONEY_BALANCE] >= known else 0,
        )
        for row in lost.tolist()
    ]
    return Refunded(after, np.array(lapsed, dtype=object).reshape(-1, 2), np.array(unallocated, dtype=object).reshape(-1, 3))


def _sums(postings: Ints, place: int, amount: int, known: int) -> Ints:
    """What postings took from each balance, in Python integers: a sum of them may leave int64."""
    found = np.zeros(known, dtype=object)
    rows = (postings[:, place] >= 0) & (postings[:, place] < known)
    np.add.at(found, postings[rows, place].astype(np.int64), postings[rows, amount].astype(object))
    return found


def _give_back_to_members(table: BalanceTable, after: BalanceState, postings: Ints, accounts: npt.NDArray[np.int64]) -> None:
    payers, known = table.payers, len(table.payers.term) - 1
    for place, amount in ((BALANCE, UNITS), (MONEY_BALANCE, MONEY_NANO)):
        rows = np.flatnonzero((postings[:, place] >= 0) & (postings[:, place] < known))
        balance, account = postings[rows, place].astype(np.int64), accounts[postings[rows, RECORD].astype(np.int64)]
        capped = (payers.member_first[balance] >= 0) & (payers.owner[balance] != account)
        counter = payers.member_first[balance[capped]] + payers.member_of[account[capped]]
        np.subtract.at(after.member_used, counter, postings[rows[capped], amount].astype(after.member_used.dtype))


def shorter_call(table: BalanceTable, postings: Ints, quantity: int, *, start_rule: int) -> tuple[Ints, Ints]:
    """(postings that stay, what is given back) where a call turns out to have used only `quantity`, last payer first.

    Whole blocks and increments that start before the end stay paid; money is the difference of the booked running totals. A call
    of zero gives all back, fee included.

    Args:
        postings: of one record, in order. start_rule: the rule at its start, which rounds.
    """
    stay, back = [], []
    running = _Running(table.rules, start_rule)
    for post in postings.tolist():
        low, high, count = post[FROM], post[TO], post[COUNT]
        if quantity == 0 or (count and low >= quantity):
            back.append(post)
            continue
        kept = count
        if count and high > quantity:
            step = (high - low) // count
            kept = -((low - quantity) // step)
        part = running.part(post, kept)
        if kept == count:
            stay.append(post)
            continue
        units = post[UNITS] // count * kept
        middle = low + (high - low) // count * kept
        stay.append([*post[:UNITS], units, post[MONEY_BALANCE], part, low, middle, kept, *post[RULE_INDEX:]])
        rest = [*post[:UNITS], post[UNITS] - units, post[MONEY_BALANCE], post[MONEY_NANO] - part, middle, high]
        back.append([*rest, count - kept, *post[RULE_INDEX:]])
    shape = (-1, postings.shape[1])
    return np.array(stay, dtype=postings.dtype).reshape(shape), np.array(back[::-1], dtype=postings.dtype).reshape(shape)


class _Running:
    """The exact running total of a call while its postings are read again, booked by the rule at its start."""

    def __init__(self, rules: tuple[BookRule, ...], start_rule: int) -> None:
        self._rules, self._rounding = rules, rules[start_rule].rounding
        self._total, self._booked, self._minimum, self._started = Fraction(0), 0, 0, False

    def part(self, post: list[int], count: int) -> int:
        """Nano-units that the first `count` increments of a posting add."""
        if post[RULE_INDEX] < 0:
            self._started = True
            return 0
        rate = self._rules[post[RULE_INDEX]].rate
        cap = Fraction(rate.cap.amount_nano) if rate.cap and rate.cap.strategy == "free" else None
        if post[COUNT] == 0:  # the fee
            self._total = Fraction(rate.connect_fee_nano) if cap is None else min(Fraction(rate.connect_fee_nano), cap)
        else:
            if not self._started:
                self._started, self._minimum = True, rate.minimum_charge_nano
            weight = weights_of(rate)[post[TIER]]
            raised = self._total + count * weight
            self._total = raised if cap is None or weight <= 0 else max(self._total, min(raised, cap))
        total = max(self._total, Fraction(self._minimum)) if self._minimum and post[COUNT] else self._total
        plain = self._rounding.scope == "line" or self._rounding.mode == "none"
        mode, grid = ("half_up", 1) if plain else (self._rounding.mode, self._rounding.grid_nano)
        booked = grid * round_ratio(total.numerator, total.denominator * grid, mode)
        part, self._booked = booked - self._booked, booked
        return part


def rerate(
    book: TariffBook, table: BalanceTable, state: BalanceState, charged: Ints, records: dict[str, npt.ArrayLike], *,
    record_id: npt.ArrayLike, bill: bool = False,
) -> tuple[ChargedUsage, npt.NDArray[np.int64]]:  # fmt: skip
    """Refund all selected records, then debit them again in order of (settlement group, start_at, record_id), atomically.

    Later usage that shares the allowances belongs to the selection, else free units land on the wrong call (E23).

    Args:
        charged: postings of the selected records, RECORD being the row. records: the columns of `charge_usage`, by row.
        record_id: unique ids that settle ties.
    Returns:
        What the records cost now, in their new order, and that order (row numbers).
    """
    accounts = np.asarray(records["account_index"])
    before = refund(table, state, charged, account_of_record=accounts).state
    groups = table.payers.group_of[accounts]
    order = np.lexsort((np.asarray(record_id), np.asarray(records["start_at"]), groups))
    again = {name: np.asarray(column)[order] for name, column in records.items()}
    return charge_usage(book, table, **again, task="book", state=before, bill=bill), order
