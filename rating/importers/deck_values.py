"""The cells of a rate sheet as values: prices, increments, dates, what happens to a code. Exact, or refused with the reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import polars as pl

from rating.importers.findings import Finding, FindingKind
from schemas.money import NANO
from schemas.quantities import exact_int

CLOSED, BLOCKED, PRICED = "closed", "blocked", "priced"
_CHANGES = {
    PRICED: (
        "",
        "new",
        "increase",
        "increased",
        "up",
        "decrease",
        "decreased",
        "down",
        "unchanged",
        "nochange",
        "same",
        "current",
    ),
    CLOSED: (
        "closed",
        "close",
        "deleted",
        "delete",
        "removed",
        "remove",
        "withdrawn",
        "discontinued",
        "cancelled",
        "end",
        "ended",
    ),
    BLOCKED: ("blocked", "block", "barred", "suspended", "notavailable", "unavailable", "norate"),
}
CHANGE_OF = {word: change for change, words in _CHANGES.items() for word in words}
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, start=1)}
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,2})?")
_DAY = re.compile(r"([0-9]{1,4})[-/. ]([0-9]{1,2}|[A-Za-z]{3,9})[-/. ]([0-9]{2,4})")


class Unreadable(ValueError):
    """Why a cell is no value, and what to do."""

    def __init__(self, what: str, next_step: str = "") -> None:
        super().__init__(what)
        self.what, self.next_step = what, next_step


def parsed(
    frame: pl.DataFrame, column: str, file: str, parse: Callable[[str], object], dtype: pl.DataType
) -> tuple[pl.DataFrame, list[Finding]]:
    """The frame with `column` as values (null where refused), and a finding for each refused row. Each text is read once."""
    texts = frame[column].unique(maintain_order=True).to_list()
    values: list[object] = []
    refused: dict[str, Unreadable] = {}
    for text in texts:
        try:
            values.append(parse(text))
        except Unreadable as reason:
            values.append(None)
            refused[text] = reason
    read = pl.DataFrame({column: pl.Series(texts, dtype=pl.String), "_value": pl.Series(values, dtype=dtype, strict=True)})
    joined = frame.join(read, on=column, how="left", maintain_order="left")
    bad = joined.filter(pl.col(column).is_in(list(refused))).select("line", column) if refused else joined.head(0)
    findings = [
        Finding(
            FindingKind.NOT_REPRESENTED, file, line, refused[text].what, repr(text.removeprefix("|")), refused[text].next_step
        )
        for line, text in bad.select("line", column).iter_rows()
    ]
    return joined.drop(column).rename({"_value": column}), findings


def has_decimal_comma(texts: Iterable[str]) -> tuple[bool, bool]:
    """(decimals are behind a comma, this is beyond doubt), from all prices of a sheet."""
    with_comma = [text for text in texts if re.fullmatch(r"\D*[0-9]+,[0-9]+\D*", text)]
    with_point = any(re.search(r"[0-9]\.[0-9]+\D*$", text) for text in texts)
    return bool(with_comma) and not with_point, any(not re.fullmatch(r"\D*[0-9]{1,3},[0-9]{3}\D*", text) for text in with_comma)


def money_reader(comma: bool) -> Callable[[str], int | None]:
    """Nano-units of a price; None of an empty cell. Currency signs, spaces and thousands separators are skipped."""

    def read(text: str) -> int | None:
        bare = re.sub(r"[\s$€£']|^[A-Z]{3}|[A-Z]{3}$", "", text)
        if bare in ("", "-", "n/a", "N/A"):
            return None
        if comma:
            bare = bare.replace(".", "").replace(",", ".") if re.fullmatch(r"[0-9.]*,?[0-9]*", bare) else bare
        elif re.fullmatch(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", bare):
            bare = bare.replace(",", "")
        if not _NUMBER.fullmatch(bare):
            raise Unreadable("not a price", "a decimal such as 0.0123")
        nano = exact_int(Fraction(Decimal(bare)) * NANO)
        if nano is None:
            raise Unreadable("a price with more than nine decimals", "round it in the sheet; an importer does not")
        if not 0 <= nano < 10**18:
            raise Unreadable("a price below zero or too large for a deck")
        return nano

    return read


def seconds_ms(text: str) -> int:
    """Milliseconds of `60`, `60 s`, `0.1`."""
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) *(s|sec|secs|seconds)?", text.strip())
    units = exact_int(Fraction(match[1]) * 1_000) if match else None
    if not units:
        raise Unreadable("not an increment", "seconds above zero, such as 60/1 (first/next) or 1/1/1 (minimum/first/next)")
    return units


def increment_ms(text: str) -> list[int]:
    """[first, next] in milliseconds of `60/1`, `60+1`, `60`, or of minimum/first/next such as `60/1/1`."""
    steps = [seconds_ms(part) for part in re.split(r"[/+:;]", text)]
    if len(steps) == 1:
        return [steps[0], steps[0]]
    if len(steps) == 2:
        return steps
    if len(steps) > 3:
        raise Unreadable("not an increment", "first/next or minimum/first/next")
    least, first, following = steps
    if least <= first:
        return [first, following]
    if (least - first) % following:
        raise Unreadable("a minimum that is no whole number of increments", "ask the sender; first/next cannot say it")
    return [least, following]


def included_s(text: str) -> int:
    if text.strip(" 0.") == "":
        return 0
    raise Unreadable("seconds included in the connect fee", "a deck cannot say it; write this destination as a rate with tiers")


def change_of(text: str) -> str:
    """closed, blocked or priced; a remark in other words is priced."""
    return CHANGE_OF.get(re.sub(r"[^a-z]", "", text.lower()), PRICED)


def date_order(texts: Iterable[str]) -> tuple[str, bool]:
    """(`dmy` or `mdy`, beyond doubt) of the dates with numbers only; year first needs no order."""
    day_first = month_first = unclear = False
    for text in texts:
        match = _DAY.match(text)
        if not match or len(match[1]) == 4 or not match[2].isdigit():
            continue
        one, two = int(match[1]), int(match[2])
        day_first |= one > 12
        month_first |= two > 12
        unclear |= one <= 12 and two <= 12 and one != two
    return ("mdy" if month_first and not day_first else "dmy"), not unclear or day_first != month_first


def date_reader(order: str) -> Callable[[str], str | None]:
    """ISO date of a cell, a time of day behind it is dropped where it is midnight; None of an empty cell."""

    def read(text: str) -> str | None:
        if not text:
            return None
        day, _, clock = text.replace("T", " ").partition(" ") if re.match(r"[0-9./-]+[ T][0-9]", text) else (text, "", "")
        if clock.strip("0:. Z") not in ("", "AM", "12 AM"):
            raise Unreadable("a time of day beside the date", "deck versions start at midnight of the zone")
        if re.fullmatch(r"[0-9]{8}", day):
            day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
        match = _DAY.fullmatch(day)
        if not match:
            raise Unreadable("not a date", "YYYY-MM-DD, DD/MM/YYYY or DD-Mon-YYYY")
        one, two, three = match.groups()
        year, month, number = (one, two, three) if len(one) == 4 else (three, two, one) if order == "dmy" else (three, one, two)
        if not two.isdigit():  # a month in letters stands in the middle: the first is the day or the year
            year, month, number = (one, two, three) if len(one) == 4 else (three, two, one)
        try:
            at_month = int(month) if month.isdigit() else _MONTHS[month[:3].lower()]
            return date(int(year) + (2000 if len(year) == 2 else 0), at_month, int(number)).isoformat()
        except (KeyError, ValueError) as cause:
            raise Unreadable("not a date", "YYYY-MM-DD, DD/MM/YYYY or DD-Mon-YYYY") from cause

    return read


def day_after(day: str | None) -> str | None:
    return day and (date.fromisoformat(day) + timedelta(days=1)).isoformat()
