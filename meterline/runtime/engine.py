"""The engine: one owner of a home's data folder that turns settled files into commits until it is told to stop.

All its state (held ids, versions) is a fold over what was committed. It never repairs that state after a failed commit: it stops,
and the next start folds again.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.call_decoder import CallDecoder, check_call_file
from ingest.duplicate_index import DuplicateIndex, hash_services
from ingest.nem12 import read_nem12
from ingest.zip_member import is_zip, open_single_member
from meterline.config import Config
from meterline.pipeline.calendar import Calendar
from meterline.pipeline.calls import CallArena, stage_calls
from meterline.pipeline.intervals import stage_intervals
from meterline.pipeline.staged import Staged, write_staged
from meterline.reference import Reference, load_reference
from meterline.runtime.call_file import CallFileReader
from meterline.runtime.drops import DropWatch, read_whole, require_folders
from meterline.runtime.moved_usage import refuse_moved_usage
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.durable import make_durable_folder
from meterline.store.rollup import roll_up
from meterline.store.snapshot import Snapshot
from meterline.store.sweep import sweep_unnamed
from schemas.errors import Fault, MeterlineError, RefusedFileError
from schemas.hashing import record_id_of, text_words
from schemas.numbers import packed_number
from schemas.ports import PositionMove, Source
from schemas.reasons import Disposition

_SCOPES = ("service", "bucket", "period", "reference")
_INTERVAL_ROWS = 50_000
_RECENT_US = 62 * 86_400_000_000


@dataclass
class Progress:
    """What a run did so far; handed to the caller's `report` after each commit."""

    files: int = 0
    records: int = 0
    refused: int = 0
    commits: int = 0
    source: str = ""
    fraction: float = 0.0  # of the current file


