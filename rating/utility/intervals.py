"""Interval energy by run and price item, and the amount of a line: what the close explains a meter day by.

An interval belongs to the price where it starts, also where it straddles a window or a version. Where only the whole period
decides the tiers of a price (prorated, whole quantity), the group's tiers are handed out to its runs in order of time: runs
always sum to what is billed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.ladders import PRORATED
from rating.language.shared_terms import Rounding
from rating.utility.determinants import EnergyRows, supply_rows
from rating.utility.meter_runs import MeterRuns, meter_runs
from schemas.errors import Fault, MeterlineError
from schemas.money import round_ratio
from schemas.quantities import INT64_MAX


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
    run, item, quantity = found.energy.run, found.energy.item, found.energy.quantity
    late = np.repeat(book.energy_mode >= PRORATED, np.diff(book.energy_first_item))
    if late[item].any():
        run, item, quantity = _handed_out(book, runs, late, found.energy, supply_rows(book, runs).energy)
    return Determinants(run.copy(), item.copy(), quantity.copy(), found.refused)


def _handed_out(
    book: TariffBook, runs: MeterRuns, late: npt.NDArray[np.bool_], of_run: EnergyRows, of_group: EnergyRows
) -> tuple[I32, I32, I64]:
    """Rows of runs with the tiers of their group. late: [items]

    Both sides, in order of (ladder, price), lie on one line of milliwatt-hours; where their ends cut it, the pieces are the rows.
    """
    change = (runs.group[1:] != runs.group[:-1]) | (runs.tariff_index[1:] != runs.tariff_index[:-1])
    ladder = np.concatenate([[0], np.cumsum(change)])
    price = np.repeat(np.arange(len(book.energy_mode)), np.diff(book.energy_first_item))
    ends, rows = [], []
    for found in (of_run, of_group):
        own = np.flatnonzero(late[found.item])
        own = own[np.lexsort((found.item[own], found.run[own], price[found.item[own]], ladder[found.run[own]]))]
        if sum(found.quantity[own].tolist()) > INT64_MAX:
            raise MeterlineError(
                Fault("determine_intervals", "more energy than a batch can hold", next_step="bill fewer at a time")
            )
        ends.append(np.cumsum(found.quantity[own]))
        rows.append(own)
    cuts = np.unique(np.concatenate(ends))
    at_run, at_group = (own[np.searchsorted(end, cuts)] for own, end in zip(rows, ends, strict=True))
    plain = ~late[of_run.item]
    run = np.concatenate([of_run.run[plain], of_run.run[at_run]])
    item = np.concatenate([of_run.item[plain], of_group.item[at_group]])
    quantity = np.concatenate([of_run.quantity[plain], np.diff(cuts, prepend=0)])
    order = np.lexsort((item, run))
    return run[order], item[order], quantity[order]


def line_amount_nano(quantity_milliwh: int, price_nano: int, per: int, rounding: Rounding) -> int:
    """quantity * price / per in nano-units, exact and rounded once as the tariff says; any size, once for each bill line."""
    grid = 1 if rounding.mode == "none" else rounding.grid_nano
    mode = "half_up" if rounding.mode == "none" else rounding.mode
    return grid * round_ratio(int(quantity_milliwh) * price_nano, per * grid, mode)
