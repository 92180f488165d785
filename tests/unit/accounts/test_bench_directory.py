"""The benchmark runs small in the suite: a join in Polars finds the same assignments, and the hash is a function of the seed."""

from __future__ import annotations

import re

from benchmarks.bench_directory import run


def test_the_benchmark_agrees_with_a_join_and_repeats() -> None:
    first, second = (run(services=200, records=3_000, runs=1) for _ in range(2))
    assert " 0 differences" in first
    assert re.findall(r"found \w{16}", first) == re.findall(r"found \w{16}", second)
