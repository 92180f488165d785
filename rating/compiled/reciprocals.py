"""Exact division by divisors that are known when a book is compiled: a multiplication and a shift instead of a 64-bit division.

For a divisor d let s be the smallest integer with d <= 2**s, and m = floor(2**(63 + s) / d) + 1, which fits 64 bits. Then
m * d = 2**(63 + s) + e with 0 < e <= d, so n * m / 2**(63 + s) = n / d + (n / 2**63) * (e / d) / 2**s. For 0 <= n < 2**63 the
last term is less than 1 / 2**s <= 1 / d, and the fraction of n / d is at most 1 - 1 / d: the floor of both is the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from schemas.kernels_inlined import tight_kernel

DIVISOR_MAX = 2**62
_ONE = np.uint64(1)


def reciprocal(divisor: int) -> tuple[int, int]:
    """(m, s) of a divisor in [1, 2**62]; m as the int64 with the same 64 bits, since tables hold int64."""
    assert 1 <= divisor <= DIVISOR_MAX
    shift = (divisor - 1).bit_length()
    multiplier = (1 << (63 + shift)) // divisor + 1
    return multiplier - 2**64 if multiplier >= 2**63 else multiplier, shift


@intrinsic
def _high_product(context: Any, left: Any, right: Any) -> Any:
    """The upper 64 bits of a product of two uint64."""

    def generate(_: Any, builder: Any, __: Any, operands: Any) -> Any:
        wide = ir.IntType(128)
        factors = [builder.zext(operand, wide) for operand in operands]
        return builder.trunc(builder.lshr(builder.mul(*factors), ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), generate


@tight_kernel
def quotient(number: Any, multiplier: Any, shift: Any) -> Any:
    """floor(number / d) of an int64 >= 0, by the reciprocal of d; int64."""
    return np.int64(_high_product(np.uint64(number) << _ONE, np.uint64(multiplier)) >> np.uint64(shift))
