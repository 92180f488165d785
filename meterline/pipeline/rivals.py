"""Records that meet a held id with other content, decided so that the order of arrival never matters.

Calls are facts: two contents under one key are a *conflict*, and every version goes to suspense, withdrawing one that was rated.
Only few records come here, so this module works on rows, not on columns; it reads the stored rows of just the ids in question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.duplicate_index import COPY, NEW, OTHER_CONTENT
from meterline.store.snapshot import Snapshot
from meterline.store.table_files import read_parts
from schemas.ports import FilePart, LiveFile, RowCount, Source
from schemas.raw_slices import number_texts
from schemas.reasons import Disposition, Reason
from schemas.records import empty_table, table_of

Key = tuple[int, int]


@dataclass
class StoredRow:
    """One stored row of a contested id, as the table and row that hold it."""

    table: str
    period: int
    bucket: int
    row: dict[str, Any]

    @property
    def disposition(self) -> Disposition:
        return Disposition.BILLED if self.table != "set_aside" else Disposition(self.row["disposition"])

    @property
    def reason(self) -> Reason:
        return Reason.OK if self.table != "set_aside" else Reason(self.row["reason"])


@dataclass
class Rivalry:
    """What the contest came to: withdrawals, rows set aside anew, corrections of the row account."""

    tombstones: Any
    set_aside: Any
    row_account: list[RowCount] = field(default_factory=list)
    touched: set[tuple[str, int]] = field(default_factory=set)
    open_periods: set[int] = field(default_factory=set)

    @classmethod
    def none(cls) -> Rivalry:
        return cls(empty_table("tombstones"), empty_table("set_aside"))


def stored_versions(
    snapshot: Snapshot, tables: Iterable[str], keys: set[Key], periods: set[int], *, losers: bool = False, copies: bool = False
) -> dict[Key, list[StoredRow]]:
    """Live stored rows of some record ids; losers (superseded) and copies (duplicate) only if asked for."""
    found: dict[Key, list[StoredRow]] = defaultdict(list)
    wanted = np.array(sorted({hi for hi, _ in keys}), dtype=np.uint64)
    for name in tables:
        for file in snapshot.files(name):
            parts = [part for part in file.parts if name == "set_aside" or part.period in periods]
            for part, row in _rows_with(snapshot, file, parts, wanted) if parts else ():
                key = (row["record_hi"], row["record_lo"])
                stored = StoredRow(name, part.period if name != "set_aside" else row["period"], part.bucket, row)
                left_out = {Disposition.DUPLICATE: not copies, Disposition.SUPERSEDED: not losers}
                if key in keys and not left_out.get(stored.disposition, False):
                    found[key].append(stored)
    return found


def _rows_with(
    snapshot: Snapshot, file: LiveFile, parts: list[FilePart], wanted: npt.NDArray[np.uint64]
) -> Iterator[tuple[FilePart, dict[str, Any]]]:
    """Live rows of some parts of one file whose id has one of the wanted upper halves, each with its part."""
    path = snapshot.folder / file.name
    ids = read_parts(path, file.table, parts, ["record_hi"])["record_hi"].to_numpy()
    hits = np.flatnonzero(np.isin(ids, wanted))
    if not len(hits):
        return
    part_of = np.searchsorted(np.cumsum([part.rows for part in parts]), hits, side="right")
    for place in np.unique(part_of).tolist():
        chosen = pa.array(hits[part_of == place])
        rows = snapshot.tombstones.alive(read_parts(path, file.table, parts).take(chosen), file.commit_seq)
        for row in plain_rows(rows):
            yield parts[place], row


def plain_rows(table: Any) -> list[dict[str, Any]]:
    """Rows as dictionaries, instants as integers (microseconds UTC)."""
    fields = [pa.field(f.name, pa.int64() if pa.types.is_timestamp(f.type) else f.type, nullable=False) for f in table.schema]
    rows: list[dict[str, Any]] = table.cast(pa.schema(fields)).to_pylist()
    return rows


def withdraw(rivalry: Rivalry, rows: list[StoredRow], disposition: Disposition, reason: Reason) -> None:
    """Take stored rows back and set them aside with a new disposition; the row account follows them at their own source."""
    tombs: dict[str, list[int]] = {"record_hi": [], "record_lo": [], "content_hash": []}
    for stored in rows:
        for name, values in tombs.items():
            values.append(stored.row[name])
        base = (stored.row["source_id"], stored.period, stored.row["kind"])
        quantity = stored.row["quantity"]
        counted = stored.row.get("counted", 1)
        rivalry.row_account.append(RowCount(*base, stored.disposition, stored.reason, -counted, -quantity))
        rivalry.row_account.append(RowCount(*base, disposition, reason, counted, quantity))
        if stored.table != "set_aside":
            rivalry.touched.add(("bucket", stored.bucket))
        rivalry.open_periods.add(stored.period)
    rivalry.tombstones = pa.concat_tables(
        [rivalry.tombstones, table_of("tombstones", {k: np.array(v, np.uint64) for k, v in tombs.items()})]
    )
    rivalry.set_aside = pa.concat_tables([rivalry.set_aside, set_aside_again(rows, disposition, reason)])


def set_aside_again(rows: list[StoredRow], disposition: Disposition, reason: Reason) -> Any:
    """Stored rows as rows of `set_aside`; the raw record stays where it is, in its landed file."""

    def column(name: str, default: Any) -> list[Any]:
        return [stored.row.get(name, default) for stored in rows]

    services = [
        stored.row.get("service_id") or stored.row.get("metering_point_id")
        or number_texts(np.array([stored.row["served_number"]], np.uint64))[0].as_py()
        for stored in rows
    ]  # fmt: skip
    plain = (
        "record_hi",
        "record_lo",
        "content_hash",
        "source_id",
        "source_offset",
        "source_length",
        "kind",
        "start_at",
        "quantity",
    )
    types = {"record_hi": np.uint64, "record_lo": np.uint64, "content_hash": np.uint64}
    return table_of(
        "set_aside",
        {name: np.array(column(name, 0), dtype=types.get(name, np.int64)) for name in plain}
        | {
            "disposition": [str(disposition)] * len(rows),
            "reason": np.full(len(rows), int(reason), np.uint8),
            "period": np.array([stored.period for stored in rows], np.int32),
            "service_id": services,
            "quality": np.array(column("quality", 0), np.uint8),
            "updated_at": np.array(column("updated_at", 0), np.int64),
            "counted": np.array(column("counted", 1), np.uint8),
            "raw": column("raw", b""),
        },
    )


class CallRivals:
    """Conflicts among calls. `columns` has batch, status, period and found (see pipeline.calls); statuses are set in place."""

    def __init__(self, columns: Any, source: Source, calendar: Any, snapshot: Snapshot) -> None:
        self.columns, self.source, self.calendar, self.snapshot = columns, source, calendar, snapshot
        self.hi, self.lo, self.content = (columns.of(name) for name in ("record_hi", "record_lo", "content_hash"))

    def settle(self) -> Rivalry:
        rivalry = Rivalry.none()
        members = self._batch_members()
        periods = {int(self.columns.period[row]) for rows in members.values() for row in rows}
        stored = stored_versions(self.snapshot, ("rated_calls", "set_aside"), set(members), periods)
        withdrawn: list[StoredRow] = []
        for key, rows in members.items():
            withdrawn += self._settle_key(rows, stored.get(key, []))
        if withdrawn:
            withdraw(rivalry, withdrawn, Disposition.REJECTED, Reason.CONFLICT)
        return rivalry

    def _batch_members(self) -> dict[Key, list[int]]:
        """Batch rows by record id, of every id whose upper half was met with other content."""
        contested = np.unique(self.hi[self.columns.found == OTHER_CONTENT])
        members: dict[Key, list[int]] = defaultdict(list)
        readable = self.columns.period >= 0
        for row in np.flatnonzero(np.isin(self.hi, contested) & readable).tolist():
            members[int(self.hi[row]), int(self.lo[row])].append(row)
        return members

    def _settle_key(self, rows: list[int], stored: list[StoredRow]) -> list[StoredRow]:
        """Decide one id; returns the stored rows that its conflict withdraws."""
        firsts: dict[int, int] = {}
        for row in rows:
            firsts.setdefault(int(self.content[row]), row)
        held = {entry.row["content_hash"] for entry in stored}
        fresh = {row for content, row in firsts.items() if content not in held}
        for row in rows:
            self.columns.found[row] = NEW if row in fresh else COPY
        if len(held | set(firsts)) == 1:
            return []  # another id with the same upper half
        if bool(self.calendar.is_closed(self.columns.period[rows[:1]])[0]):
            self.columns.status[list(fresh)] = Reason.PERIOD_CLOSED
            return []  # what is billed stays; the other version waits for an adjustment
        self.columns.status[list(fresh)] = Reason.CONFLICT
        return [entry for entry in stored if entry.reason != Reason.CONFLICT]
