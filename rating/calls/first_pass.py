"""The first pass: the list price of each record by its own attributes, stateless.

Line-scoped rounding: the record is booked to the nearest nano-unit here and the line rounds later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rating.calls.exact_price import exact_price
from rating.calls.increments import NEEDS_EXACT, U_LOW, booked_nano, elapsed_at, price_call
from rating.compiled.book import INDEX_BITS, TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.compiled.prefixes import match_block
from rating.compiled.rule_layout import BY_START, RULE_WORDS, SCALE_SHIFT, SHORT
from rating.compiled.winners import CALL_KIND_COUNT, NO_RATE_FOR_DESTINATION
from schemas.errors import Fault, MeterlineError
from schemas.kernels import inline_kernel, kernel
from schemas.reasons import Reason

_ZERO_USAGE = int(Reason.ZERO_USAGE)
_NO_TARIFF = int(Reason.NO_TARIFF_FOR_SUBJECT)
_NO_DESTINATION = int(Reason.NO_RATE_FOR_DESTINATION)
_NO_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_NO_RATE = NO_RATE_FOR_DESTINATION
_KINDS = CALL_KIND_COUNT
_BITS = INDEX_BITS
_U1, _U32 = np.uint64(1), np.uint64(32)
BLOCK = 512


@dataclass(slots=True)
class RatedCalls:
    """One row for each record. Where `status` is not 0, charge and charged quantity are 0 and the rule is -1."""

    charge_nano: npt.NDArray[np.int64]
    charged_quantity: npt.NDArray[np.int64]  # after increments, base units of the kind
    rule_index: npt.NDArray[np.int32]  # the rule at the start
    status: npt.NDArray[np.uint8]  # schemas.reasons.Reason

    @classmethod
    def empty(cls, rows: int) -> RatedCalls:
        return cls(
            np.empty(rows, dtype=np.int64),
            np.empty(rows, dtype=np.int64),
            np.empty(rows, dtype=np.int32),
            np.empty(rows, dtype=np.uint8),
        )

    def first(self, rows: int) -> RatedCalls:
        """A view of the first rows, so that one large buffer serves batches of any size."""
        return RatedCalls(self.charge_nano[:rows], self.charged_quantity[:rows], self.rule_index[:rows], self.status[:rows])


@inline_kernel
def _word(words: npt.NDArray[np.int64], index: Any) -> Any:
    """One word by an index that is known not to be negative: numba then leaves out its wrap-around of negative indices."""
    return words[np.uint64(index)]


@kernel()
def _rate(  # type: ignore[no-untyped-def]
    tariff_index, kind, called_number, start_at, quantity,
    span_start, span_end, steps, segment, top, sub, cell_of, winner, rule_rows, scale_rows, words,
    charge_nano, charged_quantity, rule_index, status, block, tariff_count,
):  # fmt: skip
    """Price each record. All inputs [n]; arrays of the book as in `book`; block: [4, BLOCK] scratch.

    Works in blocks and, within one, step by step over all records: each step's memory accesses are independent of one another, so
    that they overlap instead of waiting in a chain number -> node -> cell -> rule -> row for every record.
    Returns how many rows need the big-integer path, -1 where a row may not be priced at all.
    """
    nothing = np.empty((0, 6), dtype=np.int64)
    node, cell, place, waiting = block[0], block[1], block[2], block[3]
    flat_steps, flat_cells, flat_segments = steps.ravel(), cell_of.ravel(), segment.ravel()
    flat_rows, flat_scales = rule_rows.ravel(), scale_rows.ravel()
    step_count, node_count = steps.shape[1], cell_of.shape[1]
    exact = 0
    for first in range(0, len(tariff_index), BLOCK):
        rows = min(BLOCK, len(tariff_index) - first)
        bad = False
        for j in range(rows):
            bad |= (tariff_index[first + j] >= tariff_count) | (kind[first + j] >= _KINDS) | (quantity[first + j] < 0)
        if bad:
            return -1
        match_block(called_number, first, rows, top, sub, node, waiting)
        for j in range(rows):
            i = first + j
            tariff: Any = max(np.int64(tariff_index[i]), 0)
            at = min(max(start_at[i], span_start), span_end - 1)
            cell[j] = _word(flat_cells, (tariff * _KINDS + kind[i]) * node_count + node[j])
            place[j] = _word(flat_steps, tariff * step_count + ((at - span_start) >> _BITS))
        for j in range(rows):
            at = min(start_at[first + j], span_end - 1)
            here = place[j]
            while at >= _word(flat_segments, here + here):
                here += 1
            place[j] = here
            rule_index[first + j] = _word(winner, cell[j] + _word(flat_segments, here + here + 1))
        for j in range(rows):
            i = first + j
            used = quantity[i]
            at = start_at[i]
            rule = np.int64(rule_index[i])
            refused = 0
            if used == 0:
                refused = _ZERO_USAGE
            elif tariff_index[i] < 0:
                refused = _NO_TARIFF
            elif rule == _NO_RATE:
                refused = _NO_DESTINATION
            elif rule < 0 or at < span_start or at >= span_end:
                refused = _NO_INSTANT
            total: Any = 0
            elapsed: Any = 0
            flags: Any = 0
            if refused == 0:
                row = rule * RULE_WORDS
                flags = _word(flat_rows, row)
                # The short way is price_call unrolled: one rule for the whole call, two tiers at most, neither cap nor minimum.
                if (
                    (flags & SHORT != 0)
                    & (used <= _word(flat_rows, row + 2))
                    & ((flags & BY_START != 0) | (used <= elapsed_at(_word(flat_segments, place[j] + place[j]), at)))
                ):
                    both = np.uint64(_word(flat_rows, row + 4))
                    step, next_step = both & U_LOW, both >> _U32
                    count = np.int64((np.uint64(min(used, _word(flat_rows, row + 3))) + step - _U1) // step)
                    elapsed = count * np.int64(step)
                    more = np.int64((np.uint64(max(used - elapsed, 0)) + next_step - _U1) // next_step)
                    elapsed += more * np.int64(next_step)
                    total = _word(flat_rows, row + 1) + count * _word(flat_rows, row + 5) + more * _word(flat_rows, row + 6)
                else:
                    refused, total, elapsed, _ = price_call(
                        segment, winner, rule_rows, words, place[j], cell[j], rule, at, used, 0, True, nothing
                    )
                    exact += refused == NEEDS_EXACT
            status[i] = refused
            if refused == 0:
                scale = (flags >> SCALE_SHIFT) * 3
                charge_nano[i] = booked_nano(total, flags, _word(flat_scales, scale), _word(flat_scales, scale + 1))
                charged_quantity[i] = elapsed
            else:
                charge_nano[i] = 0
                charged_quantity[i] = 0
                rule_index[i] = -1
    return exact


def rate_calls(
    book: TariffBook,
    tariff_index: npt.NDArray[np.int32],
    kind: npt.NDArray[np.uint8],
    called_number: npt.NDArray[np.uint64],
    start_at: npt.NDArray[np.int64],
    quantity: npt.NDArray[np.int64],
    *,
    out: RatedCalls | None = None,
) -> RatedCalls:
    """The list price of each record.

    Args:
        tariff_index: i4[n], position in `book.tariff_ids`, -1 for a record without a tariff.
        kind: u1[n], voice 0, message 1 or volume 2.
        called_number: u8[n], packed (`schemas.numbers`); EMPTY_NUMBER for usage without a number.
        start_at: i8[n], microseconds UTC.
        quantity: i8[n] >= 0, milliseconds, messages or bytes by kind.
        out: takes the result if given; exactly n rows.
    Returns:
        `RatedCalls`. Status: ZERO_USAGE (charge 0), NO_TARIFF_FOR_SUBJECT, NO_RATE_FOR_DESTINATION, NO_RATE_AT_INSTANT (also for
        instants outside `book.span`, and for a hole later in the call), CHARGE_OVERFLOW (the result itself leaves int64).
    Raises:
        MeterlineError: columns of different lengths, a kind or tariff that does not exist, a negative quantity; names the row.
    """
    columns = _equal_columns(tariff_index, kind, called_number, start_at, quantity)
    rated = RatedCalls.empty(len(columns[0])) if out is None else out
    if len(rated.status) != len(columns[0]):
        raise MeterlineError(Fault("rate_calls out", "wrong length", str(len(rated.status)), str(len(columns[0]))))
    lines = book.timelines
    exact = _rate(
        *columns, book.span[0], book.span[1], lines.index, lines.segment, book.prefixes.top, book.prefixes.sub,
        book.cell_of, book.winner, book.rule_rows, book.scale_rows, book.rule_words,
        rated.charge_nano, rated.charged_quantity, rated.rule_index, rated.status,
        np.empty((4, BLOCK), dtype=np.int64), len(book.tariff_ids),
    )  # fmt: skip
    if exact < 0:
        _refuse_rows(book, columns)
    if exact:
        _rate_exactly(book, columns, rated)
    return rated


def _equal_columns(
    tariff_index: npt.ArrayLike,
    kind: npt.ArrayLike,
    called_number: npt.ArrayLike,
    start_at: npt.ArrayLike,
    quantity: npt.ArrayLike,
) -> list[npt.NDArray[np.int64]]:
    kinds = (np.int32, np.uint8, np.uint64, np.int64, np.int64)
    given = (tariff_index, kind, called_number, start_at, quantity)
    columns = [kernel_column(values, of) for values, of in zip(given, kinds, strict=True)]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise MeterlineError(Fault("rate_calls", "columns of different lengths", str(sorted(lengths)), "one length"))
    return columns


def _refuse_rows(book: TariffBook, columns: list[npt.NDArray[np.int64]]) -> None:
    """Name the first row that the kernel stopped at."""
    tariffs, kinds, _, _, quantities = columns
    refuse_row("tariff_index", tariffs >= len(book.tariff_ids), "no such tariff", tariffs, "an index of the book or -1")
    refuse_row("kind", kinds >= CALL_KIND_COUNT, "not a kind of call", kinds, "0, 1 or 2")
    refuse_row("quantity", quantities < 0, "a negative quantity", quantities, "zero or more")


def _rate_exactly(book: TariffBook, columns: list[npt.NDArray[np.int64]], rated: RatedCalls) -> None:
    """The rows whose products could leave int64, in Python integers: few, and rejected only if the result itself is too large."""
    for row in np.flatnonzero(rated.status == NEEDS_EXACT).tolist():
        price = exact_price(book, *(int(column[row]) for column in columns))
        rated.status[row] = price.status
        if price.status == 0:
            rated.charge_nano[row] = price.charge_nano
            rated.charged_quantity[row] = price.charged_quantity
            rated.rule_index[row] = price.rule_index
