"""The benchmark of utility bills in small: it runs, and a bill does not depend on how many services are billed with it."""

from __future__ import annotations

import polars as pl

from benchmarks.bench_utility import amounts_hash, determinants, run
from rating.utility.bill_input import Determinants


def test_the_benchmark_in_small() -> None:
    billed, _ = run(50)
    again, _ = run(50)
    print("hash", amounts_hash(billed))
    assert billed.refusals.is_empty()
    assert amounts_hash(billed) == amounts_hash(again)
    assert billed.lines["group"].n_unique() == 50
    groups, found, _ = determinants(50)
    assert isinstance(found, Determinants)
    sold = billed.lines.filter(pl.col("kind") == "energy")["quantity"].sum()
    assert abs(int(sold) - int(found.energy["quantity"].sum())) <= billed.lines.height
    assert groups.height == 50
