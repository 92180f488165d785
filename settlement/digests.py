"""One hash over frames: equal for equal rows, whatever order, chunks or files they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from settlement.content_ids import text_buffers
from settlement.exact import decimal_digits


def digest_of(frames: Mapping[str, pl.DataFrame]) -> str:
    """SHA-256 in hexadecimal over named frames.

    Frames are taken by name; within one, rows are sorted by all columns from left to right, and each column adds its name, its
    type and its values (texts as lengths and UTF-8, integers and dates as little-endian two's complement). Nulls are refused.
    """
    digest = hashlib.sha256()
    for name in sorted(frames):
        frame = frames[name]
        digest.update(f"{name}\0{frame.height}\0{frame.width}\0".encode())
        ordered = frame.sort(frame.columns) if frame.width else frame
        for column in ordered.iter_columns():
            assert not column.null_count(), f"{name}.{column.name} has nulls"
            digest.update(f"{column.name}\0{column.dtype}\0".encode())
            _add_values(digest, column)
    return digest.hexdigest()


def _add_values(digest: Any, column: pl.Series) -> None:
    if column.dtype == pl.String:
        offsets, text = text_buffers(column)
        digest.update(np.diff(offsets).astype("<i8").tobytes())
        digest.update(text[offsets[0] : offsets[-1]].tobytes())
    elif column.dtype == pl.Int128:
        digits = decimal_digits(column)
        words = np.frombuffer(digits.buffers()[1], np.uint8)
        digest.update(words[16 * digits.offset : 16 * (digits.offset + len(digits))].tobytes())
    else:
        digest.update(column.to_physical().to_numpy().tobytes())
