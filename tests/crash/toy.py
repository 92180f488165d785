"""The reference workflow: a small correct store, and the same store with one planted bug each.

Messages wait in a spool beside the folder. Each is put away as a file named by its content, named
by a row in a SQLite commit, listed in a manifest, and only then acknowledged, which takes it out
of the spool for good. The matrix must pass the correct store and find every planted bug.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tests.crash import shim

MESSAGES = 4
_MARK = "acknowledged "
_SCHEMA = """CREATE TABLE IF NOT EXISTS commits (
    seq INTEGER PRIMARY KEY, message TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL)"""


@dataclass(frozen=True)
class Toy:
    """The workflow; every flag away from its default is a planted bug."""

    name: str
    seed: int
    sql_before_file: bool = False
    ack_before_commit: bool = False
    recognizes_replays: bool = True
    manifest_renamed: bool = True
    syncs_files: bool = True
    syncs_folders: bool = True
    believes_second_sync: bool = False
    synchronous: str = "FULL"
    hangs_on_restart: bool = False
    names_at_random: bool = False

    def prepare(self, folder: Path) -> None:
        """An empty folder; beside it a spool of messages of unequal sizes."""
        folder.mkdir()
        spool = folder.parent / "spool"
        (spool / "acknowledged").mkdir(parents=True)
        rng = random.Random(self.seed)
        for number in range(MESSAGES):
            (spool / f"m{number:02}").write_bytes(rng.randbytes(rng.choice((100, 3000, 9000))))

    def replay_outside(self, folder: Path, marks: list[str]) -> None:
        """The spool does not deliver again what it was acknowledged."""
        for mark in marks:
            _acknowledge(folder, mark.removeprefix(_MARK))

    def workload(self, folder: Path) -> None:
        """Takes every waiting message; after a crash, those that still wait."""
        if self.hangs_on_restart and (folder / "store").exists():
            time.sleep(3600)
        self._make_folder(folder / "store")
        with contextlib.closing(self._open_log(folder)) as log:
            for message in _waiting(folder):
                self._take(folder, log, message)

    def _take(self, folder: Path, log: sqlite3.Connection, message: Path) -> None:
        content = message.read_bytes()
        sha256 = hashlib.sha256(content).hexdigest()
        stem = os.urandom(8).hex() if self.names_at_random else sha256[:16]
        file = folder / "store" / f"{stem}.bin"
        if self.ack_before_commit:
            _acknowledge(folder, message.name)
        if not (self.recognizes_replays and _is_committed(log, message.name)):
            if not self.sql_before_file:
                self._durable_put(file, content)
            _commit(log, message.name, file.name, sha256)
            if self.sql_before_file:
                self._durable_put(file, content)
        self._publish(folder, log)
        if not self.ack_before_commit:
            _acknowledge(folder, message.name)

    def _open_log(self, folder: Path) -> sqlite3.Connection:
        """A small checkpoint limit, so that the checkpoint itself is under the matrix."""
        log = sqlite3.connect(folder / "log.db", isolation_level=None)
        for pragma in (f"synchronous={self.synchronous}", "journal_mode=WAL", "mmap_size=0"):
            log.execute(f"PRAGMA {pragma}")
        log.execute("PRAGMA wal_autocheckpoint=6")
        log.execute(_SCHEMA)
        return log

    def _publish(self, folder: Path, log: sqlite3.Connection) -> None:
        rows = log.execute("SELECT message, file, sha256 FROM commits ORDER BY seq").fetchall()
        text = json.dumps({"files": rows}, indent=1).encode()
        manifest = folder / "manifest.json"
        if not self.manifest_renamed:
            manifest.write_bytes(text)
        elif not manifest.exists() or manifest.read_bytes() != text:
            self._durable_put(manifest, text)

    def _durable_put(self, path: Path, content: bytes) -> None:
        """Another name, the bytes, their sync, the rename, the folder's sync."""
        partial = path.with_name(path.name + ".inprogress")
        fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if self.syncs_files:
                self._sync_file(fd)
        finally:
            os.close(fd)
        partial.rename(path)
        self._sync_folder(path.parent)

    def _sync_file(self, fd: int) -> None:
        try:
            os.fsync(fd)
        except OSError:
            if not self.believes_second_sync:
                raise
            os.fsync(fd)

    def _make_folder(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._sync_folder(folder.parent)

    def _sync_folder(self, folder: Path) -> None:
        if self.syncs_folders:
            fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)

    def check_wreck(self, folder: Path) -> None:
        """Every file named by a commit or by the manifest is there and whole."""
        for _, file, sha256 in _committed(folder):
            _must_hold(folder / "store" / file, sha256)
        for _, file, sha256 in _published(folder):
            _must_hold(folder / "store" / file, sha256)

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """Every message committed once and published, all that was acknowledged among them."""
        self.check_wreck(folder)
        messages = [message for message, _, _ in _committed(folder)]
        lost = {mark.removeprefix(_MARK) for mark in marks} - set(messages)
        _must(not lost, f"acknowledged and lost: {sorted(lost)}")
        _must(len(messages) == len(set(messages)), f"committed twice: {messages}")
        _must(len(messages) == MESSAGES, f"committed: {messages}")
        _must(_published(folder) == _committed(folder), "the manifest is not what was committed")

    def digest(self, folder: Path) -> str:
        """The commits in their order and the manifest's bytes."""
        text = json.dumps(_committed(folder)).encode()
        return hashlib.sha256(text + (folder / "manifest.json").read_bytes()).hexdigest()


