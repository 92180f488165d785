"""What an importer hands back: the texts of files, every finding, and the proof that no row of the source was lost."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.errors import ConservationError, Fault


class FindingKind(StrEnum):
    """How a finding bears on the result, gravest first."""

    CONFLICT = "conflict"  # rows that contradict each other; the first one stands
    NOT_REPRESENTED = "not represented"  # the tariff cannot say it, or it cannot be read
    BROKEN_REFERENCE = "broken reference"  # names something that is missing or was not imported
    DUPLICATE = "duplicate"  # says again what another row said
    SUPERSEDED = "superseded"  # was never in force in the time that is imported
    UNUSED = "unused"  # nothing that is priced refers to it
    NO_ROW = "no row"  # titles above, totals and notes below the table
    GUESS = "guess"  # decided by the importer; an option can say otherwise
    NOTE = "note"  # represented, with something a person should know


TARIFF_KEYS = re.compile(r"^tariff: ", re.MULTILINE)  # what tells a tariff from an account
LOSSES = (FindingKind.CONFLICT, FindingKind.NOT_REPRESENTED, FindingKind.BROKEN_REFERENCE)
_ABOUT_NO_ROW = (FindingKind.GUESS, FindingKind.NOTE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a person should know; `line` 0 is the whole file. In JSON, `line` counts fields and `path` names them."""

    kind: FindingKind
    file: str
    line: int
    what: str
    was: str = ""
    next_step: str = ""
    path: str = ""

    def as_json(self) -> dict[str, str | int]:
        return {
            "kind": str(self.kind),
            "file": self.file,
            "line": self.line,
            "path": self.path,
            "what": self.what,
            "was": self.was,
            "next_step": self.next_step,
        }


@dataclass(slots=True)
class RowAccount:
    """Rows (or fields) of one source file and what became of each; a row that is named is not represented whole."""

    rows_in: int = 0
    represented: set[int] = field(default_factory=set)  # line numbers
    named: set[int] = field(default_factory=set)

    def settle(self, file: str) -> None:
        """Check rows in = represented + named.

        Raises:
            ConservationError: a row is lost or counted twice.
        """
        if self.represented & self.named or len(self.represented) + len(self.named) != self.rows_in:
            said = f"{self.rows_in} rows in, {len(self.represented)} represented, {len(self.named)} named"
            raise ConservationError(_lost(file, said))


def _lost(file: str, said: str) -> Fault:
    return Fault(file, "rows in are not represented + named", was=said, code="rows_lost")


@dataclass(frozen=True, slots=True)
class Imported:
    """The result of an import: file name -> text, findings in order, rows of each source file."""

    files: dict[str, str]
    findings: tuple[Finding, ...]
    rows: dict[str, RowAccount]
    unit: str = "rows"

    def totals(self) -> tuple[int, int, int]:
        """(rows in, represented, named) over all source files."""
        accounts = self.rows.values()
        return (
            sum(each.rows_in for each in accounts),
            sum(len(each.represented) for each in accounts),
            sum(len(each.named) for each in accounts),
        )


def settled(files: dict[str, str], findings: Iterable[Finding], rows: dict[str, RowAccount], unit: str = "rows") -> Imported:
    """The result, after the law that rows in = represented + named was checked for each source file.

    A row that has a finding of any kind but guess and note is named; the others are represented.

    Raises:
        ConservationError: a row is lost.
    """
    every = tuple(sorted(findings, key=lambda one: (list(FindingKind).index(one.kind), one.file, one.line, one.what, one.was)))
    for file, account in rows.items():
        account.settle(file)
        told = {one.line for one in every if one.file == file and one.kind not in _ABOUT_NO_ROW and one.line}
        if account.named - told:
            raise ConservationError(_lost(file, f"lines {sorted(account.named - told)[:5]} named without a finding"))
    return Imported(files, every, rows, unit)


def nothing_imported(file: str, what: str, findings: Iterable[Finding]) -> list[Fault]:
    """The faults of a source of which nothing could be imported: the gravest ten reasons, each told once."""
    bad = sorted((one for one in findings if one.kind not in _ABOUT_NO_ROW), key=lambda one: list(FindingKind).index(one.kind))
    faults = [
        Fault(f"{one.file} {one.path}" if one.path else f"{one.file}:{one.line}", one.what, one.was, next_step=one.next_step)
        for one in bad
    ]
    return [Fault(file, what, code="nothing_imported"), *list(dict.fromkeys(faults))[:10]]


def report_text(imported: Imported, findings_max: int | None = None) -> str:
    """The report: findings with like ones in one line, then rows in = represented + named."""
    lines: list[str] = []
    grouped: dict[tuple[FindingKind, str, str, str, str, str], list[int]] = {}
    for one in imported.findings:
        grouped.setdefault((one.kind, one.file, one.path, one.what, one.was, one.next_step), []).append(one.line)
    for (kind, file, path, what, was, next_step), at in grouped.items():
        place = f"{file} {path}" if path else f"{file}:{_ranges(at)}" if any(at) else file
        text = f"{kind}: {place}: {what}"
        text += f", was {was}" if was else ""
        lines.append(f"{text}; {next_step}" if next_step else text)
    if findings_max is not None and len(lines) > findings_max:
        lines = [*lines[:findings_max], f"... and {len(lines) - findings_max} more, in the report file"]
    for file, account in sorted(imported.rows.items()):
        said = f"{account.rows_in} {imported.unit} in = {len(account.represented)} represented + {len(account.named)} named"
        lines.append(f"{file}: {said}")
    if len(imported.rows) > 1:
        rows_in, represented, named = imported.totals()
        lines.append(f"all files: {rows_in} {imported.unit} in = {represented} represented + {named} named")
    return "\n".join(lines)


def _ranges(lines: list[int]) -> str:
    """`3-5,9` of line numbers."""
    found: list[list[int]] = []
    for line in sorted(set(lines)):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)
