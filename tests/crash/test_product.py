"""The product under the crash matrix: nothing is lost, doubled or torn wherever it is stopped, and planted bugs are found.

The quick form is spread evenly over everything; the long form (`-m long`) does all. The README says how to replay one place.
"""

from __future__ import annotations

import pytest

from tests.crash import shim
from tests.crash.matrix import run_matrix
from tests.crash.powerloss import Policy
from tests.crash.shim import Fault

pytestmark = pytest.mark.skipif(shim.find_compiler() is None, reason="NOT PROVED: no C compiler (cc, gcc, clang)")

NO_CUTS: tuple[Policy, ...] = ()
NO_FAULTS: tuple[Fault, ...] = ()
TIMEOUT_S = 300.0  # of one child: generous, since a busy machine is no finding

# workflow           points  second crashes  power-loss states
QUICK = [
    ("product-run",     620,             16,               320),
    ("product-late",    540,             16,               260),
    ("product-close",   320,              8,               120),
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


def test_a_folder_of_a_killed_run_is_not_believed_durable():
    """Shows only when the restart is followed by a power cut, which the second crashes include."""
    report = run_matrix("product-folders-believed", (Fault.AFTER,), 0, policies=NO_CUTS, doubles=4 * 40, timeout_s=TIMEOUT_S)
    assert any("--cut-later" in failure.where for failure in report.failures), report.summary()
