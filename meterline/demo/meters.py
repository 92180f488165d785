"""A month of quarter-hour readings of each metering point as arrays, and which days are special."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from meterline.demo.reference import Holdings, nem_midnight_us
from meterline.demo.seeded import I64, drawn_roles, stream

SLOTS = 96
SLOT_US = 900_000_000
MILLIWH_PER_WH = 1000
ORDINARY, REVISED, TWICE, NULL, MIXED = range(5)
# Load by hour of the NEM12 day (UTC+10) in permille of the point's base: the local day starts at its eighth or ninth hour.
_LOAD = (760, 820, 960, 999, 980, 950, 910, 800, 560, 430, 380, 350, 340, 360, 480, 720, 900, 860, 780, 740, 720, 760, 780, 740)
_SUN = (700, 520, 320, 140, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 40, 180, 380, 560, 720, 840, 900, 880, 820)
GENERATION_EVERY = 25  # each 25th point has a roof that feeds in


@dataclass(frozen=True, slots=True)
class MeterMonth:
    """Readings in Wh, `wh[point, day, slot]` and `generation_wh[roof, day, slot]`; `role[point, day]` marks special days."""

    points: tuple[str, ...]
    days: tuple[date, ...]
    wh: I64
    revised_wh: I64  # what REVISED days become by a later file
    role: I64
    held: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]  # held[point, day]: somebody holds the point during that NEM12 day
    generation_wh: I64

    def billed(self) -> tuple[I64, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
        """(Wh after revision, mask of billed days): a null day and a day nobody holds are not billed."""
        final = np.where((self.role == REVISED)[:, :, None], self.revised_wh, self.wh)
        return final, self.held & (self.role != NULL)

    def energy_milliwh(self) -> int:
        """The energy of all billed days."""
        final, billed = self.billed()
        return int(final[billed].sum()) * MILLIWH_PER_WH

    def energy_between_milliwh(self, start_at: int, end_at: int) -> int:
        """The part of it in quarter-hours that start in `[start_at, end_at)`, us UTC."""
        final, billed = self.billed()
        first_at = np.array([nem_midnight_us(day) for day in self.days], dtype=np.int64)
        at = first_at[:, None] + np.arange(SLOTS, dtype=np.int64) * SLOT_US
        inside = billed[:, :, None] & ((at >= start_at) & (at < end_at))[None]
        return int(final[inside].sum()) * MILLIWH_PER_WH


def meter_month(points: Holdings, days: tuple[date, ...], *, seed: int) -> MeterMonth:
    """Load curves of every point and day, with a few days revised later, one sent twice, one null, one of mixed quality."""
    random = stream(seed, 4)
    count = len(points.identifiers)
    held = _held(points, days)
    wh = _curves(random, count, days, _LOAD)
    roofs = -(-count // GENERATION_EVERY)
    shares = {REVISED: max(3, count * len(days) // 200), TWICE: 1, NULL: 1, MIXED: 1}
    role = np.zeros(held.shape, dtype=np.int64)
    role[held] = drawn_roles(random, int(held.sum()), shares)
    return MeterMonth(
        points=points.identifiers,
        days=days,
        wh=np.where((role == NULL)[:, :, None], 0, wh),
        revised_wh=wh * random.integers(850, 1150, (count, len(days), 1)) // 1000 + 1,
        role=role,
        held=held,
        generation_wh=_curves(random, roofs, days, _SUN),
    )


def _held(points: Holdings, days: tuple[date, ...]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    start = np.array([nem_midnight_us(day) for day in days], dtype=np.int64)
    away = (start >= points.away_from_at[:, None]) & (start < points.away_to_at[:, None])
    return ~away


def _curves(random: np.random.Generator, count: int, days: tuple[date, ...], shape: tuple[int, ...]) -> I64:
    """Wh per quarter-hour: base of the point x shape of the hour x kind of day x noise, all integers."""
    base = random.integers(40, 420, (count, 1, 1))
    hour = np.repeat(np.array(shape, dtype=np.int64), SLOTS // len(shape))[None, None, :]
    weekend = np.array([850 if day.isoweekday() >= 6 else 1000 for day in days], dtype=np.int64)[None, :, None]
    noise = random.integers(700, 1300, (count, len(days), SLOTS))
    return base * hour * weekend // 1_000_000 * noise // 1000
