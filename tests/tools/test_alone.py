"""A test marked `alone` really has the machine to itself when tests run in several processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.tidy.tree import TOP

# The hermit writes its begin, waits for a line of the crowd, and writes its end. The crowd waits for the begin, if told to.
CROWD = """
import time, pytest
from pathlib import Path
LOG = Path(__file__).parent / "log"
LOG.touch()

@pytest.mark.parametrize("number", range(3))
def test_crowd(number):
    until = time.monotonic() + {crowd_waits_s}
    while time.monotonic() < until and "begin" not in LOG.read_text():
        time.sleep(0.01)
    with LOG.open("a") as log:
        log.write("crowd\\n")
"""
HERMIT = """
import time, pytest
from pathlib import Path
LOG = Path(__file__).parent / "log"

{mark}
def test_hermit():
    with LOG.open("a") as log:
        log.write("begin\\n")
    until = time.monotonic() + {hermit_waits_s}
    while time.monotonic() < until and not LOG.read_text().endswith("crowd\\n"):
        time.sleep(0.01)
    with LOG.open("a") as log:
        log.write("end\\n")
"""


def _run(folder: Path, **given: str) -> list[str]:
    """The order in which the tests of two files wrote, run by two processes."""
    folder.mkdir()
    shutil.copyfile(TOP / "tests" / "conftest.py", folder / "conftest.py")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    alone: as in the project\n", encoding="utf-8")
    (folder / "test_crowd.py").write_text(CROWD.format(**given), encoding="utf-8")
    (folder / "test_hermit.py").write_text(HERMIT.format(**given), encoding="utf-8")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "METERLINE_TESTS_"))}
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
    return (folder / "log").read_text(encoding="utf-8").split()


def test_nothing_runs_beside_a_test_that_is_alone(tmp_path: Path) -> None:
    written = _run(tmp_path / "marked", mark="@pytest.mark.alone", crowd_waits_s="0", hermit_waits_s="0.3")
    assert written.index("end") == written.index("begin") + 1


def test_without_the_mark_they_run_side_by_side(tmp_path: Path) -> None:
    """Else the test above proves nothing."""
    written = _run(tmp_path / "unmarked", mark="", crowd_waits_s="60", hermit_waits_s="60")
    assert written.index("end") > written.index("begin") + 1
