"""Folders as values: capture one, compare two, lay one out again and again at little cost."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path

MAPPED_SUFFIX = "-shm"  # SQLite's shared memory: written by mapping, rebuilt at open
_BACKDATED_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class Blob:
    """The content of one file; `key` names it by its bytes."""

    data: bytes
    key: bytes
    mode: int = 0o644


Entry = Blob | str | None  # a file, the target of a symbolic link, a folder
Tree = dict[str, Entry]  # by name relative to the top; "a/b" comes with its folder "a"


def blob(data: bytes, mode: int = 0o644) -> Blob:
    """A content under its key."""
    return Blob(data, hashlib.blake2b(data, digest_size=16).digest(), mode)


def tree_key(tree: Tree) -> bytes:
    """Names a whole tree by its names and contents."""
    sums = hashlib.blake2b(digest_size=16)
    for name in sorted(tree):
        entry = tree[name]
        kind = b"f" + entry.key if isinstance(entry, Blob) else repr(entry).encode()
        sums.update(os.fsencode(name) + b"\0" + kind + b"\0")
    return sums.digest()


def first_difference(left: Tree, right: Tree) -> str | None:
    """Says where two trees part, or None."""
    for name in sorted({*left, *right}):
        if name not in left or name not in right:
            return f"{name}: is only {'here' if name in left else 'there'}"
        one, two = left[name], right[name]
        if isinstance(one, Blob) and isinstance(two, Blob):
            if one.key != two.key:
                return f"{name}: {len(one.data)} bytes here differ from {len(two.data)} there"
        elif one != two or isinstance(one, Blob) != isinstance(two, Blob):
            return f"{name}: is another kind of entry here than there"
    return None


def capture(top: Path) -> Tree:
    """Everything under `top`."""
    return {name: _entry(top / name, info) for name, info in _walk(top).items()}


def _entry(path: Path, info: os.stat_result) -> Entry:
    if stat.S_ISDIR(info.st_mode):
        return None
    if stat.S_ISLNK(info.st_mode):
        return os.readlink(path)  # noqa: PTH115 - a Path would tidy the target up
    return blob(path.read_bytes(), stat.S_IMODE(info.st_mode))


def _walk(top: Path) -> dict[str, os.stat_result]:
    """Every name under `top` with its status, folders before what they hold."""
    found: dict[str, os.stat_result] = {}
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        with os.scandir(top / prefix) as entries:
            for entry in entries:
                found[prefix + entry.name] = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{prefix}{entry.name}/")
    return found


def _signature(info: os.stat_result) -> tuple[int, int, int, int, int]:
    return (info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_mode)


class Canvas:
    """A folder that takes on one tree after another; only what differs is written.

    A file is trusted to be unchanged if its status is the one it was left with. Its modification
    time is set back by some seconds, so that any later write shows, however coarse the clock ticks.
    What is written by mapping need not show, and is never trusted.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        self._laid: dict[str, tuple[bytes, tuple[int, int, int, int, int]]] = {}
        top.mkdir(parents=True, exist_ok=True)

    def lay_out(self, tree: Tree) -> None:
        """Makes the folder equal to `tree`."""
        present = _walk(self.top)
        for name in list(reversed(present)):
            if not self._stands(name, present[name], tree):
                _remove(self.top / name, present[name])
                del present[name]
        for name in sorted(tree):
            if name not in present:
                self._put(name, tree[name])

    def _stands(self, name: str, info: os.stat_result, tree: Tree) -> bool:
        if name not in tree:
            return False
        entry = tree[name]
        if entry is None:
            return stat.S_ISDIR(info.st_mode)
        laid = self._laid.get(name)
        if not isinstance(entry, Blob) or name.endswith(MAPPED_SUFFIX):
            return False
        return laid == (entry.key, _signature(info))

    def _put(self, name: str, entry: Entry) -> None:
        path = self.top / name
        if entry is None:
            path.mkdir()
        elif isinstance(entry, str):
            path.symlink_to(entry)
        else:
            self._laid[name] = (entry.key, _write(path, entry))


def _remove(path: Path, info: os.stat_result) -> None:
    if stat.S_ISDIR(info.st_mode):
        path.rmdir()
    else:
        path.unlink()


def _write(path: Path, content: Blob) -> tuple[int, int, int, int, int]:
    """A new inode, always: the old one may be a hard link's other name."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        rest = memoryview(content.data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        os.fchmod(fd, content.mode)
        backdated = time.time_ns() - _BACKDATED_NS
        os.utime(fd, ns=(backdated, backdated))
        return _signature(os.fstat(fd))
    finally:
        os.close(fd)
