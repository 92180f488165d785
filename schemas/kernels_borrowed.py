"""Kernels that only borrow their arrays: no reference counts, for code that carries many arrays through many small functions.

A kernel whose arrays come in named tuples counts a reference up and down at every access, atomically, which costs more than the
access. Such a kernel allocates nothing and returns no array, so it needs no counts at all; numba can leave them out.

The module's name begins with `schemas.kernels` on purpose: whoever imports it counts as a kernel source for the cache's digest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

import schemas.kernels  # noqa: F401  # importing it sets the cache folder


def borrowing_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a kernel that allocates nothing and returns no array; its callers hold the arrays."""
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True, _nrt=False)
    return compiled


def borrowing_part(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is always inlined into such a kernel."""
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True, _nrt=False, forceinline=True)
    return compiled
