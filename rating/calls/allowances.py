"""Allowances: what contracts are granted in a period, as balances that pay before the bill does (reference: rating §5).

What is granted becomes a balance of the account, or of its settlement group; who pays is decided by `rating.balances` alone.
Units are kept in 1/den of the base unit, den being the denominator of the allowance's factor (1 without one).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.balances.balance_table import BalanceTable, category_bits, term_row, windows_as_arrays
from rating.balances.balance_values import ALWAYS_FROM_AT
from rating.balances.layout import DEN, GENERIC, MONEY, Ints, Payers
from rating.balances.rollover import PeriodEnd, end_period
from rating.compiled.book import TariffBook
from rating.compiled.payer_filters import category_codes
from rating.compiled.price_terms import price_terms
from rating.compiled.rule_layout import NEVER
from rating.language.call_terms import PayTerms
from schemas.errors import ConfigurationError, Fault
from schemas.periods import Period

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
_UNITS_MAX = 2**62
_DAY_US = 86_400_000_000
CARRIED_SCHEMA = {
    "allowance_index": pl.Int32,
    "account_index": pl.Int32,
    "units": pl.Int64,  # in 1/den
    "valid_from_at": pl.Int64,
    "valid_to_at": pl.Int64,
    "granted_at": pl.Int64,
}


@dataclass(frozen=True, slots=True)
class Grants:
    """Allowance units of one period, sorted by (group, debit order); microseconds UTC, units in 1/den of the base unit.

    `group_of_account[a]` is the group of account index a (-1 for none); the grants of group g are rows
    `[group_first[g], group_first[g + 1])`. `table` is the same for the walk; rows marked `carried` come from the period before.
    """

    allowance_index: I32
    account_index: I32
    units: I64
    valid_from_at: I64
    valid_to_at: I64
    granted_at: I64
    carried: npt.NDArray[np.bool_]
    group_of_account: I32
    group_first: I64
    table: BalanceTable

    def frame(self) -> pl.DataFrame:
        """The grants as rows."""
        return pl.DataFrame({name: getattr(self, name) for name in (*CARRIED_SCHEMA, "carried")})


def prorated_units(units: int, days: int, days_of_period: int) -> int:
    """Units for a part of a period: local days in force / days of the whole period, rounded down (rating.md E25)."""
    return units * days // days_of_period


def allowance_grants(
    book: TariffBook,
    contracts: pl.DataFrame,
    *,
    period: Period,
    day_starts: npt.NDArray[np.int64],
    later_ends: npt.ArrayLike = (),
    carried: pl.DataFrame | None = None,
) -> Grants:
    """The grants of a period.

    A contract takes the allowances of the tariff version in force when it begins, or when the period begins; a version that
    starts later grants from the next period on. A local day belongs to what is in force at its first instant.

    Args:
        contracts: [account_index i32, group_index i32, tariff_id str, effective_from_at i64, effective_to_at i64], both
            instants in microseconds UTC, half-open; indices count from 0. Tariffs that are not in the book grant nothing.
        period: the period.
        day_starts: i8[period.days + 1], the first instant of each local day of the period and of the day after it.
        later_ends: ends of the periods that follow, in order, for allowances that are valid for more than one.
        carried: CARRIED_SCHEMA, what `rollover.carry_over` brought over from the period before.
    Raises:
        ConfigurationError: an allowance valid for more periods than `later_ends` has; units beyond what a balance can hold.
    """
    assert len(day_starts) == period.days + 1, "one start for each local day and the end"
    terms = allowance_terms(book)
    ends = [period.end_at, *np.asarray(later_ends, dtype=np.int64).tolist()]
    found = _granted(contracts, _grantable(book, terms, ends), period, day_starts)
    if carried is not None and carried.height:
        found = pl.concat([found, _brought(book, contracts, carried)])
    found = found.sort(
        "group_index", "priority", "valid_to_at", "granted_at", "name", "account_index", "allowance_index", "carried",
        descending=[False, True, False, False, False, False, False, True],
    )  # fmt: skip
    return _grants(book, contracts, found, terms)


_GRANT_SCHEMA = {
    "allowance_index": pl.Int32,
    "tariff_id": pl.String,
    "version_from_at": pl.Int64,
    "version_to_at": pl.Int64,
    "name": pl.String,
    "units": pl.Int64,
    "den": pl.Int64,
    "priority": pl.Int64,
    "prorate": pl.Boolean,
    "last_at": pl.Int64,
    "valid_us": pl.Int64,
}
_FOUND = ("allowance_index", "account_index", "group_index", "priority", "name", "units", "valid_from_at", "valid_to_at",
          "granted_at", "carried")  # fmt: skip


def allowance_terms(book: TariffBook) -> Ints:
    """[allowances + 1, TERM_WORDS]: how each allowance pays, and a last row for the bill."""
    codes = category_codes([entry.allowance.categories for entry in book.allowances])
    windows = [index for index, entry in enumerate(book.allowances) if entry.borders is not None]
    rows = []
    for index, entry in enumerate(book.allowances):
        of = entry.allowance
        rows.append(
            term_row(
                GENERIC if of.kind is None else int(of.kind), of.terms, is_default=False, filter_row=index,
                categories=category_bits(of.categories, codes), window=windows.index(index) if index in windows else -1,
                tariff=book.tariff_index(of.tariff_id) if of.tariff_id else -1,
                rule=len(book.rules) + entry.bundle if entry.bundle >= 0 else -1,
            )
        )  # fmt: skip
    bill = term_row(MONEY, PayTerms(), is_default=False, filter_row=0, categories=0, window=-1, tariff=-1, rule=-1)
    return np.array([*rows, bill], dtype=np.int64)


def _grantable(book: TariffBook, terms: Ints, ends: list[int]) -> pl.DataFrame:
    """One row for each allowance with its den, and the latest instant at which a grant of this period may lapse."""
    rows = []
    for index, entry in enumerate(book.allowances):
        of, den = entry.allowance, int(terms[index, DEN])
        where = f"tariff {entry.tariff_id} allowance {of.name}"
        if of.units * den > _UNITS_MAX:
            raise ConfigurationError(
                Fault(where, "units that its factor makes too many", str(of.units), f"times {den} below 2**62")
            )
        if of.expiry.periods > len(ends) and not of.expiry.days:
            was, must_be = f"{of.expiry.periods} periods", f"at most {len(ends)}, whose ends are given"
            raise ConfigurationError(Fault(where, "valid for more periods than are known", was, must_be))
        last_at = NEVER if of.expiry.days else ends[of.expiry.periods - 1]
        valid_us = of.expiry.days * _DAY_US or NEVER
        span = (entry.effective_from_at, entry.effective_to_at)
        rows.append((index, entry.tariff_id, *span, of.name, of.units, den, of.priority, of.prorate, last_at, valid_us))
    return pl.DataFrame(rows, schema=_GRANT_SCHEMA, orient="row")


def _granted(
    contracts: pl.DataFrame, allowances: pl.DataFrame, period: Period, day_starts: npt.NDArray[np.int64]
) -> pl.DataFrame:
    """What contracts are granted in this period, prorated by local days."""
    starts = pl.Series(np.ascontiguousarray(day_starts[:-1]))
    found = (
        contracts.with_columns(
            valid_from_at=pl.max_horizontal("effective_from_at", pl.lit(period.start_at)),
            valid_to_at=pl.min_horizontal("effective_to_at", pl.lit(period.end_at)),
        )
        .filter(pl.col("valid_from_at") < pl.col("valid_to_at"))
        .join(allowances, on="tariff_id", how="inner")
        .filter(pl.col("valid_from_at").is_between("version_from_at", "version_to_at", closed="left"))
    )
    ends = starts.search_sorted(found["valid_to_at"], side="left").cast(pl.Int64)
    days = ends - starts.search_sorted(found["valid_from_at"], side="left").cast(pl.Int64)
    # Exact: units stay below 2**62, so whole units per day and the rest are taken apart before multiplying.
    part = pl.col("units") // period.days * pl.col("days") + pl.col("units") % period.days * pl.col("days") // period.days
    lapses = pl.min_horizontal("effective_to_at", "last_at", pl.col("valid_from_at") + pl.min_horizontal("valid_us", 2**61))
    return found.with_columns(days=days).with_columns(
        units=pl.when("prorate").then(part).otherwise("units") * pl.col("den"),
        valid_to_at=lapses,
        granted_at="valid_from_at",
        carried=False,
    ).select(_FOUND)  # fmt: skip


def _brought(book: TariffBook, contracts: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """Balances of the period before, with what orders them; accounts that have no contract any more bring nothing."""
    allowances = pl.DataFrame(
        [(index, entry.allowance.priority, entry.allowance.name) for index, entry in enumerate(book.allowances)],
        schema={"allowance_index": pl.Int32, "priority": pl.Int64, "name": pl.String}, orient="row",
    )  # fmt: skip
    return (
        carried.select(*CARRIED_SCHEMA)
        .join(contracts.select("account_index", "group_index").unique(), on="account_index", how="inner")
        .join(allowances, on="allowance_index", how="inner")
        .with_columns(carried=True)
        .select(_FOUND)
    )


def _grants(book: TariffBook, contracts: pl.DataFrame, found: pl.DataFrame, terms: Ints) -> Grants:
    accounts, of_groups = (contracts[name].to_numpy() for name in ("account_index", "group_index"))
    groups = int(of_groups.max()) + 1 if len(contracts) else 0
    group_of_account = np.full(int(accounts.max()) + 1 if len(contracts) else 0, -1, dtype=np.int32)
    group_of_account[accounts] = of_groups
    group_first = np.searchsorted(found["group_index"].to_numpy(), np.arange(groups + 1)).astype(np.int64)
    allowance = found["allowance_index"].to_numpy().astype(np.int32)
    owner = found["account_index"].to_numpy().astype(np.int32)
    units, valid_from, valid_to, granted_at = (
        found[name].to_numpy().astype(np.int64) for name in ("units", "valid_from_at", "valid_to_at", "granted_at")
    )
    is_shared = np.array([entry.allowance.scope == "group" for entry in book.allowances], dtype=np.bool_)[allowance]
    member_of, sizes = _members(group_of_account, groups)
    is_capped = np.array([entry.allowance.member_cap is not None for entry in book.allowances], dtype=np.bool_)[allowance]
    counters = np.where(is_capped, sizes[group_of_account[owner]], 0) if len(owner) else np.zeros(0, np.int64)
    member_first = np.where(is_capped, np.cumsum(counters) - counters, -1)
    window_first, window_at = windows_as_arrays([entry.borders for entry in book.allowances if entry.borders is not None])
    rules = (*book.rules, *book.bundle_rules)
    payers = Payers(
        group_of_account, group_of_account, member_of, group_first, _and(owner, -1),
        _and(np.where(is_shared, group_of_account[owner], -1).astype(np.int32), -1), _and(allowance, len(terms) - 1),
        _and(valid_from, ALWAYS_FROM_AT), _and(valid_to, NEVER), np.zeros(len(units) + 1, np.int64),
        _and(member_first.astype(np.int64), -1), terms,
        book.allowance_match if len(book.allowance_match) else np.ones((1, len(book.prefixes.prefixes)), np.int8),
        window_first, window_at,
    )  # fmt: skip
    largest = int(np.diff(group_first).max(initial=0))
    codes = category_codes([entry.allowance.categories for entry in book.allowances])
    table = BalanceTable(payers, price_terms(rules), rules, _and(units, 0), int(counters.sum()), largest, categories=codes)
    return Grants(
        allowance,
        owner,
        units,
        valid_from,
        valid_to,
        granted_at,
        found["carried"].to_numpy(),
        group_of_account,
        group_first,
        table,
    )


def _and(values: Ints, last: int) -> Ints:
    """The column with the row of the bill."""
    return np.append(values, np.array([last], dtype=values.dtype))


def _members(group_of_account: I32, groups: int) -> tuple[I32, I64]:
    """(place of each account in its settlement group, members of each group)."""
    order = np.argsort(group_of_account, kind="stable")
    sizes = np.bincount(group_of_account[group_of_account >= 0], minlength=max(groups, 1)).astype(np.int64)
    starts = np.searchsorted(group_of_account[order], group_of_account[order], side="left")
    place = np.empty(len(order), dtype=np.int32)
    place[order] = np.arange(len(order)) - starts
    return place, sizes


def carry_over(
    book: TariffBook, grants: Grants, units_left: npt.ArrayLike, used: npt.ArrayLike, *, period: Period, later_ends: npt.ArrayLike
) -> tuple[pl.DataFrame, PeriodEnd]:
    """What a period hands on to the next: unused units that roll over, and grants that are valid longer.

    What was itself carried in does not roll over a second time: it is valid for the periods that its rollover gave it.

    Args:
        units_left, used: of the state after the period's last record, by grant.
        later_ends: ends of the periods that follow, in order.
    Returns:
        (rows of CARRIED_SCHEMA for `allowance_grants(carried=…)` of the next period, what became of every grant).
    Raises:
        ConservationError: units that do not add up. ConfigurationError: a rollover over more periods than `later_ends` has.
    """
    ends = [period.end_at, *np.asarray(later_ends, dtype=np.int64).tolist()]
    caps, until = [], []
    for index, entry in enumerate(book.allowances):
        of = entry.allowance
        rolls = of.rollover
        if rolls and rolls.periods >= len(ends):
            where, was = f"tariff {entry.tariff_id} allowance {of.name}", f"{rolls.periods} periods"
            raise ConfigurationError(Fault(where, "carried over more periods than are known", was, f"at most {len(ends) - 1}"))
        caps.append(rolls.cap * int(grants.table.payers.terms[index, DEN]) if rolls else -1)
        until.append(ends[rolls.periods] if rolls else 0)
    of_grant = grants.allowance_index
    # A grant that is valid for several periods is carried too, and is still valid from its granting on.
    has_rolled = grants.carried & (grants.valid_from_at > grants.granted_at)
    cap = np.where(has_rolled, -1, np.array(caps, dtype=np.int64)[of_grant]) if len(caps) else np.zeros(0, np.int64)
    to_at = np.array(until, dtype=np.int64)[of_grant] if len(caps) else np.zeros(0, np.int64)
    endless = np.array([entry.allowance.unlimited for entry in book.allowances], dtype=np.bool_)[of_grant]
    done = end_period(
        grants.units, units_left, used, grants.valid_to_at, cap, to_at, end_at=period.end_at, unlimited=endless
    )  # fmt: skip
    rolled, stays = done.carried > 0, done.left > 0
    parts = []
    for rows, units, low, high in (
        (rolled, done.carried, np.full(len(rolled), period.end_at), done.carried_to_at),
        (stays, done.left, grants.valid_from_at, grants.valid_to_at),
    ):
        columns = (of_grant, grants.account_index, units, low, high, grants.granted_at)
        names = zip(CARRIED_SCHEMA.items(), columns, strict=True)
        parts.append(pl.DataFrame({name: pl.Series(column[rows], dtype=kind) for (name, kind), column in names}))
    return pl.concat(parts), done
