"""What a reader sees: rows of its commit and before, less what was withdrawn since, the same before and after a roll-up."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.rollup import roll_up
from meterline.store.snapshot import Snapshot, split_parts
from schemas.errors import CommitConflictError
from schemas.ports import CommitDraft, FilePart
from tests.unit.meterline.stored_rows import Store, calls, set_aside, tombstones

A, B, C, A_TOO = (1, 1, 7), (2, 1, 7), (3, 1, 7), (1, 1, 8)  # A_TOO is another content of A's record
NEIGHBOR = (1, 2, 7)  # another record with A's upper half and content


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    log = SqliteCommitLog(tmp_path / "commits.sqlite", tmp_path)
    with ThreadPoolExecutor(1) as pool:
        yield Store(tmp_path, log, pool)
    log.close()


def test_a_reader_sees_its_commit_and_what_came_before(store: Store) -> None:
    seqs = [store.commit(rated_calls=calls([key])) for key in (A, B, C)]
    assert [store.live(as_of=seq) for seq in (0, *seqs)] == [[], [A], [A, B], [A, B, C]]


def test_a_tombstone_withdraws_exactly_one_version_and_only_older_rows(store: Store) -> None:
    first = store.commit(rated_calls=calls([A, A_TOO, NEIGHBOR, B]))
    store.commit(tombstones=tombstones([A]), set_aside=set_aside([A], ["rejected"]))
    assert store.live() == sorted([A_TOO, NEIGHBOR, B])
    assert store.live("set_aside") == [A]  # written with the tombstone, not before it
    assert store.live(as_of=first) == sorted([A, A_TOO, NEIGHBOR, B])  # who reads as of then still sees it
    store.commit(rated_calls=calls([A]))
    assert store.live() == sorted([A, A_TOO, NEIGHBOR, B])  # written again later: the old tombstone does not reach it


def test_a_copy_outlives_the_withdrawal_of_its_original(store: Store) -> None:
    """The bug: the duplicate set aside before a conflict vanished with the rated row, so that the row account did not hold."""
    store.commit(rated_calls=calls([A]), set_aside=set_aside([A, B], ["duplicate", "rejected"]))
    store.commit(tombstones=tombstones([A, B]), set_aside=set_aside([A, B], ["rejected", "superseded"]))
    assert store.live() == []
    assert store.live("set_aside") == [A, A, B]
    roll_up(store.log, store.folder, store.pool)
    assert store.live("set_aside") == [A, A, B]
    kept = Snapshot.at_head(store.log, store.folder).read("set_aside", columns=["disposition"])["disposition"].to_pylist()
    assert sorted(kept) == ["duplicate", "rejected", "superseded"]


def test_a_roll_up_changes_no_answer_and_leaves_no_segment(store: Store) -> None:
    store.commit(rated_calls=calls([A, B]))
    store.commit(rated_calls=calls([C]), tombstones=tombstones([B]))
    before = store.live(), [store.live(as_of=seq) for seq in range(3)]
    assert roll_up(store.log, store.folder, store.pool) == 2
    assert (store.live(), [store.live(as_of=seq) for seq in range(3)]) == before
    assert {Path(file.name).suffix for file in store.log.live_files("rated_calls")} == {".parquet"}
    assert roll_up(store.log, store.folder, store.pool) == 0  # nothing left to do is no commit
    assert store.log.head() == 3


def test_a_row_withdrawn_after_its_roll_up_is_gone(store: Store) -> None:
    store.commit(rated_calls=calls([A, B]))
    roll_up(store.log, store.folder, store.pool)
    store.commit(tombstones=tombstones([A]))
    assert store.live() == [B]
    roll_up(store.log, store.folder, store.pool)
    assert store.live() == [B]


def test_a_place_whose_rows_were_all_withdrawn_rolls_up_to_nothing(store: Store) -> None:
    store.commit(rated_calls=calls([A]))
    store.commit(tombstones=tombstones([A]))
    assert roll_up(store.log, store.folder, store.pool) == 0
    assert store.log.live_files("rated_calls") == []


def test_only_the_asked_periods_and_bucket_are_read(store: Store) -> None:
    store.commit(rated_calls=calls([A, B, C]), periods=[5, 5, 6], buckets=[0, 1, 1])
    for _ in range(2):  # as a segment, then rolled into a file per place
        assert store.live(periods=[5]) == [A, B]
        assert store.live(periods=[5], bucket=1) == [B]
        assert store.live(bucket=1) == [B, C]
        assert store.live(periods=[7]) == []
        assert Snapshot.at_head(store.log, store.folder).parts("rated_calls") == {(5, 0), (5, 1), (6, 1)}
        roll_up(store.log, store.folder, store.pool)


def test_two_roll_ups_of_the_same_segments_do_not_both_succeed(store: Store) -> None:
    store.commit(rated_calls=calls([A]))
    segment = store.log.live_files("rated_calls")[0].name
    roll_up(store.log, store.folder, store.pool)
    with pytest.raises(CommitConflictError, match="retired already"):
        store.log.commit(CommitDraft("roll_up", retired=[(segment, 5, 0)]))
    assert store.live() == [A]


def test_a_bulk_batch_is_parquet_at_once_and_reads_the_same(store: Store) -> None:
    keys = [(number, 1, 7) for number in range(2_500)]
    store.commit(rated_calls=calls(keys), bulk_rows=1, buckets=[0] * 2_000 + [1] * 500)
    names = {Path(file.name).suffix: [part.rows for part in file.parts] for file in store.log.live_files("rated_calls")}
    assert names == {".parquet": [2_000], ".arrow": [500]}  # a small part is not worth a file of its own
    assert store.live() == keys
    assert store.live(bucket=1) == keys[2_000:]


def test_parts_are_cut_where_period_or_bucket_changes() -> None:
    import numpy as np

    assert split_parts(np.array([], np.int64), np.array([], np.int64)) == []
    parts = split_parts(np.array([4, 4, 5, 5, 5]), np.array([1, 2, 2, 2, 0]))
    assert parts == [FilePart(4, 1, 1, 0), FilePart(4, 2, 1, 1), FilePart(5, 2, 2, 2), FilePart(5, 0, 1, 4)]
