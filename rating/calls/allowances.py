"""Allowances: what contracts are granted in a period, and who pays the first part of a call (reference: rating §5).

Walking order for a record: the account's own grants before those that its group shares, longer matched prefix, higher
priority, earlier `valid_to_at`, earlier `valid_from_at`, name, account. A grant pays whole blocks from the instant an increment
starts, up to its end and up to the start of a grant that was not valid yet; then the list is walked again. Once money pays it
pays to the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.increments import NEEDS_EXACT, booked_nano, elapsed_at, price_call
from rating.compiled.book import BookAllowance, TariffBook
from rating.compiled.prefixes import node_of_number
from rating.compiled.rule_layout import SCALE_SHIFT
from rating.compiled.winners import CALL_KIND_COUNT
from schemas.kernels import kernel
from schemas.periods import Period

I32 = npt.NDArray[np.int32]
I64 = npt.NDArray[np.int64]
_KINDS = CALL_KIND_COUNT
_NEVER_AT = 2**62


@dataclass(frozen=True, slots=True)
class Grants:
    """Allowance units of one period, sorted by (group, walking order); microseconds UTC, base units of the kind.

    `group_of_account[a]` is the group of account index a (-1 for none); the grants of group g are rows
    `[group_first[g], group_first[g + 1])`.
    """

    allowance_index: I32
    account_index: I32
    units: I64
    valid_from_at: I64
    valid_to_at: I64
    group_of_account: I32
    group_first: I64

    def frame(self) -> pl.DataFrame:
        """The grants as rows."""
        names = ("allowance_index", "account_index", "units", "valid_from_at", "valid_to_at")
        return pl.DataFrame({name: getattr(self, name) for name in names})


def prorated_units(units: int, days: int, days_of_period: int) -> int:
    """Units for a part of a period: local days in force / days of the whole period, rounded down (rating.md E25)."""
    return units * days // days_of_period


def allowance_grants(book: TariffBook, contracts: pl.DataFrame, *, period: Period, day_starts: npt.NDArray[np.int64]) -> Grants:
    """The grants of a period.

    A contract takes the allowances of the tariff version in force when it begins, or when the period begins; a version that
    starts later grants from the next period on. A local day belongs to what is in force at its first instant.

    Args:
        contracts: [account_index i32, group_index i32, tariff_id str, effective_from_at i64, effective_to_at i64], both
            instants in microseconds UTC, half-open; indices count from 0. Tariffs that are not in the book grant nothing.
        period: the period.
        day_starts: i8[period.days + 1], the first instant of each local day of the period and of the day after it.
    """
    assert len(day_starts) == period.days + 1, "one start for each local day and the end"
    allowances = pl.DataFrame(
        [_grant_row(index, entry) for index, entry in enumerate(book.allowances)], schema=_GRANT_SCHEMA, orient="row"
    )
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
    found = (
        found.with_columns(days=days)
        .with_columns(units=pl.when("prorate").then(part).otherwise("units"))
        .sort("group_index", "priority", "valid_to_at", "valid_from_at", "name", "account_index", "allowance_index",
              descending=[False, True, False, False, False, False, False])
    )  # fmt: skip
    accounts, of_groups = (contracts[name].to_numpy() for name in ("account_index", "group_index"))
    groups = int(of_groups.max()) + 1 if len(contracts) else 0
    group_of_account = np.full(int(accounts.max()) + 1 if len(contracts) else 0, -1, dtype=np.int32)
    group_of_account[accounts] = of_groups
    return Grants(
        found["allowance_index"].to_numpy().astype(np.int32),
        found["account_index"].to_numpy().astype(np.int32),
        found["units"].to_numpy().astype(np.int64),
        found["valid_from_at"].to_numpy().astype(np.int64),
        found["valid_to_at"].to_numpy().astype(np.int64),
        group_of_account,
        np.searchsorted(found["group_index"].to_numpy(), np.arange(groups + 1)).astype(np.int64),
    )


_GRANT_SCHEMA = {
    "allowance_index": pl.Int32,
    "tariff_id": pl.String,
    "version_from_at": pl.Int64,
    "version_to_at": pl.Int64,
    "name": pl.String,
    "units": pl.Int64,
    "priority": pl.Int64,
    "prorate": pl.Boolean,
}


def _grant_row(index: int, entry: BookAllowance) -> tuple[object, ...]:
    of = entry.allowance
    span = (entry.effective_from_at, entry.effective_to_at)
    return (index, entry.tariff_id, *span, of.name, of.units, of.priority, of.prorate)


@kernel()
def spend_allowances(  # type: ignore[no-untyped-def]
    group_start, account_index, start_at, kind, called_number, quantity, charge_nano, rule_index, tariff_index,
    group_of_account, group_first, grant_allowance, grant_account, valid_from_at, valid_to_at, left,
    allowance_kind, allowance_block, allowance_shared, allowance_match,
    span_start, span_end, steps, segment, top, sub, cell_of, winner, rule_rows, scale_rows, words, index_bits,
    net_nano, allowance_units, allowance_index, elapsed_out,
):  # fmt: skip
    """Let grants pay, record by record in the order given.

    Args:
        group_start: [g + 1], the records of a run of one settlement group; the other columns [n] as in `second_pass`.
        left: [grants] units left, reduced in place. allowance_*: [allowances], match [allowances, nodes].
    Writes:
        net_nano: the charge where nothing was taken, 0 where all was, else the price of the rest.
        allowance_units, allowance_index: units taken and the first allowance that paid (-1 none).
        elapsed_out: -1, or what the allowances covered where the rest must be priced on the big-integer path.
    Returns how many rows need that path.
    """
    nothing = np.empty((0, 6), dtype=np.int64)
    exact = 0
    for run in range(len(group_start) - 1):
        for i in range(group_start[run], group_start[run + 1]):
            net_nano[i] = charge_nano[i]
            allowance_units[i] = 0
            allowance_index[i] = -1
            elapsed_out[i] = -1
            account = np.int64(account_index[i])
            group = np.int64(group_of_account[account]) if account < len(group_of_account) else -1
            if group < 0 or group_first[group] == group_first[group + 1]:
                continue
            node = node_of_number(called_number[i], top, sub)
            used = quantity[i]
            elapsed = 0
            while elapsed < used:
                at = start_at[i] + elapsed * 1000 if kind[i] == 0 and elapsed < 2**50 else start_at[i]
                best = -1
                best_own, best_length = False, np.int64(0)
                border = used
                for grant in range(group_first[group], group_first[group + 1]):
                    allowance = np.int64(grant_allowance[grant])
                    own = grant_account[grant] == account
                    if allowance_kind[allowance] != kind[i] or not (own or allowance_shared[allowance]):
                        continue
                    length = np.int64(allowance_match[allowance, node])
                    if length == 0 or left[grant] < allowance_block[allowance] or at >= valid_to_at[grant]:
                        continue
                    if at < valid_from_at[grant]:
                        if kind[i] == 0:
                            border = min(border, elapsed_at(valid_from_at[grant], start_at[i]))
                        continue
                    if best < 0 or (own and not best_own) or (own == best_own and length > best_length):
                        best, best_own, best_length = grant, own, length
                if best < 0:
                    break
                if kind[i] == 0:
                    border = min(border, elapsed_at(valid_to_at[best], start_at[i]))
                allowance = np.int64(grant_allowance[best])
                block = allowance_block[allowance]
                blocks = min(left[best] // block, (border - elapsed + block - 1) // block)
                left[best] -= blocks * block
                elapsed += blocks * block
                allowance_units[i] += blocks * block
                if allowance_index[i] < 0:
                    allowance_index[i] = allowance
            if elapsed == 0:
                continue
            if elapsed >= used:
                net_nano[i] = 0
                continue
            rule = np.int64(rule_index[i])
            tariff = np.int64(tariff_index[i])
            place = np.int64(steps[tariff, (start_at[i] - span_start) >> index_bits])
            while start_at[i] >= segment[place, 0]:
                place += 1
            cell = np.int64(cell_of[tariff * _KINDS + kind[i], node])
            status, total, _, _ = price_call(
                segment, winner, rule_rows, words, place, cell, rule, start_at[i], used, elapsed, False, nothing
            )
            if status == NEEDS_EXACT:
                elapsed_out[i] = elapsed
                exact += 1
            elif status == 0:
                flags = rule_rows[rule, 0]
                scale = flags >> SCALE_SHIFT
                net_nano[i] = booked_nano(total, flags, scale_rows[scale, 0], scale_rows[scale, 1])
    return exact
