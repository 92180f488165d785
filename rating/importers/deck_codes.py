"""Dial codes as senders write them: single codes, lists, ranges, and area codes behind a country code."""

from __future__ import annotations

import re
from collections.abc import Callable

from rating.importers.deck_values import Unreadable
from schemas.numbers import DIGITS_MAX

RANGE_MAX = 10_000
HYPHENS = ("auto", "range", "join")


def code_reader(hyphen: str, behind_country: bool) -> Callable[[str], list[str]]:
    """A reader of `country|codes` cells (country may be empty) into prefixes.

    `44`, `+44 20`, `44,45`, `7101-7109` (range), `44-7` (country and area), `1;242,246` (country; areas). A hyphen between codes
    of one length is a range, else it joins; `hyphen` range or join says otherwise. `behind_country`: there is a country column.
    """

    def read(cell: str) -> list[str]:
        country, _, codes = cell.partition("|")
        country = _digits(country) if country.strip() else ""
        if ";" in codes and "," in codes:
            before, _, codes = codes.partition(";")
            country += _digits(before)
        parts = [part.strip() for part in re.split(r"[;,/&\n]+", codes) if part.strip()]
        found = [country + code for part in parts for code in _expanded(part, hyphen, behind_country or bool(country))]
        if not parts and country:
            found = [country]
        if not found:
            raise Unreadable("no dial code")
        if any(len(code) > DIGITS_MAX for code in found):
            raise Unreadable(f"a dial code of more than {DIGITS_MAX} digits")
        return list(dict.fromkeys(found))

    return read


def _digits(text: str) -> str:
    bare = re.sub(r"[ ().\u00a0]|^\s*(\+|00)", "", text.strip())
    bare = bare.removesuffix(".0") if re.fullmatch(r"[0-9]+\.0", text.strip()) else bare
    if not re.fullmatch(r"[0-9]+", bare):
        raise Unreadable("not a dial code", "digits, lists such as 44,45 and ranges such as 7101-7109")
    return bare


def _expanded(part: str, hyphen: str, behind_country: bool) -> list[str]:
    low_text, dash, high_text = part.replace("\u2013", "-").partition("-")
    if not dash:
        return [_digits(part)]
    low, high = _digits(low_text), _digits(high_text)
    if hyphen == "join":
        return [low + high]
    same = len(low) == len(high)
    if same and high >= low and (hyphen == "range" or behind_country or len(low) > 3):
        return _range(low, high)
    if len(high) < len(low) and (hyphen == "range" or len(low) > 3):  # 7101-09
        return _range(low, low[: -len(high)] + high)
    if hyphen == "auto" and len(low) <= 3 and not (same and high >= low):
        return [low + high]
    raise Unreadable("a hyphen that may join or span", "say which: --hyphen range or --hyphen join")


def _range(low: str, high: str) -> list[str]:
    count = int(high) - int(low) + 1
    if not 0 < count <= RANGE_MAX:
        raise Unreadable("a range that ends before it starts, or of more than 10,000 codes")
    return [str(code).zfill(len(low)) for code in range(int(low), int(high) + 1)]
