"""The harness proves itself: it counts right, it sees everything, and it finds planted bugs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash import shim
from tests.crash.matrix import PROJECT, Report, run_matrix
from tests.crash.powerloss import Policy
from tests.crash.shim import Fault
from tests.crash.workflows import load

WITHOUT_POWER = tuple(fault for fault in Fault if fault is not Fault.LOST_SYNC)
NO_CUTS: tuple[Policy, ...] = ()
NO_FAULTS: tuple[Fault, ...] = ()

pytestmark = pytest.mark.skipif(shim.find_compiler() is None, reason="NOT PROVED: no C compiler (cc, gcc, clang)")

# ---- (a) the count -----------------------------------------------------------------------------

COUNTED = (
    *("open", "openat", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2"),
    *("fsync", "fdatasync", "syncfs", "truncate", "ftruncate", "fallocate"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"),
    *("unlink", "unlinkat", "mkdir", "mkdirat", "rmdir", "copy_file_range", "sendfile"),
)
RUN_ONCE = """
import sys
from pathlib import Path
from tests.crash import shim
from tests.crash.workflows import load
name, folder = sys.argv[1], Path(sys.argv[2])
shim.arm(folder, folder.parent.with_name("log"))
load(name, 0).workload(folder)
print(shim.count())
"""


def _is_counted(line: str, folder: Path) -> bool:
    """Opens count if they create or cut off; everything else counts if it names the folder."""
    found = re.match(r"\d+ +(\w+)\(", line)
    if found is None or found[1] not in COUNTED or str(folder) not in line:
        return False
    return not found[1].startswith("open") or "O_CREAT" in line or "O_TRUNC" in line


@pytest.mark.parametrize("workflow", ["toy", "calls"])
def test_counts_what_strace_counts(workflow, tmp_path):
    strace = shutil.which("strace")
    if strace is None:
        pytest.skip("NOT PROVED: strace is not installed, the shim's count is not compared with it")
    folder, trace = tmp_path / "case" / "data", tmp_path / "trace"
    folder.parent.mkdir()
    load(workflow, 0).prepare(folder)
    options = ["-f", "-y", "-qq", "-s", "0", "-o", str(trace), "-e", f"trace={','.join(COUNTED)}"]
    command = [strace, *options, sys.executable, "-c", RUN_ONCE, workflow, str(folder)]
    env = shim.environment(shim.build())
    done = subprocess.run(command, cwd=PROJECT, env=env, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("NOT PROVED: strace may not trace here, so the count is compared with nothing")
    assert done.returncode == 0, done.stderr
    lines = trace.read_text().splitlines()
    assert int(done.stdout) == sum(_is_counted(line, folder) for line in lines) > 50


# ---- (b) the log -------------------------------------------------------------------------------


@pytest.mark.parametrize("workflow", ["calls", "libraries"])
def test_the_log_replayed_with_nothing_lost_is_the_real_folder(workflow):
    """Every matrix begins with this comparison; here nothing else is run."""
    report = run_matrix(workflow, NO_FAULTS, policies=NO_CUTS, workers=1)
    report.must_be_clean()
    assert report.operations > 50


@pytest.mark.parametrize(
    ("workflow", "stage", "words"),
    [
        ("calls-unseen", "replay of the log", "unseen: is only there"),
        ("toy-wanders", "clean run", "record 31 is"),
    ],
)
def test_a_workflow_that_cannot_be_judged_is_refused(workflow, stage, words):
    report = run_matrix(workflow, workers=1)
    assert (report.points, report.states) == (0, 0)
    (failure,) = report.failures
    assert failure.stage == stage
    assert words in failure.reason


# ---- (c) the planted bugs ----------------------------------------------------------------------


def test_the_correct_store_has_no_failure():
    """Evenly spread over all faults and policies; the runner without numbers does them all."""
    report = run_matrix("toy", points=160, doubles=12, states=60)
    report.must_be_clean()
    assert (report.points, report.doubles, report.states) == (160, 12, 60)


# Each bug, what must find it, and what cannot: the reason why there are so many columns.
PLANTED = [
    # workflow                  faults            policies          says
    ("toy-sql-first",           (Fault.AFTER,),   NO_CUTS,          "is named and is not there"),
    ("toy-ack-first",           (Fault.BEFORE,),  NO_CUTS,          "acknowledged and lost"),
    ("toy-twice",               (Fault.AFTER,),   NO_CUTS,          "committed twice"),
    ("toy-manifest-in-place",   (Fault.TORN,),    NO_CUTS,          "JSONDecodeError"),
    ("toy-manifest-in-place",   (Fault.ENOSPC,),  NO_CUTS,          "JSONDecodeError"),
    ("toy-no-file-sync",        NO_FAULTS,        (Policy.BYTES,),  "is not whole"),
    ("toy-no-folder-sync",      NO_FAULTS,        (Policy.NAMES,),  "is named and is not there"),
    ("toy-no-folder-sync",      NO_FAULTS,        (Policy.BOTH,),   "is named and is not there"),
    ("toy-sync-again",          (Fault.LOST_SYNC,), NO_CUTS,        "is not whole"),
    ("toy-sql-unsynced",        NO_FAULTS,        (Policy.BYTES,),  "acknowledged and lost"),
]  # fmt: skip
MISSED = [
    ("toy-no-file-sync",        WITHOUT_POWER,    (Policy.NAMES,)),
    ("toy-no-folder-sync",      WITHOUT_POWER,    (Policy.BYTES,)),
    ("toy-sync-again",          (Fault.EIO,),     (Policy.BOTH,)),
]  # fmt: skip


def _run(workflow: str, faults: tuple[Fault, ...], policies: tuple[Policy, ...]) -> Report:
    return run_matrix(workflow, faults, points=24, policies=policies, states=24)


@pytest.mark.parametrize(("workflow", "faults", "policies", "words"), PLANTED)
def test_a_planted_bug_is_found(workflow, faults, policies, words):
    report = _run(workflow, faults, policies)
    assert report.failures, report.summary()
    assert any(words in failure.reason for failure in report.failures), report.summary()


@pytest.mark.parametrize(("workflow", "faults", "policies"), MISSED)
def test_a_planted_bug_is_missed_where_it_cannot_show(workflow, faults, policies):
    """Else another column than the named one finds it, and the named one is not proved."""
    _run(workflow, faults, policies).must_be_clean()


def test_a_restart_that_hangs_is_killed_and_reported():
    report = run_matrix("toy-hangs", (Fault.AFTER,), 1, policies=NO_CUTS, workers=1, timeout_s=3)
    (failure,) = report.failures
    assert failure.stage == "restart"
    assert failure.reason.startswith("hung")


# ---- the replay --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("workflow", "faults", "policies"),
    [
        ("toy-sql-first", (Fault.AFTER,), NO_CUTS),
        ("toy-no-folder-sync", NO_FAULTS, (Policy.SAMPLED,)),
    ],
)
def test_one_command_replays_a_failure(workflow, faults, policies):
    failure = _run(workflow, faults, policies).failures[0]
    command = failure.command.split()
    assert command[0] == "python"
    done = subprocess.run([sys.executable, *command[1:]], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"failed at {failure.stage}" in done.stdout
    assert failure.reason.splitlines()[-1] in done.stdout
