"""The kernel of the first pass: blocks of records, and within a block one step at a time over all of them.

Each step's memory accesses are independent of one another, so that they overlap instead of waiting in a chain number -> node ->
cell -> rule -> row for every record. Places in tables are unsigned: numba then leaves out its wrap-around of negative indices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.calls.increments import NEEDS_EXACT, U_LOW, price_call, rounded_steps
from rating.compiled.book import INDEX_BITS
from rating.compiled.choice_kernels import rule_at
from rating.compiled.prefixes import match_block
from rating.compiled.quotients import quotient
from rating.compiled.rule_layout import BY_START, RULE_WORDS, SCALE_SHIFT, SCALE_WORDS, SHORT, STEP_WORDS
from rating.compiled.winners import CALL_KIND_COUNT, NO_RATE_FOR_DESTINATION
from schemas.kernels import kernel
from schemas.kernels_inlined import tight_kernel
from schemas.reasons import Reason

BLOCK = 256  # with the four scratch rows and the columns of a block it stays in the first-level cache

_ZERO_USAGE = int(Reason.ZERO_USAGE)
_NO_TARIFF = int(Reason.NO_TARIFF_FOR_SUBJECT)
_NO_DESTINATION = int(Reason.NO_RATE_FOR_DESTINATION)
_NO_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_NO_RATE = NO_RATE_FOR_DESTINATION
_KINDS = CALL_KIND_COUNT
_BITS = INDEX_BITS
_LONG_MS = 2**53  # longer than any border is away, and 1000 times it is still an int64
_U1, _U2, _U3, _U4, _U5, _U6, _U32 = (np.uint64(number) for number in (1, 2, 3, 4, 5, 6, 32))
_STEP_WORDS, _RULE_WORDS, _SCALE_WORDS = np.uint64(STEP_WORDS), np.uint64(RULE_WORDS), np.uint64(SCALE_WORDS)
_SCALE_SHIFT = np.uint64(SCALE_SHIFT)


@kernel()
def rate_rows(  # type: ignore[no-untyped-def]
    tariff_index, kind, called_number, start_at, quantity,
    span_start, span_end, steps, segment, top, sub, cell_of, choices, rule_rows, step_rows, scale_rows, words,
    charge_nano, charged_quantity, rule_index, status, block, nothing, tariff_count,
):  # fmt: skip
    """Price each record. All inputs [n]; arrays of the book as in `book`; block: i4[4, BLOCK] scratch, nothing: i8[0, 6].

    Returns how many rows need the big-integer path, -1 where a row may not be priced at all.
    """
    node, cell, place, waiting = block[0], block[1], block[2], block[3]
    ends, flat_rules, flat_steps, flat_scales = segment.ravel(), rule_rows.ravel(), step_rows.ravel(), scale_rows.ravel()
    exact = 0
    for first in range(0, len(tariff_index), BLOCK):
        rows = min(BLOCK, len(tariff_index) - first)
        if _any_bad(tariff_index, kind, quantity, first, rows, tariff_count):
            return -1
        match_block(called_number, first, rows, top, sub, node, waiting)
        _find_cells(tariff_index, kind, start_at, first, rows, span_start, span_end, steps, cell_of, node, cell, place)
        _find_rules(start_at, first, rows, span_end, ends, choices, cell, place, rule_index)
        for j in range(rows):
            i = np.uint64(first + j)
            used, at = quantity[i], start_at[i]
            rule: Any = np.int64(rule_index[i])
            row = np.uint64(max(rule, 0)) * _RULE_WORDS
            flags = flat_rules[row]
            here = np.int64(place[np.uint64(j)])
            is_priced = (used > 0) & (tariff_index[i] >= 0) & (rule >= 0) & (at >= span_start) & (at < span_end)
            # One rule for the whole call. Elapsed usage is before a border if 1000 * used <= border + 999 - start.
            is_whole = (flags & BY_START != 0) | (min(used, _LONG_MS) * 1000 <= ends[np.uint64(here + here)] - at + 999)
            if is_priced & is_whole & (flags & SHORT != 0) & (used <= flat_rules[row + _U2]):
                total, elapsed = _short_total(used, flat_rules, row, flat_steps)
                status[i] = 0
                charge_nano[i] = _booked(total, flags, flat_scales)
                charged_quantity[i] = elapsed
                continue
            refused = _refusal(used, np.int64(tariff_index[i]), rule, at, span_start, span_end)
            total, elapsed = 0, 0
            if refused == 0:
                refused, total, elapsed, _ = price_call(
                    segment, choices, rule_rows, words, here, np.int64(cell[np.uint64(j)]), rule, at, used, 0, True, nothing
                )
                exact += refused == NEEDS_EXACT
            status[i] = refused
            charge_nano[i] = _booked(total, flags, flat_scales) if refused == 0 else 0
            charged_quantity[i] = elapsed if refused == 0 else 0
            rule_index[i] = rule if refused == 0 else -1
    return exact


@tight_kernel
def _any_bad(tariff_index: Any, kind: Any, quantity: Any, first: Any, rows: Any, tariff_count: Any) -> Any:
    """Whether some row of the block may not be looked up."""
    bad = False
    for j in range(rows):
        i = np.uint64(first + j)
        bad |= (tariff_index[i] >= tariff_count) | (kind[i] >= _KINDS) | (quantity[i] < 0)
    return bad


@tight_kernel
def _find_cells(
    tariff_index: Any, kind: Any, start_at: Any, first: Any, rows: Any, span_start: Any, span_end: Any,
    steps: Any, cell_of: Any, node: Any, cell: Any, place: Any,
) -> None:  # fmt: skip
    """The record of `choices` for number, tariff and kind, and a segment at or before the start; both for any row whatever."""
    flat_steps, flat_cells = steps.ravel(), cell_of.ravel()
    step_count, node_count = steps.shape[1], cell_of.shape[1]
    for j in range(rows):
        i, k = np.uint64(first + j), np.uint64(j)
        tariff: Any = max(np.int64(tariff_index[i]), 0)
        at: Any = min(max(start_at[i], span_start), span_end - 1)
        cell[k] = flat_cells[np.uint64((tariff * _KINDS + np.int64(kind[i])) * node_count + np.int64(node[k]))]
        place[k] = flat_steps[np.uint64(tariff * step_count + ((at - span_start) >> _BITS))]


@tight_kernel
def _find_rules(
    start_at: Any, first: Any, rows: Any, span_end: Any, ends: Any, choices: Any, cell: Any, place: Any, rule_index: Any
) -> None:
    """The segment of each start, and the rule there."""
    for j in range(rows):
        i, k = np.uint64(first + j), np.uint64(j)
        at = min(start_at[i], span_end - 1)
        here = np.int64(place[k])
        while at >= ends[np.uint64(here + here)]:
            here += 1
        place[k] = here
        rule_index[i] = rule_at(choices, cell[k], ends[np.uint64(here + here + 1)])


@tight_kernel
def _short_total(used: Any, rules: Any, row: Any, steps: Any) -> Any:
    """(total * D, charged quantity) of a call with one rule, two tiers at most, neither cap nor minimum: price_call unrolled."""
    both = np.uint64(rules[row + _U4])
    one, other = (both & U_LOW) * _STEP_WORDS, (both >> _U32) * _STEP_WORDS
    step, next_step = steps[one], steps[other]
    count = quotient(min(used, rules[row + _U3]) + step - 1, steps[one + _U1], steps[one + _U2])
    elapsed = count * step
    more = quotient(max(used - elapsed, 0) + next_step - 1, steps[other + _U1], steps[other + _U2])
    return rules[row + _U1] + count * rules[row + _U5] + more * rules[row + _U6], elapsed + more * next_step


@tight_kernel
def _booked(total: Any, flags: Any, scales: Any) -> Any:
    """g * R(N), as `increments.booked_nano`; |N| < 2**62."""
    scale = (np.uint64(flags) >> _SCALE_SHIFT) * _SCALE_WORDS
    whole = quotient(abs(total), scales[scale + _U3], scales[scale + _U4])
    return rounded_steps(total, whole, flags, scales[scale]) * scales[scale + _U1]


@tight_kernel
def _refusal(used: Any, tariff: Any, rule: Any, at: Any, span_start: Any, span_end: Any) -> Any:
    """Why a record has no price at its start, 0 for none: the first that applies in order of precedence."""
    refused = 0
    if used == 0:
        refused = _ZERO_USAGE
    elif tariff < 0:
        refused = _NO_TARIFF
    elif rule == _NO_RATE:
        refused = _NO_DESTINATION
    elif rule < 0 or at < span_start or at >= span_end:
        refused = _NO_INSTANT
    return refused
