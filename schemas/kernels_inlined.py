"""Small functions that must become part of the kernel that calls them.

A function that takes arrays and is not inlined gets every array pushed on the stack at each call (seven words, and a reference
count): more than a field of a record costs to read. `inline_kernel` leaves the choice to the compiler; this one insists.

The module's name begins with `schemas.kernels` on purpose: whoever imports it counts as a kernel source for the cache's digest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba

import schemas.kernels  # noqa: F401  # importing it sets the cache folder


def tight_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small function that is always inlined into its caller; cached in the folder that `schemas.kernels` names."""
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True, forceinline=True)
    return compiled
