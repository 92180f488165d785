"""What discounts gave, record by record and by name, and what retroactive ladders give at the end of a period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.discounts import first_unequal, give_discounts, give_retroactively
from rating.calls.eligibility import eligible_bits
from rating.calls.trial_rates import trial_charges
from rating.compiled.book import INDEX_BITS, TariffBook
from rating.compiled.discount_sets import COUNTER_WORDS, RETROACTIVE
from rating.compiled.rule_layout import LADDER
from schemas.errors import ConservationError, Fault

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class GivenDiscounts:
    """One row for each discount of a record, in order of records and stacking: the amounts of a record sum to its discount.

    A retroactive ladder has a row with nothing in it for each record that it counts, until the period ends.
    """

    record: I64  # the row of the record
    discount_index: I32  # into `book.discounts.entries`
    amount_nano: I64

    def frame(self, book: TariffBook) -> pl.DataFrame:
        """[record, tariff_id, version, name, amount_nano]: what was given, by name."""
        entries = book.discounts.entries
        named = pl.DataFrame(
            [(n, one.tariff_id, one.version, one.discount.item) for n, one in enumerate(entries)],
            schema={"discount_index": pl.Int32, "tariff_id": pl.String, "version": pl.String, "name": pl.String},
            orient="row",
        )
        given = pl.DataFrame({"record": self.record, "discount_index": self.discount_index, "amount_nano": self.amount_nano})
        return given.join(named, on="discount_index", how="left", maintain_order="left").select(
            "record", "tariff_id", "version", "name", "amount_nano"
        )


def empty_counters(book: TariffBook, accounts: int) -> I64:
    """The counters of a period before its first record: [accounts, counters, 5]."""
    return np.zeros((max(accounts, 1), max(len(book.discounts.counters), 1), COUNTER_WORDS), dtype=np.int64)


@dataclass(frozen=True, slots=True)
class DiscountInput:
    """Records after allowances, in event-time order within an account, as contiguous columns; see `second_pass`."""

    account_index: I32
    start_at: I64
    called_number: npt.NDArray[np.uint64]
    quantity: I64
    allowance_units: I64
    rule_index: I32
    tariff_index: I32


def apply_discounts(
    book: TariffBook,
    records: DiscountInput,
    net_nano: I64,
    counters: I64,
    contracts: pl.DataFrame | None = None,
    activation_at: I64 | None = None,
) -> tuple[I64, GivenDiscounts]:
    """Reduce `net_nano` by the discounts of each record and raise `counters`, both in place; (discount of each record, rows).

    Raises:
        MeterlineError: a discount needs `contracts` or `activation_at`, which were not given.
        ConservationError: the rows do not sum to the discounts.
    """
    of = book.discounts
    rows = len(net_nano)
    words = book.rule_words[book.rule_rows[:, 7] + LADDER] if book.rules else np.full(len(book.rule_rows), -1)
    set_of_rule = words.astype(np.int32)  # a book of metered supply alone has no rules
    room = _room(of.set_first, set_of_rule, records.rule_index) if len(of.entries) else 0
    if not room:
        nothing = GivenDiscounts(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))
        return np.zeros(rows, dtype=np.int64), nothing
    eligible = eligible_bits(
        book, set_of_rule, records.rule_index, records.account_index, records.start_at, contracts, activation_at
    )
    offers = trial_charges(book, records.rule_index, records.quantity, records.allowance_units)
    given = GivenDiscounts(np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int64))
    discount = np.empty(rows, dtype=np.int64)
    lines = book.timelines
    written = give_discounts(
        records.account_index, records.start_at, records.called_number, records.quantity, records.allowance_units,
        records.rule_index, records.tariff_index, eligible, offers,
        book.span[0], lines.index, lines.segment, book.prefixes.top, book.prefixes.sub, INDEX_BITS,
        set_of_rule, bool(of.rows[:, RETROACTIVE].any()), of.set_first, of.rows, of.tiers, of.rule_mask, of.destinations,
        of.windows, counters, net_nano, discount, given.record, given.discount_index, given.amount_nano,
    )  # fmt: skip
    found = GivenDiscounts(given.record[:written], given.discount_index[:written], given.amount_nano[:written])
    check_given(found, discount)
    return discount, found


def _room(set_first: I32, set_of_rule: I32, rule_index: I32) -> int:
    """How many discounts the sets of all records hold."""
    if not len(rule_index):
        return 0
    sizes = np.where(set_of_rule >= 0, np.diff(set_first)[np.maximum(set_of_rule, 0)], 0).astype(np.int64)
    return int(np.dot(np.bincount(rule_index, minlength=len(sizes)), sizes))


def check_given(given: GivenDiscounts, discount_nano: I64) -> None:
    """The rows of a record sum to its discount.

    Raises:
        ConservationError: some do not; names the first record.
    """
    row, total = first_unequal(given.record, given.amount_nano, discount_nano)
    if row >= 0:
        where, must_be = f"discounts of row {row}", str(int(discount_nano[row]))
        raise ConservationError(Fault(where, "parts and whole differ", str(int(total)), must_be))


def apply_retroactive(
    book: TariffBook, account_index: I32, counters: I64, given: GivenDiscounts, net_nano: I64, discount_nano: I64
) -> tuple[I64, I64, GivenDiscounts]:
    """The period has ended: (net, discount, rows) with what retroactive ladders give.

    The whole of what an account was charged takes the tier that it reached, rounded once for the account; the amount lies on its
    records by telescoping, so that list = net + allowance + discount goes on holding for each.

    Args:
        account_index, given, net_nano, discount_nano: all records of the period; counters: after the last of them.
    """
    rows = book.discounts.rows
    if not len(rows) or not rows[:, RETROACTIVE].any():
        return net_nano, discount_nano, given
    net, discount, amounts = net_nano.copy(), discount_nano.copy(), given.amount_nano.copy()
    spread = np.zeros(counters.shape[:2], dtype=np.int64)
    give_retroactively(
        account_index, rows, book.discounts.tiers, counters, spread, given.record, given.discount_index, amounts, net, discount
    )
    found = GivenDiscounts(given.record, given.discount_index, amounts)
    check_given(found, discount)
    return net, discount, found
