"""The fields of NEM12 records as kernels read them: decimals, dates, quality flags, quoted text. Nothing here raises.

Positions count bytes of the file; a field is the half-open span [at, to) up to the next comma or the end of the line.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ingest.nem12_lines import Text
from schemas.hashing import HI_MULTIPLIER, absorb
from schemas.kernels import inline_kernel
from schemas.quantities import INT64_MAX

VALUE_MAX = INT64_MAX // 1440  # no sum of one day's values can overflow; in milliwatt-hours 6.4 TWh per interval
EMPTY_VALUE = -INT64_MAX - 1  # stands for an empty field until the quality of its interval is known

NEGATIVE = 1
OUT_OF_RANGE = 2
EMPTY = 4
NOT_A_NUMBER = 8

NO_METHOD = 255  # a flag without the two digits of a method
FIRST_YEAR = 1990
LAST_YEAR = 2099

US_PER_DAY = 86_400_000_000
CLOCK_US = 36_000_000_000  # NEM12 clocks are UTC+10 all year

_COMMA = np.uint8(44)
_MINUS = np.uint8(45)
_POINT = np.uint8(46)
_QUOTE = np.uint8(34)


@inline_kernel
def field_end(text: Text, at: int, end: int) -> int:  # pragma: no cover
    """Where the field that begins at `at` ends."""
    while at < end and text[at] != _COMMA:
        at += 1
    return at


@inline_kernel
def read_decimal(text: Text, at: int, end: int, decimals: int) -> tuple[int, int, int]:  # pragma: no cover
    """(value in base units, traits, end of the field) of a decimal text times 10**decimals, in integers only.

    Traits are NEGATIVE | OUT_OF_RANGE (more decimals than the base unit holds, or beyond VALUE_MAX; the value is 0 then) or one
    of EMPTY (the value is EMPTY_VALUE) and NOT_A_NUMBER. Accepted: digits, at most one point among them, one leading minus.
    `decimals` -1 is an unknown unit: the text is checked, the value is 0.
    """
    start = at
    negative = at < end and text[at] == _MINUS
    if negative:
        at += 1
    mantissa, digits, fraction = 0, 0, -1
    too_fine = too_large = nonzero = False
    while at < end and text[at] != _COMMA:
        if text[at] == _POINT and fraction < 0:
            fraction = 0
            at += 1
            continue
        digit: Any = np.int64(text[at]) - 48
        if digit < 0 or digit > 9:
            return 0, 8, at
        digits += 1
        if digit != 0:
            nonzero = True
        if fraction >= 0:
            fraction += 1
        if decimals >= 0:
            if fraction > decimals:
                too_fine = too_fine or digit != 0
            elif mantissa > (VALUE_MAX - digit) // 10:
                too_large = True
            else:
                mantissa = mantissa * 10 + digit
        at += 1
    if digits == 0:
        return (EMPTY_VALUE, 4, at) if at == start else (0, 8, at)
    kept = min(max(fraction, 0), max(decimals, 0))
    for _ in range(kept, decimals):
        if mantissa > VALUE_MAX // 10:
            too_large = True
            mantissa = 0
        mantissa *= 10
    traits = (1 if negative and nonzero else 0) | (2 if too_fine or too_large else 0)
    if traits & 2:
        return 0, traits, at
    return (-mantissa if negative else mantissa), traits, at


@inline_kernel
def read_digits(text: Text, at: int, to: int) -> int:  # pragma: no cover
    """The number that the digits of [at, to) write, or -1 if there are none, more than nine, or others among them."""
    if to <= at or to - at > 9:
        return -1
    number = 0
    for place in range(at, to):
        digit: Any = np.int64(text[place]) - 48
        if digit < 0 or digit > 9:
            return -1
        number = number * 10 + digit
    return number


@inline_kernel
def read_day_on(text: Text, at: int, to: int) -> int:  # pragma: no cover
    """Days since 1970-01-01 of a date YYYYMMDD that the calendar has, or -1."""
    if to - at != 8:
        return -1
    number: int = read_digits(text, at, to)
    year, month, day = number // 10_000, number // 100 % 100, number % 100
    if number < 0 or year < FIRST_YEAR or year > LAST_YEAR or month < 1 or month > 12 or day < 1:
        return -1
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    length = 31
    if month == 2:
        length = 29 if leap else 28
    elif month == 4 or month == 6 or month == 9 or month == 11:
        length = 30
    if day > length:
        return -1
    # Days before a month counted from March, so that the leap day is the last of its year.
    shifted_year = year - 1 if month <= 2 else year
    shifted_month = (month + 9) % 12
    before = shifted_year * 365 + shifted_year // 4 - shifted_year // 100 + shifted_year // 400
    return before + (153 * shifted_month + 2) // 5 + day - 1 - 719_468


@inline_kernel
def read_instant(text: Text, at: int, to: int) -> int:  # pragma: no cover
    """Microseconds UTC of YYYYMMDD[hhmm[ss]] in UTC+10; 0 for an empty field, -1 for anything else."""
    if to == at:
        return 0
    length = to - at
    if length != 8 and length != 12 and length != 14:
        return -1
    day_on: int = read_day_on(text, at, at + 8)
    hour, minute, second = 0, 0, 0
    if length >= 12:
        hour, minute = read_digits(text, at + 8, at + 10), read_digits(text, at + 10, at + 12)
    if length == 14:
        second = read_digits(text, at + 12, at + 14)
    if day_on < 0 or hour < 0 or hour > 23 or minute < 0 or minute > 59 or second < 0 or second > 59:
        return -1
    return day_on * US_PER_DAY + (hour * 3600 + minute * 60 + second) * 1_000_000 - CLOCK_US


@inline_kernel
def is_flag(text: Text, at: int, to: int) -> bool:  # pragma: no cover
    """Whether [at, to) is a quality method: one of A S F N E V, alone or with two digits."""
    if to - at != 1 and to - at != 3:
        return False
    letter = text[at]
    known = letter == 65 or letter == 83 or letter == 70 or letter == 78 or letter == 69 or letter == 86
    return known and (to - at == 1 or read_digits(text, at + 1, to) >= 0)


@inline_kernel
def read_flag(text: Text, at: int, end: int, row: Any) -> int:  # pragma: no cover
    """Set `row.flag` and `row.method` from the field at `at`; returns its end, or -1 if it is no quality method."""
    to: int = field_end(text, at, end)
    if not is_flag(text, at, to):
        return -1
    row.flag = text[at]
    row.method = NO_METHOD if to - at == 1 else read_digits(text, at + 1, to)
    return to


@inline_kernel
def read_reason(text: Text, at: int, end: int, row: Any) -> int:  # pragma: no cover
    """Set the spans of reason code and description of `row` from the fields at `at`; returns where the field after them begins.

    A description may stand in double quotes (doubled inside); its span is what is within. Fields that the line does not have are
    empty. Returns -1 if quotes are not closed or something follows them.
    """
    row.code_from, row.code_to, row.text_from, row.text_to = 0, 0, 0, 0
    if at > end:
        return at
    row.code_from = at
    at = field_end(text, at, end)
    row.code_to = at
    at += 1
    if at > end:
        return at
    if at == end or text[at] != _QUOTE:
        row.text_from = at
        row.text_to = field_end(text, at, end)
        return int(row.text_to + 1)
    at += 1
    row.text_from = at
    while at < end and not (text[at] == _QUOTE and (at + 1 >= end or text[at + 1] != _QUOTE)):
        at += 2 if text[at] == _QUOTE else 1
    row.text_to = at
    if at >= end or (at + 1 < end and text[at + 1] != _COMMA):
        return -1
    return at + 2


@inline_kernel
def quality_rank(flag: int) -> int:  # pragma: no cover
    """The rank (schemas.quality.Quality) of a flag A F S E N."""
    if flag == 65:
        return 4
    if flag == 70:
        return 3
    if flag == 83:
        return 2
    return 1 if flag == 69 else 0


@inline_kernel
def absorb_text(state: np.uint64, text: Text, at: int, to: int) -> np.uint64:  # pragma: no cover
    """One lane takes the bytes of [at, to) as `schemas.hashing.text_words` would cut them."""
    word = np.uint64(0)
    for place in range(to - at):
        word |= np.uint64(text[at + place]) << np.uint64(8 * (place % 8))
        if place % 8 == 7:
            state = absorb(state, word, HI_MULTIPLIER)
            word = np.uint64(0)
    if (to - at) % 8:
        state = absorb(state, word, HI_MULTIPLIER)
    state = absorb(state, np.uint64(to - at), HI_MULTIPLIER)
    return state  # noqa: RET504 - typed, as the call is not
