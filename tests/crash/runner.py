r"""The process that has the shim: replays one place, lists the operations, or runs a whole matrix.

    python -m tests.crash.runner --workflow toy --list
    python -m tests.crash.runner --workflow toy --fault torn --at 17
    python -m tests.crash.runner --workflow toy --fault after --at 17 \
        --second-fault eio --second-at 3
    python -m tests.crash.runner --workflow toy --power both --at 40
    python -m tests.crash.runner --workflow toy --points 1500 --states 3000
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.crash import shim
from tests.crash.bench import Bench, Failure, Point, describe_record
from tests.crash.matrix import Plan, run_matrix, run_share, scratch_base
from tests.crash.powerloss import Cut, Policy, wrecks
from tests.crash.shim import Fault
from tests.crash.workflows import WORKFLOWS, load


def main(arguments: list[str]) -> int:
    """0: the promise held at all places that were run; 1: it did not."""
    options = _parser().parse_args(arguments)
    if options.plan is not None:
        return _run_share(options)
    if _is_one_place(options):
        _have_the_shim(arguments)
        return _run_one_place(options)
    report = run_matrix(
        options.workflow,
        points=options.points,
        seed=options.seed,
        doubles=options.doubles,
        states=options.states,
        draws=options.draws,
        timeout_s=options.timeout,
    )
    print(report.summary())
    return 1 if report.failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.crash.runner")
    parser.add_argument("--workflow", required=True, choices=sorted(WORKFLOWS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for one child")
    parser.add_argument("--keep", type=Path, help="run here, leave all as the last stage left it")
    one = parser.add_argument_group("one place")
    one.add_argument("--list", action="store_true", help="print the clean run's operations")
    one.add_argument("--fault", type=Fault, choices=list(Fault))
    one.add_argument("--power", type=Policy, choices=list(Policy))
    one.add_argument("--at", type=int, help="operation number, or records before a power cut")
    one.add_argument("--second-fault", type=Fault, choices=list(Fault))
    one.add_argument("--second-at", type=int, default=-1)
    one.add_argument("--cut-later", action="store_true", help="power is cut when the restart has ended")
    one.add_argument("--draw", type=int, default=0)
    whole = parser.add_argument_group("the whole matrix")
    whole.add_argument("--points", type=int, help="crash points; all unless given")
    whole.add_argument("--doubles", type=int, default=0, help="crashes during recovery")
    whole.add_argument("--states", type=int, help="power-loss states; all unless given")
    whole.add_argument("--draws", type=int, default=4, help="draws of 'sampled' per prefix")
    for internal in ("--plan", "--share", "--scratch"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    return parser


def _is_one_place(options: argparse.Namespace) -> bool:
    return bool(options.list or options.fault or options.power)


def _have_the_shim(arguments: list[str]) -> None:
    """Starts this process anew with the shim in it, unless it is there already."""
    if not shim.is_loaded():
        env = shim.environment(shim.build())
        command = [sys.executable, "-m", "tests.crash.runner", *arguments]
        if os.environ.get("LD_PRELOAD") == env["LD_PRELOAD"].split()[0]:
            raise shim.ShimError("the loader refuses the shim; see its words above")
        os.execve(sys.executable, command, env)


# ---- a share of the matrix ---------------------------------------------------------------------


def _run_share(options: argparse.Namespace) -> int:
    raw = json.loads(options.plan)
    raw["faults"] = tuple(Fault(name) for name in raw["faults"])
    raw["policies"] = tuple(Policy(name) for name in raw["policies"])
    number, of = map(int, options.share.split("/"))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))  # so that no child outlives it
    folder = Path(options.scratch)
    report = run_share(options.workflow, options.seed, Plan(**raw), (number, of), folder, options.timeout)
    (folder / "report.json").write_text(json.dumps(asdict(report)))
    return 0


# ---- one place ---------------------------------------------------------------------------------


def _run_one_place(options: argparse.Namespace) -> int:
    if options.keep is not None:
        options.keep.mkdir(parents=True, exist_ok=True)
        failure = _run_on_bench(options, options.keep)
        print(f"the folder is {options.keep / 'case'}, what the last child said is beside it")
    else:
        with tempfile.TemporaryDirectory(prefix="crash-", dir=scratch_base()) as scratch:
            failure = _run_on_bench(options, Path(scratch))
    if failure is None:
        print("held")
        return 0
    print(f"{failure.command}\nfailed at {failure.stage}: {failure.reason}")
    return 1


def _run_on_bench(options: argparse.Namespace, scratch: Path) -> Failure | None:
    bench = Bench(load(options.workflow, options.seed), scratch, options.seed, options.timeout)
    failure = bench.open()
    if failure is not None:
        return failure
    if options.list:
        _print_operations(bench)
        return None
    if options.at is None:
        raise SystemExit("--at: is missing; it says which operation or how many records")
    if options.power:
        return _run_cut(bench, Cut(options.at, options.power, options.draw))
    _print_around(bench, options.at)
    second = options.second_fault
    return bench.run_point(Point(options.fault, options.at, second, options.second_at, options.cut_later))


def _run_cut(bench: Bench, cut: Cut) -> Failure | None:
    past = bench.past()
    if not 0 <= cut.prefix <= len(past.records):
        raise SystemExit(f"--at: was {cut.prefix}, must be 0 to {len(past.records)}")
    _print_records(bench, max(0, cut.prefix - 3), cut.prefix)
    marks = shim.marks_of(past.records)
    (_, wreck, marked) = next(wrecks(past, [cut]))
    return bench.run_cut(cut, wreck, marks[:marked])


def _print_operations(bench: Bench) -> None:
    print(f"{bench.golden.operations} operations; record, operation, what it did")
    _print_records(bench, 0, len(bench.golden.records))


def _print_around(bench: Bench, operation: int) -> None:
    """The records before and at the operation; one without a record failed in the clean run too."""
    near = [index for index, record in enumerate(bench.golden.records) if operation - 3 < record.op <= operation]
    if near:
        _print_records(bench, near[0], near[-1] + 1)


def _print_records(bench: Bench, first: int, end: int) -> None:
    for index, record in enumerate(bench.golden.records[first:end], start=first + 1):
        text = describe_record(record).replace(f"{bench.root}", "data")
        print(f"{index:6} {record.op if record.op >= 0 else '':>6} {text}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
