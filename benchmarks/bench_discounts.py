"""Discounts, derived runs and subjects: CPU ns per record, beside a floor of the same columns and the plain-Python twin.

Three discounts a record: a ladder split at its bounds, a trial rate in the first month, a percentage in a window with a budget.
The floor reads and writes the same money column once. Prints one line for each with a hash; small by default.
`python -m benchmarks.bench_discounts --records 1000000 --accounts 100000 --runs 5`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import polars as pl

from rating.calls.derived_runs import rate_runs
from rating.calls.first_pass import rate_calls
from rating.calls.given_discounts import DiscountInput, apply_discounts, empty_counters
from rating.compiled.book import TariffBook
from rating.language.call_terms import DerivedRun
from rating.language.discount_terms import Discount, DiscountTier, Term
from rating.language.tariff import Tariff
from rating.subjects import compile_subjects, resolve_subjects
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from tests.reference.discount_twin import DiscountTwin, TwinRecord
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, nano, tariff, voice, window

SEED = 20261001
OCTOBER = (local("2026-10-01T00:00"), local("2026-11-01T00:00"))
DISCOUNTS = (
    Discount("Trial", rate="0.01 1/1", order=1, kinds=frozenset({UsageKind.VOICE}), new_for=Term(1, "months")),
    Discount("Evening", (DiscountTier(0, 100_000),), order=2, windows=frozenset({"evening"}), budget_nano=nano("2")),
    Discount("Volume", (DiscountTier(nano("1"), 50_000), DiscountTier(nano("3"), 100_000)), order=3, split_at_bound=True),
)


def bench_tariff(*discounts: Discount, tariff_id: str = "t") -> Tariff:
    evening = window("evening", 18, 22)
    of = tariff(
        voice(minute("0.09", 60, 1), "49"),
        voice(minute("0.30", 60, 60)),
        windows=(evening,),
        discounts=discounts,
        tariff_id=tariff_id,
    )
    version = of.versions[0]
    return replace(of, versions=(replace(version, rates=(*version.rates, minute("0.01"))),))


def cpu_ns(work: Callable[[], object], rows: int, runs: int) -> float:
    """Median CPU ns per row, after one run that compiles and touches."""
    work()
    spent = []
    for _ in range(runs):
        before = time.process_time_ns()
        work()
        spent.append((time.process_time_ns() - before) / rows)
    return statistics.median(spent)


def records_of(rows: int, accounts: int, rng: np.random.Generator) -> tuple[DiscountInput, TariffBook, np.ndarray, np.ndarray]:
    """(records in order of account and time, book, list charges, activation)."""
    book = book_of(bench_tariff(*DISCOUNTS))
    account = np.sort(rng.integers(0, accounts, size=rows)).astype(np.int32)
    start_at = rng.integers(*OCTOBER, size=rows)
    order = np.lexsort((start_at, account))
    start_at = start_at[order]
    packed = np.array([packed_number(number) for number in ("4930123", "4915112", "33123")], dtype=np.uint64)
    number = packed[rng.integers(0, 3, size=rows)]
    quantity = rng.integers(1, 300_000, size=rows)
    nothing = np.zeros(rows, dtype=np.int32)
    rated = rate_calls(book, nothing, nothing, number, start_at, quantity)
    started = rng.integers(OCTOBER[0] - 10**13, OCTOBER[1], size=accounts)[account]
    taken = DiscountInput(account, start_at, number, quantity, np.zeros(rows, dtype=np.int64), rated.rule_index, nothing)
    return taken, book, rated.charge_nano, started


def run_discounts(rows: int, accounts: int, runs: int, twin_rows: int) -> str:
    rng = np.random.Generator(np.random.PCG64(SEED))
    taken, book, charges, started = records_of(rows, accounts, rng)
    found: list[np.ndarray] = []

    def discount() -> None:
        net = charges.copy()
        apply_discounts(book, taken, net, empty_counters(book, accounts), None, started)
        found[:] = [net]

    spent = cpu_ns(discount, rows, runs)
    floor = cpu_ns(lambda: charges.copy() - taken.quantity, rows, runs)
    twin = DiscountTwin(book.tariffs[0], [])
    before = time.process_time_ns()
    for row in range(min(twin_rows, rows)):
        rule = book.rules[taken.rule_index[row]]
        digits = f"{int(taken.called_number[row]):016x}".rstrip("f")
        record = TwinRecord(
            int(taken.account_index[row]), int(taken.start_at[row]), digits, UsageKind.VOICE, int(taken.quantity[row]), 0,
            int(charges[row]), rule.item, int(started[row]),
        )  # fmt: skip
        twin.take(book.tariffs[0].versions[0], record)
    slow = (time.process_time_ns() - before) / max(len(twin.net), 1)
    mismatches = sum(one != int(found[0][row]) for row, one in enumerate(twin.net))
    digest = hashlib.sha256(found[0].tobytes()).hexdigest()[:16]
    return (
        f"discounts: {spent:.1f} ns/record CPU, {spent / floor:.1f} x the floor, {slow / spent:.0f} x faster than the twin, "
        f"{mismatches} mismatches in {len(twin.net)}, {rows} records, {accounts} accounts, net {digest}"
    )


def run_runs(rows: int, runs: int) -> str:
    rng = np.random.Generator(np.random.PCG64(SEED))
    derived = (DerivedRun("supplier", "cost", "s"), DerivedRun("transit", "cost", "s", destinations=("49",)))
    retail = bench_tariff()
    retail = replace(retail, versions=(replace(retail.versions[0], derived=derived),))
    book = book_of(retail, bench_tariff(tariff_id="s"))
    packed = np.array([packed_number(number) for number in ("4930123", "33123")], dtype=np.uint64)
    number, start_at = packed[rng.integers(0, 2, size=rows)], rng.integers(*OCTOBER, size=rows)
    quantity, tariffs = rng.integers(1, 300_000, size=rows), np.full(rows, book.tariff_index("t"), dtype=np.int32)
    ids = np.arange(rows, dtype=np.uint64)
    columns = (tariffs, np.zeros(rows, dtype=np.uint8), number, start_at, quantity)
    charges = rate_runs(book, *columns, record_hi=ids, record_lo=ids)
    count = len(charges.record)
    spent = cpu_ns(lambda: rate_runs(book, *columns, record_hi=ids, record_lo=ids), count, runs)
    alone = cpu_ns(lambda: rate_calls(book, *columns), rows, runs)
    digest = hashlib.sha256(charges.rated.charge_nano.tobytes() + charges.charge_hi.tobytes()).hexdigest()[:16]
    return f"derived runs: {spent:.1f} ns/run CPU, {spent / alone:.1f} x one first pass, {count} runs of {rows} records, {digest}"


def run_subjects(rows: int, subjects: int, runs: int) -> str:
    rng = np.random.Generator(np.random.PCG64(SEED))
    names = [f"s{number:07d}" for number in range(subjects)]
    frame = pl.DataFrame({"subject": names}).with_columns(tenant=pl.lit("op"), category=pl.lit("call"), effective_to=pl.lit(""))
    frame = pl.concat(
        [
            frame.with_columns(tariff=pl.lit(name), effective_from=pl.lit(day))
            for name, day in (("t", "2026-01-01"), ("s", "2026-10-15"))
        ]
    )
    of = [bench_tariff(), bench_tariff(tariff_id="s")]
    before = time.process_time_ns()
    table = compile_subjects(frame, of)
    compiled = (time.process_time_ns() - before) / 1e6
    usage = pl.DataFrame({"subject": pl.Series(names).gather(rng.integers(0, subjects, size=rows))})
    usage = usage.with_columns(tenant=pl.lit("op"), category=pl.lit("call"))
    start_at = rng.integers(*YEAR, size=rows)
    found = resolve_subjects(table, usage, start_at)
    spent = cpu_ns(lambda: resolve_subjects(table, usage, start_at), rows, runs)
    floor = cpu_ns(lambda: usage.join(table.keys, on=["tenant", "category", "subject"], how="left"), rows, runs)
    digest = hashlib.sha256(found.tobytes()).hexdigest()[:16]
    return (
        f"subjects: {spent:.1f} ns/record CPU, {spent / floor:.1f} x the join alone, {len(frame)} assignments compiled in "
        f"{compiled:.0f} ms, {rows} records, {digest}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--twin-rows", type=int, default=1_000)
    chosen = parser.parse_args()
    print(run_discounts(chosen.records, chosen.accounts, chosen.runs, chosen.twin_rows))
    print(run_runs(chosen.records, chosen.runs))
    print(run_subjects(chosen.records, max(chosen.accounts, 1), chosen.runs))


if __name__ == "__main__":
    main()
