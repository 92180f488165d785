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
from rating.billed_roles import billed_roles
from rating.utility.intervals import determine_intervals
from schemas.channels import ChannelRole
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
    """Whole days of a batch: what concerns the source record."""

    days: IntervalDays
    rows: npt.NDArray[np.int64]  # the rows of `days` that this batch takes
    status: npt.NDArray[np.uint8]
    superseded: npt.NDArray[np.bool_]
    closed: npt.NDArray[np.bool_]
    period: npt.NDArray[np.int64]  # of the first interval
    periods: set[int]
    found: npt.NDArray[np.uint8]

    def of(self, name: str) -> npt.NDArray[Any]:
        return np.asarray(getattr(self.days, name)[self.rows])

    def texts(self, name: str, rows: npt.NDArray[np.int64]) -> Any:
        return getattr(self.days, name).take(pa.array(self.rows[rows]))


@dataclass
class _Parts:
    """Days cut where the billing period or the assignment changes; `day` counts in the batch, `counted` marks the first."""

    day: npt.NDArray[np.int64]
    start_at: npt.NDArray[np.int64]
    first_value: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    period: npt.NDArray[np.int64]
    assignment: npt.NDArray[np.int32]
    counted: npt.NDArray[np.uint8]
    quantity: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]


def stage_intervals(
    days: IntervalDays, rows: npt.NDArray[np.int64], text: bytes, source: Source, *,
    reference: Reference, calendar: Calendar, index: DuplicateIndex, snapshot: Snapshot,
) -> Staged:  # fmt: skip
    """Decide where each of the given days goes; the same contract as `pipeline.calls.stage_calls`."""
    batch = _preprocess(days, rows, calendar, index, reference)
    rivalry = _Versions(batch, snapshot).settle()
    batch.status[(batch.status == _OK) & batch.closed & (batch.found == NEW)] = Reason.PERIOD_CLOSED
    live = np.flatnonzero((batch.status == _OK) & (batch.found == NEW) & ~batch.superseded)
    parts = _cut(batch, live, reference, calendar)
    _first_pass(batch, parts, reference)
    staged = Staged(row_account=list(rivalry.row_account))
    _stage_parts(staged, batch, parts, source, reference)
    _stage_set_aside(staged, batch, parts, text, source, rivalry)
    staged.rows["tombstones"] = StagedRows.whole(rivalry.tombstones)
    staged.touched |= rivalry.touched
    staged.open_periods = set(np.unique(parts.period).tolist()) | rivalry.open_periods
    return staged


def _preprocess(
    days: IntervalDays, rows: npt.NDArray[np.int64], calendar: Calendar, index: DuplicateIndex, reference: Reference
) -> _Days:
    status = days.status[rows].copy()
    start_at = days.start_at[rows]
    last_at = start_at + days.step_s[rows].astype(np.int64) * (days.count[rows] - 1) * _US_PER_S
    _take_billed(days, rows, status, (start_at, last_at), reference)
    end_at = start_at + days.step_s[rows].astype(np.int64) * days.count[rows] * _US_PER_S
    period, last = calendar.periods(start_at), calendar.periods(end_at - 1)
    status[(period < 0) | (last < 0)] = Reason.BAD_TIMESTAMP
    closed = calendar.is_closed(period) | calendar.is_closed(last)
    names = days.metering_point_id.take(pa.array(rows)).to_pylist()
    services = {name: record_id_of(text_words(name.encode()))[0] for name in set(names)}
    service_hash = np.array([services[name] for name in names], np.uint64)
    found = index.add(days.record_hi[rows], days.content_hash[rows], service_hash)
    periods = set(np.unique(np.concatenate([period, last])).tolist())
    return _Days(days, rows, status, np.zeros(len(rows), bool), closed, period, periods, found)


def _take_billed(
    days: IntervalDays,
    rows: npt.NDArray[np.int64],
    status: npt.NDArray[np.uint8],
    ends: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    reference: Reference,
) -> None:
    """A day of export or reactive energy is judged anew where the service's tariff, at either end of the day, bills its role."""
    asked = np.flatnonzero((status == Reason.UNBILLED_CHANNEL) & (days.used_status[rows] != Reason.UNBILLED_CHANNEL))
    if not len(asked):
        return
    names = days.metering_point_id.take(pa.array(rows[asked])).to_pylist()
    role = days.role[rows[asked]]
    billed = np.zeros(len(asked), np.bool_)
    for at in ends:
        held = reference.directory.resolve_names(names, at[asked])
        tariff = np.where(held >= 0, reference.directory.tariff_index[held], -1).astype(np.int32)
        billed |= _bills_role(billed_roles(reference.tariffs, tariff, at[asked])[0], role)
    status[asked[billed]] = days.used_status[rows[asked[billed]]]


