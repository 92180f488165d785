"""Content identifiers: 128 bits from two independently seeded 64-bit lanes, computed by kernels and by an exact twin.

A lane absorbs 64-bit words. Each step is a bijection of the state for a given word, so equal-length keys that differ in one word
never collide in it; over n ids the chance of any false equality is about n**2 / 2**129.
"""

from __future__ import annotations

import numpy as np

from schemas.kernels import inline_kernel

_MASK = (1 << 64) - 1
LANE_HI_SEED = 0x9AE16A3B2F90404F
LANE_LO_SEED = 0xC949C7DEFE4F1D31
_MULTIPLY_HI = 0x9E3779B97F4A7C15
_MULTIPLY_LO = 0xD6E8FEB86659FD93

HI_SEED = np.uint64(LANE_HI_SEED)
LO_SEED = np.uint64(LANE_LO_SEED)
HI_MULTIPLIER = np.uint64(_MULTIPLY_HI)
LO_MULTIPLIER = np.uint64(_MULTIPLY_LO)
_U29 = np.uint64(29)
_U32 = np.uint64(32)


@inline_kernel
def absorb(state: np.uint64, word: np.uint64, multiplier: np.uint64) -> np.uint64:
    """One lane takes one word."""
    mixed = (state ^ word) * multiplier
    mixed ^= mixed >> _U29
    mixed *= multiplier
    return mixed ^ (mixed >> _U32)


@inline_kernel
def mixed_number(number: np.uint64) -> np.uint64:
    """A well-mixed word of a packed telephone number: its low bits choose the service partition and the place in a directory."""
    word = number * HI_MULTIPLIER
    return word ^ (word >> _U32)


def absorb_exact(state: int, word: int, multiplier: int) -> int:
    """The twin of `absorb` on Python integers."""
    mixed = ((state ^ word) * multiplier) & _MASK
    mixed ^= mixed >> 29
    mixed = (mixed * multiplier) & _MASK
    return mixed ^ (mixed >> 32)


def record_id_of(words: list[int], *, seed: int = 0) -> tuple[int, int]:
    """(hi, lo) of a natural key given as 64-bit words; kernels compute the same with `absorb`."""
    hi, lo = absorb_exact(LANE_HI_SEED, seed, _MULTIPLY_HI), absorb_exact(LANE_LO_SEED, seed, _MULTIPLY_LO)
    for word in words:
        hi, lo = absorb_exact(hi, word & _MASK, _MULTIPLY_HI), absorb_exact(lo, word & _MASK, _MULTIPLY_LO)
    return hi, lo


def text_words(text: bytes) -> list[int]:
    """Little-endian 8-byte words of a text, zero-padded, followed by its length, so that no text is another's prefix."""
    words = [int.from_bytes(text[at : at + 8], "little") for at in range(0, len(text), 8)]
    return [*words, len(text)]


def tenant_seed(tenant: str) -> int:
    """The word that starts every natural key of a tenant."""
    return record_id_of(text_words(tenant.encode()))[0]


def hex_id(hi: int, lo: int) -> str:
    """How a record id is written for people: 32 hexadecimal digits."""
    return f"{hi & _MASK:016x}{lo & _MASK:016x}"
