"""Stamps of call records to UTC microseconds: the closed set of formats, a zone's wall clock, the functions that read them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.call_words import (
    ZEROS,
    are_digits,
    digit_pairs,
    digits_value,
    leading_digits,
    load_byte,
    load_word,
    trailing_digits,
)
from schemas.kernels_inlined import tight_kernel
from schemas.periods import FIRST_YEAR, LAST_YEAR
from schemas.reasons import Reason
from schemas.zones import US_PER_S, zone_table

ISO, COMPACT, DOTTED, EPOCH_S, EPOCH_MS = range(5)  # how date and time are written
LOCAL, ZULU, OFFSET = range(3)  # what follows: nothing, Z, or Z or ±hh:mm


@dataclass(frozen=True, slots=True)
class StampFormat:
    """One way to write an instant; a fraction of one to six digits may follow the seconds."""

    style: int
    suffix: int
    between: str = " "

    @property
    def is_local(self) -> bool:
        """Whether the zone of the layout decides which instant is meant."""
        return self.suffix == LOCAL and self.style < EPOCH_S


STAMP_FORMATS = {
    **{
        f"%Y-%m-%d{between}%H:%M:%S{suffix}": StampFormat(ISO, code, between)
        for between in " T"
        for suffix, code in (("", LOCAL), ("Z", ZULU), ("%z", OFFSET))
    },
    "%Y%m%d%H%M%S": StampFormat(COMPACT, LOCAL),
    "%Y%m%d%H%M%SZ": StampFormat(COMPACT, ZULU),
    "%Y%m%d%H%M%S%z": StampFormat(COMPACT, OFFSET),
    "%d.%m.%Y %H:%M:%S": StampFormat(DOTTED, LOCAL),
    "epoch_s": StampFormat(EPOCH_S, ZULU),
    "epoch_ms": StampFormat(EPOCH_MS, ZULU),
}

BAD = np.int64(-Reason.BAD_TIMESTAMP)  # every good instant is positive; a bad one is the negative reason
_FIRST_YEAR = np.uint64(FIRST_YEAR)
_YEARS = np.uint64(LAST_YEAR - FIRST_YEAR + 1)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_MONTHS = [(FIRST_YEAR + month // 12, month % 12 + 1) for month in range((LAST_YEAR - FIRST_YEAR + 1) * 12 + 1)]
_FIRST_DAYS = [date(year, month, 1).toordinal() - _EPOCH_DAY for year, month in _MONTHS]
MONTH_STARTS = np.array(_FIRST_DAYS, dtype=np.int64)  # days since 1970
_FIRST_US = np.int64(MONTH_STARTS[0] * 86_400 * US_PER_S)
_END_US = np.int64(MONTH_STARTS[-1] * 86_400 * US_PER_S)

_YEAR_BYTES = np.uint64(0x00000000FFFFFFFF)
_MONTH_BYTES = np.uint64(0x0000FFFF00000000)
_DAY_BYTES = np.uint64(0xFFFF000000000000)
_HOUR_BYTES = np.uint64(0x000000000000FFFF)
_MINUTE_BYTES = np.uint64(0x00000000FFFF0000)
_SECOND_BYTES = np.uint64(0x0000FFFF00000000)
_SIX_BYTES = np.uint64(0x0000FFFFFFFFFFFF)
_TWO_ZEROS = ZEROS & ~_SIX_BYTES
_ISO_MARKS = np.uint64(0x2D0000_2D00000000)  # '-' at 4 and 7
_ISO_MARK_BYTES = np.uint64(0xFF0000FF00000000)
_TIME_MARKS = np.uint64(0x00003A00003A0000)  # ':' at 2 and 5
_TIME_MARK_BYTES = np.uint64(0x0000FF0000FF0000)
_DOT_MARKS = np.uint64(0x00002E00002E0000)  # '.' at 2 and 5
_PAIR = np.uint64(0xFF)
_U1, _U8, _U12, _U16, _U24 = (np.uint64(number) for number in (1, 8, 12, 16, 24))
_U31, _U32, _U48, _U60, _U100 = (np.uint64(number) for number in (31, 32, 48, 60, 100))
_US_PER_DAY = np.int64(86_400 * US_PER_S)
_US_PER_S = np.int64(US_PER_S)
_DOT, _PLUS, _MINUS, _COLON, _ZEE = (np.uint8(ord(mark)) for mark in ".+-:Z")


class LocalAxis(NamedTuple):
    """A zone's wall clock as adjoining segments: from starts_at[i] (local microseconds) a reading is `offset_us[i]` ahead of UTC.

    `fault[i]` is 0, or the Reason for readings that the clock skipped or showed twice. The last start is a sentinel.
    """

    starts_at: npt.NDArray[np.int64]
    offset_us: npt.NDArray[np.int64]
    fault: npt.NDArray[np.int64]


def local_axis(zone: str, ambiguous: str) -> LocalAxis:
    """The wall clock of a zone; `ambiguous` says which of two equal readings is meant: reject, earlier or later."""
    table = zone_table(zone, FIRST_YEAR - 1, LAST_YEAR + 2)
    segments = [(-(2**62), int(table.offset_us[0]), 0)]
    offsets = table.offset_us.tolist()
    for at, before, after in zip(table.starts_at[1:].tolist(), offsets[:-1], offsets[1:], strict=True):
        first, last = sorted((at + before, at + after))
        doubled = {"reject": (before, int(Reason.AMBIGUOUS_LOCAL_TIME)), "earlier": (before, 0), "later": (after, 0)}[ambiguous]
        segments.append((first, *((before, int(Reason.NONEXISTENT_LOCAL_TIME)) if after > before else doubled)))
        segments.append((last, after, 0))
    starts = [segment[0] for segment in segments]
    assert starts == sorted(starts), "clock changes of a zone never overlap"
    return LocalAxis(
        np.array([*starts, 2**62], dtype=np.int64),
        np.array([segment[1] for segment in segments], dtype=np.int64),
        np.array([segment[2] for segment in segments], dtype=np.int64),
    )


@tight_kernel
def axis_segment(starts_at: npt.NDArray[np.int64], local_us: np.int64) -> np.int64:
    """The segment of a LocalAxis that holds a local reading."""
    low, high = np.int64(0), np.int64(starts_at.size - 1)
    while high - low > 1:
        middle = (low + high) >> 1
        if starts_at[middle] <= local_us:
            low = middle
        else:
            high = middle
    return low


@tight_kernel
def clock_us(date_word: np.uint64, time_word: np.uint64) -> np.int64:
    """Microseconds since 1970 on the same wall clock of the characters YYYYMMDD and hhmmss00, or BAD."""
    dates, times = digit_pairs(date_word), digit_pairs(time_word)
    year = (dates & _PAIR) * _U100 + ((dates >> _U16) & _PAIR) - _FIRST_YEAR  # before the first year: wraps to a huge number
    month, day = ((dates >> _U32) & _PAIR) - _U1, (dates >> _U48) - _U1
    hour, minute, second = times & _PAIR, (times >> _U16) & _PAIR, (times >> _U32) & _PAIR
    in_range = (year < _YEARS) & (month < _U12) & (hour < _U24) & (minute < _U60) & (second < _U60)
    if not (in_range & are_digits(date_word) & are_digits(time_word)):
        return BAD
    first_day, next_first = MONTH_STARTS[year * _U12 + month], MONTH_STARTS[year * _U12 + month + _U1]
    on = first_day + np.int64(day)
    if day > _U31 or on >= next_first:
        return BAD
    return np.int64(on * _US_PER_DAY + np.int64((hour * _U60 + minute) * _U60 + second) * _US_PER_S)


@tight_kernel
def _time_characters(word: np.uint64) -> np.uint64:
    """hhmmss00 out of `hh:mm:ss`."""
    packed = (word & _HOUR_BYTES) | ((word >> _U8) & _MINUTE_BYTES) | ((word >> _U16) & _SECOND_BYTES)
    return packed | _TWO_ZEROS


@tight_kernel
def _separated_clock(text: np.int64, at: np.int64, style: np.int64, between: np.uint8) -> np.int64:
    """The 19 characters of an ISO or dotted stamp."""
    head, tail = load_word(text, at), load_word(text, at + 11)
    marks = load_byte(text, at + 10) == between and (tail & _TIME_MARK_BYTES) == _TIME_MARKS
    if style == ISO:
        marks = marks and (head & _ISO_MARK_BYTES) == _ISO_MARKS
        day = load_word(text, at + 8) << _U48
        date_word = (head & _YEAR_BYTES) | ((head >> _U8) & _MONTH_BYTES) | day
    else:
        marks = marks and (head & _TIME_MARK_BYTES) == _DOT_MARKS
        year = load_word(text, at + 6) & _YEAR_BYTES
        date_word = year | ((head << _U8) & _MONTH_BYTES) | (head << _U48)
    return clock_us(date_word, _time_characters(tail)) if marks else BAD


@tight_kernel
def _fraction_us(text: np.int64, at: np.int64, end: np.int64) -> tuple[np.int64, np.int64]:
    """(microseconds, position after) of an optional `.f` to `.ffffff`; BAD when a dot has no or too many digits."""
    if at >= end or load_byte(text, at) != _DOT:
        return np.int64(0), at
    at += 1
    count, value = np.int64(0), np.int64(0)
    while at < end and np.uint8(48) <= load_byte(text, at) <= np.uint8(57):
        value = value * 10 + np.int64(load_byte(text, at) - np.uint8(48))
        count += 1
        at += 1
        if count > 6:
            return BAD, at
    if count == 0:
        return BAD, at
    for _ in range(6 - count):
        value *= 10
    return value, at


@tight_kernel
def _offset_us(text: np.int64, at: np.int64, end: np.int64) -> np.int64:
    """How far ahead of UTC `Z`, `±hh:mm` or `±hhmm` is, at most 14 hours; BAD minus one day when it is none of these."""
    wrong = BAD - _US_PER_DAY
    if end - at == 1:
        return np.int64(0) if load_byte(text, at) == _ZEE else wrong
    if (end - at != 6 and end - at != 5) or (load_byte(text, at) != _PLUS and load_byte(text, at) != _MINUS):
        return wrong
    word = load_word(text, at + 1)
    if end - at == 6:
        if load_byte(text, at + 3) != _COLON:
            return wrong
        word = (word & _HOUR_BYTES) | ((word >> _U8) & _MINUTE_BYTES)
    word = leading_digits(word, 4)
    pairs = digit_pairs(word)
    hours, minutes = np.int64(pairs & _PAIR), np.int64((pairs >> _U16) & _PAIR)
    if not are_digits(word) or minutes > 59 or hours * 60 + minutes > 14 * 60:
        return wrong
    ahead = (hours * 60 + minutes) * 60 * _US_PER_S
    return np.int64(-ahead if load_byte(text, at) == _MINUS else ahead)


@tight_kernel
def epoch_us(text: np.int64, at: np.int64, end: np.int64, unit_us: np.int64) -> np.int64:
    """An instant from 1 to 13 digits of seconds or milliseconds since 1970, within the years that periods cover."""
    count = end - at
    if count < 1 or count > 13:
        return BAD
    first = min(count, np.int64(8))
    head = trailing_digits(load_word(text, at), first)
    good, value = are_digits(head), digits_value(head)
    if count > 8:
        rest = count - 8
        tail = trailing_digits(load_word(text, at + 8), rest)
        scale = np.int64(1)
        for _ in range(rest):
            scale *= 10
        good, value = good and are_digits(tail), value * scale + digits_value(tail)
    if not good or value < _FIRST_US // unit_us or value >= _END_US // unit_us:
        return BAD
    return np.int64(value * unit_us)


@tight_kernel
def civil_us(text: np.int64, at: np.int64, end: np.int64, style: np.int64, suffix: np.int64, between: np.uint8) -> np.int64:
    """A civil stamp: local microseconds for LOCAL, else UTC microseconds; BAD when any character is wrong."""
    length = np.int64(14 if style == COMPACT else 19)
    if end - at < length:
        return BAD
    if style == COMPACT:
        clock = clock_us(load_word(text, at), (load_word(text, at + 8) & _SIX_BYTES) | _TWO_ZEROS)
    else:
        clock = _separated_clock(text, at, style, between)
    if clock < 0 or (end - at == length and suffix == LOCAL):
        return np.int64(clock)
    fraction, rest = _fraction_us(text, at + length, end)
    if fraction < 0:
        return BAD
    if suffix == LOCAL:
        return np.int64(clock + fraction) if rest == end else BAD
    ahead = _offset_us(text, rest, end)
    if ahead < -_US_PER_DAY or (suffix == ZULU and end - rest != 1):
        return BAD
    return np.int64(clock + fraction - ahead)
