"""Exact division by divisors that are known when a book is compiled: a multiplication and a shift instead of a 64-bit division.

For a divisor d let s be the smallest integer with d <= 2**s, and m = floor(2**(63 + s) / d) + 1, which fits 64 bits. Then
m * d = 2**(63 + s) + e with 0 < e <= d, so n * m / 2**(63 + s) = n / d + (n / 2**63) * (e / d) / 2**s. For 0 <= n < 2**63 the
last term is less than 1 / 2**s <= 1 / d, and the fraction of n / d is at most 1 - 1 / d: the floor of both is the same.

Kept apart from the kernels that divide by it (`quotients`), so that what only compiles a small book does not load numba.
"""

from __future__ import annotations

DIVISOR_MAX = 2**62


def reciprocal(divisor: int) -> tuple[int, int]:
    """(m, s) of a divisor in [1, 2**62]; m as the int64 with the same 64 bits, since tables hold int64."""
    assert 1 <= divisor <= DIVISOR_MAX
    shift = (divisor - 1).bit_length()
    multiplier = (1 << (63 + shift)) // divisor + 1
    return multiplier - 2**64 if multiplier >= 2**63 else multiplier, shift
