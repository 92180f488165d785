"""Billing determinants of metered supply: energy by price and tier, and peaks of demand, from runs of dense values.

Frames are what the elements of a bill consume; a row names its price by (version_index, position in the version's prices).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.demand_measures import DemandArrays
from rating.compiled.ladders import price_rows
from rating.utility.demand_windows import expected_windows, refuse_for_demand, uneven_steps
from rating.utility.energy_kernel import VALUE_MAX
from rating.utility.meter_runs import MeterRuns
from rating.utility.run_kernel import read_runs
from rating.utility.run_ladders import RunLadders, run_ladders
from rating.utility.slot_plans import plan_runs
from rating.utility.window_plans import WindowPlans, plan_windows

Instants = tuple[npt.ArrayLike, npt.ArrayLike]


@dataclass(frozen=True, slots=True)
class EnergyRows:
    """Energy > 0 in order of (run, item): by run, or by group where `run` is the group's last."""

    run: I32
    item: I32
    quantity: I64  # milliwatt-hours


@dataclass(frozen=True, slots=True)
class DemandRows:
    """Peaks in order of (group, measure, rank); rank 1 without a peak (power -1) where no window was found."""

    place: I32  # of the group
    measure: I32  # of the demand arrays
    rank: I32
    power: I64  # milliwatts
    at: I64  # microseconds UTC, start of the window
    missing: I64  # windows that a gap, a refused run or a change of step took away


@dataclass(frozen=True, slots=True)
class SupplyRows:
    """What one pass over runs gives. `status`: of the values; `refused`: that, or why the tariff refuses the energy of a run."""

    status: npt.NDArray[np.uint8]
    refused: npt.NDArray[np.uint8]
    total: I64  # [runs] ticks, zero where the values are refused
    energy: EnergyRows
    demand: DemandRows


def supply_rows(
    book: TariffBook,
    runs: MeterRuns,
    *,
    measures: DemandArrays | None = None,
    with_energy: bool = True,
    ladders: RunLadders | None = None,
    by_group: bool = True,
    period: Instants | None = None,
) -> SupplyRows:
    """Energy by price and tier and, with `measures`, the peaks of demand, in one pass over the values.

    Args:
        runs: sorted by (group, start); running totals start anew with each group and change of tariff. For demand one channel for
            a group, not overlapping, steps of whole seconds, one tariff.
        by_group: one row for each group and item. By run, energy of a ladder that only the whole period decides (prorated,
            whole quantity) stays in its first tier.
        period: (start, end) i8[groups] microseconds UTC in which windows are expected; without it from a group's first run to its
            last.
    Returns:
        `SupplyRows`. Status: NO_TARIFF_FOR_SUBJECT, NEGATIVE_QUANTITY, QUANTITY_OUT_OF_RANGE (a value over 2**44 base units);
        refused: also NO_RATE_AT_INSTANT (a step without a price), QUANTITY_OUT_OF_RANGE (a running total over 2**62).
    Raises:
        MeterlineError: runs that demand cannot be read from.
    """
    count = len(runs.group)
    status, refused = np.empty(count, dtype=np.uint8), np.empty(count, dtype=np.uint8)
    total = np.empty(count, dtype=np.int64)
    check = (runs.tariff_index, runs.first_value, runs.count, VALUE_MAX // runs.scale, runs.values, status, total)
    energy, energy_out = _energy_arguments(book, runs, with_energy, ladders, by_group, (status, refused, total))
    if measures is not None:
        refuse_for_demand(runs)
    windows, demand, demand_out = _demand_arguments(book, runs, measures, status)
    written, peaks = read_runs(runs.group, runs.count, check, with_energy, energy, measures is not None, demand)
    run, item, quantity = energy_out
    rows = EnergyRows(run[:written], item[:written], quantity[:written])
    found = _demand_rows(book, runs, measures, windows, period, [column[:peaks] for column in demand_out[:-1]], demand_out[-1])
    return SupplyRows(status, refused if with_energy else status, total, rows, found)


def _energy_arguments(
    book: TariffBook, runs: MeterRuns, wanted: bool, ladders: RunLadders | None, by_group: bool, checked: tuple[Any, Any, Any]
) -> tuple[tuple[Any, ...], tuple[I32, I32, I64]]:
    """(arguments of the energy kernel, its output columns); empty plans where energy is not wanted."""
    status, refused, total = checked
    own = ladders or run_ladders(book, len(runs.group))
    some = slice(None) if wanted else slice(0, 0)
    plans = plan_runs(book, runs.tariff_index[some], runs.start_at[some], runs.step_us[some], runs.count[some])
    changes = (runs.tariff_index[1:] != runs.tariff_index[:-1]) & (runs.group[1:] == runs.group[:-1])
    ladders_climbed = len(runs.group_start) + int(changes.sum()) if by_group else len(runs.group)
    room = ladders_climbed * book.most_items if wanted else 0
    out = (np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int64))
    prices = len(book.energy_first_item) - 1
    return (
        runs.group, runs.tariff_index, plans.plan, runs.first_value, runs.scale, total, runs.values,
        plans.first_segment, plans.segment_end, plans.segment_price, plans.is_priced, book.energy_first_item, book.energy_mode,
        own.bounds_row, own.bounds, own.opening_row, own.opening, by_group,
        np.zeros(len(book.energy_items), dtype=np.int64), np.zeros(prices + 1, dtype=np.int64), status, refused, *out,
    ), out  # fmt: skip


