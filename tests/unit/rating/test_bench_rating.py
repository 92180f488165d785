"""The benchmark runs small in the suite: no mismatch to the twin, and a hash that is a function of the seed."""

from __future__ import annotations

import re

from benchmarks.bench_rating import run


def test_the_benchmark_agrees_with_the_twin_and_repeats() -> None:
    first, second = (run(records=2_000, runs=1, prefixes=300, twin_rows=40) for _ in range(2))
    assert " 0 mismatches in 40" in first
    assert re.findall(r"charges \w+", first) == re.findall(r"charges \w+", second)
