"""Values as CGRateS writes them: durations, decimals, lists, timings; each function gives the value or raises why not."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from fractions import Fraction

from rating.importers.deck_values import Unreadable
from rating.language.written_values import DAY_NAMES
from schemas.money import NANO, amount_text
from schemas.quantities import UsageKind, exact_int

_NS = {"ns": 1, "us": 10**3, "\u00b5s": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ns|us|\u00b5s|ms|s|m|h)")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_DAYS = list(DAY_NAMES)
_US_UNIT = {UsageKind.VOICE: "ms", UsageKind.MESSAGE: "messages", UsageKind.VOLUME: "B"}


def amount_of(text: str) -> str:
    """An amount as a tariff writes it.

    Raises:
        Unreadable: no number, more than nine decimals, or too large.
    """
    if not _NUMBER.fullmatch(text):
        raise Unreadable("not a number", "a decimal such as 0.02")
    nano = exact_int(Fraction(Decimal(text)) * NANO)
    if nano is None:
        raise Unreadable("more than nine decimals", "write a larger unit, so that no digit is lost")
    if abs(nano) > 10**18:
        raise Unreadable("out of range", "at most 1,000,000,000")
    return amount_text(nano)


def count_of(text: str) -> tuple[int, bool]:
    """(nanoseconds or units, written with a unit of time); a bare number is one of nanoseconds, or of units that are no time."""
    if text == "":
        return 0, False
    if re.fullmatch(r"[0-9]{1,18}(\.0+)?", text):
        return int(text.split(".")[0]), False
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise Unreadable("not a duration", "such as 60s or 1m30s")
    whole = exact_int(sum((Fraction(number) * _NS[unit] for number, unit in parts), Fraction(0)))
    if whole is None:
        raise Unreadable("a part of a nanosecond")
    return whole, True


def quantity_of(text: str, kind: UsageKind) -> str:
    """A quantity of `kind` as a tariff writes it: nanoseconds become milliseconds, exact or refused."""
    units, timed = count_of(text)
    if kind is not UsageKind.VOICE:
        if timed:
            raise Unreadable(f"a time where {kind.label} is counted", "a bare number of units")
        return f"{units} {_US_UNIT[kind]}"
    if units % 10**6:
        step = "write 60s if seconds are meant" if not timed else "a tariff counts whole milliseconds"
        raise Unreadable("nanoseconds that are no whole milliseconds", step)
    ms = units // 10**6
    return f"{ms // 1_000} s" if ms % 1_000 == 0 else f"{ms} ms"


def numbers_of(text: str, what: str, least: int, most: int) -> list[int] | None:
    """A list by `;`; None of `*any` and of an empty cell."""
    if text in ("", "*any", "*all"):
        return None
    parts = text.split(";")
    if not all(re.fullmatch(r"[0-9]{1,4}", part) and least <= int(part) <= most for part in parts):
        raise Unreadable(f"not {what}", f"numbers from {least} to {most}, or *any")
    return sorted({int(part) for part in parts})


def window_of_timing(cells: dict[str, str]) -> tuple[dict[str, object] | None, bool]:
    """(window of a timing, its end was inclusive and is corrected); None is any time.

    Raises:
        Unreadable: a schedule (`*asap`, `*monthly`), a negation, or no list of numbers.
    """
    found: dict[str, object] = {}
    for column, key, what, least, most in (
        ("years", "years", "years", 1970, 2100),
        ("months", "months", "months", 1, 12),
        ("month_days", "month_days", "days of a month", 1, 31),
    ):
        numbers = numbers_of(cells[column], what, least, most)
        if numbers is not None:
            found[key] = numbers
    weekdays = numbers_of(cells["weekdays"], "weekdays", 0, 7)
    if weekdays is not None:
        found["weekdays"] = [_DAYS[day - 1] for day in sorted({day or 7 for day in weekdays})]
    start_text, _, end_text = (cells["time"] if cells["time"] not in ("", "*any") else "00:00:00").partition(";")
    start, end = _clock_s(start_text), _clock_s(end_text) + 1 if end_text else 86_400
    if start:
        found["start"] = _clock(start)
    if end % 86_400:
        found["end"] = _clock(end)
    if end <= start:
        raise Unreadable("an end before the start", "two timings: one to 24:00, one from 00:00")
    return found or None, bool(end_text)


def _clock_s(text: str) -> int:
    match = _TIME.fullmatch(text)
    if not match:
        raise Unreadable("a schedule, not a time of day" if text.startswith("*") else "not a time of day", "hh:mm:ss")
    return (int(match[1]) * 60 + int(match[2])) * 60 + int(match[3])


def _clock(seconds: int) -> str:
    hour, rest = divmod(seconds, 3_600)
    minute, second = divmod(rest, 60)
    return f"{hour:02d}:{minute:02d}:{second:02d}" if second else f"{hour:02d}:{minute:02d}"


def instant_of(text: str) -> str:
    """`2014-01-14T00:00:00Z` of an instant with offset, or of a date (midnight UTC)."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise Unreadable("not an instant", "such as 2026-01-01T00:00:00Z") from cause
    if moment.tzinfo is None:
        moment = datetime.fromisoformat(f"{moment.isoformat()}+00:00")
    if moment.microsecond or not 1970 <= moment.year <= 2100:
        raise Unreadable("an instant out of range", "whole seconds from 1970 to 2100")
    return (moment - moment.utcoffset()).replace(tzinfo=None).isoformat() + "Z"  # type: ignore[operator]


def weight_of(text: str) -> Fraction:
    if not _NUMBER.fullmatch(text or "0"):
        raise Unreadable("not a weight", "a number")
    return Fraction(Decimal(text or "0"))
