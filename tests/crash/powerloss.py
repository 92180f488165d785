"""What a power cut may leave: the log of a run replayed on a model of a file system.

An inode has bytes and synced bytes; a folder has entries and durable entries. A sync of a file
makes its bytes durable and not its name; a sync of a folder makes its entries durable, the added
and the removed ones. A prefix of the log and a policy together are one wreck:

- `none`: nothing is lost, as after kill -9 (the control)
- `bytes`: all names, synced bytes only (the empty file after a rename)
- `names`: durable names only, all bytes
- `both`: durable names, synced bytes
- `sampled`: a seeded draw keeps or loses each unsynced change of a name and each unsynced sector
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TypeAlias

from tests.crash.shim import Record
from tests.crash.trees import MAPPED_SUFFIX, Blob, Entry, Tree, blob, tree_key

SECTOR_BYTES = 512
_RENAME_EXCHANGE = 2
_DELETED = " (deleted)"


class Policy(StrEnum):
    """What the cut takes of the things not yet synced."""

    NONE = "none"
    BYTES = "bytes"
    NAMES = "names"
    BOTH = "both"
    SAMPLED = "sampled"


class ReplayError(Exception):
    """The log does not fit the model: something changed the folder unseen."""


# ---- the model ---------------------------------------------------------------------------------


class FileNode:
    """An inode: its bytes, the bytes a cut would leave, and the ranges that differ.

    A failed sync forgets the dirty ranges without writing them, as Linux does: a later sync that
    succeeds proves nothing about them.
    """

    def __init__(self, content: Blob) -> None:
        self.bytes = bytearray(content.data)
        self.mode = content.mode
        self.synced: Blob = content
        self._dirty: list[tuple[int, int]] = []
        self._now: Blob | None = content

    @property
    def now(self) -> Blob:
        """The present bytes as a value; made once per change."""
        if self._now is None:
            self._now = blob(bytes(self.bytes), self.mode)
        return self._now

    def write(self, offset: int, data: bytes) -> None:
        """Overwrites or extends; a hole before it reads as zeros."""
        if offset > len(self.bytes):
            self.resize(offset)
        self.bytes[offset : offset + len(data)] = data
        self._changed(offset, offset + len(data))

    def resize(self, size: int) -> None:
        """Cuts off, or extends by zeros."""
        before = len(self.bytes)
        if size < before:
            del self.bytes[size:]
        else:
            self.bytes.extend(bytes(size - before))
        self._changed(min(size, before), max(size, before))

    def _changed(self, start: int, end: int) -> None:
        self._dirty.append((start, end))
        self._now = None

    def sync(self) -> None:
        """Brings the dirty ranges and the size to the disk."""
        disk = bytearray(self.synced.data[: len(self.bytes)])
        disk.extend(bytes(len(self.bytes) - len(disk)))
        for start, end in self._dirty:
            disk[start:end] = self.bytes[start:end]
        self._dirty.clear()
        self.synced = self.now if disk == self.bytes else blob(bytes(disk), self.mode)

    def lose_sync(self) -> None:
        """A sync that failed: the pages count as clean and never reached the disk."""
        self._dirty.clear()


@dataclass(slots=True)
class LinkNode:
    """A symbolic link."""

    target: str


Node: TypeAlias = "FileNode | LinkNode | FolderNode"


@dataclass(frozen=True, slots=True)
class Change:
    """One unsynced change of a folder; a rename is one in each of its folders, of one number."""

    number: int
    removed: str | None
    added: str | None
    node: Node | None


@dataclass(slots=True)
class FolderNode:
    """A folder: what it holds, what a cut would leave, and the changes between the two."""

    entries: dict[str, Node] = field(default_factory=dict)
    durable: dict[str, Node] = field(default_factory=dict)
    pending: list[Change] = field(default_factory=list)

    def change(self, change: Change) -> None:
        """Makes a change that is not durable yet."""
        _make(self.entries, change)
        self.pending.append(change)

    def sync(self) -> None:
        """Makes all entries durable, the removed ones too."""
        self.durable = dict(self.entries)
        self.pending.clear()

    def sampled(self, keeps: Callable[[int], bool]) -> dict[str, Node]:
        """The durable entries and those changes that the draw keeps, in order."""
        entries = dict(self.durable)
        for change in self.pending:
            if keeps(change.number):
                _make(entries, change)
        return entries


def _make(entries: dict[str, Node], change: Change) -> None:
    if change.removed is not None:
        entries.pop(change.removed, None)
    if change.added is not None and change.node is not None:
        entries[change.added] = change.node


class Disk:
    """The model of one folder, moved on record by record."""

    def __init__(self, root: str, start: Tree) -> None:
        """`root` is the folder's path in the log; `start` is what it held then, all durable."""
        self._root = PurePosixPath(root)
        self.top = FolderNode()
        self._changes = 0
        for name in sorted(start):
            folder, last = self._place(str(self._root / name))
            folder.entries[last] = folder.durable[last] = _node(start[name])

    def apply(self, record: Record) -> None:
        """Moves on by one record; a mark changes nothing."""
        step = _STEPS.get(record.code)
        if step is None:
            raise ReplayError(f"unknown code {record.code!r} in the log")
        step(self, record)

    # -- names

    def _parts(self, path: str) -> tuple[str, ...]:
        try:
            return PurePosixPath(path).relative_to(self._root).parts
        except ValueError:
            raise ReplayError(
                f"{path}: lies outside {self._root}; moves and links across its border are not modelled: write inside the folder"
            ) from None

    def _find(self, path: str) -> Node:
        node: Node = self.top
        for part in self._parts(path):
            if not isinstance(node, FolderNode) or part not in node.entries:
                raise ReplayError(f"{path}: is used in the log and was never made there")
            node = node.entries[part]
        return node

    def _place(self, path: str) -> tuple[FolderNode, str]:
        """The folder that holds a name, and the name's last part."""
        parent = self._find(str(PurePosixPath(path).parent))
        if not isinstance(parent, FolderNode):
            raise ReplayError(f"{path}: its parent is no folder")
        return parent, PurePosixPath(path).name

    def _has(self, path: str) -> bool:
        try:
            self._find(path)
        except ReplayError:
            return False
        return True

    def _next(self) -> int:
        self._changes += 1
        return self._changes

    def _add(self, path: str, node: Node) -> None:
        folder, name = self._place(path)
        folder.change(Change(self._next(), None, name, node))

    # -- one method per code

    def _create(self, record: Record) -> None:
        self._add(record.path, FileNode(blob(b"")))

    def _make_folder(self, record: Record) -> None:
        self._add(record.path, FolderNode())

    def _resize(self, record: Record) -> None:
        if (file := self._file(record.path)) is not None:
            file.resize(record.length)

    def _write(self, record: Record) -> None:
        if (file := self._file(record.path)) is not None:
            file.write(record.offset, record.payload)

    def _file(self, path: str) -> FileNode | None:
        """The inode; None for one that lost its name: nobody can see it after a crash."""
        if path.endswith(_DELETED) and not self._has(path):
            return None
        node = self._find(path)
        if not isinstance(node, FileNode):
            raise ReplayError(f"{path}: is written to and is no file")
        return node

    def _sync(self, record: Record) -> None:
        if record.offset == 1:
            _sync_all(self.top)
        elif not record.path.endswith(_DELETED) or self._has(record.path):
            node = self._find(record.path)
            if isinstance(node, FileNode) and record.length < 0:
                node.lose_sync()
            elif not isinstance(node, LinkNode) and record.length >= 0:
                node.sync()

    def _rename(self, record: Record) -> None:
        if PurePosixPath(record.path2).is_relative_to(self._root):
            self._rename_inside(record)
        else:
            self._unlink(record)

    def _rename_inside(self, record: Record) -> None:
        source, name = self._place(record.path)
        target, name2 = self._place(record.path2)
        node = self._find(record.path)
        other = target.entries.get(name2)
        if node is other:
            return  # two names of one inode: POSIX leaves both
        number = self._next()
        if record.offset & _RENAME_EXCHANGE:
            source.change(Change(number, None, name, other))
            target.change(Change(number, None, name2, node))
        elif source is target:
            source.change(Change(number, name, name2, node))
        else:
            source.change(Change(number, name, None, None))
            target.change(Change(number, None, name2, node))

    def _link(self, record: Record) -> None:
        symbolic = record.offset == 1
        self._add(record.path2, LinkNode(record.path) if symbolic else self._find(record.path))

    def _unlink(self, record: Record) -> None:
        folder, name = self._place(record.path)
        folder.change(Change(self._next(), name, None, None))

    def _pass(self, record: Record) -> None:
        """Opening an existing file and marking change nothing."""

    # -- wrecks

    def wreck(self, policy: Policy, draw: str = "") -> Tree:
        """What the folder holds after a cut now; `draw` seeds the policy `sampled`."""
        view = _views(policy, draw)
        return dict(_walk(self.top, "", view))


