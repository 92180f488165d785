"""The benchmark of dense meter columns runs small in the suite: it agrees with PySAM and its hash is a function of the seed."""

from __future__ import annotations

import re

from benchmarks.bench_meters import run


def test_the_benchmark_agrees_with_pysam_and_repeats() -> None:
    first, second = (run(meters=6, runs=1, block=4) for _ in range(2))
    found = re.search(r"apart (\d+\.\d+), bills (\w{16})$", first)
    assert found and float(found[1]) <= 0.035, "seven lines, each rounded to the cent"
    assert found[2] == second[-16:]
