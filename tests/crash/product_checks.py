"""What must hold of a home after a crash, before and after its restart.

Judging a state costs more than reaching it, and most crashes lead to one of a few states. So a verdict is kept under the hash
of all that it depends on (each row of the log, each file's bytes) and a state that was found good is not judged again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from meterline.config import Config
from meterline.pipeline.calendar import Calendar
from meterline.runtime.audit import account_frame, audit, stored_frame
from meterline.runtime.publish import FINANCE_FILE
from meterline.store.adapters.sqlite_log import SCHEMA_VERSION, SqliteCommitLog
from meterline.store.snapshot import Snapshot
from schemas import invariants
from schemas.errors import Fault
from schemas.records import STORED_TABLES
from settlement.adapters.finance_views import open_finance_file

SEALED = ("bills", "bill_lines", "charges", "postings", "carried", "service_state", "charged_calls", "charged_days")
_LOG_TABLES = ("commits", "files", "parts", "row_account", "versions", "periods", "sources", "duplicate_files")


class NotKept(Exception):
    """A law does not hold, or something that was acknowledged is not there."""


def require_whole(config: Config, *, judged: Path | None = None) -> None:
    """As a reader at the head: every live file is there with its bytes, and stored rows, row account and chain agree.

    `judged` is the folder of verdicts; None judges in any case.
    """
    with _reader(config) as log:
        if log is None:
            return
        snapshot = Snapshot.at_head(log, config.data)
        stated = {entry[0]: (entry[3], entry[2]) for _, body, _ in log.chain() for entry in json.loads(body)["files"]}
        live = {file.name: stated[file.name] for table in (*STORED_TABLES, *SEALED) for file in snapshot.files(table)}
        found = {name: _seen(config.data / name) for name in live if (config.data / name).is_file()}
        _require(invariants.files_hold(live, found))
        _once(judged, "wreck", _rows_of_log(config), lambda: _judge_wreck(config, log, snapshot, list(live)))


def _judge_wreck(config: Config, log: SqliteCommitLog, snapshot: Snapshot, live: list[str]) -> str:
    chain = log.chain()
    _require(invariants.chain_holds(chain, log.chain_head() or None) + invariants.files_match_chain(chain, live))
    account, stored = account_frame(log), stored_frame(snapshot, Calendar.of(config.zone, log))
    collected = dict(account.group_by("source_id").agg(pl.col("rows").sum()).iter_rows())
    _require(invariants.rows_hold(collected, account, stored) + invariants.quantities_hold(account, stored))
    _require(invariants.closed_holds(log.billed_by_commit(), log.period_commits()))
    for name in STORED_TABLES:
        snapshot.read(name)
    for file in (file for name in SEALED for file in snapshot.files(name)):
        pq.read_table(config.data / file.name)
    return ""


def final_state(config: Config, *, judged: Path | None = None) -> str:
    """The digest of what a home has come to, once the deep audit holds and nothing waits in an inbox."""
    waiting = [path.name for drop in config.drops for path in drop.folder.iterdir()]
    if waiting:
        raise NotKept(f"still in an inbox: {waiting}")
    state = _rows_of_log(config) + "".join(f"{path.relative_to(config.home)} {_seen(path)}\n" for path in _kept_files(config))
    return _once(judged, "final", state, lambda: _judge_final(config))


def _judge_final(config: Config) -> str:
    with contextlib.closing(SqliteCommitLog(config.commit_log, config.data, create=False)) as log:
        verdicts = audit(config, log, deep=True)
        skipped = [verdict.code for verdict in verdicts if verdict.verdict != "PASS"]
        if skipped:
            raise NotKept(f"not checked: {skipped}")
        _require([fault for verdict in verdicts for fault in verdict.faults])
        return _digest(config, log)


def _digest(config: Config, log: SqliteCommitLog) -> str:
    """One hash over live rows, row account, refusals and sealed tables, each in canonical order, files named by content."""
    snapshot, digest = Snapshot.at_head(log, config.data), hashlib.sha256()
    names = {source.source_id: source.sha256 for source in log.sources()}
    for table in STORED_TABLES:
        if table != "tombstones":
            rows = [{**row, "source_id": names[row["source_id"]]} for row in snapshot.read(table).to_pylist()]
            digest.update(_canonical(table, rows))
    for table in SEALED:
        pieces = [pq.read_table(config.data / file.name) for file in snapshot.files(table)]
        digest.update(_canonical(table, pa.concat_tables(pieces).to_pylist() if pieces else []))
    account = [
        {"source": names[r.source_id], "place": (r.period, r.kind, r.disposition, r.reason, r.rows, r.quantity)}
        for r in log.row_account()
    ]
    digest.update(_canonical("row_account", account))
    digest.update(repr(log.refusals()).encode())
    return digest.hexdigest()


def _canonical(name: str, rows: list[dict[str, Any]]) -> bytes:
    return "\n".join([name, *sorted(repr(sorted(row.items())) for row in rows)]).encode()


def require_kept(config: Config, marks: list[str]) -> None:
    """Whatever was acknowledged is still so: landed files, commits with their chain, the closed period, its finance file."""
    with contextlib.closing(SqliteCommitLog(config.commit_log, config.data, create=False)) as log:
        chain = {seq: link for seq, _, link in log.chain()}
        states = {source.sha256: source.state for source in log.sources()}
        periods = {f"{number // 12}-{number % 12 + 1:02}": state for number, state in log.period_states().items()}
    for mark in marks:
        word, *said = mark.split()
        kept: dict[str, Callable[[list[str]], bool]] = {
            "landed": lambda said: states.get(said[0]) in ("done", "refused"),
            "taken": lambda said: any((folder / said[0]).exists() for folder in (config.duplicate, config.refused)),
            "committed": lambda said: chain.get(int(said[0])) == said[1],
            "closed": lambda said: periods.get(said[0]) == "closed",
            "published": lambda said: (config.finance / "finance.duckdb").exists(),
        }
        if not kept[word](said):
            raise NotKept(f"acknowledged and lost: {mark}")


def _finance_commit(config: Config) -> int:
    """The commit that the finance file shows; all its views of bills must answer."""
    with open_finance_file(config.finance / FINANCE_FILE, [config.data, config.finance]) as link:
        link.execute("SELECT count(*) FROM bills").fetchone()
        return int(link.execute("SELECT value FROM finance_version WHERE name = 'commit'").fetchone()[0])


# ---- its parts ---------------------------------------------------------------------------------


@contextlib.contextmanager
def _reader(config: Config) -> Iterator[SqliteCommitLog | None]:
    """The log as a reader opens it; None where a crash came before there was one. Creates nothing."""
    if not config.commit_log.exists():
        yield None
        return
    with contextlib.closing(sqlite3.connect(f"file:{config.commit_log}?mode=rw", uri=True)) as bare:
        made = bare.execute("PRAGMA user_version").fetchone()[0] == SCHEMA_VERSION
    if not made:
        yield None
        return
    with contextlib.closing(SqliteCommitLog(config.commit_log, config.data, create=False)) as log:
        yield log


def _rows_of_log(config: Config) -> str:
    with contextlib.closing(sqlite3.connect(f"file:{config.commit_log}?mode=rw", uri=True)) as log:
        return repr([log.execute(f"SELECT * FROM {table}").fetchall() for table in _LOG_TABLES])


def _kept_files(config: Config) -> list[Path]:
    """What a final verdict depends on beside the log. The finance file is derived, and DuckDB writes it differently each time."""
    top = [config.landed, config.data / "tables", config.data / "segments", config.data / "sealed", config.data / "reference"]
    return sorted(path for folder in top if folder.exists() for path in folder.rglob("*") if path.is_file())


def _seen(path: Path) -> tuple[int, str]:
    content = path.read_bytes()
    return len(content), hashlib.sha256(content).hexdigest()


def _once(judged: Path | None, kind: str, state: str, judge: Callable[[], str]) -> str:
    """The verdict of a state, from an earlier child of this run if one has judged it."""
    if judged is None:
        return judge()
    kept = judged / f"{kind}-{hashlib.sha256(state.encode()).hexdigest()}"
    if not kept.exists():
        verdict = judge()
        judged.mkdir(exist_ok=True)
        kept.write_text(verdict)
    return kept.read_text()


def _require(faults: list[Fault]) -> None:
    if faults:
        raise NotKept("; ".join(map(str, faults)))
