"""The benchmark of the second pass at its small size: it runs, covers something, and its result is pinned."""

from __future__ import annotations

from benchmarks.bench_second_pass import run


def test_small_run_prints_its_hash() -> None:
    line = run(records=4_000, accounts=400, runs=1, prefixes=200)
    assert line.startswith("second pass: ")
    assert line == line.strip() and "net and left " in line
    assert run(records=4_000, accounts=400, runs=1, prefixes=200).rpartition(" ")[2] == line.rpartition(" ")[2]
