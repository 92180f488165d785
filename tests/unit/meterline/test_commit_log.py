"""A commit is all or nothing: any mismatch of version, position, part or file leaves the log as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from meterline.store.adapters.sqlite_log import SqliteCommitLog, chain_link
from schemas.errors import CommitConflictError, MeterlineError
from schemas.invariants import chain_holds, files_match_chain
from schemas.ports import CommitDraft, PositionMove, RowCount, Source
from schemas.reasons import Disposition, Reason
from tests.unit.meterline.stored_rows import Store, calls

BIG = 2**62


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    log = SqliteCommitLog(tmp_path / "commits.sqlite", tmp_path)
    with ThreadPoolExecutor(1) as pool:
        yield Store(tmp_path, log, pool)
    log.close()


def _landed(store: Store) -> Source:
    source = store.log.claim_source("ab" * 32, "calls.csv", "inbox", 100)
    store.log.source_landed(source.source_id)
    return store.log.sources()[0]


def _seen(store: Store) -> tuple[object, ...]:
    """All that a commit may change."""
    log = store.log
    versions = log.versions(["bucket", "period"])
    return (
        log.head(),
        log.chain_head(),
        log.live_files("rated_calls"),
        log.row_account(),
        versions,
        log.sources(),
        log.period_states(),
    )


def _sound(store: Store, source: Source) -> CommitDraft:
    """A draft that would succeed."""
    draft = store.put(rated_calls=calls([(9, 9, 9)]))
    draft.versions, draft.expected = {("bucket", 3): 1}, {("period", 5): 0}
    draft.positions = [PositionMove(source.source_id, 0, 50, False)]
    draft.retired = [(store.log.live_files("rated_calls")[0].name, 5, 0)]
    draft.row_account = [RowCount(source.source_id, 5, 0, Disposition.BILLED, Reason.OK, 1, 60)]
    draft.period_states = {4: "closed"}
    return draft


def _spoil(draft: CommitDraft, what: str, folder: Path) -> None:
    if what == "version":
        draft.versions = {("bucket", 3): 0}
    elif what == "expected version":
        draft.expected = {("period", 5): 1}
    elif what == "position":
        draft.positions = [PositionMove(1, 49, 50, False)]
    elif what == "unknown source":
        draft.positions = [PositionMove(2, 0, 50, False)]
    elif what == "retired twice":
        draft.retired = draft.retired * 2
    elif what == "unknown part":
        draft.retired = [(draft.retired[0][0], 5, 1)]
    else:
        (folder / draft.files[0].name).unlink()


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("version",          "commit 2: version of bucket 3 has moved, was 1, must be 0"),
        ("expected version", "commit 2: version of period 5 has moved, was 0, must be 1"),
        ("position",         "commit 2: position of source 1 has moved, was 0, must be 49"),
        ("unknown source",   "commit 2: position of source 2 has moved, was none, must be 0"),
        ("retired twice",    "period 5 bucket 0 has moved, was retired already, must be live"),
        ("unknown part",     "period 5 bucket 1 has moved, was retired already, must be live"),
        ("file gone",        "commit 2: a file to be named is gone, was segments/rated_calls-"),
    ],
)  # fmt: skip
def test_on_any_mismatch_nothing_is_written(store: Store, what: str, text: str) -> None:
    source = _landed(store)
    first = store.put(rated_calls=calls([(1, 1, 1)]))
    first.versions = {("bucket", 3): 0}
    store.log.commit(first)
    draft = _sound(store, source)
    _spoil(draft, what, store.folder)
    before = _seen(store)
    with pytest.raises(CommitConflictError) as conflict:
        store.log.commit(draft)
    assert text in str(conflict.value)
    assert _seen(store) == before
    assert store.log.commit(_sound(store, source)) == 2  # what was spoiled was the only thing wrong
    assert store.live() == [(9, 9, 9)]
    assert store.log.versions(["bucket", "period"]) == {("bucket", 3): 2}  # written versions move, read ones do not
    assert (store.log.sources()[0].position, store.log.period_states()) == (50, {4: "closed"})


def test_a_source_is_read_from_claim_to_end_once(store: Store) -> None:
    source = store.log.claim_source("ab" * 32, "calls.csv", "inbox", 100)
    again = store.log.claim_source("ab" * 32, "other name.csv", "inbox", 100)
    assert (source, source.state) == (again, "claimed")
    moves: list[Callable[[], object]] = [
        lambda: store.log.commit(CommitDraft("calls", positions=[PositionMove(1, 0, 10, False)])),  # not landed yet
        lambda: store.log.commit(CommitDraft("calls", positions=[PositionMove(1, 100, 100, True)])),  # done already
    ]
    with pytest.raises(CommitConflictError):
        moves[0]()
    store.log.source_landed(1)
    store.log.commit(CommitDraft("calls", positions=[PositionMove(1, 0, 100, True)]))
    with pytest.raises(CommitConflictError):
        moves[1]()
    store.log.refuse_source(1, "too late")
    assert [one.state for one in store.log.sources()] == ["done"] and store.log.refusals() == []


def test_the_row_account_sums_exactly_beyond_64_bits_and_takes_back(store: Store) -> None:
    def entry(rows: int, quantity: int, disposition: Disposition = Disposition.BILLED) -> RowCount:
        return RowCount(1, 5, 0, disposition, Reason.OK, rows, quantity)

    for row in (
        entry(1, BIG),
        entry(1, BIG),
        entry(1, BIG),
        entry(1, -7),
        entry(2, 5, Disposition.DUPLICATE),
        entry(-2, -5, Disposition.DUPLICATE),
    ):
        store.log.commit(CommitDraft("calls", row_account=[row]))
    assert store.log.row_account() == [entry(4, 3 * BIG - 7)]
    assert store.log.billed_by_commit() == [(seq, 5, 1) for seq in range(1, 5)]


def test_the_chain_covers_every_commit_and_names_every_live_file(store: Store) -> None:
    for number in range(3):
        store.commit(rated_calls=calls([(number, 1, 1)]))
    chain = store.log.chain()
    assert chain_holds(chain, store.log.chain_head()) == []
    assert chain[2][2] == chain_link(chain[1][2], chain[2][1])
    assert files_match_chain(chain, [file.name for file in store.log.live_files("rated_calls")]) == []


def test_a_log_opened_again_goes_on_where_it_was(store: Store) -> None:
    store.commit(rated_calls=calls([(1, 1, 1)]))
    other = SqliteCommitLog(store.folder / "commits.sqlite", store.folder, create=False)
    assert (other.head(), other.chain_head()) == (1, store.log.chain_head())
    other.close()


def test_a_reader_of_nothing_is_told_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MeterlineError, match="no commit log here; run 'meterline run --until-idle' first"):
        SqliteCommitLog(tmp_path / "commits.sqlite", tmp_path, create=False)
    assert list(tmp_path.iterdir()) == []