_STEPS: dict[str, Callable[[Disk, Record], None]] = {
    "C": Disk._create,
    "N": Disk._pass,
    "Z": Disk._resize,
    "W": Disk._write,
    "T": Disk._resize,
    "S": Disk._sync,
    "R": Disk._rename,
    "L": Disk._link,
    "U": Disk._unlink,
    "D": Disk._make_folder,
    "M": Disk._pass,
}


def _node(entry: Entry) -> Node:
    if entry is None:
        return FolderNode()
    return LinkNode(entry) if isinstance(entry, str) else FileNode(entry)


def _sync_all(folder: FolderNode) -> None:
    folder.sync()
    for node in folder.entries.values():
        if isinstance(node, FolderNode):
            _sync_all(node)
        elif isinstance(node, FileNode):
            node.sync()


# ---- views -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class View:
    """How a policy looks at folders and at files."""

    entries: Callable[[FolderNode], dict[str, Node]]
    content: Callable[[FileNode], Blob]


def _views(policy: Policy, draw: str) -> View:
    if policy is Policy.SAMPLED:
        return _sampled_view(random.Random(draw))
    keeps_names = policy in (Policy.NONE, Policy.BYTES)
    keeps_bytes = policy in (Policy.NONE, Policy.NAMES)
    return View(
        entries=(lambda folder: folder.entries) if keeps_names else (lambda folder: folder.durable),
        content=(lambda file: file.now) if keeps_bytes else (lambda file: file.synced),
    )


