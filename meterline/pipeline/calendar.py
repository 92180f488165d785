"""Billing periods for whole columns: which period an instant lies in, and whether it is closed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schemas.periods import period_starts
from schemas.ports import NO_PERIOD, CommitLog


@dataclass(frozen=True)
class Calendar:
    """Start instants of all billing periods of a zone (us UTC, ascending), and the numbers of those that are closed."""

    first: int
    starts: npt.NDArray[np.int64]
    closed: frozenset[int]

    @classmethod
    def of(cls, zone: str, log: CommitLog) -> Calendar:
        first, starts = period_starts(zone)
        return cls(first, starts, frozenset(number for number, state in log.period_states().items() if state == "closed"))

    def periods(self, start_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Month number of each instant, NO_PERIOD outside the years that schemas.periods covers."""
        place = np.searchsorted(self.starts, start_at, side="right") - 1
        inside = (place >= 0) & (place < len(self.starts) - 1)
        return np.where(inside, place + self.first, NO_PERIOD).astype(np.int64)

    @property
    def closed_flags(self) -> npt.NDArray[np.uint8]:
        """One flag per period of `starts`."""
        flags = np.zeros(len(self.starts) - 1, np.uint8)
        flags[[number - self.first for number in self.closed]] = 1
        return flags

    def is_closed(self, periods: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return np.isin(periods, list(self.closed)) if self.closed else np.zeros(len(periods), bool)