def _demand_arguments(
    book: TariffBook, runs: MeterRuns, measures: DemandArrays | None, status: npt.NDArray[np.uint8]
) -> tuple[WindowPlans, tuple[Any, ...], tuple[I32, I32, I32, I64, I64, I64]]:
    """(plans, arguments of the demand kernel, its output columns); empty where demand is not wanted."""
    of = measures or DemandArrays.none(len(book.tariff_ids))
    some = slice(None) if measures is not None else slice(0, 0)
    plans = plan_windows(book, of, runs.tariff_index[some], runs.start_at[some], runs.step_us[some], runs.count[some])
    groups, width, highest = len(runs.group_start) - 1, max(plans.width, 1), int(of.highest.max(initial=1))
    room = groups * sum(sorted(of.highest.tolist(), reverse=True)[: plans.width])
    shorts, longs = (np.empty((3, room), dtype=np.int32), np.empty((2, room), dtype=np.int64))
    out = (*shorts, *longs, np.zeros((groups, width), dtype=np.int64))
    return plans, (
        runs.group, runs.tariff_index, plans.plan, runs.start_at, runs.step_us, runs.first_value, runs.count, runs.scale, status,
        runs.values, plans.width, plans.steps, plans.first_range, plans.ranges, plans.windows, of.first, of.highest, of.distinct,
        np.zeros(max(int(plans.steps.max(initial=1)) - 1, 1), dtype=np.int64),
        *np.zeros((3, width, highest), dtype=np.int64), *np.zeros((2, width), dtype=np.int64), *out,
    ), out  # fmt: skip


def _demand_rows(
    book: TariffBook,
    runs: MeterRuns,
    measures: DemandArrays | None,
    plans: WindowPlans,
    period: Instants | None,
    peaks: list[Any],
    found: I64,
) -> DemandRows:
    """Add the windows that are missing, and rows for measures that found none."""
    place, measure, rank, power, at = peaks
    if measures is None or not plans.width:
        return DemandRows(place, measure, rank, power, at, power)
    tariff = np.maximum(runs.tariff_index[runs.group_start[:-1]], 0)
    base = measures.first[tariff]
    expected = expected_windows(book, measures, runs, period)
    missing = np.maximum(expected - found, 0) + uneven_steps(runs)[:, None]
    rows = DemandRows(place, measure, rank, power, at, missing[place, measure - base[place]])
    bare, column = np.nonzero((found == 0) & (base[:, None] + np.arange(plans.width) < measures.first[tariff + 1][:, None]))
    if not len(bare):
        return rows
    nothing = np.full(len(bare), -1, dtype=np.int64)
    ones = np.ones(len(bare), dtype=np.int32)
    more = (bare.astype(np.int32), (base[bare] + column).astype(np.int32), ones, nothing, nothing, missing[bare, column])
    held = (place, measure, rank, power, at, rows.missing)
    joined = [np.concatenate([left, right]) for left, right in zip(held, more, strict=True)]
    order = np.lexsort((joined[2], joined[1], joined[0]))
    return DemandRows(*(column[order] for column in joined))


def supply_determinants(
    book: TariffBook,
    runs: MeterRuns,
    *,
    measures: DemandArrays | None = None,
    ladders: RunLadders | None = None,
    period: Instants | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, npt.NDArray[np.uint8]]:
    """The energy and demand of groups as frames, and why runs were refused.

    Args:
        as `supply_rows`.
    Returns:
        energy: [group i32, tariff_index i32, version_index i32, price_index i32, tier i32, quantity i64 milliwatt-hours].
        demand: [group i32, tariff_index i32, version_index i32, demand_index i32, rank i32, peak_milliw i64, peak_at i64,
        windows_missing i64]: ranks 1 ... `highest` of each measure, ties earliest first; peak_at is the window's start.
        Without any window rank 1 has no peak (null); windows_missing is 0 where the price was out of force.
        refused: u1[runs], Reason; refused runs add nothing.
    """
    found = supply_rows(book, runs, measures=measures, ladders=ladders, period=period)
    rows, energy, demand = price_rows(book.tariffs), found.energy, found.demand
    energy_frame = pl.DataFrame(
        {
            "group": runs.group[energy.run],
            "tariff_index": runs.tariff_index[energy.run],
            "version_index": rows.version_index[energy.item],
            "price_index": rows.price_index[energy.item],
            "tier": rows.tier[energy.item],
            "quantity": energy.quantity,
        }
    )
    of = measures or DemandArrays.none(len(book.tariff_ids))
    firsts = runs.group_start[:-1][demand.place]
    demand_frame = pl.DataFrame(
        {
            "group": runs.group[firsts],
            "tariff_index": runs.tariff_index[firsts],
            "version_index": of.version_index[demand.measure],
            "demand_index": of.demand_index[demand.measure],
            "rank": demand.rank,
            "peak_milliw": demand.power,
            "peak_at": demand.at,
            "windows_missing": demand.missing,
        }
    )
    bare = pl.col("peak_milliw") < 0
    if bool((demand.power < 0).any()):
        demand_frame = demand_frame.with_columns(
            peak_at=pl.when(~bare).then("peak_at"), peak_milliw=pl.when(~bare).then("peak_milliw")
        )
    return energy_frame, demand_frame, found.refused


def channel_totals(runs: MeterRuns, found: SupplyRows, channel_role: str) -> pl.DataFrame:
    """[group, channel_role, quantity] in base units of the runs whose values are not refused; sums of kWh and kvarh alike."""
    frame = pl.DataFrame({"group": runs.group, "ticks": found.total, "scale": runs.scale}).lazy()
    quantity = (pl.col("ticks").cast(pl.Int128) * pl.col("scale")).sum().cast(pl.Int64)
    totals = frame.group_by("group", maintain_order=True).agg(quantity=quantity)
    return totals.select("group", channel_role=pl.lit(channel_role), quantity="quantity").collect()
