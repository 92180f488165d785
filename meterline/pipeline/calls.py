"""Call records through preprocess and first pass: decoded batch in, staged rows out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from accounts.account_order import account_order
from accounts.directory import UNKNOWN_SERVICE
from ingest.call_decoder import UNKNOWN_KIND, CallBatch
from ingest.duplicate_index import NEW, OTHER_CONTENT, DuplicateIndex, hash_services
from meterline.pipeline.calendar import Calendar
from meterline.pipeline.rivals import CallRivals, Rivalry
from meterline.pipeline.staged import Staged, StagedRows
from meterline.pipeline.tally import count_rows
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.first_pass import RatedCalls, rate_calls
from schemas.ports import Source
from schemas.raw_slices import number_texts, raw_slices
from schemas.reasons import Disposition, Reason
from schemas.records import table_of

_LAST_UNREADABLE = Reason.BAD_QUOTING
_OK = np.uint8(Reason.OK)


@dataclass
class _Columns:
    """A batch as equal-length arrays: what was decoded, then what the stages found out."""

    batch: CallBatch
    status: npt.NDArray[np.uint8]
    period: npt.NDArray[np.int64]
    assignment: npt.NDArray[np.int32]
    found: npt.NDArray[np.uint8]

    def of(self, name: str) -> Any:
        return getattr(self.batch, name)[: self.batch.n]


def stage_calls(
    batch: CallBatch, text: npt.NDArray[np.uint8], base_offset: int, source: Source, *,
    reference: Reference, calendar: Calendar, index: DuplicateIndex, snapshot: Snapshot,
) -> Staged:  # fmt: skip
    """Rate a decoded batch and decide where each record goes. `text` starts at `base_offset` of the source.

    Adds the batch's ids to `index`; whoever fails to commit the result must throw the index away. Rows in = rated + set aside.
    """
    columns = _preprocess(batch, reference, calendar, index)
    rivalry = _settle_rivals(columns, source, calendar, snapshot)
    rated = _rate(columns, reference)
    staged = Staged(positions=[], row_account=list(rivalry.row_account))
    _stage_rated(staged, columns, rated, source, reference)
    _stage_set_aside(staged, columns, text, base_offset, source, rivalry)
    staged.rows["tombstones"] = StagedRows.whole(rivalry.tombstones)
    staged.touched |= rivalry.touched | _service_partitions(columns)
    staged.open_periods = set(np.unique(columns.period[columns.status == _OK]).tolist()) | rivalry.open_periods
    return staged


def _preprocess(batch: CallBatch, reference: Reference, calendar: Calendar, index: DuplicateIndex) -> _Columns:
    n = batch.n
    status = batch.status[:n].copy()
    readable = (status == _OK) | (status > _LAST_UNREADABLE)
    period = calendar.periods(batch.start_at[:n])
    period[~readable] = -1
    status[readable & (period < 0)] = Reason.BAD_TIMESTAMP
    readable &= period >= 0
    found = np.full(n, NEW, np.uint8)
    rows = slice(None) if readable.all() else np.flatnonzero(readable)
    services = np.empty(n, np.uint64)
    hash_services(batch.served_number[:n], services)
    found[rows] = index.add(batch.record_hi[:n][rows], batch.content_hash[:n][rows], services[rows])
    assignment = reference.directory.resolve_numbers(batch.served_number[:n], batch.start_at[:n])
    lost = (status == _OK) & (assignment < 0)
    status[lost] = np.where(assignment[lost] == UNKNOWN_SERVICE, Reason.UNKNOWN_SERVICE, Reason.NO_SERVICE_AT_INSTANT)
    status[(status == _OK) & calendar.is_closed(period)] = Reason.PERIOD_CLOSED
    return _Columns(batch, status, period, assignment, found)


def _settle_rivals(columns: _Columns, source: Source, calendar: Calendar, snapshot: Snapshot) -> Rivalry:
    """Records whose id is held with other content: conflicts, unless two ids only share their upper half."""
    contested = columns.found == OTHER_CONTENT
    if not contested.any():
        return Rivalry.none()
    return CallRivals(columns, source, calendar, snapshot).settle()


def _rate(columns: _Columns, reference: Reference) -> RatedCalls:
    """First pass over the whole batch; rows that are not to be billed get no tariff and keep their status."""
    wanted = (columns.status == _OK) & (columns.found == NEW)
    tariff_index = np.where(wanted, reference.directory.tariff_index[columns.assignment], -1).astype(np.int32)
    start_at = columns.of("start_at")
    # the book must reach over every start that is rated; any instant does when nothing is
    reach = start_at[wanted] if wanted.any() else np.zeros(1, np.int64)
    book = reference.book(int(reach.min()), int(reach.max()))
    kind = np.where(columns.of("kind") == UNKNOWN_KIND, np.uint8(0), columns.of("kind"))
    rated = rate_calls(book, tariff_index, kind, columns.of("called_number"), start_at, columns.of("quantity"))
    columns.status[wanted] = rated.status[wanted]
    rated.rule_index[~wanted] = 0
    rated.rule_index[:] = reference.rule_keys(book)[rated.rule_index] if len(book.rules) else 0
    return rated


def _stage_rated(staged: Staged, columns: _Columns, rated: RatedCalls, source: Source, reference: Reference) -> None:
    directory = reference.directory
    accepted = np.flatnonzero((columns.status == _OK) & (columns.found == NEW))
    rank = directory.assigned_rank[columns.assignment[accepted]]
    order = account_order(
        rank, columns.of("start_at")[accepted], columns.of("record_hi")[accepted], columns.of("record_lo")[accepted],
        ranks=directory.accounts,
    )  # fmt: skip
    rows, rank, period = accepted[order], rank[order], columns.period[accepted][order]
    if len(period) and period.min() != period.max():
        by_period = np.argsort(period, kind="stable")
        rows, rank, period = rows[by_period], rank[by_period], period[by_period]
    bucket = directory.bucket[rank]
    names = ("record_hi", "record_lo", "content_hash", "source_offset", "source_length", "kind", "served_number", "called_number",
             "start_at", "quantity")  # fmt: skip
    table = table_of(
        "rated_calls",
        {name: columns.of(name)[rows] for name in names}
        | {
            "source_id": np.full(len(rows), source.source_id, np.int32),
            "account_key": directory.account_key[rank],
            "charged_quantity": rated.charged_quantity[rows],
            "rule_key": rated.rule_index[rows],
            "charge_nano": rated.charge_nano[rows],
        },
    )
    staged.rows["rated_calls"] = StagedRows.ordered(table, period, bucket.astype(np.int64))
    staged.touched |= {("bucket", int(b)) for b in np.unique(bucket)}
    staged.row_account += count_rows(source.source_id, period, columns.of("kind")[rows], columns.status[rows], columns.of("quantity")[rows])


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
        {name: columns.of(name)[rows] for name in ("record_hi", "record_lo", "content_hash", "source_offset", "kind", "start_at", "quantity")}
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
            "raw": raw_slices(text, columns.of("source_offset")[rows] - base_offset, np.where(keeps_raw, length, 0).astype(np.int32)),
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


def _service_partitions(columns: _Columns) -> set[tuple[str, int]]:
    services = np.empty(columns.batch.n, np.uint64)
    hash_services(columns.of("served_number"), services)
    return {("service", int(number)) for number in np.unique(services & np.uint64(63))}
