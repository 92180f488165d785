"""One workflow on the bench: a clean run, then one crash or one power cut after another.

Runs in a process that has the shim. That process only imports and forks; everything that touches
the product happens in a child, which is what makes forking safe for libraries that start threads.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.crash import shim
from tests.crash.forks import Forker, Outcome
from tests.crash.powerloss import Cut, Past, Policy, ReplayError, replay, without_unseen
from tests.crash.shim import KILLS, Fault, Record
from tests.crash.trees import Canvas, Tree, capture, first_difference
from tests.crash.workflows import RemembersOutside, Workflow

SECOND_FAULTS = (Fault.BEFORE, Fault.AFTER, Fault.EIO)
_NEEDS_SPACE = frozenset("CDLW")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Point:
    """Operation `at` of the run meets `fault`; the restart may meet a second one, or a power cut at its end (`cut_later`)."""

    fault: Fault
    at: int
    second_fault: Fault | None = None
    second_at: int = -1
    cut_later: bool = False

    def arguments(self) -> str:
        """What replays it."""
        first = f"--fault {self.fault} --at {self.at}" + (" --cut-later" if self.cut_later else "")
        if self.second_fault is None:
            return first
        return f"{first} --second-fault {self.second_fault} --second-at {self.second_at}"


def cut_arguments(cut: Cut) -> str:
    """What replays a power cut."""
    draw = f" --draw {cut.draw}" if cut.policy is Policy.SAMPLED else ""
    return f"--power {cut.policy} --at {cut.prefix}{draw}"


@dataclass(frozen=True, slots=True)
class Failure:
    """One place where the promise does not hold: what happened there, and what replays it."""

    workflow: str
    seed: int
    where: str
    stage: str
    reason: str

    @property
    def command(self) -> str:
        """One command line for just this place, from the project's root."""
        return (f"python -m tests.crash.runner --workflow {self.workflow} --seed {self.seed} {self.where}").strip()


