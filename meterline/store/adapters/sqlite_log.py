"""The commit log on SQLite: WAL, `synchronous=FULL`, every commit one `BEGIN IMMEDIATE` that verifies before it writes."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from schemas.errors import CommitConflictError, Fault, MeterlineError
from schemas.ports import CommitDraft, FilePart, LiveFile, RowCount, Source
from schemas.reasons import Disposition, Reason

SCHEMA_VERSION = 1
_T = TypeVar("_T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS commits (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL, chain TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS files (
  file_id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, tab TEXT NOT NULL, size_bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  seq INTEGER NOT NULL) STRICT;
CREATE INDEX IF NOT EXISTS files_by_table ON files (tab);
CREATE TABLE IF NOT EXISTS parts (
  file_id INTEGER NOT NULL, period INTEGER NOT NULL, bucket INTEGER NOT NULL, rows INTEGER NOT NULL, first_row INTEGER NOT NULL,
  retired_seq INTEGER,
  PRIMARY KEY (file_id, period, bucket)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS row_account (
  seq INTEGER NOT NULL, source_id INTEGER NOT NULL, period INTEGER NOT NULL, kind INTEGER NOT NULL, disposition TEXT NOT NULL,
  reason INTEGER NOT NULL, rows INTEGER NOT NULL, quantity INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS versions (
  scope TEXT NOT NULL, number INTEGER NOT NULL, version INTEGER NOT NULL, PRIMARY KEY (scope, number)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS periods (period INTEGER PRIMARY KEY, state TEXT NOT NULL, seq INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS sources (
  source_id INTEGER PRIMARY KEY, sha256 TEXT NOT NULL UNIQUE, name TEXT NOT NULL, drop_name TEXT NOT NULL,
  size_bytes INTEGER NOT NULL, state TEXT NOT NULL, position INTEGER NOT NULL, faults TEXT NOT NULL DEFAULT '') STRICT;
CREATE TABLE IF NOT EXISTS duplicate_files (
  sha256 TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (sha256, name)) STRICT, WITHOUT ROWID;
"""


