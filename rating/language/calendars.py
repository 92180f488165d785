"""Day types of a calendar: holidays, weekends, workdays and types of its own, resolved to dates when a tariff is read.

The dates are part of the tariff's content: another release of the `holidays` package that changes one changes the content hash.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

HOLIDAY, WEEKEND, WORKDAY = "holiday", "weekend", "workday"
BUILT_IN_TYPES = (HOLIDAY, WEEKEND, WORKDAY)


@dataclass(frozen=True, slots=True)
class DayType:
    """A named type of local days: all filters must hold (None is any), and the day may be of no type named in `without`."""

    name: str
    dates: frozenset[date] | None = None
    weekdays: frozenset[int] | None = None  # ISO 1-7
    months: frozenset[int] | None = None
    month_days: frozenset[int] | None = None
    without: tuple[str, ...] = ()  # built-in types, or types that come before it


@dataclass(frozen=True, slots=True)
class Calendar:
    """`holiday` is a day of `holidays`, `weekend` one of the ISO weekdays `weekend`, `workday` neither.

    `first_year` to `last_year` (inclusive) are those whose holidays are known; a pure list of dates knows every year.
    """

    name: str
    holidays: frozenset[date]
    weekend: frozenset[int] = frozenset({6, 7})
    types: tuple[DayType, ...] = ()
    first_year: int = 1
    last_year: int = 9999
    source: str = ""  # such as DE-BY; empty for a pure list

    @property
    def type_names(self) -> tuple[str, ...]:
        """All types that a window may name."""
        return (*BUILT_IN_TYPES, *(of.name for of in self.types))
