"""The whole line against copying: call-record files to rated, deduplicated, durable, account-sorted Parquet, and its floor.

Floor: Polars `scan_csv` with typed columns -> `sink_parquet` (zstd level 1) of the same input columns with as many threads.
Ours: the engine from the drop folder until the rolled-up Parquet is committed (the close apart), fsync and SHA-256 included.
Cold is the first file of a process (kernels loaded, memory untouched), warm the second one. Interpreter start, imports and
loading of kernels and reference data are outside the timer on both sides. Both sides run in turn, in the same run of this
program, each in its own process.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.end_to_end_input import write_benchmark_operator
from benchmarks.floor import run_floor

STATES = ("cold", "warm")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10_000_000, help="records of each of the two files")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where input and output go (default: a temporary folder)")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(_measure_line(arguments.child)))
        return
    with tempfile.TemporaryDirectory(prefix="meterline-bench-", dir=arguments.folder) as scratch:
        _compare(Path(scratch), arguments.records, arguments.rounds, arguments.threads)


def _compare(scratch: Path, records: int, rounds: int, threads: int) -> None:
    template = scratch / "operator"
    made = write_benchmark_operator(template, records=2 * records, duplicates=records // 100, files=2)
    with (template / "meterline.yaml").open("a") as config:
        config.write(f"threads: {threads}\n")
    print(
        f"machine: {platform.processor() or platform.machine()}, {os.cpu_count()} cores; commit {_commit()}; {threads} thread(s)"
    )
    print(f"input: 2 files, {made.lines:,} lines, {made.size_bytes / made.lines:.1f} bytes a line; {rounds} rounds in turn")
    lines, floors = [], []
    for _ in range(rounds):
        floor_folder = scratch / "floor"
        floor_folder.mkdir()
        floors.append(run_floor(made.csv_paths, floor_folder, threads))
        shutil.rmtree(floor_folder, ignore_errors=True)
        lines.append(_run_line(scratch, template, threads))
    _report(lines, floors)


def _run_line(scratch: Path, template: Path, threads: int) -> dict[str, Any]:
    """One process over a fresh home; the input is linked, not copied."""
    home = scratch / "home"
    shutil.copytree(template, home, copy_function=os.link)
    environment = os.environ | {
        "POLARS_MAX_THREADS": str(threads),
        "OMP_NUM_THREADS": str(threads),
        "ARROW_NUM_THREADS": str(threads),
    }
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.end_to_end", "--child", str(home)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    shutil.rmtree(home)
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _measure_line(home: Path) -> dict[str, Any]:
    """In the child: the first file cold, the second warm."""
    from meterline.config import load_config
    from meterline.runtime.engine import open_engine

    inbox = home / "inbox" / "calls"
    files = sorted(inbox.iterdir())
    waiting = home / "waiting"
    waiting.mkdir()
    for path in files:
        path.rename(waiting / path.name)
        os.utime(waiting / path.name, (time.time() - 60,) * 2)
    result: dict[str, Any] = {}
    _load_kernels(home, waiting / files[0].name)
    with open_engine(load_config(home)) as engine:
        for state, path in zip(STATES, files, strict=True):
            before_rows, before_bytes = engine.progress.records, _stored_bytes(engine)
            (waiting / path.name).rename(path)
            cpu, wall = _cpu_s(), time.perf_counter()
            engine.run(until_idle=True)
            records = engine.progress.records - before_rows
            result[state] = {
                "cpu_s_per_million": (_cpu_s() - cpu) / records * 1e6,
                "wall_s": time.perf_counter() - wall,
                "records": records,
                "bytes_per_record": (_stored_bytes(engine) - before_bytes) / records,
                "peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
                "held_ids": engine.index.held,
                "index_bytes_per_id": engine.index.size_bytes / max(engine.index.held, 1),
            }
    return result


def _load_kernels(home: Path, sample: Path) -> None:
    """Run the first lines of a file through a home of their own: kernels are compiled or loaded before anything is timed."""
    from meterline.config import load_config
    from meterline.runtime.engine import open_engine

    small = home.parent / "small-home"
    shutil.copytree(home, small, ignore=shutil.ignore_patterns("waiting", "data"), copy_function=os.link)
    with sample.open("rb") as source:
        (small / "inbox" / "calls" / "sample.csv").write_bytes(b"".join(source.readline() for _ in range(2_000)))
    os.utime(small / "inbox" / "calls" / "sample.csv", (time.time() - 60,) * 2)
    with open_engine(load_config(small)) as engine:
        engine.run(until_idle=True)
    shutil.rmtree(small)


def _stored_bytes(engine: Any) -> int:
    return sum(
        (engine.config.data / f.name).stat().st_size
        for table in ("rated_calls", "set_aside")
        for f in engine.log.live_files(table)
    )


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _commit() -> str:
    try:
        return subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _report(lines: list[dict[str, Any]], floors: list[dict[str, Any]]) -> None:
    ratios = {}
    for state in STATES:
        ours = statistics.median(run[state]["cpu_s_per_million"] for run in lines)
        floor = statistics.median(run[state]["cpu_s_per_million"] for run in floors)
        ratios[state] = statistics.median(
            a[state]["cpu_s_per_million"] / b[state]["cpu_s_per_million"] for a, b in zip(lines, floors, strict=True)
        )
        last = lines[-1][state]
        floor_bytes = floors[-1][state]["output_bytes"] / floors[-1]["rows"]
        print(
            f"{state}: {ours:.3f} CPU s per million records (floor {floor:.3f}), "
            f"wall {last['wall_s']:.1f} s for {last['records']:,}, "
            f"{last['bytes_per_record']:.1f} output bytes per record (floor {floor_bytes:.1f}), "
            f"peak memory {last['peak_rss_bytes'] / 1e9:.2f} GB, "
            f"{last['held_ids']:,} ids held at {last['index_bytes_per_id']:.1f} bytes"
        )
    print(f"ratio to floor: {ratios['warm']:.2f} warm, {ratios['cold']:.2f} cold")


if __name__ == "__main__":
    main()
