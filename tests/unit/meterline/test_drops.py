"""Drop folders on virtual time: which files are whole, and where each goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterline.config import Config, Drop
from meterline.runtime.drops import DropWatch, free_name, require_folders, sha256_of_file
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.errors import Fault, MeterlineError, RefusedFileError

WRITTEN_AT = 1_000.0  # seconds; the watch is told what time it is
SETTLED_S = 5.0


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[DropWatch]:
    config = Config(
        home=tmp_path, tenant="t", currency="EUR", zone="UTC", buckets=1, accounts=tmp_path, services=tmp_path, tariffs=tmp_path,
        drops=(Drop("inbox", tmp_path / "inbox", "calls", None),), settled_file_s=SETTLED_S,
    )  # fmt: skip
    for folder in (config.data, tmp_path / "inbox"):
        folder.mkdir()
    log = SqliteCommitLog(config.commit_log, config.data)
    yield DropWatch(config, log)
    log.close()


def _drop(watch: DropWatch, name: str, content: bytes, *, written_at: float = WRITTEN_AT) -> Path:
    path = watch.config.drops[0].folder / name
    path.write_bytes(content)
    os.utime(path, (written_at, written_at))
    return path


def _settled(watch: DropWatch, now: float) -> list[str]:
    return [path.name for _, path in watch.settled_files(now)]


def _folder(watch: DropWatch, name: str) -> list[str]:
    folder = watch.config.home / name
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_a_file_is_taken_once_it_has_been_quiet_for_long_enough(watch: DropWatch) -> None:
    _drop(watch, "b.csv", b"1")
    _drop(watch, "a.csv", b"2", written_at=WRITTEN_AT - 3)
    found = [_settled(watch, WRITTEN_AT + after) for after in (0, 1.9, 2, 4.9, 5)]
    assert found == [[], [], ["a.csv"], ["a.csv"], ["a.csv", "b.csv"]]


def test_a_half_copied_file_is_waited_for(watch: DropWatch) -> None:
    _drop(watch, "a.csv", b"half")
    assert _settled(watch, WRITTEN_AT + 4) == []
    _drop(watch, "a.csv", b"half and more", written_at=WRITTEN_AT)  # copied with its old time: the size tells
    assert [_settled(watch, WRITTEN_AT + after) for after in (4.5, 9, 9.5)] == [[], [], ["a.csv"]]
    _drop(watch, "a.csv", b"half and less", written_at=WRITTEN_AT + 9)  # same size: the time tells
    assert [_settled(watch, WRITTEN_AT + after) for after in (10, 14.9, 15)] == [[], [], ["a.csv"]]


def test_a_time_that_lies_in_the_future_counts_from_when_it_was_seen(watch: DropWatch) -> None:
    _drop(watch, "a.csv", b"1", written_at=WRITTEN_AT + 1_000_000)
    assert [_settled(watch, WRITTEN_AT + after) for after in (0, 4.9, 5)] == [[], [], ["a.csv"]]


def test_what_is_no_finished_file_is_left_alone(watch: DropWatch) -> None:
    inbox = watch.config.drops[0].folder
    target = _drop(watch, "whole.csv", b"1")
    for name in ("a.csv.part", "b.tmp", "c.inprogress", ".hidden.csv"):
        _drop(watch, name, b"1")
    (inbox / "folder.csv").mkdir()
    (inbox / "link.csv").symlink_to(target)
    (inbox / "dangling.csv").symlink_to(inbox / "nothing")
    os.mkfifo(inbox / "pipe.csv")
    assert _settled(watch, WRITTEN_AT + 100) == ["whole.csv"]
    target.unlink()
    assert not watch.has_files()


def test_a_claimed_file_lands_under_its_content(watch: DropWatch) -> None:
    path = _drop(watch, "a.csv", b"records")
    digest = sha256_of_file(path)
    source = watch.claim(watch.config.drops[0], path)
    assert source is not None and (source.state, source.name, source.size_bytes) == ("landed", "a.csv", 7)
    assert watch.landed_path(source).read_bytes() == b"records" and watch.landed_path(source).name == digest
    assert _folder(watch, "inbox") == []


def test_the_same_content_is_a_duplicate_file_under_any_name(watch: DropWatch) -> None:
    drop = watch.config.drops[0]
    assert watch.claim(drop, _drop(watch, "a.csv", b"records")) is not None
    for name in ("b.csv", "a.csv", "b.csv"):
        assert watch.claim(drop, _drop(watch, name, b"records")) is None
    assert [name for _, name in watch.log.duplicate_files()] == ["a.csv", "b.csv"]
    assert _folder(watch, "duplicate") == ["a.csv", "b.2.csv", "b.csv"]  # none overwrites another
    assert len(watch.log.sources()) == 1


def test_a_refused_file_lies_beside_the_reason_and_is_tried_again(watch: DropWatch) -> None:
    drop = watch.config.drops[0]
    source = watch.claim(drop, _drop(watch, "a.csv", b"nonsense"))
    assert source is not None
    watch.refuse(
        source, RefusedFileError([Fault("a.csv, line 1", "no record", was="nonsense"), Fault("a.csv, line 2", "missing")])
    )
    assert _folder(watch, "refused") == ["a.csv", "a.csv.why.txt"]
    assert (watch.config.refused / "a.csv.why.txt").read_text() == (
        "a.csv was refused; nothing of it was read.\n\na.csv, line 1: no record, was nonsense\na.csv, line 2: missing\n\n"
        "Correct the file and drop it again.\n"
    )
    assert not watch.landed_path(source).exists()
    again = watch.claim(drop, _drop(watch, "again.csv", b"nonsense"))  # its layout may have been mended
    assert again is not None and (again.state, again.name) == ("landed", "again.csv") and watch.log.refusals() == []
    watch.refuse(again, RefusedFileError(Fault("again.csv, line 1", "still no record")))
    assert _folder(watch, "refused") == ["a.csv", "a.csv.why.txt", "again.csv", "again.csv.why.txt"]
    assert "still no record" in (watch.config.refused / "again.csv.why.txt").read_text()
    assert watch.claim(drop, _drop(watch, "a.csv", b"corrected")) is not None


def test_a_crash_between_claim_and_move_is_finished(watch: DropWatch) -> None:
    drop, path = watch.config.drops[0], _drop(watch, "a.csv", b"records")
    moved, waiting = sha256_of_file(path), "cd" * 32
    watch.log.claim_source(moved, "a.csv", drop.name, 7)
    watch.log.claim_source(waiting, "b.csv", drop.name, 7)
    landed = watch.landed_path(watch.log.sources()[0])
    landed.parent.mkdir(parents=True)
    path.rename(landed)
    watch.finish_claims()
    assert [source.state for source in watch.log.sources()] == ["landed", "claimed"]


def test_a_crash_between_refusal_and_move_is_finished(watch: DropWatch) -> None:
    source = watch.claim(watch.config.drops[0], _drop(watch, "a.csv", b"nonsense"))
    assert source is not None
    watch.log.refuse_source(source.source_id, "a.csv, line 1: no record")
    watch.finish_claims()
    assert _folder(watch, "refused") == ["a.csv", "a.csv.why.txt"]
    assert "a.csv, line 1: no record" in (watch.config.refused / "a.csv.why.txt").read_text()


def test_a_free_name_keeps_the_suffix(tmp_path: Path) -> None:
    for name in ("a.csv", "a.2.csv"):
        (tmp_path / name).touch()
    assert (free_name(tmp_path / "a.csv").name, free_name(tmp_path / "b.csv").name) == ("a.3.csv", "b.csv")


def test_a_missing_drop_folder_is_a_mistyped_one(watch: DropWatch) -> None:
    require_folders(watch.config)
    watch.config.drops[0].folder.rmdir()
    with pytest.raises(MeterlineError, match="inbox: no such drop folder; create it or correct drops in"):
        require_folders(watch.config)


def test_an_empty_file_has_the_hash_of_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    assert sha256_of_file(tmp_path / "empty") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
