"""The every-call workflow: each call that the shim wraps, once or more, on one folder.

It proves the shim, not a product: its operations must be counted as strace counts them, and its log
must replay to the real folder.
"""
# The calls by their own names are what this is about:
# ruff: noqa: PTH102, PTH104, PTH106, PTH108, PTH211

from __future__ import annotations

import contextlib
import ctypes
import os
from dataclasses import dataclass
from pathlib import Path

from tests.crash.trees import capture, tree_key

_TEXT = b"0123456789" * 100
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2


@dataclass(frozen=True)
class Calls:
    """Writes by every road; holds no promise, so its checks are empty."""

    name: str = "calls"
    writes_unseen: bool = False

    def prepare(self, folder: Path) -> None:
        """A folder that is not empty at the start."""
        (folder / "old").mkdir(parents=True)
        (folder / "old" / "file").write_bytes(_TEXT)

    def workload(self, folder: Path) -> None:
        """All of them, in the groups of the shim's source."""
        _open_in_all_ways(folder)
        _write_in_all_ways(folder)
        _copy_in_all_ways(folder)
        _resize_and_sync(folder)
        _name_in_all_ways(folder)
        _meet_errors(folder)
        if self.writes_unseen:
            _write_by_stdio(folder)

    def check_wreck(self, folder: Path) -> None:
        """Nothing is promised."""

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """Nothing is promised."""

    def digest(self, folder: Path) -> str:
        """The whole folder."""
        return tree_key(capture(folder)).hex()


def every_call(seed: int) -> Calls:
    """The same for every seed."""
    return Calls()


def unseen(seed: int) -> Calls:
    """Planted: one file goes by a road that the shim cannot see."""
    return Calls("calls-unseen", writes_unseen=True)


def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.pwritev64v2.argtypes = (
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int64,
        ctypes.c_int,
    )
    libc.fallocate64.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    return libc


def _must(status: int) -> int:
    if status < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return status


def _open_in_all_ways(folder: Path) -> None:
    libc = _libc()
    os.close(_must(libc.creat(os.fsencode(folder / "creat"), 0o644)))
    os.close(_must(libc.creat64(os.fsencode(folder / "creat64"), 0o644)))
    flags = os.O_RDWR | os.O_CREAT
    for name in ("open", "open64"):
        os.close(_must(libc[name](os.fsencode(folder / name), flags, 0o644)))
    for name in ("openat", "openat64"):
        os.close(_must(libc[name](_AT_FDCWD, os.fsencode(folder / name), flags, 0o644)))
    for name in ("__open_2", "__open64_2"):
        os.close(_must(libc[name](os.fsencode(folder / "old/file"), os.O_WRONLY | os.O_TRUNC)))
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.close(os.open("relative", flags, dir_fd=inside))
    os.close(os.open("old/../relative", flags, dir_fd=inside))
    os.close(inside)


def _write_in_all_ways(folder: Path) -> None:
    fd = os.open(folder / "written", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, _TEXT)
    os.writev(fd, [b"one", b"", b"two"])
    os.pwrite(fd, b"middle", 500)
    os.pwrite(fd, b"beyond", 5000)
    os.pwritev(fd, [b"three", b"four"], 20)
    os.pwritev(fd, [b"five"], 40, os.RWF_DSYNC)
    os.write(fd, b"at the position")
    text = ctypes.create_string_buffer(b"six")
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(text), 3)  # one struct iovec
    _must(_libc().pwritev64v2(fd, vector, 1, 60, 0))
    os.close(fd)
    with (folder / "written").open("ab") as file:
        file.write(b"appended")
    fd = os.open(folder / "written", os.O_WRONLY | os.O_APPEND)
    os.pwrite(fd, b"appended too, whatever the offset", 0)
    os.close(fd)


def _copy_in_all_ways(folder: Path) -> None:
    source = os.open(folder / "written", os.O_RDONLY)
    target = os.open(folder / "copied", os.O_RDWR | os.O_CREAT, 0o644)
    os.copy_file_range(source, target, 300)
    os.copy_file_range(source, target, 300, 10, 4000)
    os.sendfile(target, source, 100, 200)
    os.sendfile(target, source, None, 50)
    os.close(source)
    os.close(target)


def _resize_and_sync(folder: Path) -> None:
    libc = _libc()
    fd = os.open(folder / "sized", os.O_RDWR | os.O_CREAT, 0o644)
    os.write(fd, _TEXT)
    os.ftruncate(fd, 100)
    os.truncate(folder / "sized", 600)
    os.posix_fallocate(fd, 0, 700)
    _must(libc.fallocate64(fd, 0, 600, 400))
    os.fsync(fd)
    os.fdatasync(fd)
    _must(libc.syncfs(fd))
    os.close(fd)


def _name_in_all_ways(folder: Path) -> None:
    libc = _libc()
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    os.mkdir(folder / "new")
    os.mkdir("newer", dir_fd=inside)
    os.rename(folder / "creat", folder / "new/creat")
    os.rename("creat64", "newer/creat64", src_dir_fd=inside, dst_dir_fd=inside)
    os.rename(folder / "new", folder / "moved")
    names = (os.fsencode(folder / "moved/creat"), os.fsencode(folder / "open"))
    _must(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE))
    fresh = os.fsencode(folder / "fresh")
    _must(libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, fresh, _RENAME_NOREPLACE))
    os.link(folder / "written", folder / "linked")
    os.link("written", "linked2", src_dir_fd=inside, dst_dir_fd=inside)
    os.symlink("written", folder / "symbolic")
    os.symlink("written", "symbolic2", dir_fd=inside)
    (folder / "symbolic").open("ab").close()
    with (folder / "symbolic").open("r+b") as file:
        file.write(b"through the link")
    os.rename(folder / "written", folder / "linked")  # one inode: both names stay
    os.unlink(folder / "openat")
    os.unlink("openat64", dir_fd=inside)
    _must(libc.remove(os.fsencode(folder / "relative")))
    _must(libc.remove(os.fsencode(folder / "moved")))
    os.mkdir(folder / "short-lived")
    os.rmdir(folder / "short-lived")
    os.fsync(inside)
    os.close(inside)


def _meet_errors(folder: Path) -> None:
    """Failed calls count as operations and leave no record; lost names stay harmless."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(folder / "old")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(folder / "nothing")
    with contextlib.suppress(FileNotFoundError):
        os.rename(folder / "nothing", folder / "something")
    fd = os.open(folder / "unlinked", os.O_RDWR | os.O_CREAT, 0o644)
    os.unlink(folder / "unlinked")
    os.write(fd, b"nobody sees this")
    os.fsync(fd)
    os.close(fd)


def _write_by_stdio(folder: Path) -> None:
    """Stays inside libc, where no wrapper stands."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    libc.fputs.argtypes = (ctypes.c_char_p, ctypes.c_void_p)
    libc.fclose.argtypes = (ctypes.c_void_p,)
    file = libc.fopen(os.fsencode(folder / "unseen"), b"w")
    libc.fputs(b"nobody counted this", file)
    libc.fclose(file)
