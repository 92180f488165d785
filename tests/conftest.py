"""What holds for every test: examples are the same in every run, and a test marked `alone` has the machine to itself."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a time is not asserted. Derandomized: examples follow from the test's name; a test with its own seed prints it.
settings.register_profile("house", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("house")

_TURNSTILE = "METERLINE_TESTS_TURNSTILE"  # names the file that the processes of one run lock
_IN_WORKER = "PYTEST_XDIST_WORKER" in os.environ


def pytest_configure(config: pytest.Config) -> None:
    """The process that starts the others makes the turnstile; they inherit its name."""
    if not _IN_WORKER and config.getoption("numprocesses", None):
        handle, os.environ[_TURNSTILE] = tempfile.mkstemp(prefix="meterline-tests-", suffix=".lock")
        os.close(handle)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Who made it removes it."""
    if not _IN_WORKER and _TURNSTILE in os.environ:
        Path(os.environ.pop(_TURNSTILE)).unlink(missing_ok=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Under `-n`, a test marked `alone` waits until no other process is in a test, and the others wait for its end."""
    if not _IN_WORKER or _TURNSTILE not in os.environ:
        return (yield)
    with open(os.environ[_TURNSTILE], "w") as turnstile:
        fcntl.flock(turnstile, fcntl.LOCK_EX if item.get_closest_marker("alone") else fcntl.LOCK_SH)
        try:
            return (yield)
        finally:
            fcntl.flock(turnstile, fcntl.LOCK_UN)  # a child that the test left behind must not keep it