def _bills_role(roles: npt.NDArray[np.uint8], role: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    return ((roles >> role) & 1).astype(np.bool_)


def _cut(batch: _Days, live: npt.NDArray[np.int64], reference: Reference, calendar: Calendar) -> _Parts:
    """Cut days where it matters: whole columns for the many days that need none, one by one for the few at a border."""
    start_at, count = batch.of("start_at")[live], batch.of("count")[live].astype(np.int64)
    step = batch.of("step_s")[live].astype(np.int64) * _US_PER_S
    names = batch.texts("metering_point_id", live).to_pylist()
    resolve = reference.directory.resolve_names
    first, last_at = resolve(names, start_at), start_at + step * (count - 1)
    # an assignment that ends and another that begins inside one day, with the same before and after, is one row: none is missed
    uncut = (first == resolve(names, last_at)) & (calendar.periods(start_at) == calendar.periods(last_at)) & (first >= 0)
    pieces = [(live[uncut], np.zeros(int(uncut.sum()), np.int64), count[uncut])]
    for place in np.flatnonzero(~uncut).tolist():
        instants = start_at[place] + step[place] * np.arange(count[place])
        held = resolve([names[place]] * len(instants), instants)
        change = np.flatnonzero(np.diff(held) | np.diff(calendar.periods(instants))) + 1
        low = np.concatenate([[0], change]).astype(np.int64)
        high = np.concatenate([change, [count[place]]]).astype(np.int64)
        pieces.append((np.full(len(low), live[place]), low, high - low))
    day, low, length = (np.concatenate([piece[at] for piece in pieces]).astype(np.int64) for at in range(3))
    starts = batch.of("start_at")[day] + low * batch.of("step_s")[day].astype(np.int64) * _US_PER_S
    first_value = batch.of("first_value")[day] + low
    sums = np.concatenate([[0], np.cumsum(batch.days.values, dtype=np.int64)])  # NEM12 days are bounded: a file's sum fits int64
    part_names = batch.texts("metering_point_id", day).to_pylist()
    assignment = resolve(part_names, starts)
    status = np.where(
        assignment >= 0, _OK, np.where(assignment == UNKNOWN_SERVICE, Reason.UNKNOWN_SERVICE, Reason.NO_SERVICE_AT_INSTANT)
    )
    return _Parts(
        day, starts, first_value, length, calendar.periods(starts), assignment, (low == 0).astype(np.uint8),
        sums[first_value + length] - sums[first_value], status.astype(np.uint8),
    )  # fmt: skip


def _first_pass(batch: _Days, parts: _Parts, reference: Reference) -> None:
    """A part is billable if its tariff bills the channel's role and unit, and import has a price for every interval.

    What it costs depends on the period and is a fold (design §4.5).
    """
    wanted = np.flatnonzero(parts.status == _OK)
    if not len(wanted):
        return
    tariff = reference.directory.tariff_index[parts.assignment[wanted]]
    role, kind = batch.of("role")[parts.day[wanted]], batch.of("kind")[parts.day[wanted]]
    roles, import_kind, by_price = billed_roles(reference.tariffs, tariff, parts.start_at[wanted])
    is_import = role == np.uint8(ChannelRole.IMPORT)
    fitting = np.select(
        [is_import, role == np.uint8(ChannelRole.EXPORT)], [import_kind, np.uint8(UsageKind.ENERGY)], UsageKind.REACTIVE
    )
    parts.status[wanted[kind != fitting]] = Reason.UNIT_NOT_BILLABLE
    parts.status[wanted[~_bills_role(roles, role)]] = Reason.UNBILLED_CHANNEL
    wanted = wanted[is_import & by_price & (kind == fitting)]
    if not len(wanted):
        return
    step_us = batch.of("step_s")[parts.day[wanted]].astype(np.int64) * _US_PER_S
    start_at, count = parts.start_at[wanted], parts.count[wanted]
    book = reference.book(int(start_at.min()), int((start_at + step_us * count).max()))
    determinants = determine_intervals(
        book,
        tariff_index=reference.directory.tariff_index[parts.assignment[wanted]],
        ladder_group=np.arange(len(wanted), dtype=np.int32),
        start_at=start_at,
        step_us=step_us,
        first_value=parts.first_value[wanted],
        count=count.astype(np.int32),
        values=batch.days.values,
    )
    parts.status[wanted] = determinants.status


def _stage_parts(staged: Staged, batch: _Days, parts: _Parts, source: Source, reference: Reference) -> None:
    directory = reference.directory
    accepted = np.flatnonzero(parts.status == _OK)
    rank = directory.assigned_rank[parts.assignment[accepted]]
    bucket, period = directory.bucket[rank].astype(np.int64), parts.period[accepted]
    day = parts.day[accepted]
    order = np.lexsort((batch.of("record_lo")[day], batch.of("record_hi")[day], parts.start_at[accepted], rank, bucket, period))
    chosen, rank, bucket, period, day = accepted[order], rank[order], bucket[order], period[order], day[order]
    plain = (
        "record_hi",
        "record_lo",
        "content_hash",
        "source_offset",
        "source_length",
        "kind",
        "role",
        "step_s",
        "quality",
        "updated_at",
    )
    table = table_of(
        "interval_days",
        {name: batch.of(name)[day] for name in plain}
        | {name: batch.texts(name, day) for name in ("metering_point_id", "channel", "meter_serial", "quality_text")}
        | {name: getattr(parts, name)[chosen] for name in ("start_at", "quantity", "counted")}
        | {
            "source_id": np.full(len(chosen), source.source_id, np.int32),
            "account_key": directory.account_key[rank],
            "values": _values(batch.days.values, parts.first_value[chosen], parts.count[chosen]),
        },
    )
    staged.rows["interval_days"] = StagedRows.ordered(table, period, bucket)
    staged.touched |= {("bucket", int(b)) for b in np.unique(bucket)}
    staged.row_account += count_rows(
        source.source_id,
        period,
        batch.of("kind")[day],
        parts.status[chosen],
        parts.quantity[chosen],
        counted=parts.counted[chosen],
    )


def _values(values: npt.NDArray[np.int64], first: npt.NDArray[np.int64], count: npt.NDArray[np.int64]) -> Any:
    """The intervals of some parts as a list column."""
    offsets = np.concatenate([[0], np.cumsum(count)])
    places = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - first, count)
    item = pa.field("item", pa.int64(), nullable=False)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(values[places]), type=pa.list_(item))