# ---- its parts ---------------------------------------------------------------------------------


def _waiting(folder: Path) -> list[Path]:
    return sorted(path for path in (folder.parent / "spool").iterdir() if path.is_file())


def _acknowledge(folder: Path, message: str) -> None:
    """Takes the message out of the spool for good, and says so to the log."""
    spool = folder.parent / "spool"
    (spool / message).rename(spool / "acknowledged" / message)
    shim.mark(f"{_MARK}{message}")


def _is_committed(log: sqlite3.Connection, message: str) -> bool:
    found = log.execute("SELECT 1 FROM commits WHERE message = ?", (message,)).fetchone()
    return found is not None


def _commit(log: sqlite3.Connection, message: str, file: str, sha256: str) -> None:
    log.execute("BEGIN IMMEDIATE")
    log.execute("INSERT INTO commits (message, file, sha256) VALUES (?, ?, ?)", (message, file, sha256))
    log.execute("COMMIT")


@contextlib.contextmanager
def _reader(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"file:{folder}/log.db?mode=rw", uri=True)) as log:
        yield log


def _committed(folder: Path) -> list[list[str]]:
    """The rows as a reader sees them; a log that is not there yet has none."""
    if not (folder / "log.db").exists():
        return []
    with _reader(folder) as log:
        if not log.execute("SELECT 1 FROM sqlite_master WHERE name = 'commits'").fetchone():
            return []
        rows = log.execute("SELECT message, file, sha256 FROM commits ORDER BY seq")
        return [list(row) for row in rows]


def _published(folder: Path) -> list[list[str]]:
    manifest = folder / "manifest.json"
    if not manifest.exists():
        return []
    files: list[list[str]] = json.loads(manifest.read_bytes())["files"]
    return files


def _must_hold(path: Path, sha256: str) -> None:
    _must(path.exists(), f"{path.name}: is named and is not there")
    _must(hashlib.sha256(path.read_bytes()).hexdigest() == sha256, f"{path.name}: is not whole")


def _must(holds: bool, problem: str) -> None:
    """Raises, never asserts: a check must hold under `python -O` too."""
    if not holds:
        raise ValueError(problem)


# ---- the correct one and the planted bugs ------------------------------------------------------


def correct(seed: int) -> Toy:
    """No bug: the matrix must find nothing."""
    return Toy("toy", seed)


def sql_first(seed: int) -> Toy:
    """The commit names a file that is not there yet."""
    return replace(correct(seed), name="toy-sql-first", sql_before_file=True)


def ack_first(seed: int) -> Toy:
    """The source is told before anything is durable."""
    return replace(correct(seed), name="toy-ack-first", ack_before_commit=True)


def twice(seed: int) -> Toy:
    """A message delivered again after a crash is committed again."""
    return replace(correct(seed), name="toy-twice", recognizes_replays=False)


def manifest_in_place(seed: int) -> Toy:
    """The manifest is written under its final name."""
    return replace(correct(seed), name="toy-manifest-in-place", manifest_renamed=False)


def no_file_sync(seed: int) -> Toy:
    """The file's bytes are never synced."""
    return replace(correct(seed), name="toy-no-file-sync", syncs_files=False)


def no_folder_sync(seed: int) -> Toy:
    """The file's name is never synced."""
    return replace(correct(seed), name="toy-no-folder-sync", syncs_folders=False)


def sync_again(seed: int) -> Toy:
    """A failed sync is tried again, and its success believed."""
    return replace(correct(seed), name="toy-sync-again", believes_second_sync=True)


def sql_unsynced(seed: int) -> Toy:
    """The commit itself is not durable when it returns; only marks show that."""
    return replace(correct(seed), name="toy-sql-unsynced", synchronous="NORMAL")


def wanders(seed: int) -> Toy:
    """Two clean runs do different things, so that numbers of operations mean nothing."""
    return replace(correct(seed), name="toy-wanders", names_at_random=True)


def hangs(seed: int) -> Toy:
    """The restart never ends."""
    return replace(correct(seed), name="toy-hangs", hangs_on_restart=True)
