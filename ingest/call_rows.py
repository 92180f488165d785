"""Lines of a strip of text: where their fields end, which lines are rows, and the unquoted copy of lines that use quotes.

A strip is at most STRIP_BYTES of text, so that all that is noted about it stays in the processor's cache. `entries` lists the
positions of separators and line ends in order, `entries[0]` being one before the strip: field k of a line whose preceding line
end is entry f spans [entries[f + k] + 1, entries[f + k + 1]), cut at the line's stop (where a carriage return stands before it).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.call_plans import CallPlan
from ingest.call_words import bit_count, byte_mask, load_byte, load_word, low_bytes, lowest_bit
from schemas.hashing import HI_MULTIPLIER, HI_SEED, absorb
from schemas.kernels_inlined import tight_kernel
from schemas.reasons import Reason

STRIP_BYTES = 32_768
PADDING_BYTES = 64  # readable bytes after a strip, for words and blocks that reach past it
LINE_BYTES_MAX = 4_096
OPEN = np.uint8(99)  # a status under which nothing wrong was found yet

_BLOCK = np.int64(64)
_WORD = np.int64(8)
_NEWLINE = np.uint8(10)
_RETURN = np.uint8(13)
_NONE = np.uint64(0)
_ONE = np.uint64(1)
_BURST = 12  # entries written without asking; most blocks have no more
_BAD_FIELD_COUNT = np.uint8(Reason.BAD_FIELD_COUNT)
_LINE_TOO_LONG = np.uint8(Reason.LINE_TOO_LONG)
_BAD_QUOTING = np.uint8(Reason.BAD_QUOTING)


class CallColumns(NamedTuple):
    """The columns of a batch (see CallBatch)."""

    record_hi: npt.NDArray[np.uint64]
    record_lo: npt.NDArray[np.uint64]
    content_hash: npt.NDArray[np.uint64]
    source_offset: npt.NDArray[np.int64]
    source_length: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    served_number: npt.NDArray[np.uint64]
    called_number: npt.NDArray[np.uint64]
    start_at: npt.NDArray[np.int64]
    quantity: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]


class StripNotes(NamedTuple):
    """Working memory for one strip."""

    entries: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]  # entry index of each line end
    starts: npt.NDArray[np.int32]  # per row: position of the first byte
    stops: npt.NDArray[np.int32]  # per row: position after the last byte, line ending excluded
    before: npt.NDArray[np.int32]  # per row: entry index of the preceding line end
    counts: npt.NDArray[np.int32]  # per row: number of fields
    first: npt.NDArray[np.int32]  # per line to be read: entry index of the preceding line end
    cut: npt.NDArray[np.int32]  # per line to be read: its stop
    row: npt.NDArray[np.int32]  # per line to be read: its row in the batch
    tail: npt.NDArray[np.uint8]
    unquoted: npt.NDArray[np.uint8]


def strip_notes() -> StripNotes:
    """Fresh working memory."""
    lists = [np.zeros(STRIP_BYTES + PADDING_BYTES, dtype=np.int32) for _ in range(9)]
    texts = [np.zeros(STRIP_BYTES + 2 * PADDING_BYTES, dtype=np.uint8) for _ in range(2)]
    return StripNotes(*lists, *texts)  # type: ignore[arg-type]  # nine lists, then two texts


@tight_kernel
def note_entries(
    raw: np.int64, start: np.int64, stop: np.int64, separator: np.uint8, quote: np.uint8, notes: StripNotes
) -> tuple[np.int64, np.bool_]:
    """Fill `entries` and `ends` for raw[start:stop]; returns (number of line ends, whether a quote occurs).

    PADDING_BYTES after `stop` must be readable. A quote of 0 is none.
    """
    entries, ends = notes.entries, notes.ends
    entries[0] = np.int32(start - 1)
    count, lines, quotes, at = np.int64(1), np.int64(0), _NONE, start
    while at < stop:
        line_ends = byte_mask(raw, at, _NEWLINE)
        marks = byte_mask(raw, at, separator) | line_ends
        quotes |= byte_mask(raw, at, quote)
        if stop - at < _BLOCK:
            within = (_ONE << np.uint64(stop - at)) - _ONE
            line_ends &= within
            marks &= within
        lines += note_line_end(ends, lines, count, marks, line_ends)  # most blocks have one or none
        line_ends &= line_ends - _ONE
        while line_ends:
            lines += note_line_end(ends, lines, count, marks, line_ends)
            line_ends &= line_ends - _ONE
        found = bit_count(marks)
        for burst in range(_BURST):
            entries[count + burst] = np.int32(at + lowest_bit(marks))
            marks &= marks - _ONE
        written = count + _BURST
        while marks:
            entries[written] = np.int32(at + lowest_bit(marks))
            marks &= marks - _ONE
            written += 1
        count += found
        at += _BLOCK
    return lines, quote != np.uint8(0) and quotes != _NONE


@tight_kernel
def note_line_end(
    ends: npt.NDArray[np.int32], lines: np.int64, count: np.int64, marks: np.uint64, line_ends: np.uint64
) -> np.int64:
    """Note the entry of the first of a block's line ends; 1, or 0 when the block has none."""
    ends[lines] = np.int32(count + bit_count(marks & ((line_ends & (~line_ends + _ONE)) - _ONE)))
    return np.int64(line_ends != _NONE)


