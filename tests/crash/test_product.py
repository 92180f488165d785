"""The product under the crash matrix: nothing is lost, doubled or torn wherever it is stopped, and planted bugs are found.

The quick form is spread evenly over everything; the long form (`-m long`) does all. The README says how to replay one place.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.crash import shim
from tests.crash.matrix import PROJECT, run_matrix
from tests.crash.powerloss import Policy
from tests.crash.shim import Fault

pytestmark = pytest.mark.skipif(shim.find_compiler() is None, reason="NOT PROVED: no C compiler (cc, gcc, clang)")

NO_CUTS: tuple[Policy, ...] = ()
NO_FAULTS: tuple[Fault, ...] = ()
TIMEOUT_S = 300.0  # of one child: generous, since a busy machine is no finding

# workflow           points  second crashes  power-loss states
QUICK = [
    ("product-run",     720,             16,               300),
    ("product-late",    640,             16,               240),
    ("product-close",   120,              8,                60),
    ("product-publish",  30,              0,                20),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "points", "doubles", "states"), QUICK)
def test_every_crash_leads_back_to_the_same_bills(workflow, points, doubles, states):
    report = run_matrix(workflow, points=points, doubles=doubles, states=states, draws=8, timeout_s=TIMEOUT_S)
    print(report.summary())
    report.must_be_clean()
    assert (report.points, report.states) == (points, states), report.summary()


@pytest.mark.long
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("workflow", [row[0] for row in QUICK])
def test_all_crashes_lead_back_to_the_same_bills(workflow, seed):
    report = run_matrix(workflow, seed=seed, doubles=100, draws=8, timeout_s=TIMEOUT_S)
    print(report.summary())
    report.must_be_clean()


# The planted bug, what must find it and by which words.
PLANTED = [
    # workflow                   faults            policies          words
    ("product-sql-first",        (Fault.AFTER,),   NO_CUTS,          "I8"),
    ("product-positions-apart",  (Fault.AFTER,),   NO_CUTS,          ""),
    ("product-move-first",       (Fault.AFTER,),   NO_CUTS,          ""),
    ("product-claims-left-open", (Fault.AFTER,),   NO_CUTS,          ""),
    ("product-no-file-sync",     NO_FAULTS,        (Policy.BYTES,),  ""),
    ("product-no-folder-sync",   NO_FAULTS,        (Policy.BOTH,),   ""),
    ("product-sql-unsynced",     NO_FAULTS,        (Policy.BYTES,),  ""),
]  # fmt: skip


@pytest.mark.parametrize(("workflow", "faults", "policies", "words"), PLANTED)
def test_a_planted_bug_of_the_product_is_found(workflow, faults, policies, words):
    report = run_matrix(workflow, faults, points=60, policies=policies, states=24, timeout_s=TIMEOUT_S)
    assert report.failures, report.summary()
    assert any(words in failure.reason for failure in report.failures), report.summary()


@pytest.mark.parametrize(("workflow", "holds"), [("product-run", True), ("product-folders-believed", False)])
def test_a_folder_of_a_killed_run_is_not_believed_durable(workflow, holds):
    """Killed between the creation of a folder, the last of its parent, and the sync; the restart fills it; then power is cut."""
    made = re.search(r"(\d+) D data/data/tables/set_aside$", _runner(workflow, "--list").stdout, re.MULTILINE)
    assert made is not None
    done = _runner(workflow, "--fault", "after", "--at", made[1], "--cut-later")
    assert done.returncode == (0 if holds else 1), done.stdout + done.stderr
    assert ("held" if holds else "failed at") in done.stdout


def _runner(workflow: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.crash.runner", "--workflow", workflow, "--timeout", str(TIMEOUT_S), *words]
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