def _stage_set_aside(staged: Staged, batch: _Days, parts: _Parts, text: bytes, source: Source, rivalry: Rivalry) -> None:
    """Copies, losers and rejected days as one row each; of a day that is live in part, a row for each part that is not."""
    copies = batch.found != NEW
    losers = batch.superseded & ~copies
    whole = np.flatnonzero(copies | losers | (batch.status != _OK))
    lost = np.flatnonzero(parts.status != _OK)
    day = np.concatenate([whole, parts.day[lost]])
    reason = np.concatenate([np.where(copies | losers, _OK, batch.status)[whole], parts.status[lost]])
    override = np.zeros(len(day), np.uint8)  # 0 as the reason says, 1 duplicate, 2 superseded
    override[: len(whole)] = np.where(copies[whole], 1, np.where(losers[whole], 2, 0))
    counted = np.concatenate([np.ones(len(whole), np.uint8), parts.counted[lost]])
    quantity = np.concatenate([batch.of("quantity")[whole], parts.quantity[lost]])
    period = np.concatenate([batch.period[whole], parts.period[lost]])
    places = [_OVERRIDES[code] or Reason(why).disposition for code, why in zip(override.tolist(), reason.tolist(), strict=True)]
    length = batch.of("source_length")[day]
    rejected = np.array([place == Disposition.REJECTED for place in places], bool)
    plain = ("record_hi", "record_lo", "content_hash", "source_offset", "kind", "quality", "updated_at")
    table = table_of(
        "set_aside",
        {name: batch.of(name)[day] for name in plain}
        | {
            "source_id": np.full(len(day), source.source_id, np.int32),
            "source_length": length,
            "disposition": pa.array([str(place) for place in places], pa.string()),
            "reason": reason.astype(np.uint8),
            "period": period.astype(np.int32),
            "service_id": batch.texts("metering_point_id", day),
            "start_at": np.concatenate([batch.of("start_at")[whole], parts.start_at[lost]]),
            "quantity": quantity,
            "counted": counted,
            "raw": raw_slices(
                np.frombuffer(text, np.uint8), batch.of("source_offset")[day], np.where(rejected, length, 0).astype(np.int32)
            ),
        },
    )
    staged.rows["set_aside"] = StagedRows.whole(pa.concat_tables([table, rivalry.set_aside]))
    for code, disposition in enumerate(_OVERRIDES):
        chosen = override == code
        staged.row_account += count_rows(
            source.source_id, period[chosen], batch.of("kind")[day[chosen]], reason[chosen], quantity[chosen],
            counted=counted[chosen], disposition=disposition,
        )  # fmt: skip


_OVERRIDES = (None, Disposition.DUPLICATE, Disposition.SUPERSEDED)


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
        stored = stored_versions(self.snapshot, ("interval_days", "set_aside"), set(members), self.batch.periods, losers=True)
        withdrawn = [row for key, rows in members.items() for row in self._settle_day(rows, stored.get(key, []))]
        if withdrawn:
            withdraw(rivalry, withdrawn, Disposition.SUPERSEDED, Reason.OK)
        return rivalry

    def _settle_day(self, rows: list[int], stored: list[StoredRow]) -> list[StoredRow]:
        """Decide one day; returns the stored rows (one, or one a part) of the version that a better one replaces."""
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
