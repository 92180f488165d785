"""The columns of addressed lines, one short loop each: kinds, numbers, instants, quantities and dispositions.

Every loop reads the text of one target of all lines of a strip, writes its column, and lowers the row's status to the smallest
reason that applies. No field is trusted: a row whose status stays OPEN matched its layout in every character that is used.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.call_plans import ABSENT, VALUE_WORDS, CallPlan, NumberPrefixes
from ingest.call_rows import CallColumns
from ingest.call_stamps import EPOCH_MS, EPOCH_S, LOCAL, axis_segment, civil_us, epoch_us
from ingest.call_words import (
    are_digits,
    digits_nibbles,
    digits_value,
    leading_digits,
    load_byte,
    load_word,
    low_bytes,
    trailing_digits,
)
from schemas.kernels_inlined import tight_kernel
from schemas.numbers import DIGITS_MAX, EMPTY_NUMBER
from schemas.quantities import UsageKind
from schemas.reasons import Reason

UNKNOWN_KIND = np.uint8(255)
DIGITS_WRITTEN_MAX = 16  # longer quantities are out of range, whatever their value

_VOLUME = np.uint8(UsageKind.VOLUME)
_MESSAGE = np.uint8(UsageKind.MESSAGE)
_BAD_NUMBER = np.uint8(Reason.BAD_NUMBER)
_BAD_TIMESTAMP = np.uint8(Reason.BAD_TIMESTAMP)
BAD_IDENTIFIER = np.uint8(Reason.BAD_IDENTIFIER)
_BAD_KIND = np.uint8(Reason.BAD_KIND)
_NEGATIVE = np.uint8(Reason.NEGATIVE_QUANTITY)
_OUT_OF_RANGE = np.uint8(Reason.QUANTITY_OUT_OF_RANGE)
_UNANSWERED = np.uint8(Reason.UNANSWERED)
_ZERO_USAGE = np.uint8(Reason.ZERO_USAGE)
NOTHING = np.uint8(99)  # as a fault: nothing is wrong
_HUGE = np.int64(2**62)
_DIGIT_0, _DIGIT_9 = np.uint8(48), np.uint8(57)
_EMPTY = np.int64(-100)  # as a quantity: no text
_NONE = np.uint64(0)
_NO_NUMBER = np.uint64(0)  # packed numbers always end in F, so none is zero
_EMPTY_NUMBER = np.uint64(EMPTY_NUMBER)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)
_HALF, _SHIFT_MAX = np.uint64(32), np.uint64(63)
_PLUS, _MINUS = np.uint8(43), np.uint8(45)
_ONE = np.uint64(1)
_WORD = np.int64(8)


class Lines(NamedTuple):
    """`total` addressed lines of one strip, whose text is at address `text`; see call_rows for what the lists mean."""

    text: np.int64
    entries: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    cut: npt.NDArray[np.int32]
    row: npt.NDArray[np.int32]
    total: int


@tight_kernel
def field_span(lines: Lines, line: np.int64, field: np.int64) -> tuple[np.int64, np.int64]:
    """[start, end) of a field of a line."""
    entry = np.uint64(lines.first[line]) + np.uint64(field)  # unsigned, or numba asks at each access whether it is negative
    return np.int64(lines.entries[entry]) + 1, min(np.int64(lines.entries[entry + _ONE]), np.int64(lines.cut[line]))


@tight_kernel
def value_code(text: np.int64, start: np.int64, end: np.int64, table: npt.NDArray[np.uint64]) -> np.uint64:
    """The code of the declared text that a field equals, or UNKNOWN_KIND. Table rows: (length, four words, code)."""
    length, found = end - start, np.uint64(UNKNOWN_KIND)
    word = load_word(text, start) & low_bytes(length)
    for row in range(table.shape[0]):
        differs = (table[row, 0] ^ np.uint64(length)) | (table[row, 1] ^ word)
        chosen = np.uint64(differs == _NONE) * _ALL  # a mask, not a branch: which kind comes next cannot be predicted
        found = (found & ~chosen) | (table[row, VALUE_WORDS + 1] & chosen)
    return np.uint64(found if length <= _WORD else long_value_code(text, start, length, table))


@tight_kernel
def long_value_code(text: np.int64, start: np.int64, length: np.int64, table: npt.NDArray[np.uint64]) -> np.uint64:
    """value_code for texts longer than a word."""
    for row in range(table.shape[0]):
        same = table[row, 0] == np.uint64(length)
        for at in range(VALUE_WORDS):
            left = length - at * _WORD
            if left > 0 and same:
                same = table[row, 1 + at] == load_word(text, start + at * _WORD) & low_bytes(left)
        if same:
            return np.uint64(table[row, VALUE_WORDS + 1])
    return np.uint64(UNKNOWN_KIND)


@tight_kernel
def read_kinds(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """kind; BAD_KIND where the text is none of the declared ones."""
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        if plan.kind_field == ABSENT:
            out.kind[row] = np.uint8(plan.constant_kind)
            continue
        start, end = field_span(lines, line, plan.kind_field)
        kind = np.uint8(value_code(lines.text, start, end, plan.kind_values))
        out.kind[row] = kind
        out.status[row] = min(out.status[row], _BAD_KIND if kind == UNKNOWN_KIND else NOTHING)


@tight_kernel
def packed_digits(text: np.int64, start: np.int64, count: np.int64) -> np.uint64:
    """1 to 15 digits packed as in schemas.numbers, 0 when they are not."""
    head = leading_digits(load_word(text, start), max(count, np.int64(0)))
    tail = leading_digits(load_word(text, start + _WORD), max(count - _WORD, np.int64(0)))
    packed = (digits_nibbles(head) << _HALF) | digits_nibbles(tail) | (_ALL >> (np.uint64(4 * count) & _SHIFT_MAX))
    good = are_digits(head) & are_digits(tail) & (count > 0) & (count <= DIGITS_MAX)
    return packed if good else _NO_NUMBER


@tight_kernel
def packed_international(text: np.int64, start: np.int64, end: np.int64, rules: NumberPrefixes) -> np.uint64:
    """The number in a field after the layout's rules, 0 when it is none. A prefix never reaches into the separator."""
    word = load_word(text, start)
    skipped, is_international, is_national = np.int64(0), False, False
    if start < end and load_byte(text, start) == _PLUS:
        skipped, is_international = np.int64(1), True
    elif rules.international_mask and (word & rules.international_mask) == rules.international:
        skipped, is_international = np.int64(rules.international_length), True
    elif rules.national_mask and (word & rules.national_mask) == rules.national:
        skipped, is_national = np.int64(rules.national_length), True
    count = end - start - skipped
    packed = packed_digits(text, start + skipped, count)
    if is_international and packed >> np.uint64(60) == np.uint64(0):
        return _NO_NUMBER  # no country code begins with 0
    if is_national:
        long = count + np.int64(rules.country_length) > DIGITS_MAX
        with_country = (packed >> (np.uint64(4) * rules.country_length)) | rules.country
        return _NO_NUMBER if long or packed == _NO_NUMBER else np.uint64(with_country)
    return np.uint64(packed)


