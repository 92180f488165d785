"""Roll-ups: live rows of segments become account-sorted Parquet per (period, bucket), in a commit that retires what they replace.

Withdrawn rows are left out for good; the rolled file belongs to a later commit than any tombstone that was applied to it.
"""

from __future__ import annotations

from collections import defaultdict
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import pyarrow as pa

from meterline.store.durable import durable_put_all
from meterline.store.snapshot import Snapshot
from meterline.store.table_files import parquet_bytes, part_folder, read_parts, stored_file
from schemas.ports import CommitDraft, CommitLog, FilePart, LiveFile, StoredFile
from schemas.records import empty_table

_SORT_KEYS = {
    "rated_calls": ("account_key", "start_at", "record_hi", "record_lo"),
    "interval_days": ("account_key", "metering_point_id", "channel", "start_at", "record_hi"),
    "set_aside": ("source_id", "source_offset", "disposition"),
}

Place = tuple[int, int]


def roll_up(log: CommitLog, folder: Path, pool: Executor) -> int:
    """Roll all live segment rows, and rolled files of which rows were withdrawn since, so that views show neither.

    Returns how many rows were rolled (0: nothing to do, no commit).
    """
    snapshot = Snapshot.at_head(log, folder)
    files: list[StoredFile] = []
    contents: list[tuple[Path, Any]] = []
    retired: list[tuple[str, int, int]] = []
    for table in _SORT_KEYS:
        loose: dict[Place, list[tuple[LiveFile, FilePart]]] = defaultdict(list)
        for file in snapshot.files(table):
            if file.name.endswith(".arrow") or snapshot.has_withdrawn(file):
                for part in file.parts:
                    loose[part.period, part.bucket].append((file, part))
                    retired.append((file.name, part.period, part.bucket))
        for rolled in pool.map(lambda item, t=table: _roll_place(snapshot, t, *item), sorted(loose.items())):
            if rolled is not None:
                files.append(rolled[0])
                contents.append((folder / rolled[0].name, rolled[1]))
    if not retired:
        return 0
    durable_put_all(contents)
    log.commit(CommitDraft("roll_up", files=files, retired=retired))
    return sum(file.rows for file in files)


def _roll_place(
    snapshot: Snapshot, table: str, place: Place, sources: list[tuple[LiveFile, FilePart]]
) -> tuple[StoredFile, Any] | None:
    pieces = [
        snapshot.tombstones.alive(read_parts(snapshot.folder / file.name, table, [part]), file.commit_seq)
        for file, part in sources
    ]
    rows = pa.concat_tables([empty_table(table), *pieces])
    if not rows.num_rows:
        return None
    ordered = rows.sort_by([(key, "ascending") for key in _SORT_KEYS[table]]).combine_chunks()
    content = parquet_bytes(ordered)
    part = FilePart(*place, ordered.num_rows)
    return stored_file(table, part_folder(table, *place), content, [part], ".parquet"), content
