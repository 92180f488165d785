"""The crash matrix of one workflow: operations times faults, prefixes of the log times policies.

`run_matrix` is for tests: it starts the processes that have the shim, gives each a share of the
points, and gathers what they found. `run_share` is what each of them does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.crash import shim
from tests.crash.bench import Bench, Failure, Point, evenly
from tests.crash.powerloss import Policy, distinct_cuts, wrecks
from tests.crash.shim import KILLS, Fault
from tests.crash.workflows import load

PROJECT = Path(__file__).resolve().parents[2]
FAULTS = tuple(Fault)
POLICIES = tuple(Policy)
SECONDS_PER_WRECK = 4
T = TypeVar("T")
_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_MIN = 512 * 1024 * 1024


class MatrixError(Exception):
    """The matrix itself could not run; this says nothing about the workflow."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much of the matrix to run; None means all there is.

    `points` counts crashes, `doubles` crashes whose recovery is crashed too, `states` distinct
    wrecks of a power cut; `draws` is how many of those each prefix gets under `sampled`.
    """

    faults: tuple[Fault, ...] = FAULTS
    points: int | None = None
    doubles: int = 0
    policies: tuple[Policy, ...] = POLICIES
    states: int | None = None
    draws: int = 4


@dataclass(slots=True)
class Report:
    """What was run and found; `cuts` counts the (prefix, policy, draw) that `states` cover."""

    workflow: str
    seed: int
    operations: int = 0
    points: int = 0
    doubles: int = 0
    states: int = 0
    cuts: int = 0
    points_s: float = 0.0
    states_s: float = 0.0
    elapsed_s: float = 0.0
    failures: list[Failure] = field(default_factory=list)

    @property
    def ms_per_point(self) -> float:
        """Milliseconds of one process per crash point, second crashes included."""
        return 1000 * self.points_s / max(1, self.points + self.doubles)

    @property
    def ms_per_state(self) -> float:
        """Milliseconds of one process per power-loss state."""
        return 1000 * self.states_s / max(1, self.states)

    def summary(self) -> str:
        """One line, and one more per failure with the command that replays it."""
        head = (
            f"{self.workflow} seed {self.seed}: {self.operations} operations, {self.points} crash "
            f"points and {self.doubles} double crashes ({self.ms_per_point:.1f} ms each), "
            f"{self.states} power-loss states ({self.ms_per_state:.1f} ms each) "
            f"for {self.cuts} cuts, "
            f"{len(self.failures)} failures, {self.elapsed_s:.1f} s"
        )
        return "\n".join([head, *(_line(failure) for failure in self.failures)])

    def must_be_clean(self) -> None:
        """Raises with the summary if anything failed."""
        if self.failures:
            raise AssertionError(self.summary())


def _line(failure: Failure) -> str:
    last = failure.reason.strip().splitlines()[-1] if failure.reason.strip() else ""
    return f"  {failure.command}\n    {failure.stage}: {last}"


# ---- the starting side -------------------------------------------------------------------------


def run_matrix(
    workflow: str,
    faults: Sequence[Fault] = FAULTS,
    points: int | None = None,
    seed: int = 0,
    *,
    doubles: int = 0,
    policies: Sequence[Policy] = POLICIES,
    states: int | None = None,
    draws: int = 4,
    workers: int = 2,
    timeout_s: float = 60.0,
) -> Report:
    """Runs a registered workflow through crashes and power cuts.

    Args:
        workflow: a name in `workflows.WORKFLOWS`.
        faults, policies: the columns; an empty one leaves that half out.
        points, doubles, states, draws: as in `Plan`.
        seed: makes the workflow's inputs and the draws of `sampled`.
        workers: processes that share the points.
        timeout_s: after this a child counts as hung.

    Raises:
        MatrixError: a process of the matrix itself failed.
        ShimError: there is no compiler, or the shim does not compile.
    """
    plan = Plan(tuple(faults), points, doubles, tuple(policies), states, draws)
    env = shim.environment(shim.build())
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="crash-", dir=scratch_base()) as scratch:
        shares = [
            _start(_command(workflow, seed, plan, (share, workers), timeout_s), Path(scratch), env) for share in range(workers)
        ]
        try:
            reports = [share.gather() for share in shares]
        finally:
            for share in shares:
                share.stop()
    return _merged(reports, time.monotonic() - began)


def scratch_base() -> Path:
    """Memory if there is plenty: the shim's verdict does not depend on the disk, its speed does."""
    usable = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if usable and shutil.disk_usage(_MEMORY).free >= _MEMORY_BYTES_MIN:
        return _MEMORY
    return Path(tempfile.gettempdir())


