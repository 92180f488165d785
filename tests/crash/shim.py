"""The crash shim seen from Python: build it, load it into a new process, arm it, read its log.

`LD_PRELOAD` must be in place when a process starts, so the shim's controls exist only in a process
started with `environment()`. Elsewhere `mark` does nothing and everything else refuses.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import hashlib
import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SOURCE = Path(__file__).with_name("shim.c")
FLAGS = ("-shared", "-fPIC", "-O2", "-U_FORTIFY_SOURCE", "-Wall")
LIBRARIES = ("-ldl", "-lpthread")
ONE_THREAD = (
    "POLARS_MAX_THREADS",
    "NUMBA_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "ARROW_IO_THREADS",
)
HEAD = struct.Struct("<cHHqqqq")


class ShimError(Exception):
    """The shim cannot be built, is not loaded, or left a log that cannot be read."""


class Fault(StrEnum):
    """What the chosen operation meets; `LOST_SYNC` is `EIO` on a sync and a power cut later."""

    BEFORE = "before"
    AFTER = "after"
    TORN = "torn"
    SHORT = "short"
    EIO = "eio"
    ENOSPC = "enospc"
    LOST_SYNC = "lostsync"


KILLS = (Fault.BEFORE, Fault.AFTER, Fault.TORN)
_COUNT_ONLY = 0
_MODES = {
    Fault.BEFORE: (1, 0),
    Fault.AFTER: (2, 0),
    Fault.TORN: (3, 0),
    Fault.SHORT: (4, 0),
    Fault.EIO: (5, errno.EIO),
    Fault.ENOSPC: (6, errno.ENOSPC),
    Fault.LOST_SYNC: (5, errno.EIO),
}


@dataclass(frozen=True, slots=True)
class Record:
    """One logged operation.

    `code`: C created, N opened, Z truncated by open, W write, T truncate, S sync, R rename, L link,
    U unlink, D mkdir, M mark. `op` is the operation's number, -1 for a mark and for a failed sync.
    `length` is what the call returned; a sync made to fail has -1. A symbolic link is an L with
    offset 1 and its target as `path`.
    """

    code: str
    op: int
    path: str
    path2: str
    offset: int
    length: int
    payload: bytes


# ---- building ----------------------------------------------------------------------------------


def find_compiler() -> str | None:
    """The C compiler of this machine, or None: then nothing here can be proved."""
    named = os.environ.get("CC")
    names = ([named] if named else []) + ["cc", "gcc", "clang"]
    return next((found for name in names if (found := shutil.which(name))), None)


def build() -> Path:
    """The compiled shim, from a cache outside the project that is keyed by the source and flags."""
    text = SOURCE.read_bytes() + " ".join(FLAGS).encode()
    folder = Path(tempfile.gettempdir()) / f"meterline-crash-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise ShimError(f"{folder}: belongs to somebody else; remove it or set TMPDIR")
    library = folder / f"shim-{hashlib.sha256(text).hexdigest()[:16]}.so"
    if not library.exists():
        _compile(library)
    return library


def _compile(library: Path) -> None:
    """Compiles beside the final name, so that two builders at once cannot harm each other."""
    compiler = find_compiler()
    if compiler is None:
        raise ShimError("no C compiler was found (cc, gcc, clang); install one or set CC")
    partial = library.with_suffix(f".{os.getpid()}.inprogress")
    command = [compiler, *FLAGS, "-o", str(partial), str(SOURCE), *LIBRARIES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ShimError(f"{SOURCE.name} does not compile: {done.stderr.strip()}")
    partial.rename(library)


def environment(library: Path) -> dict[str, str]:
    """The environment of a process that runs workflows under the shim.

    One thread per pool and a fixed hash seed: operation numbers must not move between clean runs.
    """
    preload = " ".join(filter(None, [str(library), os.environ.get("LD_PRELOAD")]))
    fixed = {"LD_PRELOAD": preload, "PYTHONHASHSEED": "0", **dict.fromkeys(ONE_THREAD, "1")}
    return {**os.environ, **fixed}


# ---- controls ----------------------------------------------------------------------------------


@functools.cache
def _loaded() -> ctypes.CDLL | None:
    """The program itself, if the shim's controls are in it."""
    program = ctypes.CDLL(None, use_errno=True)
    if not all(hasattr(program, name) for name in ("arm", "count", "disarm", "mark")):
        return None
    text, number = ctypes.c_char_p, ctypes.c_int64
    program.arm.argtypes = (text, number, ctypes.c_int, ctypes.c_int, text)
    program.count.restype = number
    program.mark.argtypes = (text,)
    program.mark.restype = program.disarm.restype = None
    return program


def is_loaded() -> bool:
    """True in a process that was started with `environment()`."""
    return _loaded() is not None


def _controls() -> ctypes.CDLL:
    program = _loaded()
    if program is None:
        raise ShimError("the shim is not loaded; start the process with shim.environment()")
    return program


def arm(root: Path, log: Path | None = None, fault: Fault | None = None, at: int = -1) -> None:
    """Counts the operations under `root` from 0, appends them to `log`, faults number `at`."""
    mode, error = _MODES[fault] if fault else (_COUNT_ONLY, 0)
    log_name = os.fsencode(log) if log else b""
    if _controls().arm(os.fsencode(root), at, mode, error, log_name) != 0:
        raise ShimError(f"{root}: cannot be armed: {os.strerror(ctypes.get_errno())}")


def count() -> int:
    """Operations since the last `arm`, even if that was in a forked child that is dead now."""
    return int(_controls().count())


def disarm() -> None:
    """Lets everything straight through again."""
    _controls().disarm()


def mark(text: str) -> None:
    """Logs what has just been acknowledged to the outside; does nothing where the shim is not."""
    program = _loaded()
    if program is not None:
        program.mark(text.encode())


# ---- the log -----------------------------------------------------------------------------------


def read_log(log: Path) -> list[Record]:
    """All records in the order of execution; an absent log is an empty one."""
    return list(_records(log.read_bytes())) if log.exists() else []


def read_marks(log: Path) -> list[str]:
    """The texts of the marks in the order in which they were acknowledged."""
    return marks_of(read_log(log))


def marks_of(records: list[Record]) -> list[str]:
    """The texts of the marks among these records."""
    return [record.payload.decode() for record in records if record.code == "M"]


def _records(raw: bytes) -> Iterator[Record]:
    at = 0
    while at < len(raw):
        if at + HEAD.size > len(raw):
            raise ShimError(f"the log ends inside a header, at byte {at}")
        code, path_len, path2_len, op, offset, length, stored = HEAD.unpack_from(raw, at)
        path_at = at + HEAD.size
        path2_at = path_at + path_len
        payload_at = path2_at + path2_len
        at = payload_at + stored
        if at > len(raw):
            raise ShimError(f"the log ends inside a record, at byte {len(raw)}")
        yield Record(
            code=code.decode(),
            op=op,
            path=os.fsdecode(raw[path_at:path2_at]),
            path2=os.fsdecode(raw[path2_at:payload_at]),
            offset=offset,
            length=length,
            payload=raw[payload_at:at],
        )
