"""How numba kernels are compiled here: no GIL, cached on disk, and never a stale cached kernel.

numba's own cache does not notice that a helper in another file changed (reference: performance, pitfall 1), and a stale kernel
is wrong money. So the cache folder is named by a hash of every source of the kernel-holding rooms and of the numba version.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

_ROOMS = ("schemas", "ingest", "rating", "accounts", "settlement", "meterline")


def kernel_sources_digest() -> str:
    """SHA-256 over numba's version and every source file of schemas or that mentions the kernel decorator, in path order."""
    digest = hashlib.sha256(numba.__version__.encode())
    top = Path(__file__).resolve().parent.parent
    for room in _ROOMS:
        for path in sorted((top / room).rglob("*.py")):
            source = path.read_bytes()
            if room == "schemas" or b"schemas.kernels" in source:  # constants of schemas are frozen into kernels
                digest.update(str(path.relative_to(top)).encode())
                digest.update(source)
    return digest.hexdigest()


def _cache_folder() -> str:
    base = os.environ.get("METERLINE_KERNEL_CACHE") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "meterline"
    )
    return os.path.join(base, f"kernels-{kernel_sources_digest()[:16]}")


numba.config.CACHE_DIR = _cache_folder()


def kernel(*signature: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a kernel: `@kernel()` lazily by argument types, `@kernel("i8(i8)")` by an explicit signature."""
    compiled: Callable[[Callable[..., Any]], Callable[..., Any]] = numba.njit(*signature, cache=True, nogil=True)
    return compiled


def inline_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """A small function that kernels call; compiled into its caller."""
    compiled: Callable[..., Any] = numba.njit(function, cache=True, nogil=True, inline="never")
    return compiled