@dataclass
class Engine:
    """Open with `open_engine`; use `run`. Not shared between threads."""

    config: Config
    log: SqliteCommitLog
    watch: DropWatch
    report: Callable[[Progress], None]
    pool: ThreadPoolExecutor
    progress: Progress = field(default_factory=Progress)
    reference: Reference = field(init=False)
    calendar: Calendar = field(init=False)
    index: DuplicateIndex = field(init=False)
    versions: dict[tuple[str, int], int] = field(init=False)
    _reader: CallFileReader = field(init=False)
    _columns: CallArena = field(init=False)
    _stop: Callable[[], bool] = field(default=lambda: False, repr=False)
    _on_roll_up: Callable[[], object] = field(default=lambda: None, repr=False)
    _rolled_at: float = 0.0
    _loose_rows: int = 0

    def start(self) -> None:
        """Load reference data, finish what a crash left half done, and fold the state."""
        require_folders(self.config)
        self.reference = load_reference(
            self.config, self.log, check=lambda new: refuse_moved_usage(new, Snapshot.at_head(self.log, self.config.data))
        )
        now_at = int(time.time() * 1_000_000)
        self.reference.book(now_at - _RECENT_US, now_at)  # most usage is recent: compile its tariffs before the first file waits
        self.watch.finish_claims()
        sweep_unnamed(self.config.data, self.log.file_names(), now_s=time.time())
        self.calendar = Calendar.of(self.config.zone, self.log)
        self.versions = self.log.versions(_SCOPES)
        self.index = fold_index(Snapshot.at_head(self.log, self.config.data))
        self._columns = CallArena(self.config.batch_rows)
        self._reader = CallFileReader(self.config.batch_rows)
        self._rolled_at = time.monotonic()

    def run(
        self, *, until_idle: bool, stop: Callable[[], bool] = lambda: False, on_roll_up: Callable[[], object] = lambda: None
    ) -> Progress:
        """Take files until told to stop (after the current batch) or none is left; rolls up by size, by time and at the end.

        `on_roll_up` is called when views have more to show.
        """
        self._stop, self._on_roll_up = stop, on_roll_up
        while not stop():
            worked = self._work_once()
            self._roll_up_if_due(force=False)
            if worked:
                continue
            if until_idle and not self.watch.has_files():
                break
            time.sleep(min(self.config.poll_s, 0.2) if until_idle else self.config.poll_s)
        self._roll_up_if_due(force=True)
        return self.progress

    def _work_once(self) -> bool:
        """Read what has landed, then claim what has settled; whether there was anything to do."""
        landed = [source for source in self.log.sources() if source.state == "landed"]
        for source in landed:
            if self._stop():
                return True
            self._take(source)
        claimed = False
        for drop, path in self.watch.settled_files(time.time()):
            if self._stop():
                break
            taken = self.watch.claim(drop, path)
            claimed = True
            if taken is not None and taken.state == "landed":
                self._take(taken)
        return bool(landed) or claimed

    def _take(self, source: Source) -> None:
        """Read one landed file to its end, or refuse it whole."""
        drop = next((drop for drop in self.config.drops if drop.name == source.drop), None)
        if drop is None:
            raise MeterlineError(
                Fault(
                    source.name,
                    "came from a drop that is no longer configured",
                    was=source.drop,
                    next_step="put the drop back into meterline.yaml",
                )
            )
        self.progress.source, self.progress.fraction = source.name, 0.0
        try:
            if drop.format == "calls":
                self._take_calls(source, drop.name)
            else:
                self._take_intervals(source)
            self.progress.files += 1
        except RefusedFileError as cause:
            if any(entry.position for entry in self.log.sources() if entry.source_id == source.source_id):
                raise  # part of it is committed: a file is refused whole or not at all
            self.watch.refuse(source, cause)
            self.progress.refused += 1
        self.report(self.progress)

    # ---- call records ----

    def _take_calls(self, source: Source, drop: str) -> None:
        layout, path = self.reference.layouts[drop], self.watch.landed_path(source)
        check_call_file(path, layout)
        decoder = CallDecoder(layout, self.config.tenant)
        expected = 0
        for read in self._reader.batches(path, decoder, position=source.position, size_bytes=source.size_bytes):
            if not expected and read.batch.n:
                expected = read.batch.n * (source.size_bytes - read.before) // max(read.after - read.before, 1)
                self.index.reserve(expected)
            staged = stage_calls(
                read.batch, read.text, read.before, source,
                reference=self.reference, calendar=self.calendar, index=self.index,
                snapshot=Snapshot.at_head(self.log, self.config.data), arena=self._columns,
            )  # fmt: skip
            staged.positions = [PositionMove(source.source_id, read.before, read.after, read.done)]
            self._commit(staged, "calls", read.batch.n)
            self.progress.fraction = read.after / max(source.size_bytes, 1)
            self.report(self.progress)
            if self._stop():
                break

    # ---- interval files ----

    def _take_intervals(self, source: Source) -> None:
        raw = read_whole(self.watch.landed_path(source), source.name)
        member, text = open_single_member(raw, source.name) if is_zip(raw) else (source.name, raw)
        days = read_nem12(
            text, file_name=source.name if member == source.name else f"{source.name}:{member}", tenant=self.config.tenant
        )
        waiting = np.flatnonzero(days.source_offset >= source.position)
        before = source.position
        for first in range(0, max(len(waiting), 1), _INTERVAL_ROWS):
            rows = waiting[first : first + _INTERVAL_ROWS]
            done = first + _INTERVAL_ROWS >= len(waiting)
            staged = stage_intervals(
                days, rows, text, source,
                reference=self.reference, calendar=self.calendar, index=self.index,
                snapshot=Snapshot.at_head(self.log, self.config.data),
            )  # fmt: skip
            after = len(text) if done else int(days.source_offset[waiting[first + _INTERVAL_ROWS]])
            staged.positions = [PositionMove(source.source_id, before, after, done)]
            self._commit(staged, "intervals", len(rows))
            before = after

    # ---- commits ----

    def _commit(self, staged: Staged, kind: str, records: int) -> None:
        staged.require_conserved(f"{kind} of {self.progress.source}", records)
        draft = write_staged(staged, kind, self.config.data, self.versions, bulk_rows=self.config.bulk_rows, pool=self.pool)
        self.log.commit(draft)
        for key in draft.versions:
            self.versions[key] = draft.versions[key] + 1
        self.progress.commits += 1
        self.progress.records += records
        self._loose_rows += sum(file.rows for file in draft.files if file.name.endswith(".arrow"))

    def _roll_up_if_due(self, *, force: bool) -> None:
        late = time.monotonic() - self._rolled_at >= self.config.roll_up_s
        if not (force or late or self._loose_rows >= self.config.roll_up_rows):
            return
        rolled = roll_up(self.log, self.config.data, self.pool)
        self._loose_rows, self._rolled_at = 0, time.monotonic()
        if rolled or force:
            self._on_roll_up()


