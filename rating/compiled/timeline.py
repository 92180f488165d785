"""When which windows hold: one timeline in UTC for a tariff, with clock changes, midnights and versions already resolved.

A *pattern* is a version and the windows active in it, each with the rank of its occurrence's start (later start, higher rank).
An instant is in a window if and only if its wall-clock reading is (reference: rating §2), so every span of constant offset is cut
at local readings, the repeated hour twice and the skipped hour never.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.day_types import days_of_types
from rating.language.clocks import clock_table
from rating.language.shared_terms import DAY_US, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.zones import ZoneTable

NO_VERSION = -1
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pattern:
    """A version (its index, NO_VERSION outside all) and, for each of its windows, 0 = inactive or the rank of its start."""

    version: int
    ranks: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """`pattern[i]` holds over `[starts_at[i], starts_at[i + 1])`, the last until `end_at`. Neighbours differ."""

    starts_at: Ints
    pattern: npt.NDArray[np.int32]
    patterns: tuple[Pattern, ...]
    end_at: int


def compile_timeline(tariff: Tariff, start_at: int, end_at: int) -> Timeline:
    """The timeline of a tariff over `[start_at, end_at)`, UTC microseconds within the years that `zone_table` covers."""
    zone = clock_table(tariff.zone, tariff.clock)
    assert zone.starts_at[0] <= start_at < end_at, "span outside the compiled years of the zone"
    width = max((len(version.windows) for version in tariff.versions), default=0)
    starts: list[Ints] = []
    rows: list[Ints] = []
    for from_at, to_at, index in _pieces(tariff, start_at, end_at):
        if index == NO_VERSION:
            starts.append(np.array([from_at], dtype=np.int64))
            rows.append(np.array([[NO_VERSION, *([0] * width)]], dtype=np.int64))
            continue
        version = tariff.versions[index]
        for low, high, offset in _offset_spans(zone, from_at, to_at):
            points = _cut_points(version, low + offset, high + offset)
            ranks = _ranks(version, points)
            row = np.zeros((len(points), width + 1), dtype=np.int64)
            row[:, 0] = index
            row[:, 1 : 1 + ranks.shape[1]] = ranks
            starts.append(points - offset)
            rows.append(row)
    return _merged(tariff, np.concatenate(starts), np.concatenate(rows), end_at)


def _pieces(tariff: Tariff, start_at: int, end_at: int) -> list[tuple[int, int, int]]:
    """(from, to, version index) that tile the span; versions are in order and do not overlap."""
    pieces, at = [], start_at
    for index, version in enumerate(tariff.versions):
        low, high = max(version.effective_from_at, at), min(version.effective_to_at, end_at)
        if low >= high:
            continue
        if low > at:
            pieces.append((at, low, NO_VERSION))
        pieces.append((low, high, index))
        at = high
    if at < end_at:
        pieces.append((at, end_at, NO_VERSION))
    return pieces


def _offset_spans(zone: ZoneTable, from_at: int, to_at: int) -> list[tuple[int, int, int]]:
    """(from, to, offset) of constant offset that tile `[from_at, to_at)`."""
    first = int(np.searchsorted(zone.starts_at, from_at, side="right")) - 1
    last = int(np.searchsorted(zone.starts_at, to_at, side="left"))
    bounds = [from_at, *(int(at) for at in zone.starts_at[first + 1 : last]), to_at]
    return [(low, high, int(zone.offset_us[first + step])) for step, (low, high) in enumerate(pairwise(bounds))]


def _cut_points(version: TariffVersion, low: int, high: int) -> Ints:
    """Local readings in `[low, high)` at which the active windows may change; the first is `low`."""
    times = {0}
    for window in version.windows:
        times |= {window.start_us, window.end_us % DAY_US}
    days = np.arange(low // DAY_US, high // DAY_US + 1, dtype=np.int64)
    points = (days[:, None] * DAY_US + np.array(sorted(times), dtype=np.int64)).ravel()
    return np.concatenate([np.array([low], dtype=np.int64), points[(points > low) & (points < high)]])


def window_days(window: Window, days: Ints) -> npt.NDArray[np.bool_]:
    """Whether an occurrence starts on each local date (days since 1970-01-01)."""
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    holds: npt.NDArray[np.bool_] = np.ones(len(days), dtype=np.bool_)
    readings: list[tuple[Any, frozenset[int] | None]] = [
        ((days + 3) % 7 + 1, window.weekdays),
        ((dates - months.astype("M8[D]")).astype(np.int64) + 1, window.month_days),
        (months.astype(np.int64) % 12 + 1, window.months),
        (dates.astype("M8[Y]").astype(np.int64) + 1970, window.years),
    ]
    for reading, allowed in readings:
        if allowed is not None:
            holds &= np.isin(reading, sorted(allowed))
    if window.dates is not None:
        holds &= np.isin(dates, np.array(sorted(window.dates), dtype="M8[D]"))
    if window.day_types is not None and window.calendar is not None:
        holds &= days_of_types(window.calendar, window.day_types, days)
    return holds


def _ranks(version: TariffVersion, points: Ints) -> Ints:
    """[points, windows]: 0 where inactive, else the dense rank of the occurrence's start among the active ones."""
    if not version.windows:
        return np.zeros((len(points), 0), dtype=np.int64)
    day = points // DAY_US
    time_us = points - day * DAY_US
    first = int(day[0]) - 1
    days = np.arange(first, int(day[-1]) + 1, dtype=np.int64)
    starts = sorted({window.start_us for window in version.windows})
    codes = np.empty((len(points), len(version.windows)), dtype=np.int16)  # 0, else in order of the occurrence's start
    for column, window in enumerate(version.windows):
        holds = window_days(window, days)
        today = holds[day - first] & (time_us >= window.start_us)
        yesterday = np.zeros(len(points), dtype=np.bool_)
        if window.crosses_midnight:
            yesterday = holds[day - first - 1] & (time_us < window.end_us)
        else:
            today &= time_us < window.end_us
        since = starts.index(window.start_us) + 1
        codes[:, column] = np.where(today, len(starts) + since, np.where(yesterday, since, 0))
    is_there = np.zeros((len(points), 2 * len(starts) + 1), dtype=np.int16)
    is_there[np.arange(len(points))[:, None], codes] = 1
    is_there[:, 0] = 0
    ranks: Ints = np.take_along_axis(np.cumsum(is_there, axis=1, dtype=np.int16), codes, axis=1)
    return ranks


def _merged(tariff: Tariff, starts: Ints, rows: Ints, end_at: int) -> Timeline:
    keep = np.ones(len(starts), dtype=np.bool_)
    keep[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    distinct, pattern = _distinct_rows(rows[keep])
    patterns = []
    for row in distinct.tolist():
        windows = 0 if row[0] == NO_VERSION else len(tariff.versions[row[0]].windows)
        patterns.append(Pattern(row[0], tuple(row[1 : 1 + windows])))
    return Timeline(starts[keep], pattern.astype(np.int32), tuple(patterns), end_at)


def _distinct_rows(rows: Ints) -> tuple[Ints, Ints]:
    """(distinct rows in order, which of them each row is), compared as bytes: big-endian naturals order like numbers."""
    texts = np.ascontiguousarray((rows - NO_VERSION).astype(">u2"))
    keys = texts.view(np.dtype((np.void, texts.shape[1] * texts.itemsize))).reshape(-1)
    _, first, of = np.unique(keys, return_index=True, return_inverse=True)
    return rows[first], of.reshape(-1)
