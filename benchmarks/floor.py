"""The floor that the end-to-end benchmark is measured against: Polars copies the same call files to Parquet (zstd 1), typed.

    python -m benchmarks.floor OUT_FOLDER FILE.csv … --threads 1

Runs in a process of its own. `cold` is the first copy there, `warm` the second; interpreter start and imports are not counted.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_CHILD = "--in-this-process"


def run_floor(csv_paths: Sequence[Path], out_dir: Path, threads: int) -> dict[str, Any]:
    """Copy the files twice in a child process on `threads` cores.

    Args:
        csv_paths: call files of the benchmark layout with a header line, all lines readable.
        out_dir: existing folder for the copies, which are removed again.

    Returns:
        threads, rows, input_bytes, polars, and for `cold` and `warm`: cpu_s (user and system), wall_s, cpu_s_per_million,
        peak_rss_bytes (of the process up to then), output_bytes.
    """
    command = [sys.executable, "-m", "benchmarks.floor", _CHILD, "--threads", str(threads), str(out_dir), *map(str, csv_paths)]
    environment = {**os.environ, "POLARS_MAX_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, cwd=Path(__file__).parents[1], check=True, stdout=subprocess.PIPE, text=True)
    measured: dict[str, Any] = json.loads(done.stdout)
    return measured


def _copy_twice(csv_paths: Sequence[Path], out_dir: Path, threads: int) -> dict[str, Any]:
    """Both copies, in this process; POLARS_MAX_THREADS must have been set before it started."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    import polars as pl  # after the cores are chosen: its thread pool starts with the import

    assert pl.thread_pool_size() == threads, "POLARS_MAX_THREADS was not set for this process"
    measured: dict[str, Any] = {"threads": threads, "polars": pl.__version__}
    measured["input_bytes"] = sum(path.stat().st_size for path in csv_paths)
    for state in ("cold", "warm"):
        target = out_dir / f"floor_{state}.parquet"
        before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        _copy(pl, csv_paths, target)
        wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF)
        cpu_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
        rows = measured["rows"] = pl.scan_parquet(target).select(pl.len()).collect().item()
        measured[state] = {
            "cpu_s": round(cpu_s, 4),
            "wall_s": round(wall_s, 4),
            "cpu_s_per_million": round(cpu_s * 1e6 / rows, 4),
            "peak_rss_bytes": after.ru_maxrss * 1024,
            "output_bytes": target.stat().st_size,
        }
        target.unlink()
    return measured


def _copy(pl: Any, csv_paths: Sequence[Path], target: Path) -> None:
    """All columns typed in the cheapest way that Polars has; node, kind and cell stay text.

    The start is parsed by an expression: as a Datetime column of the reader's schema the same copy costs twice as much.
    """
    text, number = pl.String, pl.Int64
    schema = {
        "node": text,
        "sequence": number,
        "kind": text,
        "cell": text,
        "served_number": number,
        "called_number": number,
        "start_at": text,
        "duration_s": number,
        "bytes_up": number,
        "bytes_down": number,
        "end_cause": number,
    }
    start_at = pl.col("start_at").str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us")
    frame = pl.scan_csv(list(csv_paths), schema=schema).with_columns(start_at)
    frame.sink_parquet(target, compression="zstd", compression_level=1)


def main() -> None:
    """Measure the floor and print it as JSON."""
    parser = argparse.ArgumentParser(description="Measure what a plain copy of call files to Parquet costs.")
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("csv_paths", type=Path, nargs="+")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(_CHILD, action="store_true", dest="in_this_process", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    run = _copy_twice if chosen.in_this_process else run_floor
    paths = [path.resolve() for path in chosen.csv_paths]
    print(json.dumps(run(paths, chosen.out_dir.resolve(), chosen.threads), indent=1))


if __name__ == "__main__":
    main()
