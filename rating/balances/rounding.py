"""The one rounding of a running total and its inverse: reference rating §4.

A total N is an integer over D; q = g * D, g the booked step in nano-units. All of it holds for integers of any size: the same
source runs compiled and, for rows that int64 might not hold, as plain Python.
"""

from __future__ import annotations

from schemas.kernels_borrowed import borrowing_part

UP, DOWN, HALF_UP, HALF_EVEN = range(4)


@borrowing_part
def rounded_steps(total: int, mode: int, q: int) -> int:
    """R(N): the total in booked steps, rounded by magnitude and with its sign."""
    magnitude = total if total >= 0 else -total
    steps = magnitude // q
    rest = magnitude - steps * q
    if mode == UP:
        if rest > 0:
            steps += 1
    elif mode == HALF_UP:
        if rest + rest >= q:
            steps += 1
    elif mode == HALF_EVEN and (rest + rest > q or (rest + rest == q and steps % 2 == 1)):
        steps += 1
    return steps if total >= 0 else -steps


@borrowing_part
def largest_total(steps: int, mode: int, q: int, limit: int) -> int:
    """The largest N with R(N) <= steps; `limit` where that lies beyond a quarter of it (no total does)."""
    if steps > limit // q // 4:
        return limit
    if steps < -(limit // q // 4):
        return -limit
    if steps >= 0:
        if mode == UP:
            return steps * q
        if mode == DOWN:
            return (steps + 1) * q - 1
        if mode == HALF_EVEN and steps % 2 == 0:
            return (2 * steps + 1) * q // 2
        return ((2 * steps + 1) * q - 1) // 2
    # Below zero the magnitude must reach `least` steps: the smallest magnitude that does.
    least = -steps
    if mode == UP:
        return -((least - 1) * q + 1)
    if mode == DOWN:
        return -(least * q)
    if mode == HALF_EVEN and least % 2 == 1:
        return -((2 * least - 1) * q // 2 + 1)
    return -(((2 * least - 1) * q + 1) // 2)


@borrowing_part
def greatest_divisor(a: int, b: int) -> int:
    """The greatest number that divides two positive ones."""
    while b > 0:
        a, b = b, a % b
    return a
