"""The decode kernel of call-record files: strips of text to rows, from the first line to the last that fits."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ingest.call_fields import (
    UNKNOWN_KIND,
    Lines,
    add_quantities,
    begin_quantities,
    filter_rows,
    read_called_numbers,
    read_kinds,
    read_served_numbers,
    read_starts,
)
from ingest.call_keys import identify_rows
from ingest.call_plans import CallPlan
from ingest.call_rows import (
    OPEN,
    PADDING_BYTES,
    STRIP_BYTES,
    CallColumns,
    StripNotes,
    address_rows,
    content_hash,
    hash_rows,
    list_rows,
    note_entries,
    unquote_rows,
)
from schemas.hashing import HI_MULTIPLIER, LO_MULTIPLIER, absorb
from schemas.kernels import inline_kernel, kernel
from schemas.numbers import EMPTY_NUMBER
from schemas.reasons import Reason

_NEWLINE = np.uint8(10)
_RETURN = np.uint8(13)
_OK = np.uint8(Reason.OK)
_LINE_TOO_LONG = np.uint8(Reason.LINE_TOO_LONG)
_LAST_UNREADABLE = np.uint8(Reason.BAD_QUOTING)
_EMPTY_NUMBER = np.uint64(EMPTY_NUMBER)


@inline_kernel
def line_end(text: npt.NDArray[np.uint8], at: np.int64) -> np.int64:
    """The position of the next line feed from `at` on, -1 when there is none."""
    for position in range(at, text.size):
        if text[position] == _NEWLINE:
            return np.int64(position)
    return np.int64(-1)


@kernel()
def find_line_end(text: npt.NDArray[np.uint8], at: int) -> np.int64:
    """`line_end` for callers in Python; `text` read-only."""
    return np.int64(line_end(text, at))


@inline_kernel
def settle_rows(plan: CallPlan, filled: np.int64, rows: np.int64, out: CallColumns) -> None:
    """OPEN becomes OK; rows that cannot be read lose what was read of them and are identified by content and place."""
    for row in range(filled, filled + rows):
        if out.status[row] == OPEN:
            out.status[row] = _OK
        elif out.status[row] <= _LAST_UNREADABLE:
            hi, lo = plan.seed_hi[-1], plan.seed_lo[-1]
            for word in (out.content_hash[row], np.uint64(out.source_offset[row])):
                hi, lo = absorb(hi, word, HI_MULTIPLIER), absorb(lo, word, LO_MULTIPLIER)
            out.record_hi[row], out.record_lo[row] = hi, lo
            out.kind[row], out.start_at[row], out.quantity[row] = UNKNOWN_KIND, 0, 0
            out.served_number[row], out.called_number[row] = _EMPTY_NUMBER, _EMPTY_NUMBER


@inline_kernel
def read_rows(
    plan: CallPlan, raw: np.int64, rows: np.int64, has_quotes: bool, filled: np.int64, notes: StripNotes, out: CallColumns
) -> None:
    """All columns of the rows that `list_rows` noted."""
    hash_rows(raw, rows, filled, notes, out)
    if has_quotes:
        text, count = np.int64(notes.unquoted.ctypes.data), unquote_rows(plan, raw, rows, filled, notes, out)
    else:
        text, count = raw, address_rows(plan, rows, filled, notes, out)
    lines = Lines(text, notes.entries, notes.first, notes.cut, notes.row, int(count))
    read_kinds(plan, lines, out)
    read_served_numbers(plan, lines, out)
    read_called_numbers(plan, lines, out)
    read_starts(plan, lines, out)
    begin_quantities(plan, lines, out)
    for column in range(plan.quantity_columns.shape[0]):
        add_quantities(plan.quantity_columns[column], lines, out)
    filter_rows(plan, lines, out)
    identify_rows(plan, lines, out)
    settle_rows(plan, filled, rows, out)


@inline_kernel
def copy_tail(text: npt.NDArray[np.uint8], at: np.int64, stop: np.int64, final: bool, tail: npt.NDArray[np.uint8]) -> np.int64:
    """Copy text[at:stop] to the front of `tail`, padded; an unfinished last line of the file is ended. Returns the length."""
    length = stop - at
    tail[:length] = text[at:stop]
    if final and stop == text.size and text[stop - 1] != _NEWLINE:
        tail[length] = _NEWLINE
        length += 1
    tail[length : length + PADDING_BYTES] = 0
    return length


@inline_kernel
def take_long_line(
    plan: CallPlan, text: npt.NDArray[np.uint8], at: np.int64, final: bool, shift: np.int64, filled: np.int64, out: CallColumns
) -> np.int64:
    """A line longer than a strip becomes one row; returns the position after it, or `at` when its end is not here yet."""
    end = line_end(text, at + STRIP_BYTES)
    if end < 0 and not final:
        return at
    after = end + 1 if end >= 0 else text.size
    stop = end if end >= 0 else text.size
    if text[stop - 1] == _RETURN:
        stop -= 1
    out.content_hash[filled] = content_hash(np.int64(text.ctypes.data), at, stop)
    out.source_offset[filled], out.source_length[filled] = at + shift, np.int32(stop - at)
    out.status[filled] = _LINE_TOO_LONG
    settle_rows(plan, filled, np.int64(1), out)
    return np.int64(after)


@kernel()
def decode_text(
    plan: CallPlan, text: npt.NDArray[np.uint8], base_offset: int, final: bool, notes: StripNotes, out: CallColumns
) -> tuple[np.int64, np.int64]:
    """Rows of the whole lines of `text` (read-only), in order, until `out` is full; returns (rows, bytes consumed).

    With `final` the last line needs no line ending. Nothing is raised: a line that cannot be read is a row with a status.
    """
    at, filled, size, room = np.int64(0), np.int64(0), np.int64(text.size), np.int64(out.status.size)
    while at < size and filled < room:
        stop = min(at + STRIP_BYTES, size)
        raw, start, end, shift = np.int64(text.ctypes.data), at, stop, np.int64(base_offset)
        if stop + PADDING_BYTES > size:
            end = copy_tail(text, at, stop, final, notes.tail)
            raw, start, shift = np.int64(notes.tail.ctypes.data), np.int64(0), base_offset + at
        lines, has_quotes = note_entries(raw, start, end, plan.separator, plan.quote, notes)
        if lines == 0:
            after = take_long_line(plan, text, at, final, base_offset, filled, out) if stop < size else at
            if after == at:
                break
            at, filled = after, filled + 1
            continue
        rows, taken = list_rows(raw, start, lines, shift, filled, notes, out)
        read_rows(plan, raw, rows, has_quotes, filled, notes, out)
        at = min(taken + shift - base_offset, size)
        filled += rows
    return filled, at
