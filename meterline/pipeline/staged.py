"""What a batch comes to: rows per stored table, withdrawals and row account, then files and the draft of one commit."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from meterline.store.durable import Content, durable_put_all
from meterline.store.snapshot import split_parts
from meterline.store.table_files import parquet_bytes, part_folder, segment_bytes, stored_file
from schemas import invariants
from schemas.ports import ALL_BUCKETS, NO_PERIOD, CommitDraft, FilePart, PositionMove, RowCount, StoredFile

SMALL_PART_ROWS = 1_000  # a part below this goes into the segment: a Parquet file of its own would cost more than its rows


@dataclass
class StagedRows:
    """Rows of one stored table in (period, bucket) order."""

    table: Any
    parts: list[FilePart]

    @classmethod
    def ordered(cls, table: Any, periods: npt.NDArray[np.int64], buckets: npt.NDArray[np.int64]) -> StagedRows:
        return cls(table, split_parts(periods, buckets))

    @classmethod
    def whole(cls, table: Any) -> StagedRows:
        """Rows of a table that is not spread (set aside, tombstones)."""
        return cls(table, [FilePart(NO_PERIOD, ALL_BUCKETS, table.num_rows)])


@dataclass
class Staged:
    """One micro-batch, ready to be written: the commit draft without its files."""

    rows: dict[str, StagedRows] = field(default_factory=dict)
    row_account: list[RowCount] = field(default_factory=list)
    positions: list[PositionMove] = field(default_factory=list)
    touched: set[tuple[str, int]] = field(default_factory=set)  # versions that the commit bumps
    open_periods: set[int] = field(default_factory=set)  # periods that were treated as open

    def require_conserved(self, where: str, collected: int) -> None:
        """Raise ConservationError unless every record read is counted and written exactly once (invariant I1)."""
        stored = 0
        for name in ("rated_calls", "interval_days", "set_aside"):
            if name in self.rows:
                table = self.rows[name].table
                stored += int(pc.sum(table["counted"]).as_py() or 0) if "counted" in table.column_names else table.num_rows
        counted = sum(entry.rows for entry in self.row_account)
        withdrawn = sum(-entry.rows for entry in self.row_account if entry.rows < 0)
        invariants.require(invariants.commit_holds(where, collected, counted, stored, withdrawn))


def write_staged(
    staged: Staged, kind: str, folder: Path, versions: dict[tuple[str, int], int], *, bulk_rows: int, pool: Executor
) -> CommitDraft:
    """Put a batch's files durably and return the draft that names them; nothing is visible before it is committed."""
    files: list[StoredFile] = []
    contents: list[tuple[Path, Content]] = []

    def add(entry: StoredFile, content: Any) -> None:
        files.append(entry)
        contents.append((folder / entry.name, content))

    for name, rows in staged.rows.items():
        if not rows.table.num_rows:
            continue
        bulk = rows.table.num_rows >= bulk_rows and name != "tombstones"
        large = [part for part in rows.parts if bulk and (part.rows >= SMALL_PART_ROWS or part.bucket == ALL_BUCKETS)]
        for entry, content in pool.map(lambda part, t=name, r=rows: _parquet_part(t, r, part), large):
            add(entry, content)
        small = [part for part in rows.parts if part not in large] if large else rows.parts
        if small:
            add(*_segment(name, rows, small))
    durable_put_all(contents)
    return CommitDraft(
        kind,
        files=files,
        positions=staged.positions,
        row_account=staged.row_account,
        versions={key: versions.get(key, 0) for key in sorted(staged.touched)},
        expected={("period", number): versions.get(("period", number), 0) for number in sorted(staged.open_periods)},
    )


def _parquet_part(name: str, rows: StagedRows, part: FilePart) -> tuple[StoredFile, Any]:
    content = parquet_bytes(rows.table.slice(part.first_row, part.rows))
    placed = FilePart(part.period, part.bucket, part.rows)
    return stored_file(name, part_folder(name, part.period, part.bucket), content, [placed], ".parquet"), content


def _segment(name: str, rows: StagedRows, parts: list[FilePart]) -> tuple[StoredFile, Any]:
    """One segment of the given parts, moved together."""
    placed, pieces, at = [], [], 0
    for part in parts:
        placed.append(FilePart(part.period, part.bucket, part.rows, at))
        pieces.append(rows.table.slice(part.first_row, part.rows))
        at += part.rows
    table = rows.table if len(pieces) == len(rows.parts) else pa.concat_tables(pieces)
    content = segment_bytes(table.combine_chunks())
    return stored_file(name, "segments", content, placed, ".arrow"), content
