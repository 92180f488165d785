"""The natural keys of call records: which texts may be part of one, and the record ids made of them."""

from __future__ import annotations

import numpy as np

from ingest.call_fields import BAD_IDENTIFIER, NOTHING, Lines, field_span
from ingest.call_plans import ABSENT, CallPlan
from ingest.call_rows import CallColumns
from ingest.call_words import load_byte, load_word, low_bytes
from schemas.hashing import HI_MULTIPLIER, LO_MULTIPLIER, absorb
from schemas.kernels_inlined import tight_kernel
from schemas.quantities import UsageKind

KEY_BYTES_MAX = 120

_VOLUME = np.uint8(UsageKind.VOLUME)
_SPACES = np.uint64(0x2020202020202020)
_RUBOUTS = np.uint64(0x7F7F7F7F7F7F7F7F)
_ONES = np.uint64(0x0101010101010101)
_HIGH_BITS = np.uint64(0x8080808080808080)
_WORD = np.int64(8)


@tight_kernel
def is_utf8(text: np.int64, at: np.int64, end: np.int64) -> bool:
    """Whether text[at:end] is well-formed UTF-8 (Unicode table 3-7)."""
    while at < end:
        lead = load_byte(text, at)
        low, high = np.uint8(0x80), np.uint8(0xBF)
        more = np.int64(0)
        if lead >= np.uint8(0x80):
            if lead < np.uint8(0xC2) or lead > np.uint8(0xF4):
                return False
            more = np.int64(1) + np.int64(lead >= np.uint8(0xE0)) + np.int64(lead >= np.uint8(0xF0))
            low = np.uint8(0xA0) if lead == np.uint8(0xE0) else np.uint8(0x90) if lead == np.uint8(0xF0) else low
            high = np.uint8(0x9F) if lead == np.uint8(0xED) else np.uint8(0x8F) if lead == np.uint8(0xF4) else high
        if at + more >= end:
            return False
        for next_at in range(at + 1, at + 1 + more):
            if load_byte(text, next_at) < low or load_byte(text, next_at) > high:
                return False
            low, high = np.uint8(0x80), np.uint8(0xBF)
        at += more + 1
    return True


@tight_kernel
def absorb_text(
    text: np.int64, start: np.int64, end: np.int64, hi: np.uint64, lo: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Both lanes take the words and the length of text[start:end], as schemas.hashing.text_words gives them.

    Returns (hi, lo, bits of control characters, bits of bytes above 127); only whether the bits are all zero means something.
    """
    controls, high, at = np.uint64(0), np.uint64(0), start
    while at < end:
        kept = low_bytes(end - at)
        word = load_word(text, at) & kept
        hi, lo = absorb(hi, word, HI_MULTIPLIER), absorb(lo, word, LO_MULTIPLIER)
        rubout = word ^ _RUBOUTS
        controls |= (((word - _SPACES) & ~word) | ((rubout - _ONES) & ~rubout)) & kept
        high |= word
        at += _WORD
    length = np.uint64(end - start)
    return absorb(hi, length, HI_MULTIPLIER), absorb(lo, length, LO_MULTIPLIER), controls & _HIGH_BITS, high & _HIGH_BITS


@tight_kernel
def is_key_length(length: np.int64) -> bool:
    """Whether a text so long can be part of a natural key."""
    return bool((length > 0) & (length <= KEY_BYTES_MAX))


@tight_kernel
def identify_rows(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """record_hi, record_lo from tenant, kind, node, sequence, start and served number.

    BAD_IDENTIFIER where node or sequence is empty, longer than KEY_BYTES_MAX, wrongly encoded or holds a control character.
    """
    node_text, node_size = np.int64(plan.node_text.ctypes.data), np.int64(plan.node_text.size) - _WORD
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        seed = min(np.int64(out.kind[row]), np.int64(_VOLUME) + 1)
        hi, lo = plan.seed_hi[seed], plan.seed_lo[seed]
        if plan.node_field == ABSENT:
            text, start, end = node_text, np.int64(0), node_size
        else:
            text = lines.text
            start, end = field_span(lines, line, plan.node_field)
        good = is_key_length(end - start)
        hi, lo, controls, high = absorb_text(text, start, end, hi, lo)
        if high and plan.is_utf8:
            good = good and is_utf8(text, start, end)
        start, end = field_span(lines, line, plan.sequence_field)
        good &= is_key_length(end - start)
        hi, lo, more_controls, high = absorb_text(lines.text, start, end, hi, lo)
        if high and plan.is_utf8:
            good = good and is_utf8(lines.text, start, end)
        instant, served = np.uint64(out.start_at[row]), out.served_number[row]
        hi, lo = absorb(hi, instant, HI_MULTIPLIER), absorb(lo, instant, LO_MULTIPLIER)
        out.record_hi[row], out.record_lo[row] = absorb(hi, served, HI_MULTIPLIER), absorb(lo, served, LO_MULTIPLIER)
        good &= (controls | more_controls) == np.uint64(0)
        out.status[row] = min(out.status[row], NOTHING if good else BAD_IDENTIFIER)