@contextmanager
def open_engine(config: Config, report: Callable[[Progress], None] = lambda progress: None) -> Iterator[Engine]:
    """The engine of a home, locked against a second one; refuses if another process runs it."""
    make_durable_folder(config.data)
    with _only_one(config.data / "engine.lock"):
        log = SqliteCommitLog(config.commit_log, config.data)
        with ThreadPoolExecutor(config.threads) as pool:
            engine = Engine(config, log, DropWatch(config, log), report, pool)
            try:
                engine.start()
                yield engine
            finally:
                log.close()


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            raise MeterlineError(
                Fault(
                    str(path.parent),
                    "another run owns this data folder",
                    next_step="stop it first, or wait until it is done",
                    code="locked",
                )
            ) from cause
        yield
    finally:
        os.close(descriptor)


def fold_index(snapshot: Snapshot) -> DuplicateIndex:
    """Refold the held ids from everything that is stored, file by file. Copies are no new ids; unreadable rows have none."""
    index = DuplicateIndex()
    total = sum(
        part.rows
        for table in ("rated_calls", "interval_days", "set_aside")
        for file in snapshot.files(table)
        for part in file.parts
    )
    index.reserve(total)
    for _, rows in snapshot.pieces("rated_calls", columns=["record_hi", "content_hash", "served_number"]):
        services = np.empty(rows.num_rows, np.uint64)
        hash_services(rows["served_number"].to_numpy(), services)
        index.add(rows["record_hi"].to_numpy(), rows["content_hash"].to_numpy(), services)
    for _, rows in snapshot.pieces("interval_days", columns=["record_hi", "content_hash", "metering_point_id"]):
        index.add(rows["record_hi"].to_numpy(), rows["content_hash"].to_numpy(), _named_services(rows["metering_point_id"]))
    for _, rows in snapshot.pieces(
        "set_aside", columns=["record_hi", "content_hash", "service_id", "period", "kind", "disposition"]
    ):
        held = rows.filter(
            (pa.compute.field("period") >= 0) & ~pa.compute.field("disposition").isin([str(Disposition.DUPLICATE)])
        )
        for kinds, hashes in (
            (pa.compute.field("kind") < 3, _numbered_services),
            (pa.compute.field("kind") >= 3, _named_services),
        ):
            some = held.filter(kinds)
            index.add(some["record_hi"].to_numpy(), some["content_hash"].to_numpy(), hashes(some["service_id"]))
    return index


def _named_services(names: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    return _by_name(names, lambda name: record_id_of(text_words(name.encode()))[0])


def _numbered_services(names: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    numbers = _by_name(names, packed_number)
    out = np.empty(len(numbers), np.uint64)
    hash_services(numbers, out)
    return out


def _by_name(names: pa.ChunkedArray, word: Callable[[str], int]) -> npt.NDArray[np.uint64]:
    """One word per distinct name, spread over the rows."""
    coded = names.combine_chunks().dictionary_encode()
    words = np.array([word(name) for name in coded.dictionary.to_pylist()], np.uint64)
    return words[coded.indices.to_numpy()] if len(words) else np.empty(0, np.uint64)
