"""The price of one call by increments: the loop of reference rating §3 over exact integers, and the rounding of its total.

The rows are those of `rating.compiled.rule_layout`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.choice_kernels import rule_at
from rating.compiled.rule_layout import BY_START, CAP, FREE_CAP, MINIMUM, MODE_BITS, TIERS
from schemas.kernels import inline_kernel
from schemas.kernels_inlined import tight_kernel
from schemas.reasons import Reason

U_LOW = np.uint64(2**32 - 1)
NEEDS_EXACT = 255  # a status inside the room only: the row goes to the big-integer path
_NO_RATE_AT_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_UP, _DOWN, _HALF_UP = 0, 1, 2

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]


@inline_kernel
def booked_nano(total: Any, flags: Any, q: Any, g: Any) -> Any:
    """g * R(N): the total rounded once, by magnitude and with its sign."""
    return rounded_steps(total, abs(total) // q, flags, q) * g


@tight_kernel
def rounded_steps(total: Any, whole: Any, flags: Any, q: Any) -> Any:
    """R(N) of a total N, `whole` being floor(|N| / q); the sign is that of N."""
    magnitude = abs(total)
    steps = np.int64(whole)
    rest = magnitude - steps * q
    mode = flags & MODE_BITS
    if mode == _UP:
        steps += rest > 0
    elif mode != _DOWN:
        twice = rest + rest
        if mode == _HALF_UP:
            steps += twice >= q
        else:
            steps += (twice > q) | ((twice == q) & (steps & 1))
    return steps if total >= 0 else -steps


@inline_kernel
def elapsed_at(instant: int, start_at: int) -> int:
    """The first whole millisecond after `start_at` that is not before `instant`."""
    return (instant - start_at + 999) // 1000


@inline_kernel
def price_call(
    segment: I64,
    choices: I32,
    rule_rows: I64,
    words: I64,
    place: int,
    cell: int,
    rule: Any,  # numba's int64; any integer to Python
    start_at: int,
    quantity: int,
    elapsed: int,
    with_fee: bool,
    shown: I64,
) -> tuple[int, int, int, int]:
    """Price a call from `elapsed` on, as the loop of reference rating §3 does.

    Args:
        place, cell, rule: the segment of `start_at`, the cell of the called number, and the rule at `start_at` (>= 0).
        quantity: the whole usage in base units, > `elapsed` >= 0.
        with_fee: False where an allowance paid the first increment: no connect fee, no minimum.
        shown: [rows, 6] takes (elapsed, increments, increment, rule, tier, total * D after it); rows beyond its length are
            only counted.
    Returns:
        (status, total * D, elapsed after the last increment, segments). Status 0, NO_RATE_AT_INSTANT or NEEDS_EXACT.
    """
    by_start = rule_rows[rule, 0] & BY_START
    more = rule_rows[rule, 7]
    minimum = words[more + MINIMUM]
    if quantity > rule_rows[rule, 2]:
        return NEEDS_EXACT, 0, 0, 0
    total = min(rule_rows[rule, 1], words[more + CAP]) if with_fee else 0
    border = quantity
    written = 0
    while elapsed < quantity:
        if not by_start:
            while elapsed >= elapsed_at(segment[place, 0], start_at):
                place += 1
            rule = rule_at(choices, cell, segment[place, 1])
            if rule < 0:
                return _NO_RATE_AT_INSTANT, 0, 0, 0
            if quantity > rule_rows[rule, 2]:
                return NEEDS_EXACT, 0, 0, 0
            last = place
            border = elapsed_at(segment[last, 0], start_at)
            while border < quantity and rule_at(choices, cell, segment[last + 1, 1]) == rule:
                last += 1
                border = elapsed_at(segment[last, 0], start_at)
            border = min(border, quantity)
        more = rule_rows[rule, 7]
        is_capped = rule_rows[rule, 0] & FREE_CAP
        cap = words[more + CAP]
        tier = more + TIERS
        while elapsed < border:
            while elapsed >= words[tier + 3]:
                tier += 3
            increment = words[tier + 1]
            count = (min(border, words[tier + 3]) - elapsed + increment - 1) // increment
            raised = total + count * words[tier + 2]
            # A cap holds the total while its rule is in force; it never lowers what another rule charged before.
            total = max(total, min(raised, cap)) if is_capped else raised
            if written < len(shown):
                shown[written, 0] = elapsed
                shown[written, 1] = count
                shown[written, 2] = increment
                shown[written, 3] = rule
                shown[written, 4] = (tier - more - TIERS) // 3
                shown[written, 5] = total
            written += 1
            elapsed += count * increment
    if with_fee:
        total = max(total, minimum) if minimum > 0 else total
    return 0, total, elapsed, written
