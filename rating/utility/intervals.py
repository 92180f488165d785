"""Interval energy: milliwatt-hours per run and price item, chronological tiers split at the exact bound; the amount of a line.

An interval belongs to the price where it starts, also where it straddles a window or a version. The running total of a ladder is
shared by all prices of the tariff (`shared_chronological`): the interval that crosses a bound is split there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.book import INDEX_BITS, TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.language.shared_terms import Rounding
from schemas.errors import Fault, MeterlineError
from schemas.kernels import kernel
from schemas.money import round_ratio
from schemas.reasons import Reason

_NO_TARIFF = int(Reason.NO_TARIFF_FOR_SUBJECT)
_NO_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_NEGATIVE = int(Reason.NEGATIVE_QUANTITY)
_OUT_OF_RANGE = int(Reason.QUANTITY_OUT_OF_RANGE)
_VALUE_MAX = 2**44  # 17 GWh in one interval; 2**18 of them fit int64
_COUNT_MAX = 2**18
_TOTAL_MAX = 2**62
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Determinants:
    """Billing determinants: one row for each run and item with energy, in order of (run, item)."""

    run_index: npt.NDArray[np.int32]
    item_index: npt.NDArray[np.int32]
    quantity_milliwh: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]  # [runs] schemas.reasons.Reason; refused runs and runs without energy have no rows


@kernel()
def _determine(  # type: ignore[no-untyped-def]
    tariff_index, ladder_group, start_at, step_us, first_value, count, values,
    span_start, span_end, index_bits, steps, segment, winner, energy_cell, first_item, item_from,
    sums, status, run_out, item_out, quantity_out,
):  # fmt: skip
    """Sum runs by item. sums: [items] scratch, zero. Outputs hold runs * most items of a tariff. Returns rows written."""
    written = 0
    total = np.int64(0)
    for run in range(len(tariff_index)):
        tariff = np.int64(tariff_index[run])
        if run == 0 or ladder_group[run] != ladder_group[run - 1] or tariff != tariff_index[run - 1]:
            total = np.int64(0)
        status[run] = 0
        if tariff < 0:
            status[run] = _NO_TARIFF
            continue
        if count[run] == 0:
            continue
        at = start_at[run]
        if at < span_start or at >= span_end:
            status[run] = _NO_INSTANT
            continue
        step = step_us[run]
        base = first_value[run]
        place = np.int64(steps[tariff, (at - span_start) >> index_bits])
        low: Any = np.int64(_NEVER)
        high: Any = np.int64(0)
        k = 0
        before = total
        cell = np.int64(energy_cell[tariff])
        first_touched: Any = len(sums)
        last_touched: Any = -1
        while k < count[run]:
            instant = at + k * step
            while instant >= segment[place, 0]:
                place += 1
            price = np.int64(winner[cell + segment[place, 1]])
            if price < 0:
                status[run] = _NO_INSTANT
                break
            end = min(np.int64(count[run]), (segment[place, 0] - at + step - 1) // step)
            part: Any = np.int64(0)
            for v in range(base + k, base + end):
                part += values[v]
                low = min(low, values[v])
                high = max(high, values[v])
            if low < 0 or high > _VALUE_MAX or total > _TOTAL_MAX - part:
                status[run] = _NEGATIVE if low < 0 else _OUT_OF_RANGE
                break
            k = end
            item: Any = np.int64(first_item[price])
            last = np.int64(first_item[price + 1]) - 1
            while item < last and total >= item_from[item + 1]:
                item += 1
            first_touched = min(first_touched, item)
            # Sums are all that counts: a chunk of one price crosses bounds where its running total does.
            while item < last and total + part > item_from[item + 1]:
                taken = item_from[item + 1] - total
                sums[item] += taken
                total += taken
                part -= taken
                item += 1
            sums[item] += part
            total += part
            last_touched = max(last_touched, item)
        if status[run] != 0:
            total = before
        for item in range(first_touched, last_touched + 1):
            if sums[item] > 0 and status[run] == 0:
                run_out[written] = run
                item_out[written] = item
                quantity_out[written] = sums[item]
                written += 1
            sums[item] = 0
    return written


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
    kinds = (np.int32, np.int32, np.int64, np.int64, np.int64, np.int32, np.int64)
    given = (tariff_index, ladder_group, start_at, step_us, first_value, count, values)
    columns = [kernel_column(column, kind) for column, kind in zip(given, kinds, strict=True)]
    tariffs, _, _, steps_us, firsts, counts, energy = columns
    if len({len(column) for column in columns[:-1]}) != 1:
        raise MeterlineError(Fault("determine_intervals", "columns of different lengths", must_be="one length"))
    refuse_row("tariff_index", tariffs >= len(book.tariff_ids), "no such tariff", tariffs, "an index of the book or -1")
    refuse_row("step_us", steps_us <= 0, "no step", steps_us, "more than zero")
    refuse_row("count", (counts < 0) | (counts > _COUNT_MAX), "a count out of range", counts, f"0 to {_COUNT_MAX}")
    refuse_row("first_value", (firsts < 0) | (firsts + counts > len(energy)), "values missing", firsts, f"{len(energy)} at most")
    items = len(book.energy_items)
    room = len(tariffs) * _most_items(book)
    runs, item_rows = np.empty(room, dtype=np.int32), np.empty(room, dtype=np.int32)
    quantities = np.empty(room, dtype=np.int64)
    status = np.empty(len(tariffs), dtype=np.uint8)
    lines = book.timelines
    written = _determine(
        *columns, book.span[0], book.span[1], INDEX_BITS, lines.index, lines.segment, book.winner, book.energy_cell,
        book.energy_first_item, book.energy_from, np.zeros(items, dtype=np.int64),
        status, runs, item_rows, quantities,
    )  # fmt: skip
    return Determinants(runs[:written].copy(), item_rows[:written].copy(), quantities[:written].copy(), status)


def _most_items(book: TariffBook) -> int:
    """The most energy items that one tariff has."""
    counts: dict[str, int] = {}
    for item in book.energy_items:
        counts[item.tariff_id] = counts.get(item.tariff_id, 0) + 1
    return max(counts.values(), default=0)


def line_amount_nano(quantity_milliwh: int, price_nano: int, per: int, rounding: Rounding) -> int:
    """quantity * price / per in nano-units, exact and rounded once as the tariff says; any size, once for each bill line."""
    grid = 1 if rounding.mode == "none" else rounding.grid_nano
    mode = "half_up" if rounding.mode == "none" else rounding.mode
    return grid * round_ratio(int(quantity_milliwh) * price_nano, per * grid, mode)
