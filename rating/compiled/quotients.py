"""Kernels that divide by the reciprocals of `reciprocals`."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from schemas.kernels_inlined import tight_kernel

_ONE = np.uint64(1)


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
