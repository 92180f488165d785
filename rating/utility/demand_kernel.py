"""Peaks of demand: the highest windows of planned runs, exact in milliwatts, with their instants.

A window's power is its energy over its length, rounded half up to the milliwatt (exact for every length that divides an hour).
"""

from __future__ import annotations

import numpy as np

from schemas.kernels import inline_kernel, kernel

US_PER_HOUR = 3_600_000_000
_HOUR = US_PER_HOUR


@inline_kernel
def power_of(energy, numerator, denominator):  # type: ignore[no-untyped-def]
    """energy * numerator / denominator half up without leaving int64, for energy >= 0."""
    return energy // denominator * numerator + (energy % denominator * numerator + denominator // 2) // denominator


@inline_kernel
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


@inline_kernel
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


@inline_kernel
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


@kernel()
def find_peaks(  # type: ignore[no-untyped-def]
    group, tariff_index, plan, start_at, step_us, first_value, count, scale, status, values,
    width, cell_steps, first_range, ranges, windows, first_measure, highest, distinct,
    tail, peaks, peak_at, peak_day, held, found, row_group, row_measure, row_rank, row_power, row_at, group_found,
):  # fmt: skip
    """Rows (group, measure, rank, milliwatts, start of the window) of groups in order; group_found: [groups, width] windows.

    Runs are sorted by (group, start), do not overlap within a group, and those with a status are passed over. tail: scratch, a
    step shorter than the longest window; peaks, peak_at, peak_day: [width, highest] and held, found: [width] scratch, zero.
    Returns rows written.
    """
    written = 0
    groups = 0
    length = np.int64(0)
    for run in range(len(group)):
        is_first = run == 0 or group[run] != group[run - 1]
        before = run - 1
        contiguous = (
            not is_first
            and status[before] == 0
            and step_us[before] == step_us[run]
            and start_at[before] + count[before] * step_us[before] == start_at[run]
        )
        if not contiguous:
            length = np.int64(0)
        of, step, begin = np.int64(plan[run]), step_us[run], first_value[run]
        if status[run] == 0 and of >= 0:
            first = np.int64(first_measure[tariff_index[run]])
            for place in range(first_measure[tariff_index[run] + 1] - first):
                cell = of * width + place
                wide = np.int64(cell_steps[cell])
                if wide == 0:
                    continue
                most, apart = np.int64(highest[first + place]), distinct[first + place]
                numerator, denominator = _HOUR, step * wide
                while denominator != 0:  # reduced, so that products stay small
                    numerator, denominator = denominator, numerator % denominator
                divisor = numerator
                numerator, denominator = _HOUR // divisor, step * wide // divisor
                found[place] += windows[cell]
                for row in range(first_range[cell], first_range[cell + 1]):
                    start, end, stride, day = ranges[row, 0], ranges[row, 1], ranges[row, 2], ranges[row, 3]
                    if start < 0:
                        for slot in range(start, end, stride):
                            if -slot > length:
                                continue
                            part = np.int64(0)
                            for n in range(slot, min(slot + wide, 0)):
                                part += tail[len(tail) + n]
                            for n in range(0, slot + wide):
                                part += values[begin + n] * scale[run]
                            found[place] += 1
                            held[place] = _enter(
                                power_of(part, numerator, denominator), start_at[run] + slot * step, day, apart, most,
                                peaks[place], peak_at[place], peak_day[place], held[place],
                            )  # fmt: skip
                        continue
                    top = _highest_sum(values, begin + start, begin + end, stride, wide)
                    power = power_of(top * scale[run], numerator, denominator)
                    if held[place] == most and power <= peaks[place, most - 1]:
                        continue
                    for slot in range(start, end, stride):
                        part = np.int64(0)
                        for n in range(begin + slot, begin + slot + wide):
                            part += values[n]
                        if most == 1 or apart != 0:
                            if part != top:
                                continue
                        held[place] = _enter(
                            power_of(part * scale[run], numerator, denominator), start_at[run] + slot * step, day, apart, most,
                            peaks[place], peak_at[place], peak_day[place], held[place],
                        )  # fmt: skip
                        if most == 1 or apart != 0:
                            break
            length = np.int64(_keep_tail(values, begin, np.int64(count[run]), scale[run], contiguous, length, tail))
        if run + 1 < len(group) and group[run + 1] == group[run]:
            continue
        first = np.int64(first_measure[max(tariff_index[run], 0)])
        for place in range(width):
            for rank in range(held[place]):
                row_group[written], row_measure[written], row_rank[written] = groups, first + place, rank + 1
                row_power[written], row_at[written] = peaks[place, rank], peak_at[place, rank]
                written += 1
            group_found[groups, place] = found[place]
            held[place] = 0
            found[place] = 0
        groups += 1
    return written
