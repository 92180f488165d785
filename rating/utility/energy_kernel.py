"""Energy by price and tier of runs whose steps are planned: sums of segments, cut where a ladder's bound is met.

Sums are all that counts: a segment of one price crosses a bound where its running total does, so single steps are looked at only
where a step must not be split. Values are ticks of any integer type, bounds and results milliwatt-hours.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.compiled.ladders import PER_PERIOD, PER_PERIOD_WHOLE_STEP, PRORATED, SHARED_WHOLE_STEP, WHOLE
from rating.utility.wide_integers import share_half_up
from schemas.kernels import inline_kernel
from schemas.kernels_inlined import tight_kernel
from schemas.reasons import Reason

_WHOLE_STEP, _PER_PERIOD, _PER_PERIOD_WHOLE_STEP = SHARED_WHOLE_STEP, PER_PERIOD, PER_PERIOD_WHOLE_STEP
_PRORATED, _WHOLE = PRORATED, WHOLE
VALUE_MAX = 2**44  # milliwatt-hours in one step, 17 GWh; 2**18 of them fit int64
COUNT_MAX = 2**18
_TOTAL_MAX = 2**62
_OK = int(Reason.OK)
_NO_TARIFF = int(Reason.NO_TARIFF_FOR_SUBJECT)
_NO_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_NEGATIVE = int(Reason.NEGATIVE_QUANTITY)
_OUT_OF_RANGE = int(Reason.QUANTITY_OUT_OF_RANGE)


@inline_kernel
def check_values(low, high, tariff_index, first_value, count, ticks_max, values, status, total):  # type: ignore[no-untyped-def]
    """Status (no tariff, negative, over ticks_max[run]) and total ticks of runs [low, high). Plain loops, so they vectorize."""
    for run in range(low, high):
        status[run] = _OK
        total[run] = 0
        if tariff_index[run] < 0:
            status[run] = _NO_TARIFF
            continue
        chunk = values[first_value[run] : first_value[run] + count[run]]
        bits = np.int64(0)
        part = np.int64(0)
        for n in range(len(chunk)):
            bits |= chunk[n]
            part += chunk[n]
        if bits < 0:
            status[run] = _NEGATIVE
        elif bits > ticks_max[run]:
            for n in range(len(chunk)):
                if chunk[n] > ticks_max[run]:
                    status[run] = _OUT_OF_RANGE
        if status[run] == _OK:
            total[run] = part


@tight_kernel
def _climb(part, reached, item, last, bounds, sums):  # type: ignore[no-untyped-def]
    """Add `part` to the items from `reached` on, each up to its bound. bounds: [items]. Returns the total afterwards."""
    while item < last and reached >= bounds[item + 1]:
        item += 1
    while item < last and reached + part > bounds[item + 1]:
        taken = bounds[item + 1] - reached
        sums[item] += taken
        reached += taken
        part -= taken
        item += 1
    sums[item] += part
    return reached + part


@tight_kernel
def _climb_by_step(chunk, scale, reached, item, last, bounds, sums):  # type: ignore[no-untyped-def]
    """Each step takes the tier in which it starts. Returns the total afterwards."""
    for n in range(len(chunk)):
        while item < last and reached >= bounds[item + 1]:
            item += 1
        part = chunk[n] * scale
        sums[item] += part
        reached += part
    return reached


@tight_kernel
def _cut_group(low, high, first_item, mode, bounds, opening, sums):  # type: ignore[no-untyped-def]
    """Cut the energy of prices [low, high], which lies in their first items, into tiers where the whole period decides.

    opening: [1] or [prices]. Prorated: tier k of price p is S_p * T_k / S, cumulative over tiers and half up, so that each price
    keeps its energy to the milliwatt-hour; tiers are exact to a milliwatt-hour for each price.
    """
    total = np.int64(0)
    for price in range(low, high + 1):
        if mode[price] == _PRORATED or mode[price] == _WHOLE:
            total += sums[first_item[price]]
    for price in range(low, high + 1):
        first, last = np.int64(first_item[price]), np.int64(first_item[price + 1]) - 1
        own = sums[first]
        if mode[price] < _PRORATED or own == 0 or first == last:
            continue
        before = opening[price] if len(opening) > 1 else opening[0]
        if mode[price] == _PRORATED:
            done = np.int64(0)
            for item in range(first, last + 1):
                part = total if item == last else min(total, max(bounds[item + 1] - before, np.int64(0)))
                until = share_half_up(own, part, total)
                sums[item] = until - done
                done = until
        else:
            whole = before + (total if mode[price] == _WHOLE else own)
            reached: Any = first
            while reached < last and whole >= bounds[reached + 1]:
                reached += 1
            sums[first] = 0
            sums[reached] = own


@tight_kernel
def _add_run(values, begin, scale, plan, first_segment, segment_end, segment_price, first_item, mode, bounds, sums, reached):  # type: ignore[no-untyped-def]
    """Add the segments of a run. Returns the lowest and the highest price met."""
    low, high = np.int64(len(mode)), np.int64(-1)
    shared = len(reached) - 1
    k = np.int64(0)
    for segment in range(first_segment[plan], first_segment[plan + 1]):
        price, end = np.int64(segment_price[segment]), np.int64(segment_end[segment])
        chunk = values[begin + k : begin + end]
        k = end
        low, high = min(low, price), max(high, price)
        how = mode[price]
        item, last = np.int64(first_item[price]), np.int64(first_item[price + 1]) - 1
        ladder = price if how in (_PER_PERIOD, _PER_PERIOD_WHOLE_STEP) else np.int64(shared)
        if how in (_WHOLE_STEP, _PER_PERIOD_WHOLE_STEP):
            reached[ladder] = _climb_by_step(chunk, scale, reached[ladder], item, last, bounds, sums)
            continue
        part = np.int64(0)
        for n in range(len(chunk)):
            part += chunk[n]
        part *= scale
        if how >= _PRORATED:
            sums[item] += part
        else:
            reached[ladder] = _climb(part, reached[ladder], item, last, bounds, sums)
    return low, high


@inline_kernel
def sum_energy(  # type: ignore[no-untyped-def]
    from_run, to_run, written, group, tariff_index, plan, first_value, scale, total, values,
    first_segment, segment_end, segment_price, is_priced, first_item, mode, bounds_row, bounds, opening_row, opening, by_group,
    sums, reached, status, refused, row_run, row_item, row_quantity,
):  # fmt: skip
    """Rows (run, item, milliwh) of runs [from_run, to_run), which are whole groups, in order, from row `written` on.

    With `by_group` one for each group and item, run being the group's last. Runs are sorted by (group, start); status, total: of
    `check_values`; refused: that, or why the tariff refuses the run. sums: [items] scratch, zero; reached: [prices + 1]
    scratch, the last of it the total of the shared ladder. Ladders of different scopes (of two versions) do not see each other.
    Returns rows written.
    """
    low, high = np.int64(len(mode)), np.int64(-1)
    shared = len(reached) - 1
    used = np.int64(0)  # no running total is more
    for run in range(from_run, to_run):
        own_bounds, own_opening = bounds[bounds_row[run]], opening[opening_row[run]]
        if run == 0 or group[run] != group[run - 1] or tariff_index[run] != tariff_index[run - 1]:
            reached[shared] = used = own_opening[0]
            for price in range(shared):
                reached[price] = own_opening[price] if len(own_opening) > 1 else 0
                used = max(used, reached[price])
        of = np.int64(plan[run])
        refused[run] = status[run]
        if status[run] == _OK and of >= 0:
            if used > _TOTAL_MAX - total[run] * scale[run]:
                refused[run] = _OUT_OF_RANGE
            elif is_priced[of] == 0:
                refused[run] = _NO_INSTANT
            else:
                used += total[run] * scale[run]
                lowest, highest = _add_run(
                    values, first_value[run], scale[run], of, first_segment, segment_end, segment_price, first_item, mode,
                    own_bounds, sums, reached,
                )  # fmt: skip
                low, high = min(low, lowest), max(high, highest)
        at_end = run + 1 == len(group) or group[run] != group[run + 1] or tariff_index[run] != tariff_index[run + 1]
        if high < 0 or (by_group and not at_end):
            continue
        if by_group:
            _cut_group(low, high, first_item, mode, own_bounds, own_opening, sums)
        for item in range(first_item[low], first_item[high + 1]):
            if sums[item] > 0:
                row_run[written], row_item[written], row_quantity[written] = run, item, sums[item]
                written += 1
            sums[item] = 0
        low, high = np.int64(len(mode)), np.int64(-1)
    return written
