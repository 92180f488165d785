"""The table inside a rate sheet: delimiter, the header under its title lines, and each row with its line number."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass

from rating.importers.deck_columns import given_columns, guessed_columns
from schemas.errors import ConfigurationError, Fault

DELIMITERS = (",", ";", "\t", "|")
_HEADER_WITHIN = 60  # lines from the top among which the header is looked for


@dataclass(frozen=True, slots=True)
class DeckTable:
    """Rows as texts: `columns[role]` has one text for each row, `lines` the number of the line on which it ends."""

    columns: dict[str, list[str]]
    lines: list[int]
    above: list[int]  # lines with text above the header
    headers: list[str]
    roles: dict[str, int]  # column index of each role
    delimiter: str
    header_line: int  # 0: there is none

    @property
    def guessed(self) -> str:
        return ", ".join(f"{role}={self.headers[index].strip() or f'#{index + 1}'}" for role, index in self.roles.items())


def read_table(text: str, file: str, mapping: Mapping[str, str], delimiter: str | None = None) -> DeckTable:
    """The table of a sheet.

    Raises:
        ConfigurationError: no line is a header that names (or is mapped to) a code and a price.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    delimiters = (delimiter,) if delimiter else DELIMITERS
    header, chosen = _header(lines, delimiters, mapping, file)
    cells = _cells(lines[header], chosen) if header >= 0 else _unnamed(lines, chosen)
    roles = given_columns(cells, mapping, f"{file}:{max(header, 0) + 1}") if mapping else {}
    for role, index in guessed_columns(cells).items() if header >= 0 else ():
        if role not in roles and index not in roles.values():
            roles[role] = index
    missing = [role for role in ("prefix", "price") if role not in roles]
    if missing:
        raise ConfigurationError([_no_column(f"{file}:{max(header, 0) + 1}", role, cells) for role in missing])
    rows: list[list[str]] = []
    numbers: list[int] = []
    reader = csv.reader((line + "\n" for line in lines[header + 1 :]), delimiter=chosen)
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append(row)
                numbers.append(header + 1 + reader.line_num)
    except csv.Error as cause:
        raise ConfigurationError(Fault(f"{file}:{header + 1 + reader.line_num}", f"not CSV: {cause}", code="no_csv")) from cause
    columns = {role: [row[index].strip() if index < len(row) else "" for row in rows] for role, index in roles.items()}
    above = [number for number in range(1, header + 1) if lines[number - 1].strip(' \t,;|"')]
    return DeckTable(columns, numbers, above, cells, roles, chosen, header + 1)


def _no_column(where: str, role: str, cells: list[str]) -> Fault:
    have = ", ".join(cell.strip() for cell in cells if cell.strip()) or "nothing"
    return Fault(where, f"no column for the {role}", f"columns {have}", "", f"name it: --map {role}=COLUMN", "no_column")


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def _unnamed(lines: list[str], delimiter: str) -> list[str]:
    """Stand-ins for the headers of a sheet that has none."""
    return [""] * max((len(_cells(line, delimiter)) for line in lines[:_HEADER_WITHIN]), default=0)


def _header(lines: list[str], delimiters: tuple[str, ...], mapping: Mapping[str, str], file: str) -> tuple[int, str]:
    """(index of the header line, delimiter); -1 where all columns are given by position and the top line is no header."""
    by_position = bool(mapping) and all(column.startswith("#") for column in mapping.values())
    names = {column.strip().lower() for column in mapping.values() if not column.startswith("#")}
    best: tuple[int, int, int, str] | None = None
    nearest: tuple[int, int, str] | None = None
    for index, line in enumerate(lines[:_HEADER_WITHIN]):
        for delimiter in delimiters:
            cells = _cells(line, delimiter)
            have = {cell.strip().lower() for cell in cells}
            roles = guessed_columns(cells)
            score = len(names & have) * 10 + len(roles)
            usable = names <= have if names else {"prefix", "price"} <= roles.keys()
            if usable and (best is None or (score, len(cells)) > (best[0], best[1])):
                best = (score, len(cells), index, delimiter)
            near = len(names & have) + len(roles)
            if near > 1 and (nearest is None or near > nearest[0]):
                nearest = (near, index, delimiter)
    if best:
        return best[2], best[3]
    if nearest and names:
        return nearest[1], nearest[2]  # what is missing there is said by name, with what was meant
    if by_position:
        return -1, max(delimiters, key=lambda delimiter: len(_unnamed(lines, delimiter)))
    widest = max(lines[:_HEADER_WITHIN], key=lambda line: max(line.count(each) for each in delimiters), default="")
    cells = _cells(widest, max(delimiters, key=widest.count))
    wanted = sorted(names) or ["a dial code", "a price"]
    raise ConfigurationError(
        Fault(
            file,
            f"no header line with {' and '.join(wanted)}",
            f"columns {', '.join(cells)[:200]}" if cells else "no text",
            next_step="name the columns: --map prefix=COLUMN,price=COLUMN (#3 is the third column)",
            code="no_header",
        )
    )
