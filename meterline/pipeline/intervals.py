"""Meter days through preprocess and first pass: a validated NEM12 file in, staged rows out.

A day is a *versioned* record: of several versions the one with the better quality, then the later update, then the larger content
hash is in force, whatever order they arrive in; the others count as superseded.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from accounts.directory import UNKNOWN_SERVICE
from ingest.duplicate_index import COPY, NEW, OTHER_CONTENT, DuplicateIndex
from ingest.nem12 import IntervalDays
from meterline.pipeline.calendar import Calendar
from meterline.pipeline.rivals import Key, Rivalry, StoredRow, stored_versions, withdraw
from meterline.pipeline.staged import Staged, StagedRows
from meterline.pipeline.tally import count_rows
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.intervals import determine_intervals
from schemas.hashing import record_id_of, text_words
from schemas.ports import Source
from schemas.quantities import UsageKind
from schemas.raw_slices import raw_slices
from schemas.reasons import Disposition, Reason
from schemas.records import table_of

_OK = np.uint8(Reason.OK)
_US_PER_S = 1_000_000


@dataclass
class _Days:
    """Some rows of a file with what the stages found out about each."""

    days: IntervalDays
    rows: npt.NDArray[np.int64]  # the rows of `days` that this batch takes
    status: npt.NDArray[np.uint8]
    superseded: npt.NDArray[np.bool_]
    period: npt.NDArray[np.int64]
    closed: npt.NDArray[np.bool_]
    assignment: npt.NDArray[np.int32]
    found: npt.NDArray[np.uint8]

    def of(self, name: str) -> npt.NDArray[Any]:
        return np.asarray(getattr(self.days, name)[self.rows])

    def texts(self, name: str, rows: npt.NDArray[np.int64]) -> Any:
        return getattr(self.days, name).take(pa.array(self.rows[rows]))


def stage_intervals(
    days: IntervalDays, rows: npt.NDArray[np.int64], text: bytes, source: Source, *,
    reference: Reference, calendar: Calendar, index: DuplicateIndex, snapshot: Snapshot,
) -> Staged:  # fmt: skip
    """Decide where each of the given days goes; the same contract as `pipeline.calls.stage_calls`."""
    batch = _preprocess(days, rows, reference, calendar, index)
    rivalry = _Versions(batch, snapshot).settle()
    _first_pass(batch, reference)
    staged = Staged(row_account=list(rivalry.row_account))
    _stage_days(staged, batch, source, reference)
    _stage_set_aside(staged, batch, text, source, rivalry)
    staged.rows["tombstones"] = StagedRows.whole(rivalry.tombstones)
    staged.touched |= rivalry.touched
    staged.open_periods = set(np.unique(batch.period[batch.status == _OK]).tolist()) | rivalry.open_periods
    return staged


def _preprocess(
    days: IntervalDays, rows: npt.NDArray[np.int64], reference: Reference, calendar: Calendar, index: DuplicateIndex
) -> _Days:
    status = days.status[rows].copy()
    start_at = days.start_at[rows]
    end_at = start_at + days.step_s[rows].astype(np.int64) * days.count[rows] * _US_PER_S
    period = calendar.periods(start_at)
    status[period < 0] = Reason.BAD_TIMESTAMP
    closed = calendar.is_closed(period) | calendar.is_closed(calendar.periods(end_at - 1))
    names = days.metering_point_id.take(pa.array(rows)).to_pylist()
    assignment = reference.directory.resolve_names(names, start_at)
    lost = (status == _OK) & (assignment < 0)
    status[lost] = np.where(assignment[lost] == UNKNOWN_SERVICE, Reason.UNKNOWN_SERVICE, Reason.NO_SERVICE_AT_INSTANT)
    services = {name: record_id_of(text_words(name.encode()))[0] for name in set(names)}
    service_hash = np.array([services[name] for name in names], np.uint64)
    found = index.add(days.record_hi[rows], days.content_hash[rows], service_hash)
    return _Days(days, rows, status, np.zeros(len(rows), bool), period, closed, assignment, found)


def _first_pass(batch: _Days, reference: Reference) -> None:
    """A day is billable if every interval of it has a price; what it costs depends on the period and is a fold (design §4.5)."""
    batch.status[(batch.status == _OK) & batch.closed] = Reason.PERIOD_CLOSED
    wanted = np.flatnonzero((batch.status == _OK) & (batch.found == NEW) & ~batch.superseded)
    if not len(wanted):
        return
    start_at = batch.of("start_at")[wanted]
    step_us = batch.of("step_s")[wanted].astype(np.int64) * _US_PER_S
    count = batch.of("count")[wanted]
    book = reference.book(int(start_at.min()), int((start_at + step_us * count).max()))
    determinants = determine_intervals(
        book,
        tariff_index=reference.directory.tariff_index[batch.assignment[wanted]],
        ladder_group=np.arange(len(wanted), dtype=np.int32),
        start_at=start_at,
        step_us=step_us,
        first_value=batch.of("first_value")[wanted],
        count=count,
        values=batch.days.values,
    )
    batch.status[wanted] = determinants.status


def _stage_days(staged: Staged, batch: _Days, source: Source, reference: Reference) -> None:
    directory = reference.directory
    accepted = np.flatnonzero((batch.status == _OK) & (batch.found == NEW) & ~batch.superseded)
    rank = directory.assigned_rank[batch.assignment[accepted]]
    bucket = directory.bucket[rank].astype(np.int64)
    order = np.lexsort((batch.of("record_lo")[accepted], batch.of("record_hi")[accepted], batch.of("start_at")[accepted], rank,
                        bucket, batch.period[accepted]))  # fmt: skip
    rows, rank, bucket = accepted[order], rank[order], bucket[order]
    plain = ("record_hi", "record_lo", "content_hash", "source_offset", "source_length", "kind", "start_at", "step_s", "quantity",
             "quality", "updated_at")  # fmt: skip
    table = table_of(
        "interval_days",
        {name: batch.of(name)[rows] for name in plain}
        | {name: batch.texts(name, rows) for name in ("metering_point_id", "channel", "meter_serial", "quality_text")}
        | {
            "source_id": np.full(len(rows), source.source_id, np.int32),
            "account_key": directory.account_key[rank],
            "values": _values(batch, rows),
        },
    )
    staged.rows["interval_days"] = StagedRows.ordered(table, batch.period[rows], bucket)
    staged.touched |= {("bucket", int(b)) for b in np.unique(bucket)}
    staged.row_account += count_rows(source.source_id, batch.period[rows], batch.of("kind")[rows], batch.status[rows], batch.of("quantity")[rows])


def _values(batch: _Days, rows: npt.NDArray[np.int64]) -> Any:
    """The intervals of some days as a list column."""
    first, count = batch.of("first_value")[rows], batch.of("count")[rows].astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(count)])
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, count)
    item = pa.field("item", pa.int64(), nullable=False)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(batch.days.values[places]), type=pa.list_(item))


def _stage_set_aside(staged: Staged, batch: _Days, text: bytes, source: Source, rivalry: Rivalry) -> None:
    copies = batch.found != NEW
    losers = batch.superseded & ~copies
    rows = np.flatnonzero(copies | losers | (batch.status != _OK))
    reason = np.where(copies | losers, _OK, batch.status)[rows]
    disposition = np.array([Reason(code).disposition for code in reason.tolist()], dtype=object)
    disposition[copies[rows]] = Disposition.DUPLICATE
    disposition[losers[rows]] = Disposition.SUPERSEDED
    length = batch.of("source_length")[rows]
    rejected = np.array([place == Disposition.REJECTED for place in disposition], bool)
    plain = ("record_hi", "record_lo", "content_hash", "source_offset", "kind", "start_at", "quantity", "quality", "updated_at")
    table = table_of(
        "set_aside",
        {name: batch.of(name)[rows] for name in plain}
        | {
            "source_id": np.full(len(rows), source.source_id, np.int32),
            "source_length": length,
            "disposition": pa.array(disposition, pa.string()),
            "reason": reason.astype(np.uint8),
            "period": batch.period[rows].astype(np.int32),
            "service_id": batch.texts("metering_point_id", rows),
            "raw": raw_slices(
                np.frombuffer(text, np.uint8), batch.of("source_offset")[rows], np.where(rejected, length, 0).astype(np.int32)
            ),
        },
    )
    staged.rows["set_aside"] = StagedRows.whole(pa.concat_tables([table, rivalry.set_aside]))
    overrides = (None, Disposition.DUPLICATE, Disposition.SUPERSEDED)
    for chosen, override in zip((~copies & ~losers, copies, losers), overrides, strict=True):
        picked = rows[chosen[rows]]
        staged.row_account += count_rows(
            source.source_id, batch.period[picked], batch.of("kind")[picked], reason[chosen[rows]], batch.of("quantity")[picked],
            disposition=override,
        )  # fmt: skip


def precedence(quality: int, updated_at: int, content_hash: int) -> tuple[int, int, int]:
    """What a version is compared by: better quality, later update, then content; never arrival (reference: utility §2.4)."""
    return quality, updated_at, content_hash


class _Versions:
    """Chooses the version in force for each day that is held with other content."""

    def __init__(self, batch: _Days, snapshot: Snapshot) -> None:
        self.batch, self.snapshot = batch, snapshot
        self.hi, self.lo, self.content = (batch.of(name) for name in ("record_hi", "record_lo", "content_hash"))

    def settle(self) -> Rivalry:
        rivalry = Rivalry.none()
        contested = np.unique(self.hi[self.batch.found == OTHER_CONTENT])
        if not len(contested):
            return rivalry
        members: dict[Key, list[int]] = defaultdict(list)
        for row in np.flatnonzero(np.isin(self.hi, contested)).tolist():
            members[int(self.hi[row]), int(self.lo[row])].append(row)
        periods = {int(self.batch.period[row]) for rows in members.values() for row in rows}
        stored = stored_versions(self.snapshot, ("interval_days", "set_aside"), set(members), periods, losers=True)
        withdrawn = [row for key, rows in members.items() for row in self._settle_day(rows, stored.get(key, []))]
        if withdrawn:
            withdraw(rivalry, withdrawn, Disposition.SUPERSEDED, Reason.OK)
        return rivalry

    def _settle_day(self, rows: list[int], stored: list[StoredRow]) -> list[StoredRow]:
        """Decide one day; returns the stored version that a better one replaces."""
        held = {entry.row["content_hash"] for entry in stored}
        firsts: dict[int, int] = {}
        for row in rows:
            firsts.setdefault(int(self.content[row]), row)
        fresh = [row for content, row in firsts.items() if content not in held]
        self.batch.found[rows] = COPY
        self.batch.found[fresh] = NEW
        if not fresh or bool(self.batch.closed[rows[0]]):
            return []  # of a closed period nothing is replaced: fresh versions wait as pending
        in_force = [entry for entry in stored if entry.disposition != Disposition.SUPERSEDED]
        best = max(fresh, key=self._precedence)
        self.batch.superseded[[row for row in fresh if row != best]] = True
        if in_force and max(map(_stored_precedence, in_force)) > self._precedence(best):
            self.batch.superseded[best] = True
            return []
        return in_force

    def _precedence(self, row: int) -> tuple[int, int, int]:
        days, at = self.batch.days, self.batch.rows[row]
        return precedence(int(days.quality[at]), int(days.updated_at[at]), int(days.content_hash[at]))


def _stored_precedence(entry: StoredRow) -> tuple[int, int, int]:
    return precedence(entry.row["quality"], entry.row["updated_at"], entry.row["content_hash"])


assert UsageKind.LIQUID < 7, "7 stands for unreadable in the row account"
