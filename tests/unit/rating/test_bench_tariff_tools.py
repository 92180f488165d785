"""The benchmark of check and diff runs small in the suite and finds the same in every run."""

from __future__ import annotations

import re

from benchmarks.bench_tariff_tools import measure


def test_the_benchmark_repeats() -> None:
    first, second = (measure(prefixes=300, windows=3) for _ in range(2))
    assert re.findall(r"hash \w+", first) == re.findall(r"hash \w+", second)
