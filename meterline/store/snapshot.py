"""Reading what is live as of one commit: segments and rolled files alike, withdrawn rows left out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from meterline.store.table_files import read_parts
from schemas.ports import CommitLog, FilePart, LiveFile
from schemas.reasons import Disposition
from schemas.records import empty_table

_KEY = ("record_hi", "record_lo", "content_hash")


@dataclass
class Tombstones:
    """Withdrawn rows by (record id, content), each with the commit that withdrew it."""

    keys: npt.NDArray[np.uint64]  # (n, 3)
    commit_seq: npt.NDArray[np.int64]  # (n,)

    @classmethod
    def load(cls, log: CommitLog, folder: Path, as_of: int) -> Tombstones:
        keys, seqs = [np.empty((0, 3), np.uint64)], [np.empty(0, np.int64)]
        for file in log.live_files("tombstones", as_of=as_of):
            table = read_parts(folder / file.name, "tombstones", file.parts)
            keys.append(np.column_stack([table[name].to_numpy() for name in _KEY]))
            seqs.append(np.full(table.num_rows, file.commit_seq, np.int64))
        return cls(np.concatenate(keys), np.concatenate(seqs))

    def alive(self, table: Any, written_seq: int) -> Any:
        """Drop the rows that a commit later than `written_seq` withdrew. Needs the key columns, and `disposition` of set_aside.

        A tombstone withdraws the version that was in force, never a copy of it: a duplicate stays a duplicate whatever its
        original becomes, or the row account would depend on which came first, the copy or the rival.
        """
        later = self.commit_seq > written_seq
        if not later.any() or not table.num_rows:
            return table
        hits = np.flatnonzero(np.isin(table["record_hi"].to_numpy(), self.keys[later, 0]))
        if not len(hits):
            return table
        dead_keys = {tuple(key) for key in self.keys[later].tolist()}
        rows = table.take(pa.array(hits)).select(list(_KEY)).to_pydict()
        dead = [hit for hit, *key in zip(hits.tolist(), *(rows[name] for name in _KEY), strict=True) if tuple(key) in dead_keys]
        keep = np.ones(table.num_rows, bool)
        keep[dead] = False
        if "disposition" in table.column_names:
            keep |= pc.equal(table["disposition"], str(Disposition.DUPLICATE)).to_numpy(zero_copy_only=False)
        return table.filter(pa.array(keep))


@dataclass
class Snapshot:
    """All tables as of one commit. Readers hold it for as long as they need one consistent answer."""

    log: CommitLog
    folder: Path
    as_of: int
    _tombstones: Tombstones | None = field(default=None, repr=False)
    _files: dict[str, list[LiveFile]] = field(default_factory=dict, repr=False)

    @classmethod
    def at_head(cls, log: CommitLog, folder: Path) -> Snapshot:
        return cls(log, folder, log.head())

    @property
    def tombstones(self) -> Tombstones:
        if self._tombstones is None:
            self._tombstones = Tombstones.load(self.log, self.folder, self.as_of)
        return self._tombstones

    def files(self, table: str) -> list[LiveFile]:
        if table not in self._files:
            self._files[table] = self.log.live_files(table, as_of=self.as_of)
        return self._files[table]

    def has_withdrawn(self, file: LiveFile) -> bool:
        """Whether rows of a file were withdrawn after it was written."""
        if not (self.tombstones.commit_seq > file.commit_seq).any():
            return False
        columns = [*_KEY, "disposition"] if file.table == "set_aside" else list(_KEY)
        rows = read_parts(self.folder / file.name, file.table, file.parts, columns)
        return bool(self.tombstones.alive(rows, file.commit_seq).num_rows < rows.num_rows)

    def parts(self, table: str) -> set[tuple[int, int]]:
        return {(part.period, part.bucket) for file in self.files(table) for part in file.parts}

    def read(
        self, table: str, *, periods: Iterable[int] | None = None, bucket: int | None = None, columns: Sequence[str] | None = None
    ) -> Any:
        """Live rows of a table, of some periods and one bucket if given, in no particular order."""
        pieces = [piece for _, piece in self.pieces(table, periods=periods, bucket=bucket, columns=columns)]
        if not pieces:
            return empty_table(table) if columns is None else empty_table(table).select(list(columns))
        return pa.concat_tables(pieces)

    def pieces(
        self, table: str, *, periods: Iterable[int] | None = None, bucket: int | None = None, columns: Sequence[str] | None = None
    ) -> Iterator[tuple[LiveFile, Any]]:
        """The same, file by file, so that a fold over all rows needs no more memory than one file."""
        wanted = set(periods) if periods is not None else None
        needed = (*_KEY, "disposition") if table == "set_aside" else _KEY
        asked = None if columns is None else [*columns, *(name for name in needed if name not in columns)]
        for file in self.files(table):
            parts = [p for p in file.parts if (wanted is None or p.period in wanted) and (bucket is None or p.bucket == bucket)]
            if parts:
                rows = read_parts(self.folder / file.name, table, parts, asked if table != "tombstones" else columns)
                if table != "tombstones":
                    rows = self.tombstones.alive(rows, file.commit_seq)
                yield file, rows if columns is None else rows.select(list(columns))


def split_parts(periods: npt.NDArray[np.int64], buckets: npt.NDArray[np.int64]) -> list[FilePart]:
    """The parts of rows that are ordered by (period, bucket)."""
    if not len(periods):
        return []
    change = np.flatnonzero((np.diff(periods) != 0) | (np.diff(buckets) != 0)) + 1
    firsts = np.concatenate([[0], change])
    ends = np.concatenate([change, [len(periods)]])
    return [FilePart(int(periods[a]), int(buckets[a]), int(b - a), int(a)) for a, b in zip(firsts, ends, strict=True)]
