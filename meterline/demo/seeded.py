"""Seeded integers for the generators: one stream per purpose, and no float, so that output is the same on every machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

I64 = npt.NDArray[np.int64]


def stream(seed: int, purpose: int) -> np.random.Generator:
    """The generator of one purpose; adding a purpose does not disturb the others."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, purpose])))


def weighted(random: np.random.Generator, weights: I64, count: int) -> I64:
    """Indices of `weights`, each drawn in proportion to its integer weight."""
    bounds = np.cumsum(weights)
    drawn: I64 = random.integers(0, bounds[-1], count)
    return np.searchsorted(bounds, drawn, side="right")


def skewed(random: np.random.Generator, least: int, most: int, count: int) -> I64:
    """Integers from `least` to below `most`, small ones common: the cube of a uniform draw, whose mean is a quarter of the range.

    `most - least` must be at most 2**29, so that every product fits in 63 bits.
    """
    span = most - least
    assert 0 < span <= 1 << 29
    draw: I64 = random.integers(0, 1 << 11, count)
    step: I64 = random.integers(0, (span >> 11) + 1, count)
    spread: I64 = np.minimum(((draw * draw * draw * span) >> 33) + step, span - 1)
    return spread + least


def drawn_roles(random: np.random.Generator, count: int, shares: dict[int, int]) -> I64:
    """A role for each of `count` things: exactly `shares[role]` of them get `role`, the others 0."""
    roles = np.zeros(count, dtype=np.int64)
    order = random.permutation(count)
    start = 0
    for role, share in shares.items():
        roles[order[start : start + share]] = role
        start += share
    assert start <= count, "more roles than things"
    return roles
