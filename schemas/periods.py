"""Billing periods: calendar months of the tenant's zone that tile time with no gap and no overlap."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from schemas.errors import ConfigurationError, Fault
from schemas.zones import local_midnight_us

FIRST_YEAR, LAST_YEAR = 1990, 2059


@dataclass(frozen=True, slots=True)
class Period:
    """One billing period, half-open `[start_at, end_at)` in UTC microseconds; its number counts months since year 0."""

    number: int
    start_at: int
    end_at: int
    first_on: date
    end_on: date

    @property
    def label(self) -> str:
        return f"{self.number // 12:04d}-{self.number % 12 + 1:02d}"

    @property
    def days(self) -> int:
        """Local days of the whole period, the divisor of every proration."""
        return (self.end_on - self.first_on).days


def period_number(label: str) -> int:
    """The number of a period written `YYYY-MM`."""
    year, _, month = label.partition("-")
    if not (len(year) == 4 and year.isdigit() and month.isdigit() and len(month) == 2 and 1 <= int(month) <= 12):
        raise ConfigurationError(Fault("period", "no such period", was=repr(label), must_be="YYYY-MM", code="bad_period"))
    return int(year) * 12 + int(month) - 1


def period_of(number: int, zone: str) -> Period:
    first_on = date(number // 12, number % 12 + 1, 1)
    end_on = date((number + 1) // 12, (number + 1) % 12 + 1, 1)
    return Period(number, local_midnight_us(first_on, zone), local_midnight_us(end_on, zone), first_on, end_on)


def period_starts(zone: str) -> tuple[int, npt.NDArray[np.int64]]:
    """(number of the first period, start instants of all periods from FIRST_YEAR to LAST_YEAR and one more as the end)."""
    first = FIRST_YEAR * 12
    last = (LAST_YEAR + 1) * 12
    starts = [local_midnight_us(date(n // 12, n % 12 + 1, 1), zone) for n in range(first, last + 1)]
    return first, np.array(starts, dtype=np.int64)
