"""Runs one piece of work in a forked child that may be killed, may raise and may hang."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

_TAIL_CHARS = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a child ended: `status` is its exit code, or minus the signal that killed it."""

    status: int
    hung: bool
    answer: Any
    trouble: str

    @property
    def ok(self) -> bool:
        """The work came to its end."""
        return self.status == 0 and not self.hung

    @property
    def killed(self) -> bool:
        """The child died by SIGKILL, and not because it hung."""
        return self.status == -signal.SIGKILL and not self.hung

    def describe(self) -> str:
        """One text for a report."""
        if self.hung:
            return "hung, and was killed at the time limit\n" + self.trouble
        ended = f"exit {self.status}" if self.status >= 0 else f"signal {-self.status}"
        return f"{ended}\n{self.trouble}".strip()


@dataclass(frozen=True, slots=True)
class Forker:
    """Forks children whose answer and output go through files in `scratch`."""

    scratch: Path
    timeout_s: float = 60.0

    def run(self, work: Callable[[], object]) -> Outcome:
        """Runs `work` in a child; its JSON-able result is the answer, its traceback the trouble."""
        answer = self.scratch / "answer"
        output = self.scratch / "output"
        answer.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            _be_the_child(work, answer, output)
        status, hung = _wait(pid, self.timeout_s)
        if status == 0 and not hung:
            return Outcome(status, hung, json.loads(answer.read_text()), "")
        return Outcome(status, hung, None, _tail(answer) + _tail(output))


def _be_the_child(work: Callable[[], object], answer: Path, output: Path) -> NoReturn:
    """Leaves by `_exit`: nothing that the parent would do at its end may happen here too."""
    status = 1
    try:
        os.setpgid(0, 0)
        fd = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(fd, 1)
        os.dup2(fd, 2)
        try:
            result = work()
        except SystemExit as end:
            if end.code not in (None, 0):
                raise
            result = None
        answer.write_text(json.dumps(result))
        status = 0
    except BaseException:
        answer.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _wait(pid: int, timeout_s: float) -> tuple[int, bool]:
    """Waits for the child; at the limit, or if the wait is broken off, the child is killed."""
    hung = True
    watched = os.pidfd_open(pid)
    try:
        ends = select.poll()
        ends.register(watched, select.POLLIN)
        hung = not ends.poll(timeout_s * 1000)
    finally:
        os.close(watched)
        if hung:
            os.kill(pid, signal.SIGKILL)
        _, raw = os.waitpid(pid, 0)
        _kill_group(pid)
    return os.waitstatus_to_exitcode(raw), hung


def _kill_group(pid: int) -> None:
    """What the child started dies with it, as it would with the machine."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def _tail(path: Path) -> str:
    if not path.exists():
        return ""
    return path.read_text(errors="replace")[-_TAIL_CHARS:]
