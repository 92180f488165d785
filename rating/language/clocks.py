"""The clock of a tariff: the wall clock of its zone, or the zone's standard time all year where the contract says so.

Standard time is what the time-zone database calls so: the offset less the summer time in it. (Ireland's is UTC+1; a contract on
Greenwich time all year names the zone Etc/GMT.)
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

import numpy as np

from schemas.zones import ZoneTable, instant_us, local_midnight_us, moment_of, zone_of, zone_table

WALL, STANDARD = "wall", "standard"
CLOCKS = (WALL, STANDARD)


class StandardTime(tzinfo):
    """A zone without its summer time."""

    def __init__(self, zone: str) -> None:
        self.zone = zone_of(zone)

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        if moment is None:
            return None
        own = moment.replace(tzinfo=self.zone)
        return _standard(own)

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, moment: datetime | None) -> str:
        return f"{self.zone.key} standard time"

    def fromutc(self, moment: datetime) -> datetime:
        return moment + _standard(moment.replace(tzinfo=UTC).astimezone(self.zone))


def _standard(moment: datetime) -> timedelta:
    offset, summer = moment.utcoffset(), moment.dst()
    assert offset is not None
    return offset - (summer or timedelta(0))


@lru_cache(maxsize=64)
def clock_of(zone: str, clock: str) -> tzinfo:
    """What a clock on the tariff's wall shows; for `astimezone`."""
    return zone_of(zone) if clock == WALL else StandardTime(zone)


@lru_cache(maxsize=64)
def clock_table(zone: str, clock: str) -> ZoneTable:
    """The offsets of a clock: those of the zone, or its standard offsets, which change when the law does."""
    wall = zone_table(zone)
    if clock == WALL:
        return wall
    info = zone_of(zone)
    offsets = np.array(
        [_standard(moment_of(int(at)).astimezone(info)) // timedelta(microseconds=1) for at in wall.starts_at], dtype=np.int64
    )
    keep = np.ones(len(offsets), dtype=np.bool_)
    keep[1:] = offsets[1:] != offsets[:-1]
    return ZoneTable(zone, wall.starts_at[keep], offsets[keep])


def first_instant_of_day(day: date, zone: str, clock: str) -> int:
    """The first instant of a local date on a clock, microseconds UTC."""
    if clock == WALL:
        return local_midnight_us(day, zone)
    return instant_us(datetime(day.year, day.month, day.day, tzinfo=StandardTime(zone)).astimezone(UTC))
