"""`durable_put`: the one way by which a file enters the data folder. After it returns, a power cut keeps the whole file.

No Parquet writer syncs what it writes (reference: reliability §5), so content is handed over as bytes and written here:
`NAME.inprogress`, fsync, rename, fsync of the folder; every new parent folder is made durable in its own parent too.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

Content = bytes | bytearray | memoryview

INPROGRESS = ".inprogress"
_DURABLE_FOLDERS: set[tuple[Path, int]] = set()  # path and inode of folders whose names this process knows to be durable


def sha256_hex(content: Content) -> str:
    return hashlib.sha256(content).hexdigest()


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_durable_folder(folder: Path) -> None:
    """Create a folder and its missing parents, each durable in its own parent.

    A folder that is there already may have been made by a process that was killed before it synced the parent. So each process
    syncs that once for every folder it meets: else what it puts inside would hang on a name that a power cut takes away.
    """
    at = folder.absolute()
    unsure = []
    while at != at.parent and not (at.is_dir() and (at, at.stat().st_ino) in _DURABLE_FOLDERS):
        unsure.append(at)
        at = at.parent
    for path in reversed(unsure):
        if not path.is_dir():
            path.mkdir(exist_ok=True)
        with suppress(PermissionError):  # above the home there may be folders that its owner cannot open
            sync_folder(path.parent)
        _DURABLE_FOLDERS.add((path, path.stat().st_ino))


def write_synced(path: Path, content: Content) -> None:
    """Write a file under its working name and sync it; the name itself is not durable yet."""
    working = path.with_name(path.name + INPROGRESS)
    descriptor = os.open(working, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        view = memoryview(content).cast("B")
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    os.rename(working, path)  # noqa: PTH104


def durable_put(path: Path, content: Content) -> None:
    """Put one file durably under its final name, replacing what was there."""
    durable_put_all([(path, content)])


def durable_put_all(files: Iterable[tuple[Path, Content]]) -> None:
    """Put several files durably; each folder is synced once, after all its names are there."""
    folders: dict[Path, None] = {}
    for path, content in files:
        make_durable_folder(path.parent)
        write_synced(path, content)
        folders[path.parent] = None
    for folder in folders:
        sync_folder(folder)


def durable_move(source: Path, target: Path) -> None:
    """Rename a file so that both folders keep it after a power cut; a copy where the target is another file system."""
    make_durable_folder(target.parent)
    try:
        with source.open("rb") as content:
            os.fsync(content.fileno())  # whoever dropped it may not have synced it
        os.rename(source, target)  # noqa: PTH104
    except OSError as cause:
        if cause.errno != 18:  # EXDEV
            raise
        durable_put(target, source.read_bytes())
        source.unlink()
    sync_folder(target.parent)
    sync_folder(source.parent)
