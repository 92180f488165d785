"""Demand measures of tariffs as arrays: how each demand price reads power from steps, and in which patterns it is in force."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, TariffBook
from schemas.errors import Fault, MeterlineError
from schemas.zones import zone_table

STEP, BLOCK, SLIDING = 0, 1, 2
_US_PER_MINUTE = 60_000_000
HIGHEST_MAX = 400  # a mean of more daily peaks than a year has days is a mistake


@dataclass(frozen=True, slots=True)
class DemandMeasure:
    """How one demand price of a version measures power.

    `kind` is STEP (each step by itself), BLOCK (from multiples of `minutes` after local midnight) or SLIDING (by steps). A window
    counts if all of it lies inside `window`, the name of a window of the version (None: always) and inside the version. `highest`
    peaks are kept, on as many local days (of the window's start) where `distinct_days`.
    """

    kind: int = STEP
    minutes: int = 0
    window: str | None = None
    highest: int = 1
    distinct_days: bool = False


@dataclass(frozen=True, slots=True)
class DemandArrays:
    """Measures of all tariffs of a book; those of tariff t are `[first[t], first[t + 1])`."""

    version_index: I32  # [measures]
    demand_index: I32  # [measures] position in the version's demand prices
    first: I32  # [tariffs + 1]
    kind: npt.NDArray[np.int8]
    window_us: I64  # 0: the meter's own step
    highest: I32
    distinct: npt.NDArray[np.int8]
    in_force: npt.NDArray[np.int8]  # [measures, pattern columns]
    zone_first: I32  # [tariffs + 1] into the clock changes
    zone_at: I64
    zone_offset: I64


def demand_arrays(book: TariffBook, measures: Sequence[Sequence[Sequence[DemandMeasure]]]) -> DemandArrays:
    """The arrays of `measures[tariff][version][demand_index]`, tariffs as in the book.

    Raises:
        MeterlineError: windows that do not divide the day, more peaks than days of a year.
    """
    rows = [
        (tariff, version, index, measure)
        for tariff, of_tariff in enumerate(measures)
        for version, of_version in enumerate(of_tariff)
        for index, measure in enumerate(of_version)
    ]
    _refuse([(book.tariff_ids[tariff], measure) for tariff, _, _, measure in rows])
    columns = max((len(patterns) for patterns in book.patterns), default=0)
    in_force = np.zeros((len(rows), max(columns, 1)), dtype=np.int8)
    for row, (tariff, version, _, measure) in enumerate(rows):
        names = [window.name for window in book.tariffs[tariff].versions[version].windows]
        column = names.index(measure.window) if measure.window is not None else -1
        for place, pattern in enumerate(book.patterns[tariff]):
            in_force[row, place] = pattern.version == version and (column < 0 or pattern.ranks[column] > 0)
    zones = [zone_table(tariff.zone) for tariff in book.tariffs]
    nothing = np.zeros(1, dtype=np.int64)
    return DemandArrays(
        np.array([version for _, version, _, _ in rows], dtype=np.int32),
        np.array([index for _, _, index, _ in rows], dtype=np.int32),
        np.searchsorted([tariff for tariff, _, _, _ in rows], np.arange(len(measures) + 1)).astype(np.int32),
        np.array([measure.kind for _, _, _, measure in rows], dtype=np.int8),
        np.array([measure.minutes * _US_PER_MINUTE for _, _, _, measure in rows], dtype=np.int64),
        np.array([measure.highest for _, _, _, measure in rows], dtype=np.int32),
        np.array([measure.distinct_days for _, _, _, measure in rows], dtype=np.int8),
        in_force,
        np.cumsum([0, *(len(zone.starts_at) for zone in zones)], dtype=np.int32),
        np.concatenate([nothing[:0], *(zone.starts_at for zone in zones)]),
        np.concatenate([nothing[:0], *(zone.offset_us for zone in zones)]),
    )


def _refuse(measures: Sequence[tuple[str, DemandMeasure]]) -> None:
    faults = []
    for tariff_id, measure in measures:
        where = f"tariff {tariff_id}, demand"
        if measure.kind != STEP and (measure.minutes <= 0 or 1440 % measure.minutes):
            faults.append(Fault(where, "window does not divide the day", f"{measure.minutes} minutes", "a divisor of 1440"))
        if not 1 <= measure.highest <= HIGHEST_MAX:
            faults.append(Fault(where, "a mean of too many peaks", str(measure.highest), f"1 to {HIGHEST_MAX}"))
    if faults:
        raise MeterlineError(faults)
