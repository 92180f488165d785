"""Who had a service when: CPU ns per record to find the assignment in force, beside a join in Polars in the same run.

A number in four changed its owner once or twice; one record in fifty is of an unknown number. Prints a hash of the result; small
by default. `python -m benchmarks.bench_directory --services 1000000 --records 1000000 --runs 7`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable

import numpy as np
import polars as pl

from accounts.directory import Directory, compile_directory
from benchmarks.rating_input import MONTH, SEED, YEAR
from schemas.numbers import packed_number

BUCKETS = 64


def some_directory(services: int, rng: np.random.Generator) -> tuple[Directory, pl.DataFrame]:
    """The directory and its assignments: service_id, account_id, tariff_id, effective_from_at, effective_to_at."""
    accounts = [f"a{number:07d}" for number in range(max(services // 2, 1))]
    owners = rng.choice([1, 2, 3], size=services, p=[0.75, 0.2, 0.05])
    of = np.repeat(np.arange(services), owners)
    turn = np.arange(len(of)) - np.repeat(np.cumsum(owners) - owners, owners)
    changes = np.sort(rng.integers(*MONTH, size=(services, 2)), axis=1)
    from_at = np.where(turn == 0, YEAR[0], changes[of, np.maximum(turn - 1, 0)])
    to_at = np.where(turn == owners[of] - 1, YEAR[1], changes[of, np.minimum(turn, 1)])
    frame = pl.DataFrame(
        {
            "service_id": [f"49151{number:07d}" for number in of.tolist()],
            "account_id": [accounts[number] for number in rng.integers(0, len(accounts), size=len(of)).tolist()],
            "tariff_id": "t",
            "effective_from_at": from_at,
            "effective_to_at": to_at,
        }
    )
    members = pl.DataFrame({"account_id": accounts, "bill_to_account_id": accounts, "group_id": [None] * len(accounts)},
                           schema={"account_id": pl.String, "bill_to_account_id": pl.String, "group_id": pl.String})  # fmt: skip
    keys = {name: number for number, name in enumerate(accounts)}
    return compile_directory(members, frame, buckets=BUCKETS, tariff_ids=("t",), account_keys=keys), frame


def joined(calls: pl.DataFrame, assignments: pl.DataFrame) -> pl.Series:
    """The row of the assignment in force by a sorted as-of join, null for none: both sides sorted before the clock starts."""
    found = calls.join_asof(
        assignments, left_on="start_at", right_on="effective_from_at", by="number", strategy="backward", check_sortedness=False
    )
    return found.select(pl.when(pl.col("start_at") < pl.col("effective_to_at")).then(pl.col("row")))["row"]


def cpu_ns(case: Callable[[], object], runs: int, rows: int) -> list[float]:
    case()
    spent = []
    for _ in range(runs):
        before = time.process_time_ns()
        case()
        spent.append((time.process_time_ns() - before) / rows)
    return spent


def run(services: int, records: int, runs: int) -> str:
    """Two lines: ns per record, the join's, and a hash of the assignments found."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    directory, _ = some_directory(services, rng)
    numbers_of = np.array([packed_number(f"49151{number:07d}") for number in range(services)], dtype=np.uint64)
    served = numbers_of[rng.integers(0, services, size=records)]
    served[rng.random(records) < 0.02] = packed_number("447700900123")
    instants = rng.integers(*MONTH, size=records)
    spent = cpu_ns(lambda: directory.resolve_numbers(served, instants), runs, records)
    found = directory.resolve_numbers(served, instants)
    assignments = pl.DataFrame(
        {
            "number": np.array([packed_number(name) for name in directory.service_id.tolist()], dtype=np.uint64),
            "effective_from_at": directory.from_at,
            "effective_to_at": directory.to_at,
        }
    ).with_row_index("row")
    assignments = assignments.sort("effective_from_at", maintain_order=True)
    calls = pl.DataFrame({"number": served, "start_at": instants, "at": np.arange(records)}).sort("start_at")
    join = cpu_ns(lambda: joined(calls, assignments), max(runs // 3, 1), records)
    expected = joined(calls, assignments).cast(pl.Int64).fill_null(-1).to_numpy()
    differ = int((np.maximum(found[calls["at"].to_numpy()], -1) != expected).sum())
    digest = hashlib.sha256(found.tobytes()).hexdigest()[:16]
    middle = statistics.median(spent)
    return (
        f"directory: {middle:.1f} ns/record CPU [{min(spent):.1f}], {records} records, {services} services, found {digest}\n"
        f"  Polars as-of join of sorted frames: {statistics.median(join):.0f} ns, {statistics.median(join) / middle:.1f} x; "
        f"{differ} differences"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=2_000)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    chosen = parser.parse_args()
    print(run(chosen.services, chosen.records, chosen.runs))


if __name__ == "__main__":
    main()
