"""Text eight and sixty-four bytes at a time: unaligned loads, byte masks and digit arithmetic for the call-record kernels.

Loads are unchecked: the caller guarantees that every byte of the word or block lies inside the buffer. Words are little-endian,
so the first character is the lowest byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from schemas.kernels import inline_kernel

_BLOCK_BYTES = 64
_WORD = ir.IntType(64)
_BYTE = ir.IntType(8)

ZEROS = np.uint64(0x3030303030303030)  # eight characters '0'
_LOW_NIBBLES = np.uint64(0x0F0F0F0F0F0F0F0F)
_HIGH_NIBBLES = np.uint64(0xF0F0F0F0F0F0F0F0)
_SIXES = np.uint64(0x0606060606060606)
_THREES = np.uint64(0x3333333333333333)
_PAIRS = np.uint64(0x00FF00FF00FF00FF)
_QUADS = np.uint64(0x0000FFFF0000FFFF)
_LOW_HALF = np.uint64(0xFFFFFFFF)
_U4 = np.uint64(4)
_U8 = np.uint64(8)
_U16 = np.uint64(16)
_U32 = np.uint64(32)
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


def _address(context: Any, builder: Any, array_type: Any, array: Any, at: Any) -> Any:
    base = context.make_array(array_type)(context, builder, array).data
    return cgutils.pointer_add(builder, base, at)


@intrinsic
def load_word(typingctx: Any, buffer: Any, at: Any) -> Any:
    """Eight bytes of a u1 array from position `at` (int64) as a little-endian uint64; unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        word = builder.load(builder.bitcast(address, _WORD.as_pointer()))
        word.align = 1
        return word

    return types.uint64(buffer, types.int64), generate


@intrinsic
def byte_mask(typingctx: Any, buffer: Any, at: Any, wanted: Any) -> Any:
    """Bit i is set where byte `at + i` of the 64-byte block equals `wanted`; unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block_type = ir.VectorType(_BYTE, _BLOCK_BYTES)
        address = _address(context, builder, signature.args[0], arguments[0], arguments[1])
        block = builder.load(builder.bitcast(address, block_type.as_pointer()))
        block.align = 1
        single = builder.insert_element(ir.Constant(block_type, ir.Undefined), arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK_BYTES), [0] * _BLOCK_BYTES)
        equal = builder.icmp_unsigned("==", block, builder.shuffle_vector(single, ir.Constant(block_type, ir.Undefined), everywhere))
        return builder.bitcast(equal, _WORD)

    return types.uint64(buffer, types.int64, types.uint8), generate


@intrinsic
def lowest_bit(typingctx: Any, word: Any) -> Any:
    """The index of the lowest set bit; 64 for zero."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.uint64), generate


@intrinsic
def bit_count(typingctx: Any, word: Any) -> Any:
    """How many bits are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@inline_kernel
def low_bytes(count: np.int64) -> np.uint64:
    """A mask of the first `count` bytes of a word, 0 to 8 and more."""
    if count >= 8:
        return _ALL
    return (np.uint64(1) << np.uint64(8 * count)) - np.uint64(1)


@inline_kernel
def are_digits(word: np.uint64) -> np.bool_:
    """Whether all eight characters are '0' to '9' (a carry out of a byte needs one that the first half refuses)."""
    return ((word & _HIGH_NIBBLES) | (((word + _SIXES) & _HIGH_NIBBLES) >> _U4)) == _THREES


@inline_kernel
def leading_digits(word: np.uint64, count: np.int64) -> np.uint64:
    """The first `count` (0 to 8) characters, the rest filled with '0' at the end."""
    kept = low_bytes(count)
    return (word & kept) | (ZEROS & ~kept)


@inline_kernel
def trailing_digits(word: np.uint64, count: np.int64) -> np.uint64:
    """The first `count` (1 to 8) characters moved to the end of the word, filled with '0' before them."""
    left = np.uint64(8 * (8 - count))
    return (word << left) | ((ZEROS >> np.uint64(8 * (count - 1))) >> _U8)


@inline_kernel
def digits_value(word: np.uint64) -> np.int64:
    """The number that eight digit characters spell."""
    pairs = ((word & _LOW_NIBBLES) * np.uint64(10 << 8 | 1)) >> _U8
    quads = ((pairs & _PAIRS) * np.uint64(100 << 16 | 1)) >> _U16
    return np.int64(((quads & _QUADS) * np.uint64(10_000 << 32 | 1)) >> _U32)


@inline_kernel
def digits_nibbles(word: np.uint64) -> np.uint64:
    """Eight digit characters as 32 bits of nibbles, the first character highest."""
    pairs = word & _LOW_NIBBLES
    pairs = ((pairs << _U4) | (pairs >> _U8)) & _PAIRS
    quads = ((pairs << _U8) | (pairs >> _U16)) & _QUADS
    return ((quads << _U16) | (quads >> _U32)) & _LOW_HALF
