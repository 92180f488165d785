"""Civil time through compiled tables of a zone, from the pinned tzdata package and never from the host."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from schemas.errors import ConfigurationError, Fault

US_PER_S = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def tzdata_version() -> str:
    """The version of the time-zone database that every run records."""
    return importlib.metadata.version("tzdata")


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The zone by IANA name or `UTC+HH:MM` fixed offset is refused here: a tariff names a zone."""
    parts = name.split("/")
    try:
        folder = importlib.resources.files("tzdata.zoneinfo")
        for part in parts[:-1]:
            folder = folder / part
        with (folder / parts[-1]).open("rb") as source:
            return ZoneInfo.from_file(source, key=name)
    except (OSError, ValueError, ModuleNotFoundError, IndexError) as cause:
        raise ConfigurationError(
            Fault(f"zone {name!r}", "no such time zone", must_be="an IANA name such as Europe/Berlin", code="unknown_zone")
        ) from cause


def instant_us(moment: datetime) -> int:
    """Microseconds UTC of an aware datetime, exactly."""
    return (moment - EPOCH) // timedelta(microseconds=1)


def moment_of(instant: int) -> datetime:
    """The aware UTC datetime of an instant in microseconds."""
    return EPOCH + timedelta(microseconds=int(instant))


def local_midnight_us(day: date, zone: str) -> int:
    """The first instant of a local day; where midnight is skipped, the first instant that exists."""
    naive = datetime(day.year, day.month, day.day)
    return first_instant_of_wall_clock(naive, zone)


def first_instant_of_wall_clock(naive: datetime, zone: str) -> int:
    """First instant whose wall clock is at or after `naive`; a skipped reading maps to the end of the gap."""
    info = zone_of(zone)
    early = naive.replace(tzinfo=info, fold=0)
    instant = instant_us(early.astimezone(UTC))
    if moment_of(instant).astimezone(info).replace(tzinfo=None) != naive:  # inside a gap: the clock change itself
        before = instant_us(naive.replace(tzinfo=info, fold=1).astimezone(UTC))
        return next_clock_change(info, min(before, instant) - US_PER_S)
    return instant


def next_clock_change(info: ZoneInfo, after: int) -> int:
    """The first instant later than `after` at which the zone's offset changes (searched to the microsecond, 400 days ahead)."""
    low, high = after, after
    offset = moment_of(after).astimezone(info).utcoffset()
    for _ in range(400 * 24):
        high = low + 3600 * US_PER_S
        if moment_of(high).astimezone(info).utcoffset() != offset:
            break
        low = high
    while high - low > 1:
        middle = (low + high) // 2
        if moment_of(middle).astimezone(info).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high


@dataclass(frozen=True)
class ZoneTable:
    """Offsets of one zone: `offset_us[i]` holds from `starts_at[i]` (UTC microseconds, ascending) until the next start."""

    zone: str
    starts_at: npt.NDArray[np.int64]
    offset_us: npt.NDArray[np.int64]


@lru_cache(maxsize=64)
def zone_table(zone: str, first_year: int = 1988, last_year: int = 2061) -> ZoneTable:
    """Compile a zone's clock changes of the given years (inclusive): by default more than any billing period needs."""
    info = zone_of(zone)
    at, end = instant_us(datetime(first_year, 1, 1, tzinfo=UTC)), instant_us(datetime(last_year + 1, 1, 1, tzinfo=UTC))
    starts, offsets = [at], [_offset_us(info, at)]
    step = 7 * 86_400 * US_PER_S  # no zone changes twice and back within a week
    while at < end:
        if _offset_us(info, at + step) != offsets[-1]:
            at = _change_within(info, at, step)
            starts.append(at)
            offsets.append(_offset_us(info, at))
        else:
            at += step
    return ZoneTable(zone, np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64))


def _change_within(info: ZoneInfo, at: int, step: int) -> int:
    """The first clock change after `at` in a span at whose end the offset is another; changes happen at whole seconds."""
    offset, low, high = _offset_us(info, at), 0, step // US_PER_S
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_us(info, at + middle * US_PER_S) == offset:
            low = middle
        else:
            high = middle
    return at + high * US_PER_S


def _offset_us(info: ZoneInfo, instant: int) -> int:
    offset = moment_of(instant).astimezone(info).utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)