def _sampled_view(rng: random.Random) -> View:
    """Each draw also chooses how much is kept at all: nearly nothing to nearly everything."""
    names_kept, sectors_kept = rng.choice((0.1, 0.5, 0.9)), rng.choice((0.1, 0.5, 0.9))
    decided: dict[int, bool] = {}
    mixed: dict[int, Blob] = {}

    def keeps(number: int) -> bool:
        return decided.setdefault(number, rng.random() < names_kept)

    def content(file: FileNode) -> Blob:
        if id(file) not in mixed:
            mixed[id(file)] = _mix(file.synced, file.now, sectors_kept, rng)
        return mixed[id(file)]

    return View(entries=lambda folder: folder.sampled(keeps), content=content)


def _mix(old: Blob, new: Blob, kept: float, rng: random.Random) -> Blob:
    """Sectors of both; the size is the old one, the new one, or a sector's border in between."""
    if old.key == new.key:
        return new
    small, large = sorted((len(old.data), len(new.data)))
    border = min(large, small + SECTOR_BYTES - small % SECTOR_BYTES)
    size = rng.choice((len(old.data), len(new.data), border))
    out = bytearray(old.data[:size])
    out.extend(bytes(size - len(out)))
    for start in range(0, min(size, len(new.data)), SECTOR_BYTES):
        end = min(start + SECTOR_BYTES, size, len(new.data))
        if out[start:end] != new.data[start:end] and rng.random() < kept:
            out[start:end] = new.data[start:end]
    return blob(bytes(out), new.mode)


def _walk(folder: FolderNode, prefix: str, view: View) -> Iterator[tuple[str, Entry]]:
    entries = view.entries(folder)
    for name in sorted(entries):
        node = entries[name]
        if isinstance(node, FolderNode):
            yield prefix + name, None
            yield from _walk(node, f"{prefix}{name}/", view)
        elif isinstance(node, LinkNode):
            yield prefix + name, node.target
        elif not name.endswith(MAPPED_SUFFIX):
            yield prefix + name, view.content(node)


def without_unseen(tree: Tree) -> Tree:
    """The part of a real folder that the shim can see."""
    return {name: entry for name, entry in tree.items() if not name.endswith(MAPPED_SUFFIX)}


# ---- all cuts of one run -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Cut:
    """One power cut: after how many records, under which policy, which draw of `sampled`."""

    prefix: int
    policy: Policy
    draw: int = 0

    def seed(self, seed: int) -> str:
        """The text that seeds this cut's draw, the same in every run of it."""
        return f"{seed}/{self.prefix}/{self.draw}"


def _cuts(prefix: int, policies: tuple[Policy, ...], draws: int) -> Iterator[Cut]:
    for policy in policies:
        for draw in range(draws if policy is Policy.SAMPLED else 1):
            yield Cut(prefix, policy, draw)


@dataclass(frozen=True, slots=True)
class Past:
    """The run that a cut ends: where, from what, and every record of it."""

    root: str
    start: Tree
    records: list[Record]
    seed: int


def distinct_cuts(past: Past, policies: tuple[Policy, ...], draws: int) -> dict[Cut, int]:
    """One cut for each different (wreck, marks), and how many it stands for, itself included."""
    first: dict[tuple[bytes, int], Cut] = {}
    stands_for: dict[Cut, int] = {}
    for prefix, marks, disk in _prefixes(past):
        for cut in _cuts(prefix, policies, draws):
            key = tree_key(disk.wreck(cut.policy, cut.seed(past.seed)))
            one = first.setdefault((key, marks), cut)
            stands_for[one] = stands_for.get(one, 0) + 1
    return stands_for


def wrecks(past: Past, cuts: list[Cut]) -> Iterator[tuple[Cut, Tree, int]]:
    """Each wanted cut with its wreck and the number of marks before it; one pass over the log."""
    wanted: dict[int, list[Cut]] = {}
    for cut in cuts:
        wanted.setdefault(cut.prefix, []).append(cut)
    for prefix, marks, disk in _prefixes(past):
        for cut in wanted.get(prefix, ()):
            yield cut, disk.wreck(cut.policy, cut.seed(past.seed)), marks


def _prefixes(past: Past) -> Iterator[tuple[int, int, Disk]]:
    disk = Disk(past.root, past.start)
    marks = 0
    yield 0, marks, disk
    for prefix, record in enumerate(past.records, start=1):
        disk.apply(record)
        marks += record.code == "M"
        yield prefix, marks, disk


def replay(past: Past) -> Disk:
    """The disk after the whole run."""
    disk = Disk(past.root, past.start)
    for record in past.records:
        disk.apply(record)
    return disk
