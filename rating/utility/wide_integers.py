"""Products of two int64 in 128 bits, inside kernels: LLVM's 128-bit division does not link (reference: performance §6)."""

from __future__ import annotations

import numpy as np

from schemas.kernels import inline_kernel

_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_ONE = np.uint64(1)
_ZERO = np.uint64(0)
_SMALL = 2**31


@inline_kernel
def wide_product(a, b):  # type: ignore[no-untyped-def]
    """(high, low) words, uint64, of a * b for a, b in [0, 2**63)."""
    left, right = np.uint64(a), np.uint64(b)
    a_low, a_high = left & _LOW, left >> _HALF
    b_low, b_high = right & _LOW, right >> _HALF
    low = a_low * b_low
    middle = a_high * b_low + (low >> _HALF)  # below 2**63: no carry is lost
    other = a_low * b_high + (middle & _LOW)
    return a_high * b_high + (middle >> _HALF) + (other >> _HALF), (other << _HALF) | (low & _LOW)


@inline_kernel
def share_half_up(quantity, part, whole):  # type: ignore[no-untyped-def]
    """quantity * part / whole half up, exact, for 0 <= part <= whole, 0 <= quantity, 0 < whole < 2**62."""
    if quantity < _SMALL and part < _SMALL:
        return (quantity * part + whole // 2) // whole
    high, low = wide_product(quantity, part)
    divisor = np.uint64(whole)
    rest = high % divisor
    found = _ZERO
    for place in range(64):
        rest = (rest << _ONE) | ((low >> np.uint64(63 - place)) & _ONE)
        found <<= _ONE
        if rest >= divisor:
            rest -= divisor
            found |= _ONE
    if rest >= divisor - rest:
        found += _ONE
    return np.int64(found)


@inline_kernel
def add_product(words, a, b):  # type: ignore[no-untyped-def]
    """Add a * b to a 128-bit two's complement number. words: [2] uint64, low first; a in [0, 2**63), b not the least int64."""
    high, low = wide_product(a, abs(b))
    before = words[0]
    if b >= 0:
        words[0] = before + low
        words[1] += high + (_ONE if words[0] < before else _ZERO)
    else:
        words[0] = before - low
        words[1] -= high + (_ONE if before < low else _ZERO)
