"""`tariff check` and `tariff diff` of two decks of many prefixes under many windows: CPU seconds, beside loading alone.

`python -m benchmarks.bench_tariff_tools --prefixes 100000 --windows 50`. Prints one line with a hash of what was found.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

import numpy as np

from rating.tariff_diff import diff_tariffs
from rating.tariff_files import check_tariff, load_tariff
from rating.tariff_versions import always_in_force

SEED = 20261124


def write_deck(path: Path, prefixes: int, seed: int) -> None:
    """A deck of prefixes of 1 to 9 digits at some 600 prices; prefixes depend on SEED alone, prices on `seed`."""
    rng = np.random.default_rng(SEED)
    numbers: dict[str, None] = {}
    while len(numbers) < prefixes:
        lengths = rng.choice([2, 3, 4, 5, 6, 7, 8, 9], size=prefixes, p=[0.001, 0.009, 0.04, 0.15, 0.25, 0.25, 0.2, 0.1])
        digits = rng.integers(0, 10, size=(prefixes, 9))
        digits[:, 0] = rng.integers(1, 10, size=prefixes)
        for length, row in zip(lengths.tolist(), digits, strict=True):
            numbers.setdefault("".join(map(str, row[:length].tolist())))
    prices = np.random.default_rng(seed).integers(1, 600, size=prefixes).tolist()
    rows = (f"{prefix},0.{price:04d}" for prefix, price in zip(numbers, prices, strict=False))
    path.write_text("prefix,price\n" + "\n".join(rows) + "\n")


def write_tariff(folder: Path, prefixes: int, windows: int) -> Path:
    """Two versions with a deck each, and one rule in each window to one destination of 200 prefixes."""
    for name, seed in (("old.csv", 1), ("new.csv", 2)):
        write_deck(folder / name, prefixes, seed)
    lines = ["tariff: bench", "name: Bench", "currency: EUR", "zone: Europe/Berlin", "service: telecom", "versions:"]
    own = ", ".join(f'"{number}"' for number in range(3000, 3200))
    for label, start, end, deck in (("1", "2025-01-01", "2026-01-01", "old.csv"), ("2", "2026-01-01", "", "new.csv")):
        lines += [f'  - version: "{label}"', f"    effective_from: {start}"]
        lines += [f"    effective_to: {end}"] if end else []
        lines += ["    rounding: {scope: record, mode: up, decimals: 4}", "    windows:"]
        for number in range(windows):
            hour = number % 24
            lines.append(f'      w{number}: {{months: [{number % 12 + 1}], start: "{hour:02d}:00", end: "{hour + 1:02d}:00"}}')
        lines += ["    destinations:", f"      own: {{prefixes: [{own}]}}"]
        lines.append(f"      world: {{deck: {{file: {deck}, prefix: prefix, price: price, per: 60 s, increment: 1 s}}}}")
        lines += ["    rates:", *(f'      r{n}: {{price: "0.{n + 10}", per: 60 s, increment: 1 s}}' for n in range(windows))]
        lines += ["    rules:", "      - {kind: voice, destination: world, item: World}"]
        for n in range(windows):
            lines.append(f"      - {{kind: voice, destination: own, window: w{n}, weight: {n + 1}, rate: r{n}, item: Own {n}}}")
    path = folder / "bench.yaml"
    path.write_text("\n".join(lines) + "\n")
    return path


def measure(prefixes: int, windows: int) -> str:
    """CPU seconds of each step; small in the test suite."""
    with tempfile.TemporaryDirectory() as folder:
        path = write_tariff(Path(folder), prefixes, windows)
        started = time.process_time()
        tariff = load_tariff(path)
        loaded = time.process_time()
        warnings = check_tariff(path)
        checked = time.process_time()
        old, new = (always_in_force(tariff, label) for label in ("1", "2"))
        found = diff_tariffs(old, new)
        compared = time.process_time()
    text = "\n".join(str(fault).replace(folder, "") for fault in warnings) + str(len(found.sections))
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return (
        f"tariff tools: {prefixes} prefixes, {windows} windows, two versions: load {loaded - started:.2f} s CPU, "
        f"check (load included) {checked - loaded:.2f} s, diff {compared - checked:.2f} s, {len(warnings)} warnings, "
        f"hash {digest}"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefixes", type=int, default=2_000)
    parser.add_argument("--windows", type=int, default=10)
    chosen = parser.parse_args()
    print(measure(chosen.prefixes, chosen.windows))
