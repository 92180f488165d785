"""Stable ids of rows from their text columns: 32 hexadecimal digits, as `schemas.hashing.record_id_of` gives over their words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from schemas.hashing import HI_MULTIPLIER, HI_SEED, LO_MULTIPLIER, LO_SEED, absorb
from schemas.kernels import kernel

_U4 = np.uint64(4)
_U8 = np.uint64(8)
_U15 = np.uint64(15)
_ID_DIGITS = 32
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


@kernel("void(u8, u8[::1], u8[::1])")
def _start_lanes(seed: np.uint64, hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]) -> None:
    """Both lanes of every row take the seed."""
    for i in range(hi.shape[0]):
        hi[i] = absorb(HI_SEED, seed, HI_MULTIPLIER)
        lo[i] = absorb(LO_SEED, seed, LO_MULTIPLIER)


@kernel("void(Array(i8, 1, 'C', readonly=True), Array(u1, 1, 'C', readonly=True), u8[::1], u8[::1])")
def _absorb_texts(
    offsets: npt.NDArray[np.int64], text: npt.NDArray[np.uint8], hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64]
) -> None:
    """Both lanes of row i take `schemas.hashing.text_words` of text[offsets[i]:offsets[i + 1]]; rows + 1 offsets, ascending."""
    for i in range(hi.shape[0]):
        start, end = offsets[i], offsets[i + 1]
        state_hi, state_lo = hi[i], lo[i]
        at = start
        while at < end:
            word = np.uint64(0)
            shift = np.uint64(0)
            for k in range(at, min(at + 8, end)):
                word |= np.uint64(text[k]) << shift
                shift += _U8
            state_hi = absorb(state_hi, word, HI_MULTIPLIER)
            state_lo = absorb(state_lo, word, LO_MULTIPLIER)
            at += 8
        length = np.uint64(end - start)
        hi[i] = absorb(state_hi, length, HI_MULTIPLIER)
        lo[i] = absorb(state_lo, length, LO_MULTIPLIER)


@kernel("void(u8[::1], u8[::1], Array(u1, 1, 'C', readonly=True), u1[::1])")
def _write_hex(
    hi: npt.NDArray[np.uint64], lo: npt.NDArray[np.uint64], digits: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]
) -> None:
    """Row i's 128 bits as 32 digits at out[32 * i]."""
    for i in range(hi.shape[0]):
        high, low = hi[i], lo[i]
        for k in range(15, -1, -1):
            out[32 * i + k] = digits[np.int64(high & _U15)]
            out[32 * i + 16 + k] = digits[np.int64(low & _U15)]
            high >>= _U4
            low >>= _U4


def content_ids(columns: Sequence[pl.Series], *, seed: int = 0) -> pl.Series:
    """Ids of rows given by equally long text columns without nulls.

    Args:
        columns: the parts of the natural key, in their fixed order; each text is absorbed with its length, so that no two keys
            run into each other.
        seed: the word that starts every key (`schemas.hashing.tenant_seed`).

    Returns:
        String series: `hex_id(*record_id_of([*text_words(part) for part in row], seed=seed))`.
    """
    rows = len(columns[0])
    hi, lo = np.empty(rows, np.uint64), np.empty(rows, np.uint64)
    _start_lanes(np.uint64(seed), hi, lo)
    for column in columns:
        assert len(column) == rows and not column.null_count(), column.name
        offsets, text = text_buffers(column)
        _absorb_texts(offsets, text, hi, lo)
    out = np.empty(rows * _ID_DIGITS, np.uint8)
    _write_hex(hi, lo, _HEX, out)
    ends = np.arange(0, (rows + 1) * _ID_DIGITS, _ID_DIGITS, dtype=np.int64)
    ids = pa.Array.from_buffers(pa.large_string(), rows, [None, pa.py_buffer(ends), pa.py_buffer(out)])
    return pl.Series(pl.from_arrow(ids))


def text_buffers(column: pl.Series) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint8]]:
    """(offsets[rows + 1], UTF-8 bytes) of a text column without nulls."""
    array = column.to_arrow(compat_level=pl.CompatLevel.oldest())
    if not len(array):
        return np.zeros(1, np.int64), np.empty(0, np.uint8)
    _, offsets, text = array.buffers()
    span = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    return span, np.frombuffer(text, np.uint8) if text is not None and text.size else np.empty(0, np.uint8)
