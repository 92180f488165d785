"""Billing determinants of metered supply: energy by price and tier, and peaks of demand, from runs of dense values.

Frames are what the elements of a bill consume; a row names its price by (version_index, position in the version's prices).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.demand_measures import DemandArrays
from rating.compiled.ladders import OWN_LADDER, price_rows
from rating.utility.demand_kernel import find_peaks
from rating.utility.energy_kernel import sum_energy
from rating.utility.meter_runs import MeterRuns
from rating.utility.slot_plans import plan_runs
from rating.utility.window_plans import plan_windows
from schemas.errors import Fault, MeterlineError

_US_PER_S = 1_000_000
_SLOTS_MAX = 2**22


@dataclass(frozen=True, slots=True)
class Ladders:
    """What is particular to a group: the bounds of its tiers and what it used before the period.

    `bounds[bounds_row[r]]` are the lower bounds of all items of the book in milliwatt-hours for run r (day-prorated, per kW ...);
    `opening[opening_row[r]]` is the running total at the start of its group: one number, or one for each price of the book.
    """

    bounds_row: I32
    bounds: I64
    opening_row: I32
    opening: I64

    @classmethod
    def of(
        cls,
        book: TariffBook,
        runs: MeterRuns,
        *,
        bounds: npt.ArrayLike | None = None,
        bounds_row: npt.ArrayLike | None = None,
        opening: npt.ArrayLike | None = None,
        opening_row: npt.ArrayLike | None = None,
    ) -> Ladders:
        """Ladders of runs; what is left out is as the tariffs say, and from zero.

        Args:
            bounds: i8[n, items of the book], ascending within a price and 0 for its first tier; bounds_row: i4[runs].
            opening: i8[n] milliwatt-hours >= 0, or i8[n, prices of the book] for `per_period`; opening_row: i4[runs].
        Raises:
            MeterlineError: rows or bounds that cannot be.
        """
        nothing = np.zeros(len(runs.group), dtype=np.int32)
        given = book.energy_from[None, :] if bounds is None else np.ascontiguousarray(bounds, dtype=np.int64)
        before = np.zeros((1, 1), dtype=np.int64) if opening is None else np.ascontiguousarray(opening, dtype=np.int64)
        before = before[:, None] if before.ndim == 1 else before
        rows = nothing if bounds_row is None else np.ascontiguousarray(bounds_row, dtype=np.int32)
        opening_rows = nothing if opening_row is None else np.ascontiguousarray(opening_row, dtype=np.int32)
        found = cls(rows, np.ascontiguousarray(given), opening_rows, np.ascontiguousarray(before))
        found._refuse(book, len(runs.group))
        return found

    def _refuse(self, book: TariffBook, runs: int) -> None:
        prices = len(book.energy_first_item) - 1
        firsts = book.energy_first_item[:-1]
        steps = np.diff(self.bounds, axis=1)
        inside = np.ones(max(len(book.energy_items) - 1, 0), dtype=np.bool_)
        inside[firsts[1:] - 1] = False
        modes = np.isin(book.energy_mode, OWN_LADDER)
        faults = [
            Fault("ladders", what, must_be=must_be)
            for wrong, what, must_be in (
                (self.bounds.shape[1] != len(book.energy_items), "bounds of another width", "one column for each item of the book"),
                (self.opening.shape[1] not in (1, prices), "openings of another width", "one column, or one for each price"),
                (len(self.bounds_row) != runs or len(self.opening_row) != runs, "rows of other length", "one for each run"),
                (not _in_range(self.bounds_row, len(self.bounds)), "no such row of bounds", "a row of bounds"),
                (not _in_range(self.opening_row, len(self.opening)), "no such row of openings", "a row of opening"),
                (bool((self.opening < 0).any()), "an opening below zero", "0 or more"),
                (bool((steps[:, inside] < 0).any()) if steps.shape[1] == len(inside) else False, "bounds that fall", "ascending"),
                (self.opening.shape[1] == 1 and prices > 1 and bool(modes.any() and self.opening.any()),
                 "one opening for prices with ladders of their own", "one column for each price"),
            )
            if wrong
        ]  # fmt: skip
        if faults:
            raise MeterlineError(faults)


def _in_range(rows: I32, size: int) -> bool:
    return not len(rows) or bool(0 <= int(rows.min()) and int(rows.max()) < size)


@dataclass(frozen=True, slots=True)
class EnergyRows:
    """Energy > 0 in order of (run, item): by run, or by group where `run` is the group's last."""

    run: I32
    item: I32
    quantity: I64  # milliwatt-hours
    status: npt.NDArray[np.uint8]  # [runs] Reason; refused runs add nothing