class Broken(Exception):
    """A stage of one point went wrong; carries what a `Failure` needs."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")
        self.stage = stage
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Golden:
    """The clean run: what it did, what it acknowledged, what came out."""

    operations: int
    records: list[Record]
    digest: str

    def reaches(self, fault: Fault) -> list[int]:
        """The operations on which this fault does something of its own."""
        kinds = {record.op: record for record in self.records if record.op >= 0}
        if fault in (Fault.TORN, Fault.SHORT):
            return [op for op, one in kinds.items() if one.code == "W" and one.length > 1]
        if fault is Fault.ENOSPC:
            return [op for op, one in kinds.items() if one.code in _NEEDS_SPACE]
        if fault is Fault.LOST_SYNC:
            return [op for op, one in kinds.items() if one.code == "S"]
        return list(range(self.operations))


class Bench:
    """Holds the workflow's folder (`case/data`), its start, its clean run and its log."""

    def __init__(self, workflow: Workflow, scratch: Path, seed: int, timeout_s: float) -> None:
        self.workflow = workflow
        self.seed = seed
        scratch = scratch.resolve()
        self._canvas = Canvas(scratch / "case")
        self.root = self._canvas.top / "data"
        self._log = scratch / "log"
        self._fork = Forker(scratch, timeout_s)
        self._start: Tree = {}
        self.golden = Golden(0, [], "")

    # ---- the clean run

    def open(self) -> Failure | None:
        """Prepares and runs clean, twice; what already fails here makes every point meaningless."""
        gc.collect()
        gc.freeze()
        self._canvas.lay_out({})
        try:
            self._must_end("prepare", self._fork.run(lambda: self.workflow.prepare(self.root)))
            self._start = capture(self._canvas.top)
            self.golden = self._run_clean()
            self._must_repeat(self._run_clean())
        except Broken as broken:
            return self._failure("", broken)
        return None

    def _run_clean(self) -> Golden:
        self._reset(self._start)
        outcome = self._run(None, -1)
        self._must_end("clean run", outcome)
        operations = shim.count()
        records = shim.read_log(self._log)
        self._must_replay(records)
        self._check_wreck()
        return Golden(operations, records, self._check_final(shim.marks_of(records)))

    def _must_repeat(self, again: Golden) -> None:
        """Same operations on the same names, same digest; otherwise numbers mean nothing."""
        for number, (one, two) in enumerate(zip(self.golden.records, again.records, strict=False)):
            if (one.code, one.path, one.path2) != (two.code, two.path, two.path2):
                first, second = describe_record(one), describe_record(two)
                raise Broken("clean run", f"record {number} is {first}, then {second}")
        if self.golden.operations != again.operations:
            counts = f"{self.golden.operations} operations, then {again.operations}"
            raise Broken("clean run", f"two runs differ: {counts}")
        if self.golden.digest != again.digest:
            raise Broken("clean run", f"two digests: {self.golden.digest}, then {again.digest}")

    def _must_replay(self, records: list[Record]) -> None:
        """The log with nothing lost is the real folder; otherwise something writes unseen."""
        try:
            told = replay(self._past(records)).wreck(Policy.NONE)
        except ReplayError as error:
            raise Broken("replay of the log", str(error)) from error
        difference = first_difference(told, without_unseen(capture(self.root)))
        if difference is not None:
            raise Broken("replay of the log", f"not the real folder ('there'): {difference}")

    def _start_of_root(self) -> Tree:
        prefix = "data/"
        return {name.removeprefix(prefix): entry for name, entry in self._start.items() if name.startswith(prefix)}

    def past(self) -> Past:
        """The clean run as the power cuts need it."""
        return self._past(self.golden.records)

    def _past(self, records: list[Record]) -> Past:
        return Past(str(self.root), self._start_of_root(), records, self.seed)

    # ---- one point

    def run_point(self, point: Point) -> Failure | None:
        """Crash, look at the wreck, restart, look at the end."""
        try:
            marks = self._crash(point.fault, point.at)
            if point.second_fault is not None:
                self._log.unlink(missing_ok=True)
                self._run_into(point.second_fault, point.second_at)
                marks += shim.read_marks(self._log)
            if point.cut_later:
                marks = self._restart_and_cut(marks)
            self._recover(marks)
        except Broken as broken:
            return self._failure(point.arguments(), broken)
        return None

    def _restart_and_cut(self, marks: list[str]) -> list[str]:
        """The restart ends well, then power is cut: what the killed run had not synced is lost unless the restart saw to it."""
        before = shim.read_log(self._log)
        self._log.unlink(missing_ok=True)
        self._must_end("restart", self._run(None, -1))
        after = shim.read_log(self._log)
        marks = marks + shim.marks_of(after)
        self._lay_out_wreck(replay(self._past([*before, *after])).wreck(Policy.BOTH), marks)
        return marks

    def _crash(self, fault: Fault, at: int) -> list[str]:
        """Leaves the wreck of one fault; returns what had been acknowledged."""
        self._reset(self._start)
        self._run_into(fault, at)
        records = shim.read_log(self._log)
        marks = shim.marks_of(records)
        if fault is Fault.LOST_SYNC:
            self._lay_out_wreck(replay(self._past(records)).wreck(Policy.BOTH), marks)
        return marks

    def _run_into(self, fault: Fault, at: int) -> None:
        """Runs the workload into its fault, and makes sure that it met it."""
        outcome = self._run(fault, at)
        if outcome.hung:
            raise Broken("fault", outcome.describe())
        if outcome.status < 0 and fault not in KILLS:
            raise Broken("fault", f"{fault} must not end the process: {outcome.describe()}")
        if shim.count() <= at:
            raise Broken("fault", f"never reached: the run had {shim.count()} operations")
        if fault in KILLS and not outcome.killed:
            raise Broken("fault", f"{fault} did not kill: {outcome.describe()}")

    def run_doubles(self, first: Point, wanted: int) -> Iterator[tuple[Point, Failure | None]]:
        """Crashes once, then crashes that wreck's restart at up to `wanted` of its operations, and cuts power at its end."""
        try:
            marks = self._crash(first.fault, first.at)
            wreck = capture(self._canvas.top)
            self._must_end("restart", self._run(None, -1))
        except Broken as broken:
            yield first, self._failure(first.arguments(), broken)
            return
        for turn, at in enumerate(evenly(range(shim.count()), wanted)):
            second = SECOND_FAULTS[(first.at + turn) % len(SECOND_FAULTS)]
            point = Point(first.fault, first.at, second, at)
            yield point, self._run_second(point, wreck, marks)
        later = Point(first.fault, first.at, cut_later=True)
        yield later, self.run_point(later)

    def _run_second(self, point: Point, wreck: Tree, marks: list[str]) -> Failure | None:
        assert point.second_fault is not None
        self._reset(wreck)
        try:
            self._run_into(point.second_fault, point.second_at)
            self._recover(marks + shim.read_marks(self._log))
        except Broken as broken:
            return self._failure(point.arguments(), broken)
        return None

    # ---- one power cut

    def run_cut(self, cut: Cut, wreck: Tree, marks: list[str]) -> Failure | None:
        """The wreck of a cut takes the place of the folder; then as after a crash."""
        try:
            self._lay_out_wreck(wreck, marks)
            self._recover(marks)
        except Broken as broken:
            return self._failure(cut_arguments(cut), broken)
        return None

    def _lay_out_wreck(self, wreck: Tree, marks: list[str]) -> None:
        beside = {name: entry for name, entry in self._start.items() if _is_beside(name)}
        self._reset({**beside, "data": None, **{f"data/{name}": wreck[name] for name in wreck}})
        workflow = self.workflow
        if isinstance(workflow, RemembersOutside):
            outcome = self._fork.run(lambda: workflow.replay_outside(self.root, marks))
            self._must_end("replay outside", outcome)

    # ---- the stages

    def _reset(self, tree: Tree) -> None:
        self._canvas.lay_out(tree)
        self._log.unlink(missing_ok=True)

    def _run(self, fault: Fault | None, at: int) -> Outcome:
        """The workload under the shim, in a child."""

        def armed() -> None:
            shim.arm(self.root, self._log, fault, at)
            try:
                self.workflow.workload(self.root)
            finally:
                shim.disarm()

        return self._fork.run(armed)

    def _recover(self, marks: list[str]) -> None:
        """A reader on the wreck, the operator's restart, the reader again, the golden digest."""
        self._check_wreck()
        self._log.unlink(missing_ok=True)
        self._must_end("restart", self._run(None, -1))
        digest = self._check_final(marks + shim.read_marks(self._log))
        if digest != self.golden.digest:
            raise Broken("digest", f"was {digest}, must be {self.golden.digest}")

    def _check_wreck(self) -> None:
        self._must_end("wreck", self._fork.run(lambda: self.workflow.check_wreck(self.root)))

    def _check_final(self, marks: list[str]) -> str:
        def final() -> str:
            self.workflow.check_final(self.root, marks)
            return self.workflow.digest(self.root)

        return str(self._must_end("final", self._fork.run(final)))

    def _must_end(self, stage: str, outcome: Outcome) -> object:
        if not outcome.ok:
            raise Broken(stage, outcome.describe())
        return outcome.answer

    def _failure(self, where: str, broken: Broken) -> Failure:
        name = self.workflow.name
        return Failure(name, self.seed, where, broken.stage, broken.reason)


def _is_beside(name: str) -> bool:
    return name != "data" and not name.startswith("data/")


def describe_record(record: Record) -> str:
    """One line for one operation."""
    if record.code == "M":
        return f"M {record.payload.decode()}"
    span = f" [{record.offset}, +{record.length}]" if record.code in "WT" else ""
    return f"{record.code} {record.path} {record.path2}".rstrip() + span


def evenly(items: Sequence[T], wanted: int | None) -> list[T]:
    """Up to `wanted` of the items, spread over the whole; None takes all."""
    total = len(items)
    if wanted is None or wanted >= total:
        return list(items)
    return [items[index * total // wanted] for index in range(wanted)]
