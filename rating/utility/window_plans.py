"""Where demand windows start, worked out once for all runs with the same tariff, start, step and count.

A window may start before its run: it then reaches into the run that ends where this one begins, if there is one. So how runs are
cut does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rating.compiled.book import I32, I64, INDEX_BITS, TariffBook
from rating.compiled.demand_measures import BLOCK, STEP, DemandArrays
from rating.language.shared_terms import DAY_US
from rating.utility.slot_plans import number_runs
from schemas.kernels import inline_kernel, kernel

_STEP, _BLOCK = STEP, BLOCK
_DAY = DAY_US


@dataclass(frozen=True, slots=True)
class WindowPlans:
    """Demand windows by plan and measure of its tariff: cell = plan * width + measure - first measure of the tariff."""

    plan: I32  # [runs], -1 for a run without tariff or steps
    width: int  # the most measures of a tariff
    steps: I32  # [cells] steps of a window, 0: the step does not divide the window
    first_range: I64  # [cells + 1]
    ranges: I64  # [ranges, 4] first window start, end, stride, all in steps from the run's start; local day or 0
    windows: I64  # [cells] windows inside the run
    possible: I64  # [cells] windows to expect: those inside, or the steps in force where the step does not divide the window


@inline_kernel
def _mark_windows(  # type: ignore[no-untyped-def]
    at, step, last, kind, length, distinct, in_force, timeline, place, zone_at, zone_offset, change, span_start, starts, days,
):  # fmt: skip
    """Window starts (in steps) and their local days, in order. in_force: [pattern columns]. Returns how many."""
    wide = length // step
    slot = max(1 - wide, -((at - span_start) // step))
    found = 0
    in_row = np.int64(0)
    offset = zone_offset[change]
    while slot < last:
        instant = at + slot * step
        while instant >= timeline[place, 0]:
            place += 1
        while change + 1 < len(zone_at) and instant >= zone_at[change + 1]:
            change += 1
        before, offset = offset, zone_offset[change]
        if in_force[timeline[place, 1]] == 0:
            in_row = np.int64(0)
        elif kind != _BLOCK:
            in_row += 1
        elif (instant + offset) % length == 0:
            in_row = np.int64(1)
        elif in_row > 0 and offset == before:
            in_row += 1
        else:
            in_row = np.int64(0)  # no block has begun, or the clock changed inside one
        slot += 1
        if in_row < wide:
            continue
        start = slot - wide
        starts[found], days[found] = start, 0
        if distinct != 0:
            begun = at + start * step
            then = change
            while then > 0 and begun < zone_at[then]:
                then -= 1
            days[found] = (begun + zone_offset[then]) // _DAY
        found += 1
        if kind == _BLOCK:
            in_row = np.int64(0)
    return found


@inline_kernel
def _write_ranges(starts, days, found, stride, ranges, written):  # type: ignore[no-untyped-def]
    """Starts a stride apart, on one day and on one side of the run's start become one range. Returns ranges written so far."""
    for n in range(found):
        start = starts[n]
        if n > 0 and start == starts[n - 1] + stride and days[n] == days[n - 1] and (start >= 0) == (starts[n - 1] >= 0):
            ranges[written - 1, 1] = start + 1
            continue
        ranges[written, 0], ranges[written, 1], ranges[written, 2], ranges[written, 3] = start, start + 1, stride, days[n]
        written += 1
    return written


@kernel()
def _plan_windows(  # type: ignore[no-untyped-def]
    tariff_index, start_at, step_us, count, span_start, span_end, index_bits, steps, timeline,
    first_measure, kind, window_us, distinct, in_force, zone_first, zone_at, zone_offset,
    width, starts, days, cell_steps, first_range, ranges, windows, possible,
):  # fmt: skip
    """Ranges of each plan and measure. starts, days: scratch for the steps of a plan and of a window. Returns ranges."""
    written = np.int64(0)
    for cell in range(len(start_at) * width):
        first_range[cell] = written
        plan, tariff = cell // width, np.int64(tariff_index[cell // width])
        measure = np.int64(first_measure[tariff]) + cell % width
        cell_steps[cell], windows[cell], possible[cell] = 0, 0, 0
        at, step, last = start_at[plan], step_us[plan], np.int64(count[plan])
        if measure >= first_measure[tariff + 1] or at < span_start or at >= span_end:
            continue
        divides = kind[measure] == _STEP or window_us[measure] % step == 0
        length = step if kind[measure] == _STEP or not divides else window_us[measure]
        changes = zone_at[zone_first[tariff] : zone_first[tariff + 1]]
        offsets = zone_offset[zone_first[tariff] : zone_first[tariff + 1]]
        earliest = at + max(1 - length // step, -((at - span_start) // step)) * step
        change = np.int64(np.searchsorted(changes, earliest, side="right")) - 1
        place = np.int64(steps[tariff, (earliest - span_start) >> index_bits])
        found = _mark_windows(
            at, step, last, kind[measure] if divides else _STEP, length, distinct[measure], in_force[measure], timeline, place,
            changes, offsets, change, span_start, starts, days,
        )  # fmt: skip
        for n in range(found):
            possible[cell] += 1 if starts[n] >= 0 else 0
        if divides:
            cell_steps[cell], windows[cell] = length // step, possible[cell]
            stride = length // step if kind[measure] == _BLOCK else np.int64(1)
            written = np.int64(_write_ranges(starts, days, found, stride, ranges, written))
    first_range[len(start_at) * width] = written
    return written


def plan_windows(
    book: TariffBook, measures: DemandArrays, tariff_index: I32, start_at: I64, step_us: I64, count: I32
) -> WindowPlans:
    """Window plans of runs; columns as `demand_determinants` takes them, checked by it."""
    plan, run = number_runs(tariff_index, start_at, step_us, count)
    width = int(np.diff(measures.first).max(initial=0))
    cells = len(run) * width
    reach = int((measures.window_us.max(initial=0) // step_us[run]).max(initial=1)) if len(run) else 1
    room = int(count[run].max(initial=0)) + reach
    cell_steps, first_range = np.empty(cells, dtype=np.int32), np.empty(cells + 1, dtype=np.int64)
    windows, possible = np.empty(cells, dtype=np.int64), np.empty(cells, dtype=np.int64)
    ranges = np.empty((int((count[run].astype(np.int64) + reach).sum()) * max(width, 1), 4), dtype=np.int64)
    lines = book.timelines
    written = _plan_windows(
        tariff_index[run], start_at[run], step_us[run], count[run], *book.span, INDEX_BITS, lines.index, lines.segment,
        measures.first, measures.kind, measures.window_us, measures.distinct, measures.in_force,
        measures.zone_first, measures.zone_at, measures.zone_offset, width,
        np.empty(room, dtype=np.int64), np.empty(room, dtype=np.int64),
        cell_steps, first_range, ranges, windows, possible,
    )  # fmt: skip
    return WindowPlans(plan, width, cell_steps, first_range, ranges[:written].copy(), windows, possible)