def _command(workflow: str, seed: int, plan: Plan, share: tuple[int, int], timeout_s: float) -> list[str]:
    start = [sys.executable, "-m", "tests.crash.runner", "--workflow", workflow]
    part = ["--seed", str(seed), "--share", f"{share[0]}/{share[1]}", "--timeout", str(timeout_s)]
    return [*start, *part, "--plan", json.dumps(asdict(plan))]


@dataclass(frozen=True, slots=True)
class _Share:
    process: subprocess.Popen[bytes]
    folder: Path

    def stop(self) -> None:
        """Ends the process if it still runs: another share failed, or nobody waits any more."""
        self.process.terminate()
        self.process.wait()

    def gather(self) -> Report:
        """Waits for the share's report."""
        status = self.process.wait()
        report = self.folder / "report.json"
        if status != 0 or not report.exists():
            words = (self.folder / "stderr").read_text(errors="replace")[-3000:]
            raise MatrixError(f"a process of the matrix ended with {status}: {words}")
        raw = json.loads(report.read_text())
        raw["failures"] = [Failure(**failure) for failure in raw["failures"]]
        return Report(**raw)


def _start(command: list[str], scratch: Path, env: dict[str, str]) -> _Share:
    folder = Path(tempfile.mkdtemp(dir=scratch))
    with (folder / "stderr").open("wb") as words:
        process = subprocess.Popen([*command, "--scratch", str(folder)], cwd=PROJECT, env=env, stdout=words, stderr=words)
    return _Share(process, folder)


def _merged(reports: list[Report], elapsed_s: float) -> Report:
    """The shares' sum; what failed in the clean run failed in each share and counts once."""
    whole = Report(reports[0].workflow, reports[0].seed, reports[0].operations)
    for report in reports:
        whole.points += report.points
        whole.doubles += report.doubles
        whole.states += report.states
        whole.cuts += report.cuts
        whole.points_s += report.points_s
        whole.states_s += report.states_s
        whole.failures += [one for one in report.failures if one not in whole.failures]
    whole.elapsed_s = elapsed_s
    return whole


# ---- the side that has the shim ----------------------------------------------------------------


def run_share(workflow: str, seed: int, plan: Plan, share: tuple[int, int], scratch: Path, timeout_s: float) -> Report:
    """Every `share[1]`-th place of the plan, beginning with number `share[0]`."""
    began = time.monotonic()
    bench = Bench(load(workflow, seed), scratch, seed, timeout_s)
    failure = bench.open()
    report = Report(workflow, seed, bench.golden.operations)
    if failure is not None:
        report.failures.append(failure)
    else:
        _run_points(bench, plan, share, report)
        _run_cuts(bench, plan, share, report)
    report.elapsed_s = time.monotonic() - began
    return report


def all_points(bench: Bench, faults: Sequence[Fault]) -> list[Point]:
    """Every operation times every fault that does something there."""
    return [Point(fault, at) for fault in faults for at in bench.golden.reaches(fault)]


def _run_points(bench: Bench, plan: Plan, share: tuple[int, int], report: Report) -> None:
    began = time.monotonic()
    for point in _mine(evenly(all_points(bench, plan.faults), plan.points), share):
        report.points += 1
        _note(report, bench.run_point(point))
    for _, failure in _doubles(bench, plan, share):
        report.doubles += 1
        _note(report, failure)
    report.points_s = time.monotonic() - began


def _doubles(bench: Bench, plan: Plan, share: tuple[int, int]) -> Iterator[tuple[Point, Failure | None]]:
    """A few second crashes on each of many wrecks."""
    kills = [fault for fault in plan.faults if fault in KILLS]
    firsts = evenly(all_points(bench, kills), -(-plan.doubles // SECONDS_PER_WRECK))
    for first in _mine(firsts, share):
        yield from bench.run_doubles(first, SECONDS_PER_WRECK - 1)


def _run_cuts(bench: Bench, plan: Plan, share: tuple[int, int], report: Report) -> None:
    if not plan.policies or plan.states == 0:
        return
    began = time.monotonic()
    past = bench.past()
    marks = shim.marks_of(past.records)
    stands_for = distinct_cuts(past, plan.policies, plan.draws)
    chosen = _mine(evenly(list(stands_for), plan.states), share)
    for cut, wreck, marked in wrecks(past, chosen):
        report.states += 1
        report.cuts += stands_for[cut]
        _note(report, bench.run_cut(cut, wreck, marks[:marked]))
    report.states_s = time.monotonic() - began


def _mine(places: list[T], share: tuple[int, int]) -> list[T]:
    return places[share[0] :: share[1]]


def _note(report: Report, failure: Failure | None) -> None:
    if failure is not None:
        report.failures.append(failure)
