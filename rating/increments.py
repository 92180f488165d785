"""The price of one call by increments: the loop of reference rating §3 over exact integers, and the rounding of its total.

A rule row holds 16 integers. D is the common denominator of a tariff's weights for a kind of usage, g the booked step in nano-units:

    0 flags   rounding mode | free cap << 4 | priced by its start << 5 | only fee and two tiers << 6
    1 q       g * D           2 g                 3 fee * D
    4 increment of tier 0     5 its weight * D    6 start of tier 1 (NEVER if none)
    7 safe    the largest quantity for which no product or sum below can leave int64; -1: priced exactly in Python
    8 increment of tier 1     9 its weight * D   10 start of tier 2 (NEVER if none)
   11 minimum * D            12 cap * D (NEVER if none)
   13 place of tier 0 in the tier rows (start, increment, weight * D), which end with a row that starts at NEVER
   14 D                      15 discount ladder, -1 none
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.kernels import inline_kernel
from schemas.reasons import Reason

RULE_WORDS = 16
NEVER = 2**62
MODES = ("up", "down", "half_up", "half_even")
FREE_CAP, BY_START, PLAIN = 1 << 4, 1 << 5, 1 << 6
NEEDS_EXACT = 255  # a status inside the room only: the row goes to the big-integer path
_NO_RATE_AT_INSTANT = int(Reason.NO_RATE_AT_INSTANT)
_MODE_BITS = 15
_UP, _DOWN, _HALF_UP = 0, 1, 2

I64 = npt.NDArray[np.int64]
I32 = npt.NDArray[np.int32]


@inline_kernel
def booked_nano(total: int, flags: int, q: int, g: int) -> int:
    """g * R(N): the total rounded once, by magnitude and with its sign."""
    magnitude = abs(total)
    steps = magnitude // q
    rest = magnitude - steps * q
    mode = flags & _MODE_BITS
    if mode == _UP:
        steps += rest > 0
    elif mode != _DOWN:
        twice = rest + rest
        if mode == _HALF_UP:
            steps += twice >= q
        else:
            steps += (twice > q) | ((twice == q) & (steps & 1))
    return steps * g if total >= 0 else -steps * g


@inline_kernel
def elapsed_at(instant: int, start_at: int) -> int:
    """The first whole millisecond after `start_at` that is not before `instant`."""
    return (instant - start_at + 999) // 1000


@inline_kernel
def price_call(
    segment: I64,
    winner: I32,
    rule_rows: I64,
    tier_rows: I64,
    place: int,
    cell: int,
    rule: int,
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
        shown: [rows, 6] takes (elapsed, increments, increment, rule, tier, total * D after it); rows beyond its length are counted only.
    Returns:
        (status, total * D, elapsed after the last increment, segments). Status 0, NO_RATE_AT_INSTANT or NEEDS_EXACT.
    """
    at_start = rule
    flags = rule_rows[rule, 0]
    by_start = flags & BY_START
    if quantity > rule_rows[rule, 7]:
        return NEEDS_EXACT, 0, 0, 0
    total = rule_rows[rule, 3] if with_fee else 0
    if flags & FREE_CAP:
        total = min(total, rule_rows[rule, 12])
    border = quantity
    written = 0
    while elapsed < quantity:
        if not by_start:
            while elapsed >= elapsed_at(segment[place, 0], start_at):
                place += 1
            rule = np.int64(winner[cell + segment[place, 1]])
            if rule < 0:
                return _NO_RATE_AT_INSTANT, 0, 0, 0
            if quantity > rule_rows[rule, 7]:
                return NEEDS_EXACT, 0, 0, 0
            last = place
            border = elapsed_at(segment[last, 0], start_at)
            while border < quantity and winner[cell + segment[last + 1, 1]] == rule:
                last += 1
                border = elapsed_at(segment[last, 0], start_at)
            border = min(border, quantity)
        is_capped = rule_rows[rule, 0] & FREE_CAP
        cap = rule_rows[rule, 12]
        row = rule_rows[rule, 13]
        tier = 0
        while elapsed < border:
            while elapsed >= tier_rows[row + tier + 1, 0]:
                tier += 1
            limit = min(border, tier_rows[row + tier + 1, 0])
            increment = tier_rows[row + tier, 1]
            count = (limit - elapsed + increment - 1) // increment
            raised = total + count * tier_rows[row + tier, 2]
            # A cap holds the total while its rule is in force; it never lowers what another rule charged before.
            total = max(total, min(raised, cap)) if is_capped else raised
            if written < len(shown):
                shown[written, 0] = elapsed
                shown[written, 1] = count
                shown[written, 2] = increment
                shown[written, 3] = rule
                shown[written, 4] = tier
                shown[written, 5] = total
            written += 1
            elapsed += count * increment
    if with_fee:
        total = max(total, rule_rows[at_start, 11])
    return 0, total, elapsed, written
