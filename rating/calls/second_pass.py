"""The second pass: allowances and discounts, which depend on what the settlement group used before in the period.

A pure fold: state in, state out. Any split of the records, between groups or in time with the state handed on, gives the same
rows. For every record list = net + allowance value + discount, list being the charge of the first pass, and the discount is the
sum of what each of its discounts gave, by name.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.allowances import Grants, spend_allowances
from rating.calls.exact_price import exact_price
from rating.calls.given_discounts import (
    DiscountInput,
    GivenDiscounts,
    apply_discounts,
    apply_retroactive,
    empty_counters,
)
from rating.compiled.book import INDEX_BITS, TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from schemas.errors import ConservationError, Fault, MeterlineError

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DiscountState:
    """What the period has used so far: units left of each grant, and the discounts' counters [accounts, counters, 5]."""

    units_left: I64
    counters: I64

    def copy(self) -> DiscountState:
        return DiscountState(self.units_left.copy(), self.counters.copy())


@dataclass(frozen=True, slots=True)
class DiscountedCalls:
    """One row for each record, in the order given, and the state after the last."""

    net_nano: I64
    allowance_units: I64  # base units of the kind, whole blocks
    allowance_nano: I64  # what the allowance was worth: list - net - discount
    discount_nano: I64
    allowance_index: I32  # the first allowance that paid, -1 none
    given: GivenDiscounts
    state: DiscountState


def start_of_period(book: TariffBook, grants: Grants) -> DiscountState:
    """The state before the first record."""
    return DiscountState(grants.units.copy(), empty_counters(book, len(grants.group_of_account)))


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
        grants: the period's grants; state: what earlier records of the period left, None at its start.
        contracts: as for the grants, where a discount asks what else the account holds.
        activation_at: i8[n], when the contract of each record started (NO_ACTIVATION_AT unknown), where a discount asks for it.
    Raises:
        MeterlineError: a row without rule, account or tariff. ConservationError: a net charge that leaves int64.
    """
    kinds = (np.int64, np.int32, np.int64, np.uint8, np.uint64, np.int64, np.int64, np.int32, np.int32)
    given = (group_start, account_index, start_at, kind, called_number, quantity, charge_nano, rule_index, tariff_index)
    columns = [kernel_column(values, of) for values, of in zip(given, kinds, strict=True)]
    _check(book, columns, grants)
    after = start_of_period(book, grants) if state is None else state.copy()
    rows = len(columns[1])
    net, units, covered = (np.empty(rows, dtype=np.int64) for _ in range(3))
    allowance = np.empty(rows, dtype=np.int32)
    lines, of = book.timelines, [entry.allowance for entry in book.allowances]
    exact = spend_allowances(
        *columns, grants.group_of_account, grants.group_first, grants.allowance_index, grants.account_index,
        grants.valid_from_at, grants.valid_to_at, after.units_left,
        np.array([int(one.kind) for one in of], dtype=np.int64), np.array([one.block for one in of], dtype=np.int64),
        np.array([one.scope == "group" for one in of], dtype=np.bool_), book.allowance_match,
        book.span[0], book.span[1], lines.index, lines.segment, book.prefixes.top, book.prefixes.sub,
        book.cell_of, book.choices, book.rule_rows, book.scale_rows, book.rule_words, INDEX_BITS,
        net, units, allowance, covered,
    )  # fmt: skip
    if exact:
        _price_rests_exactly(book, columns, covered, net)
    after_allowances = net.copy()
    started = None if activation_at is None else kernel_column(activation_at, np.int64)
    records = DiscountInput(columns[1], columns[2], columns[4], columns[5], units, columns[7], columns[8])
    discount, by_name = apply_discounts(book, records, net, after.counters, contracts, started)
    return DiscountedCalls(net, units, columns[6] - after_allowances, discount, allowance, by_name, after)


def end_of_period(book: TariffBook, account_index: npt.ArrayLike, discounted: DiscountedCalls) -> DiscountedCalls:
    """The same records with what retroactive ladders give, now that the period has no more: `discounted` holds all of it.

    Args:
        account_index: as in `discount_calls`.
    """
    accounts = kernel_column(account_index, np.int32)
    whole = (discounted.state.counters, discounted.given, discounted.net_nano, discounted.discount_nano)
    net, discount, given = apply_retroactive(book, accounts, *whole)
    return dataclasses.replace(discounted, net_nano=net, discount_nano=discount, given=given)


def _check(book: TariffBook, columns: list[npt.NDArray[np.int64]], grants: Grants) -> None:
    groups, accounts, starts, rules, tariffs = columns[0], columns[1], columns[2], columns[7], columns[8]
    if len({len(column) for column in columns[1:]}) != 1:
        raise MeterlineError(Fault("discount_calls", "columns of different lengths", must_be="one length"))
    if not len(groups) or groups[0] != 0 or groups[-1] != len(accounts) or (np.diff(groups) < 0).any():
        raise MeterlineError(Fault("group_start", "not the starts of groups", must_be="from 0 to the records' number, ascending"))
    known = len(grants.group_of_account)
    bad = (accounts < 0) | (accounts >= known)
    refuse_row("account_index", bad, "no contract has this account", accounts, f"0 to {known - 1}")
    refuse_row("rule_index", (rules < 0) | (rules >= len(book.rules)), "a record without a rule", rules, "a rule of the book")
    bad = (tariffs < 0) | (tariffs >= len(book.tariff_ids))
    refuse_row("tariff_index", bad, "no such tariff", tariffs, "an index of the book")
    bad = (starts < book.span[0]) | (starts >= book.span[1])
    refuse_row("start_at", bad, "outside the book's span", starts, str(book.span))


def _price_rests_exactly(book: TariffBook, columns: list[npt.NDArray[np.int64]], covered: I64, net: I64) -> None:
    _, _, starts, kinds, numbers, quantities, _, _, tariffs = columns
    for row in np.flatnonzero(covered >= 0).tolist():
        record = (int(column[row]) for column in (tariffs, kinds, numbers, starts, quantities))
        price = exact_price(book, *record, elapsed=int(covered[row]), with_fee=False)
        if price.status:
            raise ConservationError(Fault(f"discount_calls row {row}", "the rest after allowances cannot be priced"))
        net[row] = price.charge_nano
