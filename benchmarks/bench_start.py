"""How long `meterline tariff price` takes from the shell: first start without any kernel cache, and warm starts.

    python -m benchmarks.bench_start --runs 7

Each start is a process of its own. The kernel cache is a fresh folder: `first` finds it empty, `warm` finds what `first` left.
A small file is priced without kernels, so it leaves none; a file of more records than that compiles the first pass once, and a
second process must compile nothing. Prints wall and CPU seconds and the files that each start added to the cache.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
TARIFFS = TOP / "tests" / "golden" / "rating" / "tariffs"
CASES = (("calls", "mobile_plus", 4), ("energy", "power_blocks", 4), ("many calls", "mobile_plus", 5_000))


@dataclass(frozen=True, slots=True)
class Start:
    """One process: seconds, and how many compiled kernels it added to the cache."""

    wall_s: float
    cpu_s: float
    kernels_added: int


def usage_text(kind: str, rows: int) -> str:
    """A CSV file of calls or of energy."""
    lines = ["kind,called_number,start_at,quantity,unit"]
    for row in range(rows):
        at = f"2026-10-{row % 28 + 1:02d}T{row % 24:02d}:00:00+02:00"
        lines.append(f"energy,,{at},{row + 1},kWh" if kind == "energy" else f"voice,4930123,{at},{row + 1},s")
    return "\n".join(lines) + "\n"


def start(tariff: str, usage: Path, cache: Path) -> Start:
    """Price a file in a process of its own with this kernel cache."""
    command = [sys.executable, "-m", "meterline", "tariff", "price", str(TARIFFS / f"{tariff}.yaml"), str(usage), "--json"]
    before, known, started = resource.getrusage(resource.RUSAGE_CHILDREN), _kernels(cache), time.perf_counter()
    subprocess.run(
        command, cwd=TOP, env={**os.environ, "METERLINE_KERNEL_CACHE": str(cache)}, check=True, stdout=subprocess.DEVNULL
    )
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Start(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, len(_kernels(cache) - known))


def _kernels(cache: Path) -> set[Path]:
    return set(cache.rglob("*.nbc"))


def measure(runs: int, cases: tuple[tuple[str, str, int], ...] = CASES) -> str:
    """One line for each case.

    Raises:
        AssertionError: a warm start compiled a kernel.
    """
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for name, tariff, rows in cases:
            cache, usage = Path(folder) / f"cache {name}", Path(folder) / f"{name}.csv"
            cache.mkdir()
            usage.write_text(usage_text(name, rows))
            first = start(tariff, usage, cache)
            warm = [start(tariff, usage, cache) for _ in range(runs)]
            assert not any(each.kernels_added for each in warm), f"{name}: a warm start compiled kernels"
            wall, cpu = (sorted(getattr(each, part) for each in warm) for part in ("wall_s", "cpu_s"))
            lines.append(
                f"start {name} ({rows} records): first {first.wall_s:.2f} s wall, {first.cpu_s:.2f} s CPU, "
                f"{first.kernels_added} kernels compiled; warm {statistics.median(wall):.2f} s wall "
                f"({wall[0]:.2f}..{wall[-1]:.2f}), {statistics.median(cpu):.2f} s CPU, 0 compiled"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    print(measure(parser.parse_args().runs))
