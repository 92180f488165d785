"""Drop folders: which files are whole, what they are by content, and where they go. A file is claimed, then moved, then read.

The claim (a row in the commit log) precedes the move into `data/landed/`, so that a crash between them is finished, not guessed.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from meterline.config import Config, Drop
from meterline.store.durable import durable_move, durable_put, make_durable_folder, sync_folder
from schemas.errors import Fault, MeterlineError, RefusedFileError
from schemas.ports import CommitLog, Source

UNFINISHED_SUFFIXES = (".part", ".tmp", ".inprogress")
_FILES_A_LOOK = 10_000


@dataclass
class DropWatch:
    """Watches the drop folders of a home. `now` is wall-clock seconds, given by the caller at each look."""

    config: Config
    log: CommitLog
    _seen: dict[Path, tuple[int, int, float]] = field(default_factory=dict)  # path -> size, mtime_ns, since when unchanged

    def settled_files(self, now: float) -> list[tuple[Drop, Path]]:
        """Files whose size and time have not changed for `settled_file_s`, in order of name within each drop."""
        found, present = [], set()
        for drop in self.config.drops:
            for path in _regular_files(drop.folder):
                present.add(path)
                if self._is_settled(path, now):
                    found.append((drop, path))
        self._seen = {path: seen for path, seen in self._seen.items() if path in present}
        return found

    def has_files(self) -> bool:
        """Whether anything is still in a drop folder that will be taken in time."""
        return any(True for drop in self.config.drops for _ in _regular_files(drop.folder))

    def _is_settled(self, path: Path, now: float) -> bool:
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        size, changed, since = self._seen.get(path, (-1, -1, now))
        if (size, changed) != (status.st_size, status.st_mtime_ns):
            # a file that was last written long ago has been quiet since then, unless its clock lies in the future
            since = min(now, max(status.st_mtime, 0.0)) if size == -1 else now
            self._seen[path] = (status.st_size, status.st_mtime_ns, since)
        return now - since >= self.config.settled_file_s

    def claim(self, drop: Drop, path: Path) -> Source | None:
        """Claim a settled file by its content; returns its source if there is something to read.

        A content that landed before is a duplicate file; one that was refused before is tried again.
        """
        digest = sha256_of_file(path)
        source = self.log.claim_source(digest, path.name, drop.name, path.stat().st_size)
        target = self.landed_path(source)
        if target.exists():
            self.log.add_duplicate_file(digest, path.name)
            durable_move(path, free_name(self.config.duplicate / path.name))
            return None
        durable_move(path, target)
        self.log.source_landed(source.source_id)
        return next(entry for entry in self.log.sources() if entry.source_id == source.source_id)

    def landed_path(self, source: Source) -> Path:
        return self.config.landed / source.sha256[:2] / source.sha256

    def finish_claims(self) -> None:
        """After a crash: a claimed file that was moved has landed; one that was not is claimed again from its drop."""
        for source in self.log.sources():
            if source.state == "claimed" and self.landed_path(source).exists():
                self._make_move_durable(source)
                self.log.source_landed(source.source_id)
            if source.state == "refused" and self.landed_path(source).exists():
                self.move_refused(source)

    def _make_move_durable(self, source: Source) -> None:
        """The crash may have come between the rename and its syncs; the log must not say `landed` of a name that can still go."""
        make_durable_folder(self.landed_path(source).parent)
        sync_folder(self.landed_path(source).parent)
        for drop in self.config.drops:
            if drop.name == source.drop:
                sync_folder(drop.folder)

    def refuse(self, source: Source, cause: MeterlineError) -> None:
        """Refuse a landed file whole: recorded first, then moved to `refused/` beside a text that says why."""
        self.log.refuse_source(source.source_id, str(cause))
        self.move_refused(source)

    def move_refused(self, source: Source) -> None:
        """Move a refused file beside a text that says why."""
        target = free_name(self.config.refused / source.name)
        reason = self.log.refusal(source.source_id)
        text = f"{source.name} was refused; nothing of it was read.\n\n{reason}\n\nCorrect the file and drop it again.\n"
        durable_put(target.with_name(target.name + ".why.txt"), text.encode())
        durable_move(self.landed_path(source), target)


def _regular_files(folder: Path) -> Iterator[Path]:
    """Finished regular files of a folder by name; links, devices, dot-names and working names are left alone."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries[:_FILES_A_LOOK]:
        if entry.name.startswith(".") or entry.name.endswith(UNFINISHED_SUFFIXES):
            continue
        try:
            if stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                yield Path(entry.path)
        except FileNotFoundError:
            continue


def sha256_of_file(path: Path) -> str:
    """Read in small pieces: a mapping of the whole file would count as memory of this process."""
    with path.open("rb", buffering=0) as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


def free_name(path: Path) -> Path:
    """The path itself, or with `.2`, `.3` ... before its suffix if it is taken."""
    candidate, number = path, 1
    while candidate.exists():
        number += 1
        candidate = path.with_name(f"{path.stem}.{number}{path.suffix}")
    return candidate


def require_folders(config: Config) -> None:
    """Drop folders must exist: a missing one is a mistyped one, not an empty one."""
    missing = [drop for drop in config.drops if not drop.folder.is_dir()]
    if missing:
        raise MeterlineError(
            [
                Fault(
                    str(drop.folder),
                    "no such drop folder",
                    next_step=f"create it or correct drops in {config.home}/meterline.yaml",
                )
                for drop in missing
            ]
        )


def read_whole(path: Path, name: str) -> bytes:
    """A landed file of a kind that is read whole."""
    try:
        return path.read_bytes()
    except MemoryError as cause:  # a file beyond any sane size
        raise RefusedFileError(Fault(name, "does not fit into memory", next_step="split the file")) from cause
