"""Peaks of demand: the highest windows of planned runs, exact in milliwatts, with their instants.

A window's power is its energy over its length, rounded half up to the milliwatt (exact for every length that divides an hour).
"""

from __future__ import annotations

import numpy as np

from schemas.kernels import inline_kernel
from schemas.kernels_inlined import tight_kernel

US_PER_HOUR = 3_600_000_000
_HOUR = US_PER_HOUR
_BLOCK_STARTS = 128


@tight_kernel
def power_of(energy, numerator, denominator):  # type: ignore[no-untyped-def]
    """energy * numerator / denominator half up without leaving int64, for energy >= 0."""
    return energy // denominator * numerator + (energy % denominator * numerator + denominator // 2) // denominator


@tight_kernel
def _highest_sum(values, first, end, stride, wide):  # type: ignore[no-untyped-def]
    """The highest sum of `wide` values over the starts; the common shapes are plain loops that vectorize."""
    best = np.int64(-1)
    if stride == 1 and wide == 1:
        a = values[first:end]
        top = a[0]
        for n in range(len(a)):
            top = max(top, a[n])
        return np.int64(top)
    if stride == 1 and wide == 2:
        a, b = values[first:end], values[first + 1 : end + 1]
        for n in range(len(a)):
            best = max(best, np.int64(a[n]) + np.int64(b[n]))
        return best
    if stride == 1 and wide == 4:
        a, b, c, d = values[first:end], values[first + 1 : end + 1], values[first + 2 : end + 2], values[first + 3 : end + 3]
        for n in range(len(a)):
            best = max(best, (np.int64(a[n]) + np.int64(b[n])) + (np.int64(c[n]) + np.int64(d[n])))
        return best
    if stride == 1:
        part = np.int64(0)
        for n in range(first, first + wide - 1):
            part += values[n]
        for start in range(first, end):
            part += values[start + wide - 1]
            best = max(best, part)
            part -= values[start]
        return best
    for start in range(first, end, stride):
        part = np.int64(0)
        for n in range(start, start + wide):
            part += values[n]
        best = max(best, part)
    return best


@tight_kernel
def _enter(power, at, day, distinct, highest, peaks, peak_at, peak_day, held):  # type: ignore[no-untyped-def]
    """Enter a window among the `highest` peaks (descending; ties: earliest first). Returns the peaks held."""
    place = held
    if distinct != 0:
        for n in range(held):
            if peak_day[n] == day:
                if power <= peaks[n]:
                    return held
                place = np.int64(n)
    if place == highest:
        if power <= peaks[highest - 1]:
            return held
        place = highest - 1
    kept = max(held, place + 1)
    while place > 0 and peaks[place - 1] < power:
        peaks[place], peak_at[place], peak_day[place] = peaks[place - 1], peak_at[place - 1], peak_day[place - 1]
        place -= 1
    peaks[place], peak_at[place], peak_day[place] = power, at, day
    return kept


@tight_kernel
def _keep_tail(values, begin, count, scale, contiguous, length, tail):  # type: ignore[no-untyped-def]
    """The last steps of the runs so far, in milliwatt-hours, at the end of `tail`. Returns how many."""
    room = len(tail)
    fresh = min(count, room)
    kept = min(room - fresh, length) if contiguous else 0
    for n in range(kept):
        tail[room - fresh - kept + n] = tail[room - kept + n]
    for n in range(fresh):
        tail[room - fresh + n] = values[begin + count - fresh + n] * scale
    return kept + fresh


@tight_kernel
def _reduced_hours(length_us):  # type: ignore[no-untyped-def]
    """(numerator, denominator) of an hour over a length, reduced, so that products stay small."""
    divisor, rest = _HOUR, length_us
    while rest != 0:
        divisor, rest = rest, divisor % rest
    return _HOUR // divisor, length_us // divisor


@tight_kernel
def _windows_before(  # type: ignore[no-untyped-def]
    values, begin, scale, wide, at, step, first, end, stride, day, length, tail, hours, distinct, most, peaks, peak_at, peak_day,
    held,
):  # fmt: skip
    """Windows that start in the runs before, as far as `length` steps of `tail` reach. Returns (windows, peaks held)."""
    found = np.int64(0)
    for slot in range(first, end, stride):
        if -slot > length:
            continue
        part = np.int64(0)
        for n in range(slot, min(slot + wide, 0)):
            part += tail[len(tail) + n]
        for n in range(slot + wide):
            part += values[begin + n] * scale
        found += 1
        power = power_of(part, hours[0], hours[1])
        held = _enter(power, at + slot * step, day, distinct, most, peaks, peak_at, peak_day, held)
    return found, held


