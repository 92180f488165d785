"""No kernel compiles on a machine twice: a second run of a command finds all that the first one left in the cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TARIFF = ROOT / "tests" / "golden" / "rating" / "tariffs" / "mobile_plus.yaml"
COUNTING = """
import sys
from numba.core import event

class Counter(event.Listener):
    names = []
    def on_start(self, begun):
        self.names.append(begun.data["dispatcher"].py_func.__qualname__)
    def on_end(self, ended):
        pass

event.register("numba:compile", Counter())
from meterline.cli import main
try:
    main(sys.argv[1:])
finally:
    print("compiled", len(Counter.names), *sorted(Counter.names))
"""


def compiled_by(cache: Path, *arguments: str) -> list[str]:
    """The kernels that one run of a command, in a process of its own, compiled."""
    ran = subprocess.run(
        [sys.executable, "-c", COUNTING, *arguments],
        env={**os.environ, "METERLINE_KERNEL_CACHE": str(cache), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    word, count, *names = ran.stdout.splitlines()[-1].split()
    assert word == "compiled" and int(count) == len(names)
    return names


@pytest.mark.long
def test_the_second_run_compiles_nothing(tmp_path: Path) -> None:
    usage = tmp_path / "usage.csv"
    usage.write_text("kind,called_number,start_at,quantity,unit\nvoice,4930123,2026-10-06T10:00:00+02:00,61,s\n")
    runs = [
        compiled_by(tmp_path / "cache", "tariff", "price", str(TARIFF), str(usage)),
        compiled_by(tmp_path / "cache", "tariff", "price", str(TARIFF), str(usage)),
    ]
    assert "rate_rows" in runs[0]
    assert runs[1] == []
