"""What the process that forks may do beforehand, so that a child begins with it: compiled kernels and read tariffs.

Each child starts as a copy of a process that has imported everything and run nothing, because polars does not survive a fork
once it has been used. But loading some fifty compiled kernels costs a child two seconds, and reading the tariffs' YAML more than
all its commits. Kernels survive a fork, so a scout child finds out which ones are wanted and the parent loads those. Tariffs are
read anew in each child, byte by byte; only what their bytes come to is remembered.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import os
import pickle
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from numba.core.registry import CPUDispatcher

T = TypeVar("T")
Signatures = dict[tuple[str, str], list[Any]]


def load_kernels_used_by(work: Callable[[Path], None]) -> None:
    """Run `work` in an empty folder in a child, then load here every kernel that it called, with the types it called it with."""
    with tempfile.TemporaryDirectory(prefix="scout-") as name:
        answer = Path(name) / "signatures"
        pid = os.fork()
        if pid == 0:
            _be_the_scout(work, Path(name), answer)
        _, status = os.waitpid(pid, 0)
        if status != 0:
            raise RuntimeError(f"the scout ended with {status}: {answer.read_text() if answer.exists() else ''}")
        wanted: Signatures = pickle.loads(answer.read_bytes())
    for dispatcher in _dispatchers():
        for signature in set(wanted.get(_name_of(dispatcher), ())) - set(dispatcher.signatures):
            dispatcher.compile(signature)


def _be_the_scout(work: Callable[[Path], None], folder: Path, answer: Path) -> NoReturn:
    status = 1
    try:
        work(folder)
        used = {_name_of(one): list(one.signatures) for one in _dispatchers() if one.signatures}
        answer.write_bytes(pickle.dumps(used))
        status = 0
    except BaseException:
        answer.write_text(traceback.format_exc())
    finally:
        os._exit(status)


def _dispatchers() -> list[CPUDispatcher]:
    return [found for found in gc.get_objects() if isinstance(found, CPUDispatcher)]


def _name_of(dispatcher: CPUDispatcher) -> tuple[str, str]:
    return dispatcher.py_func.__module__, dispatcher.py_func.__qualname__


def remembered_by_content(read: Callable[[Path], T]) -> Callable[[Path], T]:
    """`read(path)` of a file or folder, computed once for each content under the same path; the bytes are read each time."""
    known: dict[tuple[Path, str], T] = {}

    @functools.wraps(read)
    def remembering(path: Path) -> T:
        key = (path, _content_of(path))
        if key not in known:
            known[key] = read(path)
        return known[key]

    return remembering


def _content_of(path: Path) -> str:
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(entry for entry in path.rglob("*") if entry.is_file())
    for file in files:
        content = file.read_bytes()
        digest.update(f"{file.relative_to(path)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
