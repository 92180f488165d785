"""Values that come as files beside a tariff: dynamic prices by UTC interval, calorific values by period."""

from __future__ import annotations

import csv
import re
from datetime import datetime
from pathlib import Path

import polars as pl

from rating.language.tariff import Tariff
from rating.utility.dynamic import PRICE_SCHEMA
from schemas.errors import ConfigurationError, Fault
from schemas.money import nano_of
from schemas.zones import instant_us

_FAULTS_SHOWN = 20
_PERIOD = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_HOUR_US = 3_600_000_000
_NEVER = 2**62


def load_price_files(tariff: Tariff, folder: Path) -> tuple[dict[str, pl.DataFrame], dict[str, dict[str, int]]]:
    """(dynamic prices by file name, calorific values by file name and period) that a tariff names, out of its folder.

    Raises:
        ConfigurationError: all faults of all files.
    """
    faults: list[Fault] = []
    prices: dict[str, pl.DataFrame] = {}
    values: dict[str, dict[str, int]] = {}
    for version in tariff.versions:
        for rule in version.supply.dynamic:
            if rule.file not in prices:
                prices[rule.file] = _dynamic_prices(folder / rule.file, faults)
        gas = version.supply.gas
        if gas is not None and gas.calorific_file and gas.calorific_file not in values:
            values[gas.calorific_file] = _calorific_values(folder / gas.calorific_file, faults)
    if faults:
        more = len(faults) - _FAULTS_SHOWN
        rest = [Fault(str(folder), f"{more} more rows cannot be used")] if more > 0 else []
        raise ConfigurationError([*faults[:_FAULTS_SHOWN], *rest])
    return prices, values


def _rows(path: Path, columns: tuple[str, ...], faults: list[Fault]) -> list[tuple[str, dict[str, str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        faults.append(Fault(str(path), f"the file cannot be read: {type(cause).__name__}", code="not_readable"))
        return []
    reader = csv.DictReader(text.splitlines())
    missing = [name for name in columns if name not in (reader.fieldnames or [])]
    faults += [Fault(f"{path}:1", "no such column", repr(name), code="no_column") for name in missing]
    return [] if missing else [(f"{path}:{reader.line_num}", row) for row in reader]


def _dynamic_prices(path: Path, faults: list[Fault]) -> pl.DataFrame:
    """Columns start_at (ISO with an offset), price and perhaps end_at (else an hour later); the next price ends a price too."""
    found: dict[int, tuple[int | None, int]] = {}
    for where, row in _rows(path, ("start_at", "price"), faults):
        start, price = _instant(row["start_at"], where, faults), _nano(row["price"], where, faults)
        end = _instant(row["end_at"], where, faults) if row.get("end_at") else None
        if start is None or price is None:
            continue
        if found.setdefault(start, (end, price)) != (end, price):
            faults.append(Fault(where, "this interval has another price above", row["start_at"], "one price for an interval"))
    starts = sorted(found)
    ends = [found[start][0] or start + _HOUR_US for start in starts]
    following = [*starts[1:], _NEVER][: len(starts)]
    rows = [(start, min(end, later), found[start][1]) for start, end, later in zip(starts, ends, following, strict=True)]
    return pl.DataFrame(rows, schema=PRICE_SCHEMA, orient="row")


def _calorific_values(path: Path, faults: list[Fault]) -> dict[str, int]:
    """Columns period (YYYY-MM) and value."""
    found: dict[str, int] = {}
    for where, row in _rows(path, ("period", "value"), faults):
        value = _nano(row["value"], where, faults)
        if not _PERIOD.fullmatch(row["period"] or ""):
            faults.append(Fault(where, "no such period", repr(row["period"]), "YYYY-MM"))
        elif value is not None and found.setdefault(row["period"], value) != value:
            faults.append(Fault(where, "this period has another value above", row["period"], "one value for a period"))
    return found


def _instant(text: str, where: str, faults: list[Fault]) -> int | None:
    try:
        moment = datetime.fromisoformat(text or "")
        if moment.tzinfo is not None:
            return instant_us(moment)
    except ValueError:
        pass
    faults.append(Fault(where, "not an instant", repr(text), "one that ends in Z or +HH:MM"))
    return None


def _nano(text: str, where: str, faults: list[Fault]) -> int | None:
    try:
        return nano_of((text or "").strip(), where)
    except ConfigurationError as refused:
        faults.extend(refused.faults)
        return None
