"""The benchmark runs small in the suite: no mismatch to the twin, and hashes that are functions of the seed."""

from __future__ import annotations

import re

from benchmarks.bench_discounts import run_discounts, run_runs, run_subjects


def test_the_benchmark_agrees_with_the_twin_and_repeats() -> None:
    lines = [(run_discounts(400, 20, 1, 100), run_runs(300, 1), run_subjects(300, 50, 1)) for _ in range(2)]
    assert " 0 mismatches in 100" in lines[0][0]
    first, second = ([re.findall(r"[0-9a-f]{16}", line) for line in said] for said in lines)
    assert first == second and all(len(hashes) == 1 for hashes in first)