@tight_kernel
def _windows_inside(  # type: ignore[no-untyped-def]
    values, begin, scale, wide, at, step, first, end, stride, day, hours, distinct, most, peaks, peak_at, peak_day, held,
):  # fmt: skip
    """Windows of a range inside the run, in blocks: only the block that holds a new peak is searched. Returns peaks held."""
    one = most == 1 or distinct != 0  # of a day, or of all, only the highest counts
    best, best_block = np.int64(-1), np.int64(-1)
    for block in range(first, end, _BLOCK_STARTS * stride):
        until = min(end, block + _BLOCK_STARTS * stride)
        top = _highest_sum(values, begin + block, begin + until, stride, wide)
        if one:
            if top > best:
                best, best_block = top, np.int64(block)
            continue
        if held == most and power_of(top * scale, hours[0], hours[1]) <= peaks[most - 1]:
            continue
        for slot in range(block, until, stride):
            part = np.int64(0)
            for n in range(begin + slot, begin + slot + wide):
                part += values[n]
            power = power_of(part * scale, hours[0], hours[1])
            held = _enter(power, at + slot * step, day, distinct, most, peaks, peak_at, peak_day, held)
    if not one:
        return held
    power = power_of(best * scale, hours[0], hours[1])
    if distinct == 0 and held == most and power <= peaks[0]:
        return held
    for slot in range(best_block, min(end, best_block + _BLOCK_STARTS * stride), stride):
        part = np.int64(0)
        for n in range(begin + slot, begin + slot + wide):
            part += values[n]
        if part == best:
            return _enter(power, at + slot * step, day, distinct, most, peaks, peak_at, peak_day, held)
    return held


@inline_kernel
def find_peaks(  # type: ignore[no-untyped-def]
    from_run, to_run, written, groups, group, tariff_index, plan, start_at, step_us, first_value, count, scale, status, values,
    width, cell_steps, first_range, ranges, windows, first_measure, highest, distinct,
    tail, peaks, peak_at, peak_day, held, found, row_group, row_measure, row_rank, row_power, row_at, group_found,
):  # fmt: skip
    """Rows (place of the group, measure, rank, milliwatts, start of the window) of runs [from_run, to_run), whole groups.

    Runs are sorted by (group, start), do not overlap within a group, and those with a status are passed over. tail: scratch, a
    step shorter than the longest window; peaks, peak_at, peak_day: [width, highest] and held, found: [width] scratch, zero.
    group_found: [groups, width] windows. Returns (rows, groups) written, counted on from those given.
    """
    length = np.int64(0)
    for run in range(from_run, to_run):
        contiguous = (
            run > 0
            and group[run] == group[run - 1]
            and status[run - 1] == 0
            and step_us[run - 1] == step_us[run]
            and start_at[run - 1] + count[run - 1] * step_us[run - 1] == start_at[run]
        )
        length = length if contiguous else np.int64(0)
        of, step, begin, at = np.int64(plan[run]), step_us[run], first_value[run], start_at[run]
        first = np.int64(first_measure[max(tariff_index[run], 0)])
        if status[run] == 0 and of >= 0:
            for place in range(first_measure[tariff_index[run] + 1] - first):
                cell = of * width + place
                wide = np.int64(cell_steps[cell])
                if wide == 0:
                    continue
                most, apart, hours = np.int64(highest[first + place]), distinct[first + place], _reduced_hours(step * wide)
                found[place] += windows[cell]
                for row in range(first_range[cell], first_range[cell + 1]):
                    start, end, stride, day = ranges[row, 0], ranges[row, 1], ranges[row, 2], ranges[row, 3]
                    if start >= 0:
                        held[place] = _windows_inside(
                            values, begin, scale[run], wide, at, step, start, end, stride, day, hours, apart, most,
                            peaks[place], peak_at[place], peak_day[place], held[place],
                        )  # fmt: skip
                    elif length > 0:
                        more, held[place] = _windows_before(
                            values, begin, scale[run], wide, at, step, start, end, stride, day, length, tail, hours, apart, most,
                            peaks[place], peak_at[place], peak_day[place], held[place],
                        )  # fmt: skip
                        found[place] += more
            length = np.int64(_keep_tail(values, begin, np.int64(count[run]), scale[run], contiguous, length, tail))
        if run + 1 < len(group) and group[run + 1] == group[run]:
            continue
        for place in range(width):
            for rank in range(held[place]):
                row_group[written], row_measure[written], row_rank[written] = groups, first + place, rank + 1
                row_power[written], row_at[written] = peaks[place, rank], peak_at[place, rank]
                written += 1
            group_found[groups, place] = found[place]
            held[place], found[place] = 0, 0
        groups += 1
    return written, groups
