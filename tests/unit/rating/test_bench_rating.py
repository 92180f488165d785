"""The benchmarks run small in the suite: no mismatch to the twin, Polars differs only where a call is cut, and hashes that are
functions of the seed."""

from __future__ import annotations

import re

from benchmarks.bench_compiler import run as compiler_run
from benchmarks.bench_rating import run


def test_the_benchmark_agrees_with_the_twin_and_repeats() -> None:
    first, second = (run(records=2_000, runs=1, prefixes=300, twin_rows=20) for _ in range(2))
    assert re.findall(r"(\d+) mismatches in 20", first) == ["0", "0", "0"]
    one, two, three = (int(number) for number in re.findall(r"segments (\d+)/(\d+)/(\d+)", first)[0])
    assert one + two + three == 2_000 and two and three
    assert int(re.findall(r"(\d+) charges differ", first)[0]) <= two + three
    assert re.findall(r"charges \w{16}", first) == re.findall(r"charges \w{16}", second)


def test_the_compiler_benchmark_repeats() -> None:
    first, second = (compiler_run(prefixes=300, runs=1) for _ in range(2))
    assert "300 prefixes, 50 windows" in first and "300 rows" in first
    assert re.findall(r"arrays \w{16}", first) == re.findall(r"arrays \w{16}", second)
