"""Call records through preprocess and first pass: decoded batch in, staged rows out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from accounts.account_order import BUSY_ACCOUNT
from ingest.call_decoder import CallBatch
from ingest.duplicate_index import NEW, OTHER_CONTENT, PARTITIONS, DuplicateIndex
from meterline.pipeline.calendar import Calendar
from meterline.pipeline.call_kernels import gather, order_partitions, partition_rows, place_calls, scatter
from meterline.pipeline.rivals import CallRivals, Rivalry
from meterline.pipeline.staged import Staged, StagedRows
from meterline.pipeline.tally import count_rows
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.calls.first_pass import RatedCalls, rate_calls
from schemas.ports import FilePart, Source
from schemas.raw_slices import number_texts, raw_slices
from schemas.reasons import Disposition, Reason
from schemas.records import table_of
from schemas.zones import instant_us

_OK = np.uint8(Reason.OK)
_LEFT_OUT = np.uint8(255)
_CARRIED = (
    "record_hi", "record_lo", "content_hash", "source_offset", "source_length",
    "kind", "served_number", "called_number", "start_at", "quantity",
)  # fmt: skip
_ANY_INSTANT = instant_us(datetime(2020, 1, 1, tzinfo=UTC))  # within the years that zone tables cover


class CallArena:
    """Columns that every batch reuses: fresh memory would cost a quarter of the time (reference: performance §9)."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._columns: dict[tuple[str, str], npt.NDArray[Any]] = {}

    def column(self, use: str, name: str, dtype: Any, rows: int) -> npt.NDArray[Any]:
        """An uninitialized column of a batch, by what it is used for."""
        key = (use, name)
        if key not in self._columns or len(self._columns[key]) < rows:
            self._columns[key] = np.empty(max(self._capacity, rows), dtype)
        return self._columns[key][:rows]


@dataclass
class _Columns:
    """A batch as equal-length arrays: what was decoded, then what the stages found out."""

    batch: CallBatch
    status: npt.NDArray[np.uint8]
    period: npt.NDArray[np.int64]
    rank: npt.NDArray[np.int32]
    tariff: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]  # 0 where the record cannot be read
    found: npt.NDArray[np.uint8]
    services_touched: npt.NDArray[np.uint8]

    def of(self, name: str) -> Any:
        return getattr(self.batch, name)[: self.batch.n]


def stage_calls(
    batch: CallBatch, text: npt.NDArray[np.uint8], base_offset: int, source: Source, *,
    reference: Reference, calendar: Calendar, index: DuplicateIndex, snapshot: Snapshot, arena: CallArena,
) -> Staged:  # fmt: skip
    """Rate a decoded batch and decide where each record goes. `text` starts at `base_offset` of the source.

    Adds the batch's ids to `index`; whoever fails to commit the result must throw the index away. Rows in = rated + set aside.
    The staged rows lie in `arena` until its next use.
    """
    columns = _preprocess(batch, reference, calendar, index, arena)
    rivalry = _settle_rivals(columns, source, calendar, snapshot)
    rated = _rate(columns, reference)
    staged = Staged(row_account=list(rivalry.row_account))
    _stage_rated(staged, columns, rated, source, reference, arena)
    _stage_set_aside(staged, columns, text, base_offset, source, rivalry)
    staged.rows["tombstones"] = StagedRows.whole(rivalry.tombstones)
    staged.touched |= rivalry.touched | {("service", int(number)) for number in np.flatnonzero(columns.services_touched)}
    staged.open_periods |= rivalry.open_periods
    return staged


def _preprocess(batch: CallBatch, reference: Reference, calendar: Calendar, index: DuplicateIndex, arena: CallArena) -> _Columns:
    n, directory = batch.n, reference.directory
    status = arena.column("status", "", np.uint8, n)
    status[:] = batch.status[:n]
    period = arena.column("period", "", np.int64, n)
    rank, tariff = arena.column("rank", "", np.int32, n), arena.column("tariff", "", np.int32, n)
    has_id, kind = arena.column("has_id", "", np.uint8, n), arena.column("kind", "", np.uint8, n)
    services = arena.column("service", "", np.uint64, n)
    services_touched = np.zeros(PARTITIONS, np.uint8)
    place_calls(
        batch.served_number[:n], batch.start_at[:n], batch.kind[:n], directory.slots, directory.assignments,
        calendar.starts, calendar.first, calendar.closed_flags,
        status, period, rank, tariff, has_id, services, services_touched, kind,
    )  # fmt: skip
    found = index.add(batch.record_hi[:n], batch.content_hash[:n], services, has_id)
    return _Columns(batch, status, period, rank, tariff, kind, found, services_touched)


def _settle_rivals(columns: _Columns, source: Source, calendar: Calendar, snapshot: Snapshot) -> Rivalry:
    """Records whose id is held with other content: conflicts, unless two ids only share their upper half."""
    if not (columns.found == OTHER_CONTENT).any():
        return Rivalry.none()
    return CallRivals(columns, source, calendar, snapshot).settle()


def _rate(columns: _Columns, reference: Reference) -> RatedCalls:
    """First pass over the whole batch; rows that are not to be billed get no tariff and keep their status."""
    unwanted = (columns.status != _OK) | (columns.found != NEW)
    columns.tariff[unwanted] = -1
    start_at = columns.of("start_at")
    # the book must reach over every start that is rated; any instant does when nothing is
    reach = start_at[~unwanted] if unwanted.any() else start_at
    book = reference.book(int(reach.min()), int(reach.max())) if len(reach) else reference.book(_ANY_INSTANT, _ANY_INSTANT)
    rated = rate_calls(book, columns.tariff, columns.kind, columns.of("called_number"), start_at, columns.of("quantity"))
    failed = rated.status != _OK
    columns.status[failed & ~unwanted] = rated.status[failed & ~unwanted]
    keys = reference.rule_keys(book)
    if len(keys):  # rows without a rule are set aside and show no key
        rated.rule_index = keys[rated.rule_index]
    return rated