def energy_rows(book: TariffBook, runs: MeterRuns, *, ladders: Ladders | None = None, by_group: bool = True) -> EnergyRows:
    """Energy by price and tier.

    Args:
        runs: sorted by (group, start); the running totals start anew with each group and change of tariff.
        by_group: one row for each group and item. By run, energy of a ladder that only the whole period decides (prorated,
            whole quantity) stays in its first tier.
    Returns:
        `EnergyRows`. Status: as `meter_runs`, and NO_RATE_AT_INSTANT (some step has no price), QUANTITY_OUT_OF_RANGE (a running
        total over 2**62).
    """
    own = ladders or Ladders.of(book, runs)
    plans = plan_runs(book, runs.tariff_index, runs.start_at, runs.step_us, runs.count)
    tariffs = len(book.tariff_ids)
    room = (int(runs.group_start.size - 1 + _tariff_changes(runs)) if by_group else len(runs.group)) * _most_items(book)
    run, item = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    quantity, status = np.empty(room, dtype=np.int64), runs.status.copy()
    prices = len(book.energy_first_item) - 1
    assert tariffs or not len(runs.group) or bool((status > 0).all())
    written = sum_energy(
        runs.group, runs.tariff_index, plans.plan, runs.first_value, runs.scale, runs.total, runs.values,
        plans.first_segment, plans.segment_end, plans.segment_price, book.energy_first_item, book.energy_mode,
        own.bounds_row, own.bounds, own.opening_row, own.opening, by_group,
        np.zeros(len(book.energy_items), dtype=np.int64), np.zeros(prices + 1, dtype=np.int64), status, run, item, quantity,
    )  # fmt: skip
    return EnergyRows(run[:written], item[:written], quantity[:written], status)


def _most_items(book: TariffBook) -> int:
    """The most energy items that one tariff has."""
    return int(np.bincount(price_rows(book.tariffs).tariff_index, minlength=1).max())


def _tariff_changes(runs: MeterRuns) -> int:
    same_group = runs.group[1:] == runs.group[:-1]
    return int((same_group & (runs.tariff_index[1:] != runs.tariff_index[:-1])).sum())


def energy_determinants(
    book: TariffBook, runs: MeterRuns, *, ladders: Ladders | None = None
) -> tuple[pl.DataFrame, npt.NDArray[np.uint8]]:
    """The energy of groups and the status of runs.

    Returns:
        ([group i32, tariff_index i32, version_index i32, price_index i32, tier i32, quantity i64 milliwatt-hours], status [runs]).
    """
    found = energy_rows(book, runs, ladders=ladders)
    rows = price_rows(book.tariffs)
    return pl.DataFrame(
        {
            "group": runs.group[found.run],
            "tariff_index": runs.tariff_index[found.run],
            "version_index": rows.version_index[found.item],
            "price_index": rows.price_index[found.item],
            "tier": rows.tier[found.item],
            "quantity": found.quantity,
        }
    ), found.status


def demand_determinants(
    book: TariffBook,
    measures: DemandArrays,
    runs: MeterRuns,
    *,
    period: tuple[npt.ArrayLike, npt.ArrayLike] | None = None,
) -> pl.DataFrame:
    """Peaks of demand of groups.

    Args:
        runs: one channel for a group, sorted by (group, start), not overlapping, steps of whole seconds.
        period: (start, end) i8[groups] microseconds UTC of which windows are expected; without it from a group's first run to its
            last.
    Returns:
        [group i32, tariff_index i32, version_index i32, demand_index i32, rank i32, peak_milliw i64, peak_at i64, windows_missing
        i64]: ranks 1 ... `highest` of each measure, ties earliest first; peak_at is the window's start. A measure without any
        window has one row, of rank 1 with no peak (null), if windows were expected; a measure out of force has none. Missing
        windows are those that a gap or a refused run took away; where the step changes within a group, each change counts one.
    Raises:
        MeterlineError: runs of a group that overlap or are out of order, steps that are not whole seconds.
    """
    _refuse_for_demand(runs)
    plans = plan_windows(book, measures, runs.tariff_index, runs.start_at, runs.step_us, runs.count)
    groups, width = len(runs.group_start) - 1, plans.width
    highest = int(measures.highest.max(initial=1))
    room = groups * sum(sorted(measures.highest.tolist(), reverse=True)[:width]) if width else 0
    group, measure, rank = (np.empty(room, dtype=np.int32) for _ in range(3))
    power, at = np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64)
    group_found = np.zeros((groups, width), dtype=np.int64)
    longest = int(plans.steps.max(initial=1))
    scratch = [np.zeros((max(width, 1), highest), dtype=np.int64) for _ in range(3)]
    written = find_peaks(
        runs.group, runs.tariff_index, plans.plan, runs.start_at, runs.step_us, runs.first_value, runs.count, runs.scale,
        runs.status, runs.values, width, plans.steps, plans.first_range, plans.ranges, plans.windows, measures.first,
        measures.highest, measures.distinct, np.zeros(max(longest - 1, 1), dtype=np.int64), *scratch,
        np.zeros(max(width, 1), dtype=np.int64), np.zeros(max(width, 1), dtype=np.int64),
        group, measure, rank, power, at, group_found,
    )  # fmt: skip
    place, measure = group[:written], measure[:written]
    return _with_windows(book, measures, runs, period, (place, measure, rank[:written], power[:written], at[:written]), group_found)