class SqliteCommitLog:
    """One writer's or reader's connection to a commit log file; implements `schemas.ports.CommitLog`."""

    def __init__(self, path: Path, data_folder: Path, *, create: bool = True) -> None:
        self._data_folder = data_folder
        if not create and not path.exists():
            raise MeterlineError(
                Fault(str(path), "no commit log here", next_step="run 'meterline run --until-idle' first", code="no_data")
            )
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA mmap_size=0")
        if self._schema_version() != SCHEMA_VERSION:
            self._write(self._create_schema)

    def _schema_version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    def _create_schema(self) -> None:
        if self._schema_version() > SCHEMA_VERSION:
            raise MeterlineError(
                Fault("commit log", "written by a newer Meterline", was=str(self._schema_version()), must_be=str(SCHEMA_VERSION))
            )
        for statement in _SCHEMA.split(";\n"):
            if statement.strip():
                self._db.execute(statement)
        self._db.execute(f"PRAGMA user_version={SCHEMA_VERSION}")

    def close(self) -> None:
        self._db.close()

    # ---- one durable SQL commit around a body ----

    def _write(self, body: Callable[[], _T]) -> _T:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            result = body()
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        return result

    # ---- commits ----

    def head(self) -> int:
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM commits").fetchone()[0])

    def chain_head(self) -> str:
        row = self._db.execute("SELECT chain FROM commits ORDER BY seq DESC LIMIT 1").fetchone()
        return str(row[0]) if row else ""

    def commit(self, draft: CommitDraft) -> int:
        return self._write(lambda: self._commit(draft))

    def _commit(self, draft: CommitDraft) -> int:
        seq = self.head() + 1
        for file in draft.files:
            if not (self._data_folder / file.name).is_file():
                raise CommitConflictError(Fault(f"commit {seq}", "a file to be named is gone", was=file.name, code="file_gone"))
        self._check_and_bump_versions(seq, draft)
        self._move_positions(seq, draft)
        self._retire_parts(seq, draft)
        self._name_files(seq, draft)
        self._db.executemany(
            "INSERT INTO row_account VALUES (?,?,?,?,?,?,?,?)",
            [
                (seq, r.source_id, r.period, r.kind, str(r.disposition), int(r.reason), r.rows, r.quantity)
                for r in draft.row_account
            ],
        )
        for period, state in draft.period_states.items():
            self._db.execute("INSERT OR REPLACE INTO periods VALUES (?,?,?)", (period, state, seq))
        body = commit_body(draft)
        self._db.execute("INSERT INTO commits VALUES (?,?,?,?)", (seq, draft.kind, body, chain_link(self.chain_head(), body)))
        return seq

    def _check_and_bump_versions(self, seq: int, draft: CommitDraft) -> None:
        for bump, wanted in ((False, draft.expected), (True, draft.versions)):
            for (scope, number), version in wanted.items():
                row = self._db.execute("SELECT version FROM versions WHERE scope=? AND number=?", (scope, number)).fetchone()
                found = int(row[0]) if row else 0
                if found != version:
                    raise _conflict(seq, f"version of {scope} {number}", found, version)
                if bump:
                    self._db.execute("INSERT OR REPLACE INTO versions VALUES (?,?,?)", (scope, number, version + 1))

    def _move_positions(self, seq: int, draft: CommitDraft) -> None:
        for move in draft.positions:
            changed = self._db.execute(
                "UPDATE sources SET position=?, state=? WHERE source_id=? AND position=? AND state='landed'",
                (move.after, "done" if move.done else "landed", move.source_id, move.before),
            ).rowcount
            if changed != 1:
                row = self._db.execute("SELECT position FROM sources WHERE source_id=?", (move.source_id,)).fetchone()
                raise _conflict(seq, f"position of source {move.source_id}", row[0] if row else "none", move.before)

    def _retire_parts(self, seq: int, draft: CommitDraft) -> None:
        for name, period, bucket in draft.retired:
            changed = self._db.execute(
                "UPDATE parts SET retired_seq=? WHERE retired_seq IS NULL AND period=? AND bucket=? "
                "AND file_id=(SELECT file_id FROM files WHERE name=?)",
                (seq, period, bucket, name),
            ).rowcount
            if changed != 1:
                raise _conflict(seq, f"{name} period {period} bucket {bucket}", "retired already", "live")

    def _name_files(self, seq: int, draft: CommitDraft) -> None:
        for file in draft.files:
            cursor = self._db.execute(
                "INSERT INTO files (name, tab, size_bytes, sha256, seq) VALUES (?,?,?,?,?)",
                (file.name, file.table, file.size_bytes, file.sha256, seq),
            )
            self._db.executemany(
                "INSERT INTO parts VALUES (?,?,?,?,?,NULL)",
                [(cursor.lastrowid, part.period, part.bucket, part.rows, part.first_row) for part in file.parts],
            )

    # ---- reading ----

    def versions(self, scopes: Sequence[str]) -> dict[tuple[str, int], int]:
        marks = ",".join("?" * len(scopes))
        rows = self._db.execute(f"SELECT scope, number, version FROM versions WHERE scope IN ({marks})", list(scopes))
        return {(scope, number): version for scope, number, version in rows}

    def live_files(self, table: str, *, as_of: int | None = None) -> list[LiveFile]:
        at = self.head() if as_of is None else as_of
        rows = self._db.execute(
            "SELECT f.name, f.seq, p.period, p.bucket, p.rows, p.first_row FROM files f JOIN parts p USING (file_id) "
            "WHERE f.tab=? AND f.seq<=? AND (p.retired_seq IS NULL OR p.retired_seq>?) ORDER BY f.file_id, p.period, p.bucket",
            (table, at, at),
        )
        found: dict[tuple[str, int], list[FilePart]] = defaultdict(list)
        for name, seq, period, bucket, count, first_row in rows:
            found[name, seq].append(FilePart(period, bucket, count, first_row))
        return [LiveFile(name, table, seq, tuple(parts)) for (name, seq), parts in found.items()]

    def row_account(self) -> list[RowCount]:
        rows = self._db.execute(
            # in two limbs: SQLite refuses an integer sum beyond 64 bits
            "SELECT source_id, period, kind, disposition, reason, "
            "sum(rows), sum(quantity / 1000000000), sum(quantity % 1000000000) "
            "FROM row_account GROUP BY source_id, period, kind, disposition, reason "
            "ORDER BY source_id, period, kind, disposition, reason"
        )
        return [
            RowCount(s, p, k, Disposition(d), Reason(r), n, high * 1_000_000_000 + low)
            for s, p, k, d, r, n, high, low in rows
            if n or high or low
        ]

    def period_states(self) -> dict[int, str]:
        return dict(self._db.execute("SELECT period, state FROM periods").fetchall())

    def notes(self, kind: str) -> list[tuple[int, Mapping[str, Any]]]:
        rows = self._db.execute("SELECT seq, body FROM commits WHERE kind=? ORDER BY seq", (kind,))
        return [(seq, json.loads(body)["notes"]) for seq, body in rows]

    def chain(self) -> list[tuple[int, str, str]]:
        return list(self._db.execute("SELECT seq, body, chain FROM commits ORDER BY seq").fetchall())

    def file_names(self) -> set[str]:
        return {name for (name,) in self._db.execute("SELECT name FROM files")}

    def billed_by_commit(self) -> list[tuple[int, int, int]]:
        return list(
            self._db.execute(
                "SELECT seq, period, sum(rows) FROM row_account WHERE disposition='billed' GROUP BY seq, period"
            ).fetchall()
        )

    def period_commits(self) -> dict[int, int]:
        return dict(self._db.execute("SELECT period, seq FROM periods WHERE state='closed'").fetchall())

    # ---- sources ----

    def claim_source(self, sha256: str, name: str, drop: str, size_bytes: int) -> Source:
        def body() -> None:
            self._db.execute(
                "INSERT OR IGNORE INTO sources (sha256, name, drop_name, size_bytes, state, position) "
                "VALUES (?,?,?,?,'claimed',0)",
                (sha256, name, drop, size_bytes),
            )
            # a file that was refused is tried again: its layout or the reader may have been mended
            self._db.execute(
                "UPDATE sources SET state='claimed', faults='', name=?, drop_name=? WHERE sha256=? AND state='refused'",
                (name, drop, sha256),
            )

        self._write(body)
        return next(source for source in self._sources("WHERE sha256=?", (sha256,)))

    def source_landed(self, source_id: int) -> None:
        self._write(
            lambda: self._db.execute("UPDATE sources SET state='landed' WHERE source_id=? AND state='claimed'", (source_id,))
        )

    def refuse_source(self, source_id: int, faults: str) -> None:
        self._write(
            lambda: self._db.execute(
                "UPDATE sources SET state='refused', faults=? "
                "WHERE source_id=? AND state IN ('claimed', 'landed') AND position=0",
                (faults, source_id),
            )
        )

    def add_duplicate_file(self, sha256: str, name: str) -> None:
        self._write(lambda: self._db.execute("INSERT OR IGNORE INTO duplicate_files VALUES (?,?)", (sha256, name)))

    def sources(self) -> list[Source]:
        return self._sources("ORDER BY source_id", ())

    def _sources(self, tail: str, values: tuple[Any, ...]) -> list[Source]:
        rows = self._db.execute(
            f"SELECT source_id, sha256, name, drop_name, size_bytes, state, position FROM sources {tail}", values
        )
        return [Source(*row) for row in rows]

    def duplicate_files(self) -> list[tuple[str, str]]:
        return list(self._db.execute("SELECT sha256, name FROM duplicate_files ORDER BY name").fetchall())

    def refusal(self, source_id: int) -> str:
        return str(self._db.execute("SELECT faults FROM sources WHERE source_id=?", (source_id,)).fetchone()[0])

    def refusals(self) -> list[tuple[str, str]]:
        return list(self._db.execute("SELECT name, faults FROM sources WHERE state='refused' ORDER BY name").fetchall())


