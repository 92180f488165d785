"""How the rows that price a call are laid out: written by the compiler, read by the kernels.

A rule row holds 8 integers, one cache line. D is the common denominator of a tariff's weights for a kind of usage, g the booked
step in nano-units:

    0 flags   rounding mode | free cap << 4 | priced by its start << 5 | short << 6 | place of its scale row << 8
    1 fee * D
    2 safe    the largest quantity for which no product or sum can leave int64; -1: priced exactly in Python
    3 start of tier 1 (NEVER if none)
    4 places of the step rows of tiers 0 and 1, the second << 32 (where short)
    5 weight of tier 0 * D           6 weight of tier 1 * D
    7 place of its further words

*Short* marks a rule whose call has at most two tiers and neither cap nor minimum; both increments are then below 2**31.
Step rows: an increment and its reciprocal (multiplier, shift; see `reciprocals`), one word unused. Scale rows: q = g * D, g, D,
and the reciprocal of q. Further words: minimum * D, cap * D (NEVER if none), discount ladder (-1 none), then tier rows (start,
increment, weight * D) and a last one that starts at NEVER.
"""

from __future__ import annotations

RULE_WORDS, STEP_WORDS, SCALE_WORDS = 8, 4, 5
MINIMUM, CAP, LADDER, TIERS = 0, 1, 2, 3  # further words
NEVER = 2**62
MODES = ("up", "down", "half_up", "half_even")
MODE_BITS = 15
FREE_CAP, BY_START, SHORT = 1 << 4, 1 << 5, 1 << 6
SCALE_SHIFT = 8
