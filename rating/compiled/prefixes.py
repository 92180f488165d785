"""Longest-prefix match over the prefixes of all tariffs: a direct table on five digits, then one digit at a time.

Numbers are packed nibbles (`schemas.numbers`). A table entry is a node (>= 0) or -(s + 1) for the sixteen entries of subtable s,
one cache line. Ranges are filled over all sixteen nibbles, so that the F fill of a short number leads to its longest prefix.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from rating.compiled.prefix_table import TOP_DIGITS
from schemas.kernels import inline_kernel
from schemas.kernels_inlined import tight_kernel

U_DIGIT_BITS = np.uint64(4)
U_DIGIT = np.uint64(15)
U_TOP_SHIFT = np.uint64(64 - 4 * TOP_DIGITS)
U_SUB_SHIFT = np.uint64(64 - 4 * TOP_DIGITS - 4)


@inline_kernel
def node_of_number(number: np.uint64, top: npt.NDArray[np.int32], sub: npt.NDArray[np.int32]) -> Any:
    """The node of the longest prefix of a packed number."""
    node: Any = np.int64(top[np.int64(number >> U_TOP_SHIFT)])
    shift = U_SUB_SHIFT
    while node < 0:
        node = np.int64(sub[((-node - 1) << 4) + np.int64((number >> shift) & U_DIGIT)])
        shift -= U_DIGIT_BITS
    return node


@tight_kernel
def match_block(
    numbers: npt.NDArray[np.uint64],
    first: int,
    rows: int,
    top: npt.NDArray[np.int32],
    sub: npt.NDArray[np.int32],
    node: npt.NDArray[np.int32],
    waiting: npt.NDArray[np.int32],
) -> None:
    """The nodes of `rows` numbers from `first` on, digit by digit over all that still wait: no branch depends on a table."""
    count: Any = 0
    for j in range(rows):
        found = np.int64(top[numbers[np.uint64(first + j)] >> U_TOP_SHIFT])
        node[np.uint64(j)] = found
        waiting[np.uint64(count)] = j
        count += found < 0
    shift = U_SUB_SHIFT
    while count > 0:
        left: Any = 0
        for k in range(count):
            row = np.int64(waiting[np.uint64(k)])
            digit = (numbers[np.uint64(first + row)] >> shift) & U_DIGIT
            found = np.int64(sub[np.uint64(-np.int64(node[np.uint64(row)]) - 1) << U_DIGIT_BITS | digit])
            node[np.uint64(row)] = found
            waiting[np.uint64(left)] = row
            left += found < 0
        count = left
        shift -= U_DIGIT_BITS
