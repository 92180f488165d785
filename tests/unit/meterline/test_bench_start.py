"""A small file is priced without a kernel, first start or not; the long form proves that no machine compiles a kernel twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.bench_start import CASES, measure, start, usage_text


@pytest.mark.parametrize(("kind", "tariff"), [("calls", "mobile_plus"), ("energy", "power_blocks")])
def test_a_small_file_needs_no_kernel(tmp_path: Path, kind: str, tariff: str) -> None:
    usage, cache = tmp_path / "usage.csv", tmp_path / "cache"
    usage.write_text(usage_text(kind, 3))
    cache.mkdir()
    assert start(tariff, usage, cache).kernels_added == 0


@pytest.mark.long
def test_no_kernel_is_compiled_twice() -> None:
    assert measure(1, CASES).count("0 compiled") == len(CASES)