@tight_kernel
def list_rows(
    raw: np.int64, start: np.int64, lines: np.int64, shift: np.int64, filled: np.int64, notes: StripNotes, out: CallColumns
) -> tuple[np.int64, np.int64]:
    """Note the lines that are rows, until the batch is full; empty lines are none.

    `shift` turns positions in `raw` into offsets in the file. Returns (rows, position after the last line that was taken).
    """
    entries, rows, begin, before = notes.entries, np.int64(0), start, np.int64(0)
    room = out.status.size - filled
    for line in range(lines):
        end_entry = np.int64(notes.ends[line])
        end = np.int64(entries[end_entry])
        stop = end - 1 if end > begin and load_byte(raw, end - 1) == _RETURN else end
        if stop > begin:
            if rows == room:
                return rows, begin
            notes.starts[rows], notes.stops[rows] = np.int32(begin), np.int32(stop)
            notes.before[rows], notes.counts[rows] = np.int32(before), np.int32(end_entry - before)
            out.source_offset[filled + rows] = begin + shift
            out.source_length[filled + rows] = np.int32(stop - begin)
            rows += 1
        begin, before = end + 1, end_entry
    return rows, begin


@tight_kernel
def absorb_rest(raw: np.int64, at: np.int64, stop: np.int64, state: np.uint64) -> np.uint64:
    """The state after the word at `at` of a text that ends at `stop`; unchanged when `at` is not before it."""
    left = stop - at
    absorbed = absorb(state, load_word(raw, min(at, stop)) & low_bytes(max(left, np.int64(0))), HI_MULTIPLIER)
    return np.uint64(absorbed if left > 0 else state)


@tight_kernel
def content_hash(raw: np.int64, start: np.int64, stop: np.int64) -> np.uint64:
    """The first lane over the words of the text [start, stop) and its length: `record_id_of(text_words(line))[0]`.

    A text shorter than a word needs readable bytes after it; a longer one is never read past `stop`.
    """
    state, at = absorb(HI_SEED, _NONE, HI_MULTIPLIER), start
    while at + _WORD <= stop:
        state = absorb(state, load_word(raw, at), HI_MULTIPLIER)
        at += _WORD
    if at < stop and stop - start < _WORD:
        state = absorb_rest(raw, at, stop, state)
    elif at < stop:
        state = absorb(state, load_word(raw, stop - _WORD) >> np.uint64(8 * (_WORD - stop + at)), HI_MULTIPLIER)
    return np.uint64(absorb(state, np.uint64(stop - start), HI_MULTIPLIER))


@tight_kernel
def hash_rows(raw: np.int64, rows: np.int64, filled: np.int64, notes: StripNotes, out: CallColumns) -> None:
    """content_hash of every row of the strip, four rows abreast: one lane alone waits for its own multiplications."""
    starts, stops, hashes = notes.starts, notes.stops, out.content_hash
    for row in range(0, rows & ~np.int64(3), 4):
        a, end_a = np.int64(starts[row]), np.int64(stops[row])
        b, end_b = np.int64(starts[row + 1]), np.int64(stops[row + 1])
        c, end_c = np.int64(starts[row + 2]), np.int64(stops[row + 2])
        d, end_d = np.int64(starts[row + 3]), np.int64(stops[row + 3])
        shortest = min(min(end_a - a, end_b - b), min(end_c - c, end_d - d))
        longest = max(max(end_a - a, end_b - b), max(end_c - c, end_d - d))
        hash_a = absorb(HI_SEED, _NONE, HI_MULTIPLIER)
        hash_b, hash_c, hash_d, at = hash_a, hash_a, hash_a, np.int64(0)
        while at + _WORD <= shortest:
            hash_a = absorb(hash_a, load_word(raw, a + at), HI_MULTIPLIER)
            hash_b = absorb(hash_b, load_word(raw, b + at), HI_MULTIPLIER)
            hash_c = absorb(hash_c, load_word(raw, c + at), HI_MULTIPLIER)
            hash_d = absorb(hash_d, load_word(raw, d + at), HI_MULTIPLIER)
            at += _WORD
        while at < longest:
            hash_a, hash_b = absorb_rest(raw, a + at, end_a, hash_a), absorb_rest(raw, b + at, end_b, hash_b)
            hash_c, hash_d = absorb_rest(raw, c + at, end_c, hash_c), absorb_rest(raw, d + at, end_d, hash_d)
            at += _WORD
        hashes[filled + row] = absorb(hash_a, np.uint64(end_a - a), HI_MULTIPLIER)
        hashes[filled + row + 1] = absorb(hash_b, np.uint64(end_b - b), HI_MULTIPLIER)
        hashes[filled + row + 2] = absorb(hash_c, np.uint64(end_c - c), HI_MULTIPLIER)
        hashes[filled + row + 3] = absorb(hash_d, np.uint64(end_d - d), HI_MULTIPLIER)
    for row in range(rows & ~np.int64(3), rows):
        hashes[filled + row] = content_hash(raw, np.int64(starts[row]), np.int64(stops[row]))


