"""Record ids: the kernel's lane is the exact twin's, and keys that differ do not meet."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from schemas.hashing import (
    HI_MULTIPLIER,
    HI_SEED,
    LO_MULTIPLIER,
    LO_SEED,
    absorb,
    absorb_exact,
    hex_id,
    record_id_of,
    tenant_seed,
    text_words,
)

WORDS = st.integers(0, 2**64 - 1)


@given(WORDS, WORDS)
def test_the_kernel_absorbs_as_its_twin_does(state: int, word: int) -> None:
    for multiplier in (HI_MULTIPLIER, LO_MULTIPLIER):
        assert int(absorb(np.uint64(state), np.uint64(word), multiplier)) == absorb_exact(state, word, int(multiplier))


@given(st.lists(WORDS, max_size=6), WORDS)
def test_an_id_is_its_words_absorbed_one_by_one(words: list[int], seed: int) -> None:
    hi, lo = HI_SEED, LO_SEED
    for word in (seed, *words):
        hi = np.uint64(absorb(hi, np.uint64(word), HI_MULTIPLIER))  # called from Python, a kernel returns a plain int
        lo = np.uint64(absorb(lo, np.uint64(word), LO_MULTIPLIER))
    assert (int(hi), int(lo)) == record_id_of(words, seed=seed)


@given(WORDS, WORDS, WORDS)
def test_keys_that_differ_in_one_word_never_collide(first: int, other: int, rest: int) -> None:
    hi, lo = record_id_of([first, rest])
    other_hi, other_lo = record_id_of([other, rest])
    assert (hi == other_hi) == (lo == other_lo) == (first == other)


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_no_text_is_a_prefix_of_another(one: bytes, other: bytes) -> None:
    longer, shorter = sorted((text_words(one), text_words(other)), key=len, reverse=True)
    assert one == other or longer[: len(shorter)] != shorter


def test_tenants_have_different_ids_and_ids_are_written_in_32_digits() -> None:
    assert tenant_seed("north") != tenant_seed("south") != tenant_seed("")
    assert hex_id(*record_id_of([1, 2, 3])) == "".join(f"{half:016x}" for half in record_id_of([1, 2, 3]))
    assert hex_id(1, 2) == "0000000000000001" + "0000000000000002"
    assert hex_id(-1, 2**64 - 1) == "f" * 32
