"""A store in miniature for the tests of the store: a commit log, and tables of a few rows put and committed by hand."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meterline.pipeline.staged import Staged, StagedRows, write_staged
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.snapshot import Snapshot
from schemas.ports import CommitDraft
from schemas.records import table_of

START_AT = 1_790_000_000_000_000
Key = tuple[int, int, int]  # record id (both halves) and content


def calls(keys: Sequence[Key]) -> Any:
    """A table of rated calls that differ in their keys only; the account key is the record id's upper half."""
    count = len(keys)
    hi, lo, content = (np.array([key[at] for key in keys], np.uint64) for at in range(3))
    zeros = {
        name: np.zeros(count, np.int64) for name in ("source_offset", "source_length", "kind", "quantity", "charged_quantity")
    }
    zeros |= {name: np.zeros(count, np.int64) for name in ("rule_key", "charge_nano")}
    numbers = {name: np.zeros(count, np.uint64) for name in ("served_number", "called_number")}
    identity = {"record_hi": hi, "record_lo": lo, "content_hash": content, "source_id": np.ones(count, np.int64)}
    where = {"account_key": hi.astype(np.int64), "start_at": np.full(count, START_AT)}
    return table_of("rated_calls", identity | zeros | numbers | where)


def set_aside(keys: Sequence[Key], dispositions: Sequence[str]) -> Any:
    """A table of rows set aside, one disposition each."""
    count = len(keys)
    hi, lo, content = (np.array([key[at] for key in keys], np.uint64) for at in range(3))
    names = ("source_offset", "source_length", "kind", "reason", "start_at", "quantity", "quality", "updated_at")
    zeros = {name: np.zeros(count, np.int64) for name in names}
    ones = {name: np.ones(count, np.int64) for name in ("source_id", "counted")}
    identity = {"record_hi": hi, "record_lo": lo, "content_hash": content, "period": np.full(count, 24_321)}
    texts = {"disposition": list(dispositions), "service_id": [""] * count, "raw": [b""] * count}
    return table_of("set_aside", identity | zeros | ones | texts)


def tombstones(keys: Sequence[Key]) -> Any:
    columns = {
        name: np.array([key[at] for key in keys], np.uint64) for at, name in enumerate(("record_hi", "record_lo", "content_hash"))
    }
    return table_of("tombstones", columns)


@dataclass
class Store:
    """A data folder with its log; one thread writes files."""

    folder: Path
    log: SqliteCommitLog
    pool: ThreadPoolExecutor

    def put(
        self, *, bulk_rows: int = 1_000_000, periods: Sequence[int] = (), buckets: Sequence[int] = (), **tables: Any
    ) -> CommitDraft:
        """Write tables by name; calls lie in period 5 and bucket 0 unless `periods` and `buckets` (in order) say otherwise."""
        rows = {}
        for name, table in tables.items():
            if name == "rated_calls":
                spread = np.array(periods or [5] * table.num_rows), np.array(buckets or [0] * table.num_rows)
                rows[name] = StagedRows.ordered(table, *spread)
            else:
                rows[name] = StagedRows.whole(table)
        return write_staged(Staged(rows=rows), "calls", self.folder, {}, bulk_rows=bulk_rows, pool=self.pool)

    def commit(self, **tables: Any) -> int:
        return self.log.commit(self.put(**tables))

    def live(self, table: str = "rated_calls", *, as_of: int | None = None, **chosen: Any) -> list[Key]:
        """Keys of the live rows of a table, in order."""
        snapshot = Snapshot(self.log, self.folder, self.log.head() if as_of is None else as_of)
        rows = snapshot.read(table, columns=["record_hi", "record_lo", "content_hash"], **chosen)
        return sorted(tuple(row.values()) for row in rows.to_pylist())
