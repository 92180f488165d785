"""Which demand windows a period should have, and runs that demand cannot be read from."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I64, TariffBook
from rating.compiled.columns import refuse_row
from rating.compiled.demand_measures import DemandArrays
from rating.utility.meter_runs import MeterRuns
from rating.utility.window_plans import plan_windows
from schemas.errors import Fault, MeterlineError

_US_PER_S = 1_000_000
_STEPS_MAX = 2**22


def refuse_for_demand(runs: MeterRuns) -> None:
    """Raise where peaks of a group would depend on more than time.

    Raises:
        MeterlineError: runs of a group that overlap or are out of order or of two tariffs, steps that are not whole seconds.
    """
    end = runs.start_at + runs.step_us * runs.count
    together = runs.group[1:] == runs.group[:-1]
    overlaps = together & (runs.start_at[1:] < end[:-1])
    changes = together & (runs.tariff_index[1:] != runs.tariff_index[:-1])
    ragged = runs.step_us % _US_PER_S != 0
    none = np.zeros(min(len(runs.group), 1), dtype=np.bool_)  # the first run has none before it
    must_be = "one channel in order of time"
    refuse_row("start_at", np.concatenate([none, overlaps]), "overlaps the run before it", runs.start_at, must_be)
    refuse_row("tariff_index", np.concatenate([none, changes]), "another tariff", runs.tariff_index, "a group for each tariff")
    refuse_row("step_us", ragged, "no step for demand", runs.step_us, "whole seconds")


def expected_windows(
    book: TariffBook, measures: DemandArrays, runs: MeterRuns, period: tuple[npt.ArrayLike, npt.ArrayLike] | None
) -> I64:
    """[groups, width] windows of the period (or from first run to last) in steps of the group's first run."""
    firsts, lasts = runs.group_start[:-1], runs.group_start[1:] - 1
    step, tariff = runs.step_us[firsts], runs.tariff_index[firsts]
    if period is None:
        start, end = runs.start_at[firsts], runs.start_at[lasts] + runs.step_us[lasts] * runs.count[lasts]
    else:
        start, end = (np.array(np.broadcast_to(np.asarray(at, dtype=np.int64), len(firsts))) for at in period)
    count = np.maximum(-(-(end - start) // step), 0)
    if count.size and int(count.max()) > _STEPS_MAX:
        longest = str(int(count.max()))
        raise MeterlineError(Fault("demand period", "too long for its step", longest, f"{_STEPS_MAX} steps at most"))
    plans = plan_windows(book, measures, tariff, start, step, count.astype(np.int32))
    possible = np.concatenate([plans.possible.reshape(-1, plans.width), np.zeros((1, plans.width), dtype=np.int64)])
    found: I64 = possible[plans.plan]  # plan -1, a group without tariff or steps, is the last row
    return found


def uneven_steps(runs: MeterRuns) -> I64:
    """[groups] changes of step from run to run: the windows over them are incomplete, and expected ones cannot be counted."""
    change = (runs.group[1:] == runs.group[:-1]) & (runs.step_us[1:] != runs.step_us[:-1])
    counts = np.concatenate([[0], np.cumsum(change)]).astype(np.int64)
    found: I64 = counts[runs.group_start[1:] - 1] - counts[runs.group_start[:-1]]
    return found