def commit_body(draft: CommitDraft) -> str:
    """Everything that a commit says, as canonical JSON: what the hash chain covers."""
    said = {
        "kind": draft.kind,
        "files": sorted(
            [f.name, f.table, f.sha256, f.size_bytes, [[p.period, p.bucket, p.rows, p.first_row] for p in f.parts]]
            for f in draft.files
        ),
        "retired": sorted(draft.retired),
        "positions": sorted([m.source_id, m.before, m.after, m.done] for m in draft.positions),
        "rows": sorted(
            [r.source_id, r.period, r.kind, str(r.disposition), int(r.reason), r.rows, r.quantity] for r in draft.row_account
        ),
        "periods": sorted(draft.period_states.items()),
        "notes": draft.notes,
    }
    return json.dumps(said, sort_keys=True, separators=(",", ":"))


def chain_link(previous: str, body: str) -> str:
    return hashlib.sha256((previous + body).encode()).hexdigest()


def _conflict(seq: int, what: str, was: object, must_be: object) -> CommitConflictError:
    return CommitConflictError(
        Fault(
            f"commit {seq}",
            f"{what} has moved",
            was=str(was),
            must_be=str(must_be),
            next_step="another worker owns this work; start again and it goes on from the log",
            code="commit_conflict",
        )
    )
