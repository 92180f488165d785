"""How the tiers of each energy price are climbed, as codes for the kernels, and which price of a version an item belongs to.

The codes are frozen into kernels; naming `schemas.kernels` here puts this file into the digest of the kernel cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.language.tariff import Tariff
from rating.language.utility_terms import Ladder, TierScope

I32 = npt.NDArray[np.int32]

SHARED, SHARED_WHOLE_STEP, PER_PERIOD, PER_PERIOD_WHOLE_STEP = 0, 1, 2, 3  # in time order; `whole step`: not split at a bound
PRORATED, WHOLE, PER_PERIOD_WHOLE = 4, 5, 6  # when all energy of the period is known
OWN_LADDER = (PER_PERIOD, PER_PERIOD_WHOLE_STEP, PER_PERIOD_WHOLE)


def ladder_mode(ladder: Ladder) -> int:
    """The code of a version's ladder."""
    own = ladder.scope is TierScope.PER_PERIOD
    if ladder.whole_quantity:
        return PER_PERIOD_WHOLE if own else WHOLE
    if ladder.scope is TierScope.SHARED_PRORATED:
        return PRORATED
    if ladder.split_at_bound:
        return PER_PERIOD if own else SHARED
    return PER_PERIOD_WHOLE_STEP if own else SHARED_WHOLE_STEP


def energy_modes(tariffs: Sequence[Tariff]) -> npt.NDArray[np.int8]:
    """[energy prices], in the order of a book's prices."""
    modes = [ladder_mode(version.supply.ladder) for tariff in tariffs for version in tariff.versions for _ in version.energy]
    return np.array(modes, dtype=np.int8)


@dataclass(frozen=True, slots=True)
class PriceRows:
    """[items] where each item of a book stands in its tariff."""

    tariff_index: I32
    version_index: I32
    price_index: I32  # position in the version's energy prices
    tier: I32


def price_rows(tariffs: Sequence[Tariff]) -> PriceRows:
    """The place of every item of a book that holds these tariffs in this order."""
    places = [
        (number, index, position, tier)
        for number, tariff in enumerate(tariffs)
        for index, version in enumerate(tariff.versions)
        for position, price in enumerate(version.energy)
        for tier in range(len(price.tiers))
    ]
    columns = np.array(places, dtype=np.int32).reshape(-1, 4).T
    return PriceRows(*(np.ascontiguousarray(column) for column in columns))
