"""The lines of a NEM12 file: where each begins and ends, what record it is, and whether it may stand where it does."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.kernels import inline_kernel, kernel

Text = npt.NDArray[np.uint8]

LINE = np.dtype([("start", np.int64), ("end", np.int64), ("kind", np.uint8), ("has_control", np.bool_)], align=True)


class LineKind(IntEnum):
    """The record indicator that a line begins with; `START` stands for the beginning of the file."""

    START = 0
    HEADER = 1  # 100
    CHANNEL = 2  # 200
    DAY = 3  # 300
    RUN = 4  # 400
    VISIT = 5  # 500 and 550: field work, not billed
    END = 6  # 900
    OTHER = 7
    BLANK = 8


_AFTER: dict[LineKind, tuple[LineKind, ...]] = {
    LineKind.START: (LineKind.HEADER,),
    LineKind.HEADER: (LineKind.CHANNEL, LineKind.END),
    LineKind.CHANNEL: (LineKind.CHANNEL, LineKind.DAY, LineKind.END),
    LineKind.DAY: (LineKind.CHANNEL, LineKind.DAY, LineKind.RUN, LineKind.VISIT, LineKind.END),
    LineKind.RUN: (LineKind.CHANNEL, LineKind.DAY, LineKind.RUN, LineKind.VISIT, LineKind.END),
    LineKind.VISIT: (LineKind.CHANNEL, LineKind.DAY, LineKind.VISIT, LineKind.END),
    LineKind.END: (),
    LineKind.OTHER: tuple(LineKind),  # reported itself; what follows it is not blamed
}
_MAY_FOLLOW = np.zeros((len(LineKind), len(LineKind)), dtype=np.bool_)
for _before, _then in _AFTER.items():
    _MAY_FOLLOW[_before, list(_then)] = True
_MAY_FOLLOW[:, LineKind.OTHER] = False
_MAY_FOLLOW[:, LineKind.BLANK] = False  # elsewhere than after the 900 blank lines are where files were cut or glued
_MAY_FOLLOW[LineKind.END, LineKind.BLANK] = True

_LF = np.uint8(10)
_CR = np.uint8(13)
_SPACE = np.uint8(32)
_COMMA = np.uint8(44)
_SLICE_BYTES = 1 << 22
_BOM = b"\xef\xbb\xbf"


@kernel()
def scan_lines(text: Text, at: int, lines: npt.NDArray[np.void]) -> int:  # pragma: no cover
    """Fill `lines` (LINE, one per line feed plus one) from position `at`; returns how many lines there are.

    A line ends before its LF or CRLF; what follows the last line feed is a line only if it is not empty. `has_control` marks a
    byte below space inside the line.
    """
    size = text.shape[0]
    count = 0
    while at < size:
        line = lines[count]
        line.start = at
        line.has_control = False
        while at < size and text[at] != _LF:
            if text[at] < _SPACE and not (text[at] == _CR and at + 1 < size and text[at + 1] == _LF):
                line.has_control = True
            at += 1
        end = at
        if end < size and end > line.start and text[end - 1] == _CR:
            end -= 1
        line.end = end
        line.kind = line_kind(text, line.start, end)
        count += 1
        at += 1
    return count


@inline_kernel
def line_kind(text: Text, start: int, end: int) -> int:  # pragma: no cover
    """The LineKind by the first field of the line [start, end)."""
    if start == end:
        return 8
    if end - start < 3 or (end - start > 3 and text[start + 3] != _COMMA):
        return 7
    code = 0
    for at in range(start, start + 3):
        digit: Any = np.int64(text[at]) - 48
        if digit < 0 or digit > 9:
            return 7
        code = code * 10 + digit
    if code == 500 or code == 550:
        return 5
    if code == 900:
        return 6
    return code // 100 if code in (100, 200, 300, 400) else 7


def lines_of(text: Text, count: int) -> npt.NDArray[np.void]:
    """All lines of a file with `count` line feeds as LINE rows; a byte order mark at the start belongs to none."""
    lines = np.zeros(count + 1, dtype=LINE)
    at = len(_BOM) if text[: len(_BOM)].tobytes() == _BOM else 0
    return lines[: scan_lines(text, at, lines)]


def count_line_feeds(text: Text) -> int:
    """How many line feeds there are, without memory in proportion."""
    return sum(int(np.count_nonzero(text[at : at + _SLICE_BYTES] == _LF)) for at in range(0, len(text), _SLICE_BYTES))


def kinds_before(kinds: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """For each line the kind of the last line before it that is not blank (START if there is none)."""
    filled = np.where(kinds != LineKind.BLANK, np.arange(1, len(kinds) + 1), 0)
    last = np.concatenate([np.zeros(1, dtype=np.int64), np.maximum.accumulate(filled)[:-1]]) if len(kinds) else filled
    with_start: npt.NDArray[np.uint8] = np.concatenate([np.array([LineKind.START], dtype=np.uint8), kinds])
    return np.take(with_start, last)


def misplaced_lines(kinds: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """The indexes of lines that may not follow what is before them."""
    return np.flatnonzero(~_MAY_FOLLOW[before, kinds])
