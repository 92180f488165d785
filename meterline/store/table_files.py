"""How tables become bytes: Arrow IPC segments for micro-batches, Parquet with encodings chosen per column for bulk and roll-ups.

Random ids are stored plain and uncompressed, sorted keys and instants as deltas, money and volumes byte-split with zstd
(reference: performance §7); every column is non-nullable.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from meterline.store.durable import sha256_hex
from schemas.ports import ALL_BUCKETS, FilePart, StoredFile
from schemas.records import STORED_TABLES

_PLAIN, _DELTA, _SPLIT = "PLAIN", "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"

# column -> (encoding, codec), each measured against the others on rated calls: what is random is stored plain, small and slowly
# changing values split by byte with lz4, money and volumes split with zstd; a column not named here is a dictionary with zstd
_ENCODINGS: dict[str, tuple[str, str]] = {
    "record_hi": (_PLAIN, "NONE"),
    "record_lo": (_PLAIN, "NONE"),
    "content_hash": (_PLAIN, "NONE"),
    "source_id": (_SPLIT, "LZ4"),
    "source_offset": (_SPLIT, "LZ4"),
    "source_length": (_SPLIT, "LZ4"),
    "kind": (_SPLIT, "LZ4"),
    "account_key": (_SPLIT, "LZ4"),
    "served_number": (_SPLIT, "LZ4"),
    "called_number": (_SPLIT, "ZSTD"),
    "start_at": (_SPLIT, "LZ4"),
    "rule_key": (_SPLIT, "ZSTD"),
    "quantity": (_SPLIT, "LZ4"),
    "charged_quantity": (_SPLIT, "LZ4"),
    "charge_nano": (_SPLIT, "ZSTD"),
    "values.list.element": (_SPLIT, "ZSTD"),
    "updated_at": (_DELTA, "NONE"),
    "raw": (_PLAIN, "ZSTD"),
}
_STATISTICS = {"account_key", "start_at", "kind", "rule_key", "metering_point_id", "source_id", "disposition", "reason", "period"}


def segment_bytes(table: Any) -> Any:
    """One Arrow IPC file of a table, as a buffer."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def parquet_bytes(table: Any) -> Any:
    """One Parquet file of a stored table, as a buffer."""
    sink = pa.BufferOutputStream()
    leaves = ["values.list.element" if f.name == "values" else f.name for f in table.schema]
    pq.write_table(
        table,
        sink,
        compression={leaf: _ENCODINGS.get(leaf, ("", "ZSTD"))[1] for leaf in leaves},
        compression_level={leaf: 1 for leaf in leaves if _ENCODINGS.get(leaf, ("", "ZSTD"))[1] == "ZSTD"},
        use_dictionary=[leaf for leaf in leaves if leaf not in _ENCODINGS],
        column_encoding={leaf: _ENCODINGS[leaf][0] for leaf in leaves if leaf in _ENCODINGS},
        row_group_size=262_144,
        write_statistics=[leaf for leaf in leaves if leaf in _STATISTICS],
        store_schema=False,
    )
    return sink.getvalue()


def stored_file(table_name: str, folder: str, content: Any, parts: Sequence[FilePart], suffix: str) -> StoredFile:
    """The entry of a file whose name ends in the SHA-256 of its content, so that nobody overwrites another's file."""
    digest = sha256_hex(content)
    name = f"{folder}/{table_name}-{digest}{suffix}"
    return StoredFile(name, table_name, len(memoryview(content)), digest, tuple(parts))


def part_folder(table_name: str, period: int, bucket: int) -> str:
    """The hive folder of one part: `tables/TABLE/period=YYYY-MM/bucket=NN`."""
    label = f"{period // 12:04d}-{period % 12 + 1:02d}" if period >= 0 else "none"
    return f"tables/{table_name}/period={label}/bucket={bucket:02d}" if bucket != ALL_BUCKETS else f"tables/{table_name}"


def read_parts(path: Path, table_name: str, parts: Iterable[FilePart], columns: Sequence[str] | None = None) -> Any:
    """The rows of some parts of one stored file, as an Arrow table of the stored schema."""
    schema = STORED_TABLES[table_name]
    wanted = list(columns) if columns is not None else schema.names
    if path.suffix == ".arrow":
        with pa.memory_map(str(path)) as source:
            whole = pa.ipc.open_file(source).read_all().select(wanted)
    else:
        whole = pq.ParquetFile(path, memory_map=True).read(columns=wanted, use_threads=False)
    pieces = [whole.slice(part.first_row, part.rows) for part in parts]
    table = pa.concat_tables(pieces) if pieces else whole.slice(0, 0)
    return table.cast(pa.schema([schema.field(name) for name in wanted]))
