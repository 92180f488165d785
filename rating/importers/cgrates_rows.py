"""Rows of a CGRateS tariff-plan folder: the columns of each file, each row with its line, and the ledger of what became of it.

The format is that of the CSV files which `cgr-loader` reads: one file a kind, `#` starts a comment, no header, lists by `;`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from rating.importers.findings import Finding, FindingKind, RowAccount
from schemas.errors import ConfigurationError, Fault

# file -> its columns in order; the first number is how many a row needs
COLUMNS: dict[str, tuple[int, tuple[str, ...]]] = {
    "Timings": (6, ("id", "years", "months", "month_days", "weekdays", "time")),
    "Destinations": (2, ("id", "prefix")),
    "Rates": (6, ("id", "connect_fee", "rate", "unit", "increment", "start")),
    "DestinationRates": (5, ("id", "destination", "rate", "rounding", "decimals", "max_cost", "strategy")),
    "RatingPlans": (4, ("id", "destination_rates", "timing", "weight")),
    "RatingProfiles": (5, ("tenant", "category", "subject", "from", "plan", "fallback")),
    "SharedGroups": (3, ("id", "account", "strategy", "subject")),
    "Actions": (
        17,
        (
            *("id", "action", "extra", "filters", "balance", "type", "categories", "destinations", "subject", "shared"),
            *("expiry", "timings", "units", "balance_weight", "blocker", "disabled", "weight"),
        ),
    ),
    "ActionPlans": (4, ("id", "actions", "timing", "weight")),
    "AccountActions": (4, ("tenant", "account", "plan", "triggers", "allow_negative", "disabled")),
}
_DIRECTION_BEFORE = {"RatingProfiles": 0, "AccountActions": 2}  # where older plans have a column with *out
ELSEWHERE = {
    "ActionTriggers": "thresholds and counters on balances are not part of a tariff",
    "DerivedChargers": "write derived runs in the tariff (`derived`): runs here choose by fields of a CDR",
    "Chargers": "write derived runs in the tariff (`derived`): runs here choose by fields of a CDR",
    "Filters": "filters on fields of a CDR are not part of a tariff",
    "Attributes": "fields of a CDR are changed when it is read: write it in the layout of the call files",
    "LcrRules": "least-cost routing is not part of a tariff",
    "CdrStats": "statistics are not part of a tariff",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `cells` by column name, stripped, columns that are missing at the end are empty."""

    file: str
    line: int
    cells: dict[str, str]

    def __getitem__(self, name: str) -> str:
        return self.cells[name]


@dataclass(slots=True)
class PlanRows:
    """All rows of a folder, what is known of each, and the findings."""

    tables: dict[str, list[Row]]
    accounts: dict[str, RowAccount]
    findings: list[Finding] = field(default_factory=list)
    used: set[tuple[str, int]] = field(default_factory=set)
    duplicates: set[tuple[str, int]] = field(default_factory=set)
    _named: set[tuple[str, int]] = field(default_factory=set)
    _told: set[Finding] = field(default_factory=set)
    _groups: dict[str, dict[str, list[Row]]] = field(default_factory=dict)

    def find(self, kind: FindingKind, row: Row, what: str, was: str = "", next_step: str = "") -> None:
        """A finding on a row; a row that several plans use is told once."""
        found = Finding(kind, row.file, row.line, what, was, next_step)
        if found not in self._told:
            self._told.add(found)
            self.findings.append(found)
        if kind is not FindingKind.NOTE:
            self._named.add((row.file, row.line))
        if kind is FindingKind.DUPLICATE:
            self.duplicates.add((row.file, row.line))

    def refuse(self, row: Row, what: str, was: str = "", next_step: str = "") -> None:
        self.find(FindingKind.NOT_REPRESENTED, row, what, was, next_step)

    def is_named(self, row: Row) -> bool:
        return (row.file, row.line) in self._named

    def use(self, rows: Iterable[Row]) -> None:
        self.used.update((row.file, row.line) for row in rows)

    def grouped(self, table: str) -> dict[str, list[Row]]:
        """Rows of a table by id, ids and rows in order of the file."""
        if table not in self._groups:
            found: dict[str, list[Row]] = {}
            for row in self.tables.get(table, []):
                found.setdefault(row["id"], []).append(row)
            self._groups[table] = found
        return self._groups[table]

    def close(self) -> None:
        """Name every row that nothing used, and write the account of each file."""
        for rows in self.tables.values():
            for row in rows:
                if (row.file, row.line) not in self.used and not self.is_named(row):
                    self.find(FindingKind.UNUSED, row, "nothing that was imported refers to it", next(iter(row.cells.values())))
                account = self.accounts[row.file]
                (account.named if self.is_named(row) else account.represented).add(row.line)


def load_plan_folder(folder: Path) -> dict[str, str]:
    """File name -> text of the CSV files of a folder.

    Raises:
        ConfigurationError: there are none, or one is not UTF-8.
    """
    texts: dict[str, str] = {}
    faults = []
    for path in sorted(folder.glob("*.csv")):
        try:
            texts[path.name] = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as cause:
            what = cause.strerror if isinstance(cause, OSError) else "not UTF-8"
            faults.append(Fault(str(path), f"the file cannot be read: {what}", code="not_readable"))
    if not texts and not faults:
        faults.append(Fault(str(folder), "no CSV files", must_be="a folder with RatingPlans.csv and kin", code="no_plan"))
    if faults:
        raise ConfigurationError(faults)
    return texts


def read_plan_rows(texts: dict[str, str]) -> PlanRows:
    """Every row of every file; rows of files that hold no tariff, and rows with too few columns, are named at once."""
    plan = PlanRows({}, {})
    names = {name.lower(): name for name in COLUMNS}
    for file, text in texts.items():
        table = names.get(file.rsplit(".", 1)[0].lower(), "")
        account = plan.accounts[file] = RowAccount()
        for line, cells in _csv_rows(text, file):
            account.rows_in += 1
            if not table:
                reason = ELSEWHERE.get(file.rsplit(".", 1)[0], "a file of this name holds nothing of a tariff")
                plan.find(FindingKind.NOT_REPRESENTED, Row(file, line, {}), reason)
                account.named.add(line)
                continue
            row = _row(file, table, line, cells)
            if row is None:
                plan.refuse(Row(file, line, {}), f"{len(cells)} columns", ",".join(cells)[:80], f"{COLUMNS[table][0]} are needed")
                account.named.add(line)
            else:
                plan.tables.setdefault(table, []).append(row)
    return plan


def _row(file: str, table: str, line: int, cells: list[str]) -> Row | None:
    least, columns = COLUMNS[table]
    at = _DIRECTION_BEFORE.get(table)
    if at is not None and len(cells) > at and cells[at] in ("*out", "*in"):
        cells = [*cells[:at], *cells[at + 1 :]]
    if len(cells) < least:
        return None
    return Row(file, line, {name: cells[index] if index < len(cells) else "" for index, name in enumerate(columns)})


def _csv_rows(text: str, file: str) -> Iterable[tuple[int, list[str]]]:
    """(line on which the row ends, cells); blank lines and comments are no rows."""
    reader = csv.reader(line + "\n" for line in text.splitlines())
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells) and not cells[0].startswith("#"):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error as cause:
        raise ConfigurationError(Fault(f"{file}:{reader.line_num}", f"not CSV: {cause}", code="no_csv")) from cause
