"""The second pass in exact event-time order: order, allowances, discounts; CPU beside numpy's sort alone of the same events.

Accounts with an uneven spread of calls, messages and volumes over a month; every fourth account has allowances (minutes,
messages and bytes), some share them in groups of two. Prints one line with a hash of all net charges and what is left; small
by default.
`python -m benchmarks.bench_second_pass --records 10000000 --accounts 1000000 --runs 5`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from accounts.account_order import arrange_by_account
from benchmarks.rating_input import MONTH, YEAR, bench_records, bench_tariff, columns_of
from rating.calls.allowances import Grants, allowance_grants
from rating.calls.first_pass import rate_calls
from rating.calls.second_pass import DiscountedCalls, discount_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Allowance
from rating.language.discount_terms import Discount, DiscountTier
from rating.language.tariff import Tariff
from schemas.periods import period_number, period_of
from schemas.quantities import INT64_MAX, UsageKind
from schemas.zones import local_midnight_us

SEED = 20261123
Columns = dict[str, np.ndarray[Any, Any]]


def tariffs(prefixes: int, rng: np.random.Generator) -> tuple[Tariff, Tariff]:
    """One without allowances and the same with some, both with a ladder of discounts."""
    from dataclasses import replace

    plain = bench_tariff(prefixes, rng)
    ladder = Discount("volume", (DiscountTier(20 * 10**9, 50_000), DiscountTier(50 * 10**9, 100_000)))
    allowances = (
        Allowance("minutes", UsageKind.VOICE, None, 100 * 60_000, 1_000, "account", True, 5),
        Allowance("messages", UsageKind.MESSAGE, None, 20, 1, "account", True, 0),
        Allowance("volume", UsageKind.VOLUME, None, 500_000_000, 1_000_000, "group", True, 0),
    )
    version = replace(plain.versions[0], discounts=(ladder,))
    without = replace(plain, versions=(version,))
    return without, replace(plain, tariff_id="with", versions=(replace(version, allowances=allowances),))


def events(book: TariffBook, of: Tariff, rows: int, accounts: int, rng: np.random.Generator) -> Columns:
    """Rated records in order of arrival; rank is that of the settlement group's accounts."""
    _, kind, number, start_at, quantity = columns_of(bench_records(of, rows, rng))
    rank = np.minimum(rng.integers(0, accounts, rows), rng.integers(0, accounts, rows)).astype(np.int32)
    tariff = np.where(rank % 4 == 0, book.tariff_index("with"), book.tariff_index("bench")).astype(np.int32)
    rated = rate_calls(book, tariff, kind, number, start_at, quantity)
    ok = rated.status == 0
    columns = {
        "account_index": rank, "start_at": start_at, "kind": kind, "called_number": number, "quantity": quantity,
        "charge_nano": rated.charge_nano, "rule_index": rated.rule_index, "tariff_index": tariff,
        "hi": rng.integers(0, 2**63, rows).astype(np.uint64), "lo": rng.integers(0, 2**63, rows).astype(np.uint64),
    }  # fmt: skip
    return {name: np.ascontiguousarray(column[ok]) for name, column in columns.items()}


def grants_of(book: TariffBook, accounts: int) -> Grants:
    """Contracts over the whole year: an account and its neighbor are one settlement group where the neighbor shares."""
    period = period_of(period_number("2026-10"), "Europe/Berlin")
    starts = [
        local_midnight_us(date.fromordinal(period.first_on.toordinal() + n), "Europe/Berlin") for n in range(period.days + 1)
    ]
    rank = np.arange(accounts)
    contracts = pl.DataFrame(
        {"account_index": rank, "group_index": rank - ((rank % 8) == 1), "tariff_id": np.where(rank % 4 == 0, "with", "bench"),
         "effective_from_at": np.full(accounts, YEAR[0]), "effective_to_at": np.full(accounts, INT64_MAX)},
        schema_overrides={"account_index": pl.Int32, "group_index": pl.Int32},
    )  # fmt: skip
    return allowance_grants(book, contracts, period=period, day_starts=np.array(starts))


def second_pass(book: TariffBook, grants: Grants, column: Columns, accounts: int) -> DiscountedCalls:
    """Bring the events into order, then let grants and ladders work: what is measured."""
    group = grants.group_of_account[column["account_index"]]
    order = arrange_by_account(group, column["start_at"], column["hi"], column["lo"], ranks=accounts)
    sorted_: dict[str, Any] = {name: order.take(values) for name, values in column.items() if name not in ("hi", "lo")}
    groups = order.take(group)
    starts = np.concatenate([[0], np.flatnonzero(groups[1:] != groups[:-1]) + 1, [len(groups)]])
    return discount_calls(book, group_start=starts, grants=grants, **sorted_)


def cpu_s(run: Callable[[], object], runs: int) -> float:
    """Median CPU seconds, after one run that compiles and touches."""
    run()
    spent = []
    for _ in range(runs):
        before = time.process_time_ns()
        run()
        spent.append((time.process_time_ns() - before) / 1e9)
    return statistics.median(spent)


def run(records: int, accounts: int, runs: int, prefixes: int) -> str:
    """One line: CPU seconds per million events of the whole and of its parts, the ratio to numpy's sort, and a hash."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    both = tariffs(prefixes, rng)
    book = compile_book(both, span=YEAR)
    column = events(book, both[0], records, accounts, rng)
    grants = grants_of(book, accounts)
    rows = len(column["start_at"])
    found = second_pass(book, grants, column, accounts)
    key = column["account_index"].astype(np.int64) << np.int64(42) | (column["start_at"] - MONTH[0])
    whole = cpu_s(lambda: second_pass(book, grants, column, accounts), runs)
    group = grants.group_of_account[column["account_index"]]
    ordering = cpu_s(lambda: arrange_by_account(group, column["start_at"], column["hi"], column["lo"], ranks=accounts), runs)
    floor = cpu_s(lambda: np.argsort(key), runs)
    digest = hashlib.sha256(found.net_nano.tobytes() + found.state.units_left.tobytes()).hexdigest()[:16]
    per_million = 1e6 / rows
    return (
        f"second pass: {whole * per_million:.3f} s/M CPU with the sort ({ordering * per_million:.3f} of it), "
        f"numpy argsort alone {floor * per_million:.3f}, ratio {whole / floor:.2f}, "
        f"covered {int((found.allowance_index >= 0).sum())}, {rows} records, {accounts} accounts, net and left {digest}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prefixes", type=int, default=2_000)
    chosen = parser.parse_args()
    print(run(chosen.records, chosen.accounts, chosen.runs, chosen.prefixes))


if __name__ == "__main__":
    main()
