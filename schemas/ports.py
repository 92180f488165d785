"""Ports: what rooms ask of the outside. Adapters implement them; the wiring chooses one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from schemas.reasons import Disposition, Reason

NO_PERIOD = -1  # the period of a record whose instant cannot be read, and of tables that have none
ALL_BUCKETS = -1


@dataclass(frozen=True, slots=True)
class FilePart:
    """The rows of one (period, bucket) inside a stored file; the unit that a roll-up retires."""

    period: int
    bucket: int
    rows: int
    first_row: int = 0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that a commit names. `name` is relative to the data folder and ends in the SHA-256 of the content."""

    name: str
    table: str
    size_bytes: int
    sha256: str
    parts: tuple[FilePart, ...]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A file as a reader sees it at one commit: only the parts that are not retired."""

    name: str
    table: str
    commit_seq: int
    parts: tuple[FilePart, ...]


@dataclass(frozen=True, slots=True)
class RowCount:
    """One entry of a commit's row account; negative rows take back what an earlier commit counted."""

    source_id: int
    period: int
    kind: int
    disposition: Disposition
    reason: Reason
    rows: int
    quantity: int


@dataclass(frozen=True, slots=True)
class PositionMove:
    """A source goes from `before` to `after` (bytes of its content); the commit fails unless it stands at `before`."""

    source_id: int
    before: int
    after: int
    done: bool


@dataclass(frozen=True, slots=True)
class Source:
    """One input file by its content. `state` is claimed, landed, done or refused."""

    source_id: int
    sha256: str
    name: str
    drop: str
    size_bytes: int
    state: str
    position: int


@dataclass
class CommitDraft:
    """Everything that becomes visible together or not at all."""

    kind: str
    files: list[StoredFile] = field(default_factory=list)
    retired: list[tuple[str, int, int]] = field(default_factory=list)  # (file name, period, bucket)
    positions: list[PositionMove] = field(default_factory=list)
    row_account: list[RowCount] = field(default_factory=list)
    # (scope, number) -> version seen; the commit fails on any other version and bumps each
    versions: dict[tuple[str, int], int] = field(default_factory=dict)
    # (scope, number) -> version seen; compared, not bumped: what was only read
    expected: dict[tuple[str, int], int] = field(default_factory=dict)
    period_states: dict[int, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)  # small facts of the commit, in its chain hash


class CommitLog(Protocol):
    """The log of commits. Every method that writes is one durable SQL commit."""

    def head(self) -> int: ...

    def chain_head(self) -> str: ...

    def commit(self, draft: CommitDraft) -> int:
        """Make a draft visible; returns its sequence number. Raises CommitConflictError and writes nothing on any mismatch."""
        ...

    def versions(self, scopes: Sequence[str]) -> dict[tuple[str, int], int]: ...

    def live_files(self, table: str, *, as_of: int | None = None) -> list[LiveFile]: ...

    def row_account(self) -> list[RowCount]: ...

    def period_states(self) -> dict[int, str]: ...

    def notes(self, kind: str) -> list[tuple[int, Mapping[str, Any]]]: ...

    def chain(self) -> list[tuple[int, str, str]]:
        """(sequence, body, chain hash) of every commit."""
        ...

    def file_names(self) -> set[str]:
        """Every file that any commit names, retired ones too."""
        ...

    def billed_by_commit(self) -> list[tuple[int, int, int]]:
        """(sequence, period, rows) by which each commit changed what is billed."""
        ...

    def period_commits(self) -> dict[int, int]:
        """Closed period -> sequence of the commit that closed it."""
        ...

    # sources
    def claim_source(self, sha256: str, name: str, drop: str, size_bytes: int) -> Source:
        """The source of a content: new and claimed, as it was, or claimed anew if it was refused."""
        ...

    def source_landed(self, source_id: int) -> None: ...

    def refuse_source(self, source_id: int, faults: str) -> None: ...

    def add_duplicate_file(self, sha256: str, name: str) -> None: ...

    def sources(self) -> list[Source]: ...

    def duplicate_files(self) -> list[tuple[str, str]]: ...

    def refusal(self, source_id: int) -> str:
        """Why a source was refused; empty if it was not."""
        ...

    def refusals(self) -> list[tuple[str, str]]: ...

    def close(self) -> None: ...
