"""Text eight and sixty-four bytes at a time: unaligned loads, byte masks and digit arithmetic for the call-record kernels.

A text is passed as the address of its first byte: an array handed from function to function costs two atomic reference counts
a call, as much as a field costs to read. Loads are unchecked: the caller guarantees that the array stays alive and that every
byte of the word or block lies inside it. Words are little-endian, so the first character is the lowest byte.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from schemas.kernels_inlined import tight_kernel

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


def _load(builder: Any, address: Any, at: Any, loaded_type: Any) -> Any:
    loaded = builder.load(builder.inttoptr(builder.add(address, at), loaded_type.as_pointer()))
    loaded.align = 1
    return loaded


@intrinsic
def load_word(typingctx: Any, text: Any, at: Any) -> Any:
    """Eight bytes from position `at` of the text at address `text` (both int64) as a little-endian uint64; unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(builder, arguments[0], arguments[1], _WORD)

    return types.uint64(types.int64, types.int64), generate


@intrinsic
def load_byte(typingctx: Any, text: Any, at: Any) -> Any:
    """The byte at position `at` of the text at address `text`; unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(builder, arguments[0], arguments[1], _BYTE)

    return types.uint8(types.int64, types.int64), generate


@intrinsic
def byte_mask(typingctx: Any, text: Any, at: Any, wanted: Any) -> Any:
    """Bit i is set where byte `at + i` of the 64-byte block of the text at address `text` equals `wanted`; unchecked."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        block_type = ir.VectorType(_BYTE, _BLOCK_BYTES)
        unset = ir.Constant(block_type, ir.Undefined)
        block = _load(builder, arguments[0], arguments[1], block_type)
        single = builder.insert_element(unset, arguments[2], ir.Constant(ir.IntType(32), 0))
        everywhere = ir.Constant(ir.VectorType(ir.IntType(32), _BLOCK_BYTES), [0] * _BLOCK_BYTES)
        equal = builder.icmp_unsigned("==", block, builder.shuffle_vector(single, unset, everywhere))
        return builder.bitcast(equal, _WORD)

    return types.uint64(types.int64, types.int64, types.uint8), generate


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


@tight_kernel
def low_bytes(count: np.int64) -> np.uint64:
    """A mask of the first `count` bytes of a word, 0 to 8 and more."""
    if count >= 8:
        return _ALL
    return (np.uint64(1) << np.uint64(8 * count)) - np.uint64(1)


@tight_kernel
def are_digits(word: np.uint64) -> bool:
    """Whether all eight characters are '0' to '9' (a carry out of a byte needs one that the first half refuses)."""
    return bool(((word & _HIGH_NIBBLES) | (((word + _SIXES) & _HIGH_NIBBLES) >> _U4)) == _THREES)


@tight_kernel
def leading_digits(word: np.uint64, count: np.int64) -> np.uint64:
    """The first `count` (0 to 8) characters, the rest filled with '0' at the end."""
    kept = low_bytes(count)
    return np.uint64((word & kept) | (ZEROS & ~kept))


@tight_kernel
def trailing_digits(word: np.uint64, count: np.int64) -> np.uint64:
    """The first `count` (1 to 8) characters moved to the end of the word, filled with '0' before them."""
    left = np.uint64(8 * (8 - count))
    return (word << left) | ((ZEROS >> np.uint64(8 * (count - 1))) >> _U8)


@tight_kernel
def digit_pairs(word: np.uint64) -> np.uint64:
    """The four two-digit numbers that eight digit characters spell, in 16 bits each, the first lowest."""
    return (((word & _LOW_NIBBLES) * np.uint64(10 << 8 | 1)) >> _U8) & _PAIRS


@tight_kernel
def digits_value(word: np.uint64) -> np.int64:
    """The number that eight digit characters spell."""
    quads = (digit_pairs(word) * np.uint64(100 << 16 | 1)) >> _U16
    return np.int64(((quads & _QUADS) * np.uint64(10_000 << 32 | 1)) >> _U32)


@tight_kernel
def digits_nibbles(word: np.uint64) -> np.uint64:
    """Eight digit characters as 32 bits of nibbles, the first character highest."""
    pairs = word & _LOW_NIBBLES
    pairs = ((pairs << _U4) | (pairs >> _U8)) & _PAIRS
    quads = ((pairs << _U8) | (pairs >> _U16)) & _QUADS
    return ((quads << _U16) | (quads >> _U32)) & _LOW_HALF