def _stage_rated(
    staged: Staged, columns: _Columns, rated: RatedCalls, source: Source, reference: Reference, arena: CallArena
) -> None:
    directory, n = reference.directory, columns.batch.n
    buckets = len(directory.bucket_starts) - 1
    seen = columns.period[columns.period >= 0]
    first_period, last_period = (int(seen.min()), int(seen.max())) if len(seen) else (0, 0)
    starts = np.zeros((last_period - first_period + 1) * buckets + 1, np.int64)
    target = arena.column("target", "", np.int64, n)
    partition_rows(
        columns.status, columns.found, columns.period, columns.rank, directory.bucket, first_period, buckets, starts, target
    )
    rows = int(starts[-1])
    given = {name: columns.of(name) for name in _CARRIED} | {
        "rank": columns.rank,
        "charged_quantity": rated.charged_quantity,
        "rule_key": rated.rule_index,
        "charge_nano": rated.charge_nano,
    }
    parted = {name: arena.column("parted", name, values.dtype, rows) for name, values in given.items()}
    for name, values in given.items():
        scatter(values, target, parted[name])
    order = _partition_order(parted, starts, directory.bucket_starts, buckets, arena)
    sorted_ = {name: arena.column("sorted", name, values.dtype, rows) for name, values in parted.items()}
    for name, values in parted.items():
        gather(values, order, sorted_[name])
    sizes = np.diff(starts)
    used = np.flatnonzero(sizes)
    parts = [
        FilePart(first_period + int(part) // buckets, int(part) % buckets, int(sizes[part]), int(starts[part])) for part in used
    ]
    sorted_["source_id"] = np.full(rows, source.source_id, np.int32)
    sorted_["account_key"] = directory.account_key[sorted_.pop("rank")]
    staged.rows["rated_calls"] = StagedRows(table_of("rated_calls", sorted_), parts)
    staged.touched |= {("bucket", part.bucket) for part in parts}
    staged.open_periods |= {part.period for part in parts}
    accepted = np.where(target < 0, _LEFT_OUT, np.uint8(1))
    staged.row_account += count_rows(
        source.source_id, columns.period, columns.kind, columns.status, columns.of("quantity"), counted=accepted
    )


def _partition_order(
    parted: dict[str, npt.NDArray[Any]],
    starts: npt.NDArray[np.int64],
    bucket_starts: npt.NDArray[np.int64],
    buckets: int,
    arena: CallArena,
) -> npt.NDArray[np.int64]:
    """Order of partitioned rows by (partition, rank, start, record id)."""
    rank, start_at, hi, lo = (parted[name] for name in ("rank", "start_at", "record_hi", "record_lo"))
    order = arena.column("order", "", np.int64, len(rank))
    counts = np.zeros(int(np.diff(bucket_starts).max(initial=0)) + 2, np.int64)
    if order_partitions(starts, buckets, bucket_starts, rank, start_at, hi, lo, counts, order) > BUSY_ACCOUNT:
        part = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        return np.lexsort((lo, hi, start_at, rank, part)).astype(np.int64)
    return order


def _stage_set_aside(
    staged: Staged, columns: _Columns, text: npt.NDArray[np.uint8], base_offset: int, source: Source, rivalry: Rivalry
) -> None:
    copies = columns.found != NEW
    reason = np.where(copies, _OK, columns.status)
    rows = np.flatnonzero(copies | (columns.status != _OK))
    disposition = np.where(copies, Disposition.DUPLICATE, _DISPOSITIONS[reason])[rows]
    length = columns.of("source_length")[rows]
    keeps_raw = disposition == Disposition.REJECTED
    table = table_of(
        "set_aside",
        {
            name: columns.of(name)[rows]
            for name in ("record_hi", "record_lo", "content_hash", "source_offset", "kind", "start_at", "quantity")
        }
        | {
            "source_id": np.full(len(rows), source.source_id, np.int32),
            "source_length": length,
            "disposition": pa.array(disposition.astype(object), pa.string()),
            "reason": reason[rows],
            "period": columns.period[rows].astype(np.int32),
            "service_id": number_texts(columns.of("served_number")[rows]),
            "quality": np.zeros(len(rows), np.uint8),
            "updated_at": np.zeros(len(rows), np.int64),
            "counted": np.ones(len(rows), np.uint8),
            "raw": raw_slices(
                text, columns.of("source_offset")[rows] - base_offset, np.where(keeps_raw, length, 0).astype(np.int32)
            ),
        },
    )
    staged.rows["set_aside"] = StagedRows.whole(pa.concat_tables([table, rivalry.set_aside]))
    for chosen, override in ((~copies[rows], None), (copies[rows], Disposition.DUPLICATE)):
        picked = rows[chosen]
        staged.row_account += count_rows(
            source.source_id, columns.period[picked], _counted_kind(columns.of("kind")[picked]), reason[picked],
            columns.of("quantity")[picked], disposition=override,
        )  # fmt: skip


_DISPOSITIONS = np.array(
    [Reason(code).disposition if code in Reason._value2member_map_ else Disposition.REJECTED for code in range(256)], dtype=object
)


def _counted_kind(kind: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """The kind in the row account: 7 where the record cannot be read."""
    return np.minimum(kind, np.uint8(7))