@tight_kernel
def read_served_numbers(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """served_number; BAD_IDENTIFIER where it is empty or no number."""
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        start, end = field_span(lines, line, plan.served_field)
        packed = packed_international(lines.text, start, end, plan.number_rules)
        out.served_number[row] = packed
        out.status[row] = min(out.status[row], BAD_IDENTIFIER if packed == _NO_NUMBER else NOTHING)


@tight_kernel
def read_called_numbers(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """called_number, EMPTY_NUMBER where there is none; BAD_IDENTIFIER where it is no number, or empty for voice or a message."""
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        packed = _EMPTY_NUMBER
        if plan.called_field != ABSENT:
            start, end = field_span(lines, line, plan.called_field)
            written = packed_international(lines.text, start, end, plan.number_rules)
            packed = written if start < end else _EMPTY_NUMBER
        wrong = packed == _NO_NUMBER or (packed == _EMPTY_NUMBER and out.kind[row] < _VOLUME)
        out.called_number[row] = packed
        out.status[row] = min(out.status[row], BAD_IDENTIFIER if wrong else NOTHING)


@tight_kernel
def read_starts(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """start_at; BAD_TIMESTAMP, NONEXISTENT_LOCAL_TIME, AMBIGUOUS_LOCAL_TIME."""
    axis, segment = plan.axis, np.int64(0)
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        start, end = field_span(lines, line, plan.start_field)
        fault = NOTHING
        if plan.stamp_style == EPOCH_S:
            instant = epoch_us(lines.text, start, end, np.int64(1_000_000))
        elif plan.stamp_style == EPOCH_MS:
            instant = epoch_us(lines.text, start, end, np.int64(1_000))
        else:
            instant = civil_us(lines.text, start, end, plan.stamp_style, plan.stamp_suffix, plan.stamp_between)
        if instant < 0:
            fault = _BAD_TIMESTAMP
        elif plan.stamp_suffix == LOCAL:
            if instant < axis.starts_at[segment] or instant >= axis.starts_at[segment + 1]:
                segment = axis_segment(axis.starts_at, instant)
            instant -= axis.offset_us[segment]
            if axis.fault[segment]:
                fault = np.uint8(axis.fault[segment])
        out.start_at[row] = instant
        out.status[row] = min(out.status[row], fault)


@tight_kernel
def written_quantity(text: np.int64, start: np.int64, end: np.int64, most: np.int64) -> np.int64:
    """The whole number in a field, at most `most`; else EMPTY or the negative reason."""
    count = end - start
    head = trailing_digits(load_word(text, start), min(max(count, np.int64(1)), _WORD))
    value = digits_value(head)
    if not are_digits(head) or count < 1:
        return np.int64(odd_quantity(text, start, end))
    if count > _WORD:
        value = long_quantity(text, start, end, value)
    return np.int64(value) if value <= most else -np.int64(_OUT_OF_RANGE)


@tight_kernel
def odd_quantity(text: np.int64, start: np.int64, end: np.int64) -> np.int64:
    """What a field is that does not begin as a number does."""
    if start == end:
        return _EMPTY
    if load_byte(text, start) != _MINUS or start + 1 == end:
        return -np.int64(_BAD_NUMBER)
    for at in range(start + 1, end):
        if load_byte(text, at) < _DIGIT_0 or load_byte(text, at) > _DIGIT_9:
            return -np.int64(_BAD_NUMBER)
    return -np.int64(_NEGATIVE)


@tight_kernel
def long_quantity(text: np.int64, start: np.int64, end: np.int64, value: np.int64) -> np.int64:
    """The number of more than eight digits of which the first eight are `value`; 17 digits or more are too large in any case."""
    for at in range(start + _WORD, end):
        if load_byte(text, at) < _DIGIT_0 or load_byte(text, at) > _DIGIT_9:
            return -np.int64(_BAD_NUMBER)
        if at - start < DIGITS_WRITTEN_MAX:
            value = value * 10 + np.int64(load_byte(text, at) - _DIGIT_0)
    return value if end - start <= DIGITS_WRITTEN_MAX else _HUGE


@tight_kernel
def begin_quantities(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """quantity of lines that no column adds to: one message where the layout does not count them, else nothing."""
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        out.quantity[row] = plan.default_messages if out.kind[row] == _MESSAGE else 0


@tight_kernel
def add_quantities(column: npt.NDArray[np.int64], lines: Lines, out: CallColumns) -> None:
    """Add one column (field, kind, scale, most) to quantity where the line is of its kind.

    BAD_NUMBER, NEGATIVE_QUANTITY, QUANTITY_OUT_OF_RANGE; a line of another kind may leave the field empty.
    """
    field, kind, scale, most = column[0], np.uint8(column[1]), column[2], column[3]
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        start, end = field_span(lines, line, field)
        value = written_quantity(lines.text, start, end, most)
        is_own = out.kind[row] == kind
        if value < 0:
            fault = np.uint8(-value) if value != _EMPTY else (_BAD_NUMBER if is_own else NOTHING)
            out.status[row] = min(out.status[row], fault)
            value = np.int64(0)
        out.quantity[row] += value * scale * np.int64(is_own)


@tight_kernel
def filter_rows(plan: CallPlan, lines: Lines, out: CallColumns) -> None:
    """QUANTITY_OUT_OF_RANGE of a sum; then UNANSWERED and ZERO_USAGE, which leave the row readable."""
    for line in range(lines.total):
        row = np.uint64(lines.row[line])
        fault = _ZERO_USAGE if out.quantity[row] == 0 else NOTHING
        if plan.disposition_field != ABSENT:
            start, end = field_span(lines, line, plan.disposition_field)
            if value_code(lines.text, start, end, plan.answered_values) == np.uint64(UNKNOWN_KIND):
                fault = _UNANSWERED
        if out.quantity[row] > plan.bytes_max:
            fault = _OUT_OF_RANGE
        out.status[row] = min(out.status[row], fault)