def _refuse_for_demand(runs: MeterRuns) -> None:
    end = runs.start_at + runs.step_us * runs.count
    overlap = (runs.group[1:] == runs.group[:-1]) & (runs.start_at[1:] < end[:-1])
    if overlap.any():
        row = int(np.argmax(overlap)) + 1
        raise MeterlineError(
            Fault(f"start_at row {row}", "a run that overlaps the one before it", str(runs.start_at[row]), "one channel, in order of time")
        )
    ragged = runs.step_us % _US_PER_S != 0
    if ragged.any():
        row = int(np.argmax(ragged))
        raise MeterlineError(Fault(f"step_us row {row}", "a step for demand", str(runs.step_us[row]), "whole seconds"))


def _with_windows(
    book: TariffBook,
    measures: DemandArrays,
    runs: MeterRuns,
    period: tuple[npt.ArrayLike, npt.ArrayLike] | None,
    peaks: tuple[I32, I32, I32, I64, I64],
    found: I64,
) -> pl.DataFrame:
    """Add the windows that are missing, and rows for measures that found none where some were expected."""
    firsts = runs.group_start[:-1]
    place, measure, rank, power, at = peaks
    tariff = runs.tariff_index[firsts]
    base = measures.first[np.maximum(tariff, 0)]
    expected = _expected_windows(book, measures, runs, period)
    missing = np.maximum(expected - found, 0) + _uneven_steps(runs)[:, None]

    def frame(of: I32, which: I32, rank: I32, power: object, at: object, missing: I64) -> pl.DataFrame:
        columns = {
            "group": runs.group[firsts[of]],
            "tariff_index": tariff[of],
            "version_index": measures.version_index[which],
            "demand_index": measures.demand_index[which],
            "rank": rank,
            "peak_milliw": power,
            "peak_at": at,
            "windows_missing": missing,
        }
        return pl.DataFrame(columns)

    rows = frame(place, measure, rank, power, at, missing[place, measure - base[place]])
    bare, column = np.nonzero((expected > 0) & (found == 0))
    if not len(bare):
        return rows
    nothing = pl.Series([None] * len(bare), dtype=pl.Int64)
    which, ones = (base[bare] + column).astype(np.int32), np.ones(len(bare), dtype=np.int32)
    more = frame(bare.astype(np.int32), which, ones, nothing, nothing, missing[bare, column])
    order = np.lexsort((np.concatenate([rank, ones]), np.concatenate([measure, which]), np.concatenate([place, bare])))
    return pl.concat([rows, more])[order]


def _expected_windows(
    book: TariffBook, measures: DemandArrays, runs: MeterRuns, period: tuple[npt.ArrayLike, npt.ArrayLike] | None
) -> I64:
    """[groups, width] windows of the period in steps of the group's first run."""
    firsts, lasts = runs.group_start[:-1], runs.group_start[1:] - 1
    step, tariff = runs.step_us[firsts], runs.tariff_index[firsts]
    if period is None:
        start, end = runs.start_at[firsts], runs.start_at[lasts] + runs.step_us[lasts] * runs.count[lasts]
    else:
        start, end = (np.array(np.broadcast_to(np.asarray(at, dtype=np.int64), len(firsts))) for at in period)
    count = np.maximum(-(-(end - start) // step), 0)
    if count.size and int(count.max()) > _SLOTS_MAX:
        raise MeterlineError(Fault("demand period", "too long for its step", str(int(count.max())), f"{_SLOTS_MAX} steps at most"))
    plans = plan_windows(book, measures, tariff, start, step, count.astype(np.int32))
    possible = np.concatenate([plans.possible.reshape(-1, plans.width), np.zeros((1, plans.width), dtype=np.int64)])
    found: I64 = possible[plans.plan]  # plan -1, a group without tariff or steps, is the last row
    return found


def _uneven_steps(runs: MeterRuns) -> I64:
    """[groups] changes of step from run to run."""
    change = (runs.group[1:] == runs.group[:-1]) & (runs.step_us[1:] != runs.step_us[:-1])
    counts = np.concatenate([[0], np.cumsum(change)]).astype(np.int64)
    found: I64 = counts[runs.group_start[1:] - 1] - counts[runs.group_start[:-1]]
    return found

