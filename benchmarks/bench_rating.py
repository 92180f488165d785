"""The first pass: CPU ns per record from Arrow buffers, beside four floors measured in turn with it in the same run.

A deck of 20,000 prefixes with peak, off-peak and night in a zone with summer time, voice, messages and volumes 60/15/25 (see
`rating_input`). The floors: a kernel that only reads the same columns and writes the same results; one vectorized Polars
expression (`rating_polars` says what it leaves out); the exact twin, which counts increments one by one; and plain Python that
divides instead, on the compiled tables (`exact_price`). CPU time, so that a shared machine disturbs less; the median, and the
least in brackets. Prints a hash of all charges; small by default.
`python -m benchmarks.bench_rating --records 4000000 --runs 9`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from benchmarks.rating_input import SEED, YEAR, bench_records, bench_tariff, columns_of, segments_of, three_segment_records
from benchmarks.rating_polars import PolarsTariff
from rating.calls.exact_price import exact_price
from rating.calls.first_pass import RatedCalls, rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.columns import kernel_column
from rating.compiled.compiler import compile_book
from rating.language.tariff import Tariff
from schemas.kernels import kernel
from schemas.numbers import number_text
from schemas.quantities import UsageKind
from tests.reference.rating_twin import RatingTwin

Measured = dict[str, list[float]]


@kernel()
def move_columns(tariff_index, kind, number, start_at, quantity, charge, charged, rule, status):  # type: ignore[no-untyped-def]
    """The floor: read what rating reads, write what it writes, decide nothing."""
    for i in range(len(start_at)):
        charge[i] = np.int64(number[i]) ^ start_at[i]
        charged[i] = quantity[i]
        rule[i] = tariff_index[i]
        status[i] = kind[i]


def in_turn(cases: dict[str, Callable[[], object]], runs: int, rows: int) -> tuple[Measured, Measured]:
    """(CPU ns, wall ns) per record of each case, run after run; each is called once before, which compiles and touches memory."""
    cpu: Measured = {name: [] for name in cases}
    wall: Measured = {name: [] for name in cases}
    for run in range(runs + 1):
        for name, case in cases.items():
            before, before_wall = time.process_time_ns(), time.perf_counter_ns()
            case()
            if run:
                cpu[name].append((time.process_time_ns() - before) / rows)
                wall[name].append((time.perf_counter_ns() - before_wall) / rows)
    return cpu, wall


def slow_ns(
    price: Callable[[tuple[int, ...]], tuple[int, int]], batch: pa.RecordBatch, rated: RatedCalls, rows: int
) -> tuple[float, int]:
    """(CPU ns per record, mismatches) of a Python pricer over the first rows."""
    records = list(zip(*(column[:rows].tolist() for column in columns_of(batch)), strict=True))
    price(records[0])  # loads what it needs
    before = time.process_time_ns()
    prices = [price(record) for record in records]
    spent = (time.process_time_ns() - before) / rows
    fast = list(zip(rated.status[:rows].tolist(), rated.charge_nano[:rows].tolist(), strict=True))
    return spent, sum(one != other for one, other in zip(prices, fast, strict=True))


def twin_pricer(tariff: Tariff) -> Callable[[tuple[int, ...]], tuple[int, int]]:
    """(status, charge) of a record by the exact twin."""
    twin = RatingTwin(tariff)

    def price(record: tuple[int, ...]) -> tuple[int, int]:
        found = twin.price(UsageKind(record[1]), number_text(record[2]), record[3], record[4])
        return int(found.status), found.charge_nano

    return price


def division_pricer(book: TariffBook) -> Callable[[tuple[int, ...]], tuple[int, int]]:
    """(status, charge) of a record by exact fractions and division, in plain Python on the compiled tables."""

    def price(record: tuple[int, ...]) -> tuple[int, int]:
        found = exact_price(book, *record)
        return int(found.status), found.charge_nano

    return price


def run(records: int, runs: int, prefixes: int, twin_rows: int) -> str:
    """Lines of figures: ns per record, ratios to the floors, mismatches, threads, and a hash of the charges."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    tariff = bench_tariff(prefixes, rng)
    book = compile_book([tariff], span=YEAR)
    batch, worst = bench_records(tariff, records, rng), three_segment_records(tariff, records, rng)
    out, two, other = (RatedCalls.empty(records) for _ in range(3))
    vectorized = PolarsTariff(tariff)
    writable = [kernel_column(column, column.dtype) for column in columns_of(batch)]
    floor_out = (two.charge_nano, two.charged_quantity, two.rule_index, two.status)
    cases: dict[str, Callable[[], object]] = {
        "whole": lambda: rate_calls(book, *columns_of(batch), out=out),
        "floor": lambda: move_columns(*writable, *floor_out),
        "threads": lambda: rate_calls(book, *columns_of(batch), out=other, threads=2),
        "worst": lambda: rate_calls(book, *columns_of(worst), out=two),
        "polars": lambda: vectorized.charges(batch),
    }
    cpu, wall = in_turn(cases, runs, records)
    rows = min(twin_rows, records)
    twin, twin_wrong = slow_ns(twin_pricer(tariff), batch, out, rows)
    division, division_wrong = slow_ns(division_pricer(book), batch, out, rows)
    _, worst_wrong = slow_ns(division_pricer(book), worst, two, rows)
    differs = int((vectorized.charges(batch).to_numpy() != out.charge_nano).sum())
    assert np.array_equal(out.charge_nano, other.charge_nano), "threads changed a charge"
    middle = {name: statistics.median(values) for name, values in cpu.items()}
    spent = middle["whole"]
    speed_up = statistics.median(one / half for one, half in zip(wall["whole"], wall["threads"], strict=True))
    segments = np.bincount(segments_of(book, columns_of(batch)), minlength=4)[1:4]
    digest = hashlib.sha256(out.charge_nano.tobytes() + out.charged_quantity.tobytes() + out.status.tobytes()).hexdigest()[:16]
    return "\n".join(
        [
            f"rating: {spent:.1f} ns/record CPU [{min(cpu['whole']):.1f}], {records} records, {prefixes} prefixes, "
            f"1/2/3 segments {'/'.join(map(str, segments))}, charges {digest}",
            f"  only moving the columns: {middle['floor']:.1f} ns; every call in three segments: {middle['worst']:.1f} ns "
            f"[{min(cpu['worst']):.1f}], {worst_wrong} mismatches in {rows}",
            f"  exact twin: {twin:.0f} ns, {twin / spent:.0f} x, {twin_wrong} mismatches in {rows}; plain Python by division: "
            f"{division:.0f} ns, {division / spent:.0f} x, {division_wrong} mismatches in {rows}",
            f"  Polars expression: {middle['polars']:.0f} ns, {middle['polars'] / spent:.1f} x; {differs} charges differ "
            f"where a window cuts the call",
            f"  two threads: {middle['threads']:.1f} ns CPU, {speed_up:.2f} x by wall time",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prefixes", type=int, default=20_000)
    parser.add_argument("--twin-rows", type=int, default=1_000)
    chosen = parser.parse_args()
    print(run(chosen.records, chosen.runs, chosen.prefixes, chosen.twin_rows))


if __name__ == "__main__":
    main()
