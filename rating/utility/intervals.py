"""Interval energy by run and price item, and the amount of a line: what the close explains a meter day by.

An interval belongs to the price where it starts, also where it straddles a window or a version. Of a ladder that only the whole
period decides (prorated, whole quantity) a run shows its energy in the first tier; `supply_determinants` gives the group's tiers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import TariffBook
from rating.language.shared_terms import Rounding
from rating.utility.determinants import supply_rows
from rating.utility.meter_runs import meter_runs
from schemas.money import round_ratio


@dataclass(frozen=True, slots=True)
class Determinants:
    """Billing determinants: one row for each run and item with energy, in order of (run, item)."""

    run_index: npt.NDArray[np.int32]
    item_index: npt.NDArray[np.int32]
    quantity_milliwh: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]  # [runs] schemas.reasons.Reason; refused runs and runs without energy have no rows


def determine_intervals(
    book: TariffBook,
    *,
    tariff_index: npt.ArrayLike,
    ladder_group: npt.ArrayLike,
    start_at: npt.ArrayLike,
    step_us: npt.ArrayLike,
    first_value: npt.ArrayLike,
    count: npt.ArrayLike,
    values: npt.ArrayLike,
) -> Determinants:
    """Energy by run and price item.

    Args:
        tariff_index: i4[r], -1 for a run without a tariff.
        ladder_group: i4[r], runs that share a running total (an account or service of one period). Runs are sorted by (group,
            start); their order is the time order of the ladder. The total starts at zero with each group and change of tariff.
        start_at: i8[r] microseconds UTC; step_us: i8[r] > 0; count: i4[r] intervals of the run, 2**18 at most.
        first_value: i8[r], where the run's values start; values: i8[v] milliwatt-hours >= 0.
    Returns:
        `Determinants`. Status: NO_TARIFF_FOR_SUBJECT, NO_RATE_AT_INSTANT (some interval has no price), NEGATIVE_QUANTITY,
        QUANTITY_OUT_OF_RANGE. A refused run adds nothing to its ladder.
    Raises:
        MeterlineError: columns that do not fit together; names the row.
    """
    runs = meter_runs(
        book, group=ladder_group, tariff_index=tariff_index, start_at=start_at, step_us=step_us, first_value=first_value,
        count=count, values=values,
    )  # fmt: skip
    found = supply_rows(book, runs, by_group=False)
    energy = found.energy
    return Determinants(energy.run.copy(), energy.item.copy(), energy.quantity.copy(), found.refused)


def line_amount_nano(quantity_milliwh: int, price_nano: int, per: int, rounding: Rounding) -> int:
    """quantity * price / per in nano-units, exact and rounded once as the tariff says; any size, once for each bill line."""
    grid = 1 if rounding.mode == "none" else rounding.grid_nano
    mode = "half_up" if rounding.mode == "none" else rounding.mode
    return grid * round_ratio(int(quantity_milliwh) * price_nano, per * grid, mode)
