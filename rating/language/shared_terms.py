"""What the terms of every service share: service kinds, rounding, windows, tiers, fees and taxes.

Units: money in nano-units of the tariff's currency, quantities in the base unit of their kind (milliseconds, messages, bytes,
milliwatt-hours), times of day in microseconds since local midnight, instants in microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from rating.language.calendars import Calendar
from schemas.quantities import INT64_MAX

FOREVER_AT = INT64_MAX
DAY_US = 86_400_000_000


class ServiceKind(StrEnum):
    """What the tariff is for: calls, messages and volumes, or interval energy."""

    TELECOM = "telecom"
    UTILITY = "utility"


class PricedAt(StrEnum):
    """Which instant chooses version and window: each increment's own start, or the start of the usage for all of it."""

    INCREMENT_START = "increment_start"
    USAGE_START = "usage_start"


@dataclass(frozen=True, slots=True)
class Rounding:
    """Where (`record`, `line` or `total`), how and to how many decimals an amount is rounded; it happens once."""

    scope: str
    mode: str
    decimals: int

    @property
    def grid_nano(self) -> int:
        """The step of booked amounts in nano-units."""
        return int(10 ** (9 - self.decimals))


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring local time span. None is any; all filters must hold on the local date on which the occurrence starts."""

    name: str
    weekdays: frozenset[int] | None = None  # ISO 1-7
    month_days: frozenset[int] | None = None
    months: frozenset[int] | None = None
    years: frozenset[int] | None = None
    dates: frozenset[date] | None = None
    start_us: int = 0
    end_us: int = DAY_US  # exclusive; not after the start: crosses midnight
    day_types: frozenset[str] | None = None  # the day is of any of these types of `calendar`
    calendar: Calendar | None = None

    @property
    def crosses_midnight(self) -> bool:
        return self.end_us <= self.start_us


@dataclass(frozen=True, slots=True)
class Tier:
    """From `from_usage` on: `price_nano` for each `per` units, taken in whole increments."""

    from_usage: int
    price_nano: int
    per: int
    increment: int


@dataclass(frozen=True, slots=True)
class Fee:
    """A recurring amount of the contract, per month, day or year; `thirtieths` prorates a month by 30 and not by its days."""

    name: str
    amount_nano: int
    prorate: bool
    per: str = "month"
    thirtieths: bool = False


@dataclass(frozen=True, slots=True)
class Tax:
    """A rate that applies to the lines named by `of`, or to all lines of the tariff."""

    name: str
    ppm: int
    of: tuple[str, ...] | None = None
