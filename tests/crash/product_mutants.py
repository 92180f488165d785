"""The product with one planted bug each, so that the matrix shows that it would find them. Patched in the child that runs it."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

from meterline.config import Drop
from meterline.pipeline import staged
from meterline.runtime.drops import DropWatch, sha256_of_file
from meterline.store import durable
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.durable import durable_move
from schemas.ports import CommitDraft, Source
from tests.crash.product import Product, first_drop, late_drop


class _Everything:
    """A data folder in which every file is there: silences the commit's own look at its files."""

    def __truediv__(self, name: str) -> Path:
        return Path(__file__)


@contextlib.contextmanager
def _sql_before_files() -> Iterator[None]:
    waiting: list[Any] = []
    put, commit = staged.durable_put_all, SqliteCommitLog.commit

    def commit_first(log: SqliteCommitLog, draft: CommitDraft) -> int:
        with patch.object(log, "_data_folder", _Everything()):
            seq = commit(log, draft)
        put(waiting)
        waiting.clear()
        return seq

    with patch.object(staged, "durable_put_all", waiting.extend), patch.object(SqliteCommitLog, "commit", commit_first):
        yield


@contextlib.contextmanager
def _without_sync(*, of_folders: bool) -> Iterator[None]:
    fsync = os.fsync

    def some(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode) != of_folders:
            fsync(descriptor)

    with patch.object(os, "fsync", some):
        yield


@contextlib.contextmanager
def _positions_apart() -> Iterator[None]:
    commit = SqliteCommitLog.commit

    def rows_first(log: SqliteCommitLog, draft: CommitDraft) -> int:
        seq = commit(log, replace(draft, positions=[]))
        log._write(lambda: log._move_positions(seq, draft))
        return seq

    with patch.object(SqliteCommitLog, "commit", rows_first):
        yield


@contextlib.contextmanager
def _commits_unsynced() -> Iterator[None]:
    opened = SqliteCommitLog.__init__

    def open_lightly(log: SqliteCommitLog, *arguments: Any, **named: Any) -> None:
        opened(log, *arguments, **named)
        log._db.execute("PRAGMA synchronous=NORMAL")

    with patch.object(SqliteCommitLog, "__init__", open_lightly):
        yield


@contextlib.contextmanager
def _moved_before_claimed() -> Iterator[None]:
    claim = DropWatch.claim

    def move_first(watch: DropWatch, target: Drop, path: Path) -> Source | None:
        digest, size = sha256_of_file(path), path.stat().st_size
        landed = watch.config.landed / digest[:2] / digest
        if landed.exists() or "broken" in path.name:
            return claim(watch, target, path)
        durable_move(path, landed)
        source = watch.log.claim_source(digest, path.name, target.name, size)
        watch.log.source_landed(source.source_id)
        return replace(source, state="landed")

    with patch.object(DropWatch, "claim", move_first):
        yield


@contextlib.contextmanager
def _claims_left_open() -> Iterator[None]:
    with patch.object(DropWatch, "finish_claims", lambda watch: None):
        yield


@contextlib.contextmanager
def _folders_believed() -> Iterator[None]:
    """A folder that is there counts as durable, though the run that made it was killed before its sync."""

    def make_missing(folder: Path) -> None:
        if not folder.is_dir():
            make_missing(folder.parent)
            folder.mkdir()
            durable.sync_folder(folder.parent)

    with patch.object(durable, "make_durable_folder", make_missing):
        yield


def _mutant(
    name: str, planted: Callable[[], AbstractContextManager[None]], step: Callable[[int], Product] = first_drop
) -> Callable[[int], Product]:
    return lambda seed: replace(step(seed), name=f"product-{name}", planted=planted)


sql_first = _mutant("sql-first", _sql_before_files)
no_file_sync = _mutant("no-file-sync", partial(_without_sync, of_folders=False))
# A new home without any folder's sync loses everything, drops and all, and begins anew: right, and no proof. So an old one.
no_folder_sync = _mutant("no-folder-sync", partial(_without_sync, of_folders=True), late_drop)
positions_apart = _mutant("positions-apart", _positions_apart)
sql_unsynced = _mutant("sql-unsynced", _commits_unsynced)
move_first = _mutant("move-first", _moved_before_claimed)
claims_left_open = _mutant("claims-left-open", _claims_left_open)
folders_believed = _mutant("folders-believed", _folders_believed)
