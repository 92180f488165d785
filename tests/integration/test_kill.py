"""The real command, killed by SIGKILL at seeded moments and started again until it is done: the same bills, byte for byte.

The crash matrix (tests/crash) stops at each operation; this proves the installed command as a whole, start-up, threads and all.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from meterline.config import load_config
from meterline.demo import build_operator
from meterline.runtime.audit import audit
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from tests.crash.product_checks import SEALED, require_whole

PROJECT = Path(__file__).resolve().parents[2]
SEED = 20261101
KILLS_OF_RUN, KILLS_A_HOME, KILLS_OF_CLOSE = 50, 5, 10
PERIODS = ("2026-09", "2026-10")  # the first meter day reaches back into the month before
LINES_A_FILE = 5_000
RUN = ("run", "--until-idle")
TIMEOUT_S = 600


@dataclass(frozen=True)
class Undisturbed:
    """What an undisturbed operator comes to, and how long its commands take: from start to the first write, and from there on."""

    inputs: Path  # a home that has not run
    rated: Path  # a home that has run, all but the last period closed
    outcome: str
    run_starts_s: float
    run_works_s: float
    close_starts_s: float
    close_works_s: float


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    inputs, home = folder / "inputs", folder / "home"
    build_operator(inputs, seed=SEED, subscribers=60, calls=20_000, meters=16)
    _make_small(inputs)
    shutil.copytree(inputs, home)
    _command(home, "status", check=False)  # compiles nothing, but has the interpreter's files in memory
    shutil.copytree(inputs, folder / "warm")
    _command(folder / "warm", *RUN)  # compiles kernels where no run has yet
    run = _measured(home, *RUN)
    _command(home, "period", "close", PERIODS[0])
    shutil.copytree(home, folder / "rated")
    close = _measured(home, "period", "close", PERIODS[1])
    return Undisturbed(inputs, folder / "rated", _outcome(home), *run, *close)


def _make_small(home: Path) -> None:
    """Many files and many commits from few records."""
    text = (home / "meterline.yaml").read_text(encoding="utf-8")
    changed = text.replace("settled_file_s: 5", "settled_file_s: 0\nbatch_rows: 1000\npoll_s: 0.1").replace(
        "buckets: 64", "buckets: 4"
    )
    assert changed.count("buckets: 4\n") == changed.count("settled_file_s: 0\n") == 1, "the demo's configuration has changed"
    (home / "meterline.yaml").write_text(changed, encoding="utf-8")
    inbox = home / "inbox/calls"
    for path in sorted(inbox.glob("*_0*.csv")):
        if "again" not in path.name:
            header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            path.unlink()
            for number, first in enumerate(range(0, len(lines), LINES_A_FILE)):
                part = inbox / f"{path.stem}_{number}.csv"
                part.write_text(header + "".join(lines[first : first + LINES_A_FILE]), encoding="utf-8")


# ---- the command -------------------------------------------------------------------------------


def _started(home: Path, *words: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONPATH": str(PROJECT), "POLARS_MAX_THREADS": "1"}
    command = [sys.executable, "-m", "meterline", *words, "--home", str(home), "--json", "--quiet"]
    return subprocess.Popen(command, cwd=home.parent, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _command(home: Path, *words: str, check: bool = True) -> None:
    process = _started(home, *words)
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert not check or process.returncode == 0, said.decode()


def _written(home: Path) -> list[tuple[str, int]]:
    """Changes when a command has begun to write: log, landed files, sealed folders."""
    watched = (home / "data/commits.sqlite", home / "data/commits.sqlite-wal", home / "data/landed", home / "data/sealed")
    return [(path.name, path.stat().st_mtime_ns) for path in watched if path.exists()]


def _measured(home: Path, *words: str) -> tuple[float, float]:
    """Seconds from the start to the first write, and from there to the end."""
    before, began, first = _written(home), time.monotonic(), None
    with _started(home, *words) as process:
        while process.poll() is None:
            if first is None and _written(home) != before:
                first = time.monotonic()
            time.sleep(0.01)
        assert process.returncode == 0 and process.stderr is not None, process.stderr
    first = first or began
    return first - began, time.monotonic() - first


def _killed(home: Path, moment_s: float, *words: str, after_first_write: bool) -> bool:
    """Kills the command `moment_s` after its start or its first write; False if it had ended by then, which it may only do well."""
    before = _written(home)
    with _started(home, *words) as process:
        while after_first_write and process.poll() is None and _written(home) == before:
            time.sleep(0.005)
        try:
            _, said = process.communicate(timeout=moment_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return process.returncode == -signal.SIGKILL
        assert process.returncode == 0, said.decode()
        return False


# ---- the outcome -------------------------------------------------------------------------------


@contextmanager
def _log_of(home: Path) -> Iterator[SqliteCommitLog]:
    config = load_config(home)
    with closing(SqliteCommitLog(config.commit_log, config.data, create=False)) as log:
        yield log


def _outcome(home: Path) -> str:
    """Bills, charges and journal by the hashes in file names, which the audit compares with the bytes; the row account."""
    with _log_of(home) as log:
        broken = [fault for verdict in audit(load_config(home), log, deep=True) for fault in verdict.faults]
        assert not broken, broken
        files = {name: sorted(file.name for file in log.live_files(name)) for name in SEALED}
        names = {source.source_id: source.name for source in log.sources()}
        account = sorted(
            (names[r.source_id], r.period, r.kind, r.disposition, r.reason, r.rows, r.quantity) for r in log.row_account()
        )
        assert files["bills"] and files["charges"] and files["postings"]
        return json.dumps([files, account, log.refusals()], default=str, indent=1)


def _close_and_compare(home: Path, expected: str, *periods: str) -> None:
    for period in periods:
        _command(home, "period", "close", period)
    assert _outcome(home) == expected


# ---- the proofs --------------------------------------------------------------------------------


def test_run_killed_at_any_moment_gives_the_same_bills(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """Ten homes, each killed once in start-up and four times at work, wherever the last kill left it."""
    rng = random.Random(SEED)
    step_s = 2 * undisturbed.run_works_s / KILLS_A_HOME  # so that five kills fit into the work of one run
    plans = [
        [rng.uniform(0, undisturbed.run_starts_s), *(rng.uniform(0, step_s) for _ in range(KILLS_A_HOME - 1))]
        for _ in range(KILLS_OF_RUN // KILLS_A_HOME)
    ]
    print(
        f"seed {SEED}, work of {undisturbed.run_works_s:.2f} s begins at {undisturbed.run_starts_s:.2f} s, killed after {json.dumps(plans)}"
    )

    def prove(number: int) -> int:
        home = tmp_path / f"home{number}"
        shutil.copytree(undisturbed.inputs, home)
        kills = 0
        for turn, moment_s in enumerate(plans[number]):
            kills += _killed(home, moment_s, *RUN, after_first_write=turn > 0)
            require_whole(load_config(home))
        _command(home, *RUN)
        _close_and_compare(home, undisturbed.outcome, *PERIODS)
        return kills

    with ThreadPoolExecutor(2) as pool:
        kills = sum(pool.map(prove, range(len(plans))))
    print(f"{kills} of {KILLS_OF_RUN} kills met a running command")
    assert kills > KILLS_OF_RUN * 2 // 3, "too few kills met a running command to prove anything"


def test_close_killed_at_any_moment_gives_the_same_bills(undisturbed: Undisturbed, tmp_path: Path) -> None:
    """The first three are killed while they plan, the others while they seal, close and publish."""
    rng = random.Random(SEED + 1)
    moments = [
        rng.uniform(0, undisturbed.close_starts_s if number < 3 else undisturbed.close_works_s)
        for number in range(KILLS_OF_CLOSE)
    ]
    print(f"seed {SEED + 1}, killed after {json.dumps(moments)}")

    def prove(number: int) -> int:
        home = tmp_path / f"home{number}"
        shutil.copytree(undisturbed.rated, home)
        killed = _killed(home, moments[number], "period", "close", PERIODS[1], after_first_write=number >= 3)
        require_whole(load_config(home))
        _close_and_compare(home, undisturbed.outcome, PERIODS[1])
        assert (home / "finance/finance.duckdb").exists()
        return killed

    with ThreadPoolExecutor(2) as pool:
        kills = sum(pool.map(prove, range(KILLS_OF_CLOSE)))
    print(f"{kills} of {KILLS_OF_CLOSE} kills met a running command")
    assert kills > KILLS_OF_CLOSE // 2, "too few kills met a running command to prove anything"