@tight_kernel
def _line_fault(fields: np.int64, fields_needed: np.int64, length: np.int64, count: np.int64) -> np.uint8:
    if length > LINE_BYTES_MAX:
        return _LINE_TOO_LONG
    wrong = count != fields if fields else count < fields_needed
    return _BAD_FIELD_COUNT if wrong else OPEN


@tight_kernel
def address_rows(plan: CallPlan, rows: np.int64, filled: np.int64, notes: StripNotes, out: CallColumns) -> np.int64:
    """Which rows without quotes can be read field by field; returns their number, the others get their status."""
    readable = np.int64(0)
    for row in range(rows):
        length = np.int64(notes.stops[row] - notes.starts[row])
        fault = _line_fault(plan.fields, plan.fields_needed, length, np.int64(notes.counts[row]))
        out.status[filled + row] = fault
        notes.first[readable], notes.cut[readable] = notes.before[row], notes.stops[row]
        notes.row[readable] = np.int32(filled + row)
        readable += np.int64(fault == OPEN)
    return readable


@tight_kernel
def unquote_rows(
    plan: CallPlan, raw: np.int64, rows: np.int64, filled: np.int64, notes: StripNotes, out: CallColumns
) -> np.int64:
    """Like address_rows for a strip with quotes: fields are copied without them, and `entries` then points into the copy."""
    readable, entry, to = np.int64(0), np.int64(0), np.int64(0)
    for row in range(rows):
        start, stop = np.int64(notes.starts[row]), np.int64(notes.stops[row])
        count, end = unquote_line(plan, raw, start, stop, entry, to, notes)
        fault = _line_fault(plan.fields, plan.fields_needed, stop - start, count)
        if count == 0 and fault != _LINE_TOO_LONG:
            fault = _BAD_QUOTING
        out.status[filled + row] = fault
        if fault == OPEN:
            notes.first[readable], notes.cut[readable] = np.int32(entry), np.int32(end)
            notes.row[readable] = np.int32(filled + row)
            readable, entry, to = readable + 1, entry + count, end + 1
    return readable


@tight_kernel
def unquote_line(
    plan: CallPlan, raw: np.int64, at: np.int64, stop: np.int64, entry: np.int64, to: np.int64, notes: StripNotes
) -> tuple[np.int64, np.int64]:
    """Copy one line without its quotes to unquoted[to:], its entries to entries[entry:].

    Returns (fields, position after the copy); (0, to) when the quoting is wrong.
    """
    copy, separator, quote = notes.unquoted, plan.separator, plan.quote
    notes.entries[entry] = np.int32(to - 1)
    fields = np.int64(0)
    while True:
        if at < stop and load_byte(raw, at) == quote:
            at += 1
            while at < stop and (load_byte(raw, at) != quote or (at + 1 < stop and load_byte(raw, at + 1) == quote)):
                at += np.int64(load_byte(raw, at) == quote)
                copy[to] = load_byte(raw, at)
                at, to = at + 1, to + 1
            if at >= stop or (at + 1 < stop and load_byte(raw, at + 1) != separator):
                return np.int64(0), to
            at += 1
        else:
            while at < stop and load_byte(raw, at) != separator:
                if load_byte(raw, at) == quote:
                    return np.int64(0), to
                copy[to] = load_byte(raw, at)
                at, to = at + 1, to + 1
        fields += 1
        notes.entries[entry + fields] = np.int32(to)
        copy[to] = separator if at < stop else _NEWLINE
        if at >= stop:
            return fields, to
        at, to = at + 1, to + 1
