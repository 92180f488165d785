"""What the process that forks may do beforehand, so that a child begins with it: kernels, imports, what pure functions come to.

Each child starts as a copy of a process that has imported everything and run nothing, because polars does not survive a fork
once it has been used. But loading some fifty compiled kernels costs a child two seconds, and compiling the tariffs more than all
its commits. So a scout child does the work once and says what it needed; the parent loads that, and every child begins with it.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import importlib
import os
import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from numba.core.registry import CPUDispatcher

T = TypeVar("T")


@dataclass
class Memory:
    """Results of pure functions by what they were computed from, passed from the scout to the parent."""

    known: dict[str, Any] = field(default_factory=dict)

    def of(self, function: Callable[..., T], key_of: Callable[..., object]) -> Callable[..., T]:
        """`function`, computed once for each `key_of(*arguments)`; what it reads must be part of the key, read anew each time."""

        @functools.wraps(function)
        def remembering(*arguments: Any, **named: Any) -> T:
            key = f"{function.__module__}.{function.__qualname__} {key_of(*arguments, **named)}"
            if key not in self.known:
                self.known[key] = function(*arguments, **named)
            result: T = self.known[key]
            return result

        return remembering


def content_of(path: Path) -> str:
    """A hash over the bytes of a file, or over names and bytes of all files of a folder."""
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(path)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def get_ready(work: Callable[[Path], None], memory: Memory) -> None:
    """Run `work` in an empty folder in a child, then load here what it loaded: modules, kernels with their types, `memory`."""
    with tempfile.TemporaryDirectory(prefix="scout-") as name:
        answer = Path(name) / "answer"
        pid = os.fork()
        if pid == 0:
            _be_the_scout(work, memory, Path(name), answer)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise RuntimeError(f"the scout ended with {status}: {answer.read_text() if answer.exists() else ''}")
        modules, signatures, known = pickle.loads(answer.read_bytes())
    for module in modules:
        importlib.import_module(module)
    for dispatcher in _dispatchers():
        for signature in set(signatures.get(_name_of(dispatcher), ())) - set(dispatcher.signatures):
            dispatcher.compile(signature)
    memory.known |= known


def _be_the_scout(work: Callable[[Path], None], memory: Memory, folder: Path, answer: Path) -> NoReturn:
    status = 1
    try:
        imported = set(sys.modules)
        work(folder)
        signatures = {_name_of(one): [each for each in one.signatures if _can_travel(each)] for one in _dispatchers()}
        modules = [name for name in sys.modules if name not in imported]
        answer.write_bytes(pickle.dumps((modules, signatures, memory.known)))
        status = 0
    except BaseException:
        answer.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _can_travel(signature: Any) -> bool:
    """Not so of a small function inlined into its kernel with the types of numpy's functions; it is loaded with that kernel."""
    try:
        pickle.dumps(signature)
    except (AttributeError, TypeError, pickle.PicklingError):
        return False
    return True


def _dispatchers() -> list[CPUDispatcher]:
    return [found for found in gc.get_objects() if isinstance(found, CPUDispatcher)]


def _name_of(dispatcher: CPUDispatcher) -> tuple[str, str]:
    return dispatcher.py_func.__module__, dispatcher.py_func.__qualname__
