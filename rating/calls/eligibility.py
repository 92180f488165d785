"""Conditions of discounts that need more than the record: how long the contract runs, and what else the account holds."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import TariffBook
from rating.compiled.discount_sets import NEEDS_BIT
from rating.language.clocks import clock_table
from rating.language.discount_terms import Term
from rating.language.shared_terms import DAY_US
from schemas.errors import Fault, MeterlineError
from schemas.zones import ZoneTable

I64 = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
NO_ACTIVATION_AT = -(2**63)  # a record whose contract's start is not known is not new


def eligible_bits(
    book: TariffBook,
    set_of_rule: npt.NDArray[np.int32],
    rule_index: npt.NDArray[np.int32],
    account_index: npt.NDArray[np.int32],
    start_at: I64,
    contracts: pl.DataFrame | None,
    activation_at: I64 | None,
) -> I64:
    """[n]: bit j where the conditions of the j-th discount of a record's set hold; empty where no discount has any.

    Args:
        set_of_rule: the set of each rule, -1 none.
        contracts: [account_index, tariff_id, effective_from_at, effective_to_at]; needed where a discount has `with`.
        activation_at: microseconds UTC, NO_ACTIVATION_AT for unknown; needed where a discount has `new_for`.
    Raises:
        MeterlineError: a discount needs what was not given.
    """
    wanted = np.flatnonzero(book.discounts.rows[:, NEEDS_BIT])
    bits = np.zeros(len(rule_index) if len(wanted) else 0, dtype=np.int64)
    for d in wanted.tolist():
        number = int(np.searchsorted(book.discounts.set_first, d, side="right")) - 1
        has_set = set_of_rule == number
        records = slice(None) if has_set.all() else np.flatnonzero(has_set[rule_index])
        accounts, at = account_index[records], start_at[records]
        if not len(at):
            continue
        entry = book.discounts.entries[d]
        of = entry.discount
        where = f"discount {of.item!r} of {entry.tariff_id}"
        holds = np.ones(len(at), dtype=np.bool_)
        if of.new_for is not None:
            if activation_at is None:
                raise MeterlineError(Fault(where, "needs the start of the contract", must_be="activation_at given"))
            started = activation_at[records]
            holds &= (started <= at) & (at < _ends_of_runs(started, of.new_for, clock_table(entry.zone, entry.clock)))
        if of.with_tariffs is not None:
            if contracts is None:
                raise MeterlineError(Fault(where, "needs what else the account holds", must_be="contracts given"))
            holds &= held_at(contracts, of.with_tariffs, accounts, at)
        bits[records] |= holds.astype(np.int64) << (d - int(book.discounts.set_first[number]))
    return bits


def _ends_of_runs(activation_at: I64, term: Term, clock: ZoneTable) -> I64:
    """`term_ends` of each record, worked out once for neighbors that share a contract; an unknown start has long ended."""
    first = np.flatnonzero(np.append(True, activation_at[1:] != activation_at[:-1]))
    started = activation_at[first]
    known = started != NO_ACTIVATION_AT
    ends = np.where(known, term_ends(np.where(known, started, 0), term, clock), NO_ACTIVATION_AT)
    return np.repeat(ends, np.diff(first, append=len(activation_at)))


def term_ends(activation_at: I64, term: Term, clock: ZoneTable) -> I64:
    """The end of the first days or months after each activation: the first instant of a local date.

    The day of activation is the first day; a month ends on the same day of the month, or on the last where there is none.
    """
    offset = clock.offset_us[np.searchsorted(clock.starts_at, activation_at, side="right") - 1]
    days = (activation_at + offset) // DAY_US
    if term.unit == "days":
        return first_instants(days + term.count, clock)
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    in_month = (dates - months.astype("M8[D]")).astype(np.int64)
    target = months + term.count
    last = ((target + 1).astype("M8[D]") - target.astype("M8[D]")).astype(np.int64) - 1
    return first_instants((target.astype("M8[D]") + np.minimum(in_month, last)).astype(np.int64), clock)


def first_instants(days: I64, clock: ZoneTable) -> I64:
    """The first instant of each local date (days since 1970-01-01); where midnight is skipped, the first that exists."""
    midnights = days * DAY_US
    ends = np.append(clock.starts_at[1:] + clock.offset_us[:-1], np.iinfo(np.int64).max)
    span = np.searchsorted(ends, midnights, side="right")
    found: I64 = np.maximum(clock.starts_at[span], midnights - clock.offset_us[span])
    return found


def held_at(contracts: pl.DataFrame, tariffs: frozenset[str], account_index: npt.NDArray[np.int32], at: I64) -> Flags:
    """[n]: whether the account holds any of the tariffs at an instant."""
    held = (
        contracts.filter(pl.col("tariff_id").is_in(sorted(tariffs)) & (pl.col("effective_from_at") < pl.col("effective_to_at")))
        .select(pl.col("account_index").cast(pl.Int64), "effective_from_at", "effective_to_at")
        .sort("account_index", "effective_from_at")
        # Contracts of an account may overlap: what counts is the latest end of all that started.
        .with_columns(pl.col("effective_to_at").cum_max().over("account_index"))
    )
    if not len(held):
        return np.zeros(len(at), dtype=np.bool_)
    starts = held["effective_from_at"].to_numpy()
    instants = np.unique(starts)
    keys = held["account_index"].to_numpy() * (len(instants) + 1) + np.searchsorted(instants, starts, side="right")
    wanted = account_index.astype(np.int64) * (len(instants) + 1) + np.searchsorted(instants, at, side="right")
    place = np.searchsorted(keys, wanted, side="right") - 1
    found = np.maximum(place, 0)
    same = held["account_index"].to_numpy()[found] == account_index
    holds: Flags = (place >= 0) & same & (at < held["effective_to_at"].to_numpy()[found])
    return holds
