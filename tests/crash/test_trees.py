"""A canvas must never pass an old file off as the wanted one: every point would be wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.trees import Canvas, Tree, blob, capture, first_difference, tree_key

TREE: Tree = {"a": blob(b"one"), "f": None, "f/b": blob(b"two"), "f/g": None, "link": "a"}


@pytest.fixture
def canvas(tmp_path: Path) -> Canvas:
    canvas = Canvas(tmp_path / "top")
    canvas.lay_out(TREE)
    return canvas


def test_what_is_laid_out_is_captured(canvas):
    assert first_difference(TREE, capture(canvas.top)) is None
    assert tree_key(TREE) == tree_key(capture(canvas.top))


def _write_same_size(top: Path) -> None:
    with (top / "a").open("r+b") as file:
        file.write(b"ONE")


def _write_by_other_name(top: Path) -> None:
    os.link(top / "a", top / "a2")
    with (top / "a2").open("r+b") as file:
        file.write(b"ONE")
    (top / "a2").unlink()


def _swap(top: Path) -> None:
    (top / "a").rename(top / "c")
    (top / "f/b").rename(top / "a")
    (top / "c").rename(top / "f/b")


def _folder_for_file(top: Path) -> None:
    (top / "a").unlink()
    (top / "a" / "deep").mkdir(parents=True)


def _file_for_folder(top: Path) -> None:
    (top / "f/b").unlink()
    (top / "f/g").rmdir()
    (top / "f").rmdir()
    (top / "f").write_bytes(b"")


def _relink(top: Path) -> None:
    (top / "link").unlink()
    (top / "link").symlink_to("f")


@pytest.mark.parametrize(
    "change",
    [
        _write_same_size,
        _write_by_other_name,
        _swap,
        _folder_for_file,
        _file_for_folder,
        _relink,
        lambda top: (top / "f/more").write_bytes(b"more"),
        lambda top: (top / "a").write_bytes(b""),
        lambda top: (top / "a").unlink(),
    ],
)
def test_any_change_is_undone(canvas, change):
    change(canvas.top)
    assert first_difference(TREE, capture(canvas.top)) is not None
    canvas.lay_out(TREE)
    assert first_difference(TREE, capture(canvas.top)) is None


def test_what_did_not_change_is_not_written_again(canvas):
    inode = (canvas.top / "a").stat().st_ino
    canvas.lay_out({**TREE, "f/b": blob(b"three")})
    assert (canvas.top / "a").stat().st_ino == inode
    assert (canvas.top / "f/b").read_bytes() == b"three"
