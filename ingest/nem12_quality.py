"""Days of a NEM12 file once their 400 records are joined to them: quality runs, empty values, identity and content hash."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.nem12_fields import EMPTY_VALUE, absorb_text, quality_rank
from ingest.nem12_lines import Text
from ingest.nem12_rows import FLAG_N, FLAG_V, set_fault
from schemas.hashing import HI_MULTIPLIER, LO_MULTIPLIER, absorb, record_id_of
from schemas.kernels import inline_kernel, kernel

_LANE_START = np.uint64(record_id_of([])[0])
_ORDINAL_OF_EPOCH = 719_163  # date(1970, 1, 1).toordinal()


@kernel()
def finish_days(  # pragma: no cover
    text: Text,
    channels: npt.NDArray[np.void],
    days: npt.NDArray[np.void],
    runs: npt.NDArray[np.void],
    values: npt.NDArray[np.int64],
) -> None:
    """Join days with their runs: check that runs tile the day, settle empty values, find the worst quality, compute the hashes.

    Days and runs with a fault are left alone.
    """
    for index in range(days.shape[0]):
        day = days[index]
        if day.count > 0 and day.fault == 0 and runs_tile(day, runs):
            settle_empty_values(day, runs, values)
            day.quality_hash = hash_quality(text, day, runs)
            hash_day(text, channels[day.channel], day, values)


@inline_kernel
def runs_tile(day: Any, runs: npt.NDArray[np.void]) -> bool:  # pragma: no cover
    """Whether the runs of a day with flag V cover 1..count without gap or overlap, and a day with another flag has none."""
    if day.flag != FLAG_V:
        if day.run_count > 0 and runs[day.first_run].fault == 0:
            set_fault(runs[day.first_run], 14, day.start, 0)
        day.worst = quality_rank(day.flag)
        return bool(day.run_count == 0)
    if day.run_count == 0:
        set_fault(day, 11, day.values_to + 1, 0)
        return False
    due, worst = 1, 5
    for place in range(day.first_run, day.first_run + day.run_count):
        run = runs[place]
        if run.fault != 0:
            return False
        if run.first != due or run.last > day.count:
            set_fault(run, 13, run.start, due)
            return False
        due = run.last + 1
        worst = min(worst, quality_rank(run.flag))
    if due != day.count + 1:
        set_fault(runs[day.first_run + day.run_count - 1], 12, day.start, day.count)
        return False
    day.worst = worst
    return True


@inline_kernel
def settle_empty_values(day: Any, runs: npt.NDArray[np.void], values: npt.NDArray[np.int64]) -> None:  # pragma: no cover
    """An empty value is no zero: allowed, and then stored as 0, only where the quality is null."""
    if day.traits & 4 == 0:
        return
    run = day.first_run
    for place in range(day.count):
        flag = day.flag
        if flag == FLAG_V:
            while runs[run].last < place + 1:
                run += 1
            flag = runs[run].flag
        if values[day.first_value + place] == EMPTY_VALUE:
            values[day.first_value + place] = 0
            if flag != FLAG_N and day.fault == 0:
                set_fault(day, 10, day.values_from, place + 1)


@inline_kernel
def same_span(text: Text, at: int, to: int, other_at: int, other_to: int) -> bool:  # pragma: no cover
    """Whether two spans hold the same bytes."""
    if to - at != other_to - other_at:
        return False
    for place in range(to - at):  # noqa: SIM110 - a kernel has no generators
        if text[at + place] != text[other_at + place]:
            return False
    return True


@inline_kernel
def same_quality(text: Text, one: Any, other: Any) -> bool:  # pragma: no cover
    """Whether two runs say the same of their intervals."""
    return bool(
        one.flag == other.flag
        and one.method == other.method
        and same_span(text, one.code_from, one.code_to, other.code_from, other.code_to)
        and same_span(text, one.text_from, one.text_to, other.text_from, other.text_to)
    )


@inline_kernel
def absorb_quality(state: np.uint64, text: Text, last: int, row: Any) -> np.uint64:  # pragma: no cover
    """One lane takes a run that ends with interval `last`."""
    word = np.uint64(last) << np.uint64(16) | np.uint64(row.flag) << np.uint64(8) | np.uint64(row.method)
    state = absorb(state, word, HI_MULTIPLIER)
    state = absorb_text(state, text, row.code_from, row.code_to)
    state = absorb_text(state, text, row.text_from, row.text_to)
    return state  # noqa: RET504 - typed, as the call is not


@inline_kernel
def hash_quality(text: Text, day: Any, runs: npt.NDArray[np.void]) -> np.uint64:  # pragma: no cover
    """Hash of the canonical runs of a day: neighbors that say the same are one, so that `A` equals `V` with `400,1,48,A`."""
    state: np.uint64 = _LANE_START
    if day.flag != FLAG_V:
        state = absorb_quality(state, text, day.count, day)
        return state  # noqa: RET504 - typed, as the call is not
    end = day.first_run + day.run_count
    for place in range(day.first_run, end):
        if place + 1 == end or not same_quality(text, runs[place], runs[place + 1]):
            state = absorb_quality(state, text, runs[place].last, runs[place])
    return state


@inline_kernel
def hash_day(text: Text, channel: Any, day: Any, values: npt.NDArray[np.int64]) -> None:  # pragma: no cover
    """Identity (NMI, suffix, date) and content hash (unit, step, values, quality runs, update time) of a day.

    Where a value could not be converted, the text of the values is part of the content instead of what it would have been.
    """
    ordinal = np.uint64(day.day_on + _ORDINAL_OF_EPOCH)
    day.record_hi = absorb(channel.hi, ordinal, HI_MULTIPLIER)
    day.record_lo = absorb(channel.lo, ordinal, LO_MULTIPLIER)
    state = channel.content
    for place in range(day.first_value, day.first_value + day.count):
        state = absorb(state, np.uint64(values[place]), HI_MULTIPLIER)
    if day.traits & 2 or channel.decimals < 0:
        state = absorb_text(state, text, day.values_from, day.values_to)
    state = absorb(state, day.quality_hash, HI_MULTIPLIER)
    day.content_hash = absorb(state, np.uint64(day.updated_at), HI_MULTIPLIER)
