"""What a tariff says of the steps of a run, worked out once for all runs with the same tariff, start, step and count.

A *plan* holds segments of equal energy price. A million meters read over one month share one plan, and the kernel only sums.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, INDEX_BITS, TariffBook
from schemas.kernels import kernel


@dataclass(frozen=True, slots=True)
class Plans:
    """Plans of some runs; `plan[r]` is that of run r, -1 for a run without tariff or steps."""

    plan: I32  # [runs]
    run: I64  # [plans] one of the runs of each plan
    first_segment: I32  # [plans + 1]
    segment_end: I32  # [segments] the step after the segment's last
    segment_price: I32  # [segments] energy price of the book, negative: none in force
    is_priced: npt.NDArray[np.int8]  # [plans] all steps have a price


@kernel()
def _number_plans(tariff_index, start_at, step_us, count, table, plan, first_run):  # type: ignore[no-untyped-def]
    """Number the distinct (tariff, start, step, count). table: [2**n] -1, more than twice the runs. Returns the plans."""
    mask = np.int64(len(table) - 1)
    plans = 0
    for run in range(len(plan)):
        if tariff_index[run] < 0 or count[run] == 0:
            plan[run] = -1
            continue
        mixed = start_at[run] * 31 + step_us[run] * 7 + np.int64(count[run]) * 1_000_003 + np.int64(tariff_index[run]) * 65_537
        mixed = mixed * np.int64(-7046029254386353131)
        place = (mixed >> 20) & mask
        while True:
            held = table[place]
            if held < 0:
                table[place] = plans
                plan[run] = plans
                first_run[plans] = run
                plans += 1
                break
            other = first_run[held]
            if (
                start_at[other] == start_at[run]
                and step_us[other] == step_us[run]
                and count[other] == count[run]
                and tariff_index[other] == tariff_index[run]
            ):
                plan[run] = held
                break
            place = (place + 1) & mask
    return plans


@kernel()
def _cut_segments(  # type: ignore[no-untyped-def]
    tariff_index, start_at, step_us, count, span_start, span_end, index_bits, steps, timeline, winner, energy_cell,
    first, ends, prices, writes,
):  # fmt: skip
    """Segments of each plan into ends and prices where `writes`, else only counted; first: [plans + 1]. Returns segments."""
    written = 0
    for plan in range(len(start_at)):
        first[plan] = written
        at, step, last = start_at[plan], step_us[plan], np.int64(count[plan])
        if at < span_start or at >= span_end:
            if writes:
                ends[written], prices[written] = last, -1
            written += 1
            continue
        tariff = tariff_index[plan]
        place = np.int64(steps[tariff, (at - span_start) >> index_bits])
        cell = np.int64(energy_cell[tariff])
        slot = np.int64(0)
        while slot < last:
            while at + slot * step >= timeline[place, 0]:
                place += 1
            price = winner[cell + timeline[place, 1]]
            slot = min(last, (timeline[place, 0] - at + step - 1) // step)
            while slot < last and at + slot * step >= timeline[place, 0]:
                place += 1
                if winner[cell + timeline[place, 1]] == price:
                    slot = min(last, (timeline[place, 0] - at + step - 1) // step)
            if writes:
                ends[written], prices[written] = slot, price
            written += 1
    first[len(start_at)] = written
    return written


def number_runs(tariff_index: I32, start_at: I64, step_us: I64, count: I32) -> tuple[I32, I64]:
    """(plan of each run, one run of each plan)."""
    table = np.full(1 << (2 * len(count) + 1).bit_length(), -1, dtype=np.int32)
    plan, first_run = np.empty(len(count), dtype=np.int32), np.empty(len(count), dtype=np.int64)
    plans = _number_plans(tariff_index, start_at, step_us, count, table, plan, first_run)
    return plan, first_run[:plans].copy()


def plan_runs(book: TariffBook, tariff_index: I32, start_at: I64, step_us: I64, count: I32) -> Plans:
    """Plans of the energy prices of runs; columns as `energy_determinants` takes them, checked by it."""
    plan, run = number_runs(tariff_index, start_at, step_us, count)
    lines = book.timelines
    columns = (tariff_index[run], start_at[run], step_us[run], count[run])
    given = (*columns, *book.span, INDEX_BITS, lines.index, lines.segment, book.energy_winner, book.energy_cell)
    first = np.empty(len(run) + 1, dtype=np.int32)
    none = np.empty(0, dtype=np.int32)
    segments = _cut_segments(*given, first, none, none, False)
    ends, prices = np.empty(segments, dtype=np.int32), np.empty(segments, dtype=np.int32)
    _cut_segments(*given, first, ends, prices, True)
    lowest = np.minimum.reduceat(prices, first[:-1]) if len(run) else prices
    return Plans(plan, run, first, ends, prices, (lowest >= 0).astype(np.int8))
