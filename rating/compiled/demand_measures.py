"""Demand measures of tariffs as arrays: how each demand price reads power from steps, and in which patterns it is in force.

The codes are frozen into kernels; naming `schemas.kernels` here puts this file into the digest of the kernel cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, TariffBook
from rating.language.utility_terms import DemandPrice, MeasureKind, Pick
from schemas.errors import Fault, MeterlineError
from schemas.zones import zone_table

STEP, BLOCK, SLIDING = 0, 1, 2
_KINDS = {MeasureKind.STEP: STEP, MeasureKind.BLOCK: BLOCK, MeasureKind.SLIDING: SLIDING}
_MINUTES_PER_DAY = 1440
_US_PER_MINUTE = 60_000_000
HIGHEST_MAX = 400  # a mean of more daily peaks than a year has days is a mistake


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

    @classmethod
    def none(cls, tariffs: int) -> DemandArrays:
        """No measures, for a number of tariffs."""
        ints, longs, codes = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int8)
        first = np.zeros(tariffs + 1, dtype=np.int32)
        return cls(ints, ints, first, codes, longs, ints, codes, np.empty((0, 1), dtype=np.int8), first, longs, longs)


def demand_arrays(book: TariffBook) -> DemandArrays:
    """The measures of the demand prices of all tariffs of a book.

    A window counts for a price if all of it lies inside the price's window and version. Blocks start at multiples of their length
    after local midnight; one that a clock change cuts is none. A peak belongs to the local day on which its window starts.

    Raises:
        MeterlineError: windows that do not divide the day, more peaks than days of a year.
    """
    rows = [
        (tariff, version, index, price)
        for tariff, of_tariff in enumerate(book.tariffs)
        for version, of_version in enumerate(of_tariff.versions)
        for index, price in enumerate(of_version.demand)
    ]
    _refuse([(book.tariff_ids[tariff], price) for tariff, _, _, price in rows])
    columns = max((len(patterns) for patterns in book.patterns), default=0)
    in_force = np.zeros((len(rows), max(columns, 1)), dtype=np.int8)
    for row, (tariff, version, _, price) in enumerate(rows):
        names = [window.name for window in book.tariffs[tariff].versions[version].windows]
        column = names.index(price.window) if price.window is not None else -1
        for place, pattern in enumerate(book.patterns[tariff]):
            in_force[row, place] = pattern.version == version and (column < 0 or pattern.ranks[column] > 0)
    zones = [zone_table(tariff.zone) for tariff in book.tariffs]
    none = np.empty(0, dtype=np.int64)
    prices = [price for _, _, _, price in rows]
    return DemandArrays(
        np.array([version for _, version, _, _ in rows], dtype=np.int32),
        np.array([index for _, _, index, _ in rows], dtype=np.int32),
        np.searchsorted([tariff for tariff, _, _, _ in rows], np.arange(len(book.tariffs) + 1)).astype(np.int32),
        np.array([_KINDS[price.measure.kind] for price in prices], dtype=np.int8),
        np.array([price.measure.minutes * _US_PER_MINUTE for price in prices], dtype=np.int64),
        np.array([_highest(price) for price in prices], dtype=np.int32),
        np.array([price.distinct_days for price in prices], dtype=np.int8),
        in_force,
        np.cumsum([0, *(len(zone.starts_at) for zone in zones)], dtype=np.int32),
        np.concatenate([none, *(zone.starts_at for zone in zones)]),
        np.concatenate([none, *(zone.offset_us for zone in zones)]),
    )


def _highest(price: DemandPrice) -> int:
    return price.count if price.pick is Pick.MEAN_OF_HIGHEST else 1


def _refuse(prices: Sequence[tuple[str, DemandPrice]]) -> None:
    faults = []
    for tariff_id, price in prices:
        where, minutes = f"tariff {tariff_id}, demand {price.item!r}", price.measure.minutes
        if price.measure.kind is not MeasureKind.STEP and (minutes <= 0 or _MINUTES_PER_DAY % minutes):
            faults.append(Fault(where, "the window does not divide the day", f"{minutes} minutes", "a divisor of 1440"))
        if not 1 <= _highest(price) <= HIGHEST_MAX:
            faults.append(Fault(where, "a mean of too many peaks", str(price.count), f"1 to {HIGHEST_MAX}"))
    if faults:
        raise MeterlineError(faults)
