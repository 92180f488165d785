"""A rate deck: a CSV file beside the tariff in which each prefix has its own price."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from rating.language.call_terms import Rate
from rating.language.rates_text import rate_text
from rating.language.shared_terms import Tier
from rating.language.written_values import base_units
from schemas.errors import ConfigurationError, Fault
from schemas.money import nano_of
from schemas.numbers import DIGITS_MAX

_FAULTS_SHOWN = 20
_PREFIX = re.compile(rf"[0-9]{{1,{DIGITS_MAX}}}")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


@dataclass(frozen=True, slots=True)
class DeckColumns:
    """Which column holds what; a step is either one size for all rows or (column, unit)."""

    prefix: str
    price: str
    per: int
    connect_fee: str | None
    increment: int | tuple[str, str]
    first_increment: int | tuple[str, str] | None


def read_deck(path: Path, columns: DeckColumns, kind_label: str) -> tuple[tuple[str, ...], tuple[Rate, ...]]:
    """(prefixes in order, the rate of each). Equal rates are one object.

    Raises:
        ConfigurationError: the file is missing, lacks a column, or rows cannot be read or contradict each other.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigurationError(Fault(str(path), f"the deck cannot be read: {type(cause).__name__}", code="no_deck")) from cause
    reader = csv.reader(text.splitlines())
    header = next(reader, [])
    wanted = [columns.prefix, columns.price, *([columns.connect_fee] if columns.connect_fee else [])]
    wanted += [step[0] for step in (columns.increment, columns.first_increment) if isinstance(step, tuple)]
    missing = [name for name in wanted if name not in header]
    if missing:
        have = ", ".join(header)
        raise ConfigurationError(
            [Fault(f"{path}:1", "no such column", repr(name), f"one of {have}", code="no_column") for name in missing]
        )
    rates: dict[str, Rate] = {}
    by_content: dict[tuple[int, int, int, int], Rate] = {}
    by_text: dict[tuple[str, ...], Rate] = {}  # rows repeat few prices: each different text is read once
    faults: list[Fault] = []
    of_prefix, *of_rest = (header.index(name) for name in wanted)
    for row in reader:
        if not row:
            continue
        row += [""] * (len(header) - len(row))
        where = f"{path}:{reader.line_num}"
        prefix, texts = row[of_prefix].strip(), tuple(row[place] for place in of_rest)
        rate = by_text.get(texts)
        try:
            if not _PREFIX.fullmatch(prefix):
                raise ConfigurationError(Fault(where, "not a prefix", repr(prefix), f"1 to {DIGITS_MAX} digits"))
            if rate is None:
                content = _content(dict(zip(wanted[1:], texts, strict=True)), columns, where)
                rate = by_content.get(content)
                if rate is None:
                    rate = by_content[content] = _rate_of(path.name, content, columns.per, kind_label)
                by_text[texts] = rate
        except ConfigurationError as refused:
            faults.extend(refused.faults)
            continue
        if rates.setdefault(prefix, rate) is not rate:
            faults.append(Fault(where, "this prefix has another price above", was=prefix, must_be="one price for a prefix"))
    if not rates and not faults:
        faults.append(Fault(str(path), "the deck has no rows", must_be="at least one prefix"))
    if faults:
        more = len(faults) - _FAULTS_SHOWN
        rest = [Fault(str(path), f"{more} more rows cannot be used")] if more > 0 else []
        raise ConfigurationError([*faults[:_FAULTS_SHOWN], *rest])
    return tuple(rates), tuple(rates.values())


def deck_row_count(path: Path) -> int:
    """The rows of a deck that can be read, as written: prefixes that are there twice at one price count twice."""
    return sum(1 for row in csv.reader(path.read_text(encoding="utf-8-sig").splitlines()) if row) - 1


def _content(row: dict[str, str], columns: DeckColumns, where: str) -> tuple[int, int, int, int]:
    """(fee, price, first increment, increment); increments in base units."""
    increment = _step(row, columns.increment, where)
    first = increment if columns.first_increment is None else _step(row, columns.first_increment, where)
    fee = _price(row, columns.connect_fee, where) if columns.connect_fee else 0
    return fee, _price(row, columns.price, where), first, increment


def _price(row: dict[str, str], column: str, where: str) -> int:
    text = (row[column] or "").strip()
    if not _PRICE.fullmatch(text):
        raise ConfigurationError(Fault(f"{where} {column}", "not a price", repr(text), "a decimal such as 0.0900"))
    return nano_of(text, f"{where} {column}")


def _step(row: dict[str, str], step: int | tuple[str, str], where: str) -> int:
    if isinstance(step, int):
        return step
    column, unit = step
    text = (row[column] or "").strip()
    units = base_units(text, unit) if _NUMBER.fullmatch(text) else None
    if units is None or units <= 0:
        raise ConfigurationError(Fault(f"{where} {column}", "not an increment", repr(text), f"a number of {unit} above zero"))
    return units


def _rate_of(deck: str, content: tuple[int, int, int, int], per: int, kind_label: str) -> Rate:
    fee, price, first, increment = content
    tiers: tuple[Tier, ...] = (Tier(0, price, per, first),)
    if first != increment:
        tiers = (*tiers, Tier(first, price, per, increment))
    return Rate(rate_text(deck, fee, tiers, kind_label), tiers, fee)
