"""Cutting raw records out of a text and writing packed numbers as text, for whole columns at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.kernels import kernel


@kernel()
def copy_slices(text, starts, ends, out):  # type: ignore[no-untyped-def]
    """Concatenate text[starts[i]:...] into `out`, where `ends` are the cumulative ends in `out`."""
    at = 0
    for i in range(starts.shape[0]):
        source = starts[i]
        while at < ends[i]:
            out[at] = text[source]
            at += 1
            source += 1


def raw_slices(text: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int32]) -> Any:
    """The slices text[start : start + length] as an Arrow binary array."""
    ends = np.cumsum(lengths, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    out = np.empty(total, np.uint8)
    copy_slices(text, starts, ends, out)
    offsets = np.concatenate([[0], ends]).astype(np.int64)
    large = pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(starts), [None, pa.py_buffer(offsets), pa.py_buffer(out)])
    return large.cast(pa.binary())


def number_texts(packed: npt.NDArray[np.uint64]) -> Any:
    """Packed telephone numbers (see schemas.numbers) as an Arrow string array."""
    octets = packed.astype(">u8").view(np.uint8).reshape(-1, 8)
    nibbles = np.empty((len(packed), 16), np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = octets >> 4, octets & 15
    digits = np.where(nibbles > 9, ord(" "), nibbles + ord("0")).astype(np.uint8)
    offsets = np.arange(len(packed) + 1, dtype=np.int32) * 16
    padded = pa.StringArray.from_buffers(len(packed), pa.py_buffer(offsets), pa.py_buffer(digits.tobytes()))
    return pc.utf8_rtrim_whitespace(padded)
