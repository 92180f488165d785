"""Reading one landed call file batch by batch, from any committed position on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ingest.call_decoder import UNBROKEN_BYTES_MAX, UNKNOWN_KIND, CallBatch, CallDecoder
from schemas.errors import RefusedFileError
from schemas.hashing import record_id_of
from schemas.numbers import EMPTY_NUMBER
from schemas.reasons import Reason

_FIRST_LINE_BYTES = 64  # a guess, small: the first read should not fetch more lines than a batch takes
_HEADER_BYTES_MAX = 65_536


@dataclass(frozen=True)
class ReadBatch:
    """The rows of `batch` come from text[: after - before], which starts at `before` in the file; `done` with the last one."""

    batch: CallBatch
    text: npt.NDArray[np.uint8]
    before: int
    after: int
    done: bool


class CallFileReader:
    """Reuses one batch and one text buffer for every file: fresh memory is dear (reference: performance §9)."""

    def __init__(self, batch_rows: int) -> None:
        self._batch = CallBatch(batch_rows)
        self._buffer = np.empty(max(UNBROKEN_BYTES_MAX + (1 << 20), batch_rows * 128), np.uint8)
        self._line_bytes = float(_FIRST_LINE_BYTES)

    def batches(self, path: Path, decoder: CallDecoder, *, position: int, size_bytes: int) -> Iterator[ReadBatch]:
        """Batches from `position` to the end of the file; each is valid until the next. The last is `done`, be it empty.

        Raises RefusedFileError when nothing of the file can be read; a line without end further on is a row LINE_TOO_LONG.
        """
        with path.open("rb", buffering=0) as content:
            if position:
                decoder.bind_header(content.read(_HEADER_BYTES_MAX).split(b"\n", 1)[0])
                content.seek(position)
            filled, done = 0, False
            while not done:
                filled += _read_into(content, self._buffer.data[filled : self._wanted()])
                text, final = self._buffer[:filled], position + filled >= size_bytes
                consumed = self._decode(decoder, text, position, final)
                if not consumed and not final:
                    if filled < len(self._buffer):
                        self._line_bytes *= 2  # more bytes are needed
                        continue
                    consumed = self._skip_long_line(content, position, filled)
                done = position + consumed >= size_bytes or (final and not consumed)
                if self._batch.n:
                    self._line_bytes = consumed / self._batch.n
                yield ReadBatch(self._batch, text, position, size_bytes if done else position + consumed, done)
                position += consumed
                filled = max(filled - consumed, 0)
                self._buffer[:filled] = self._buffer[consumed : consumed + filled].copy()

    def _wanted(self) -> int:
        """How far to fill the buffer: about one batch of lines, so that little is left over and moved."""
        return min(len(self._buffer), max(1 << 20, int(self._batch.capacity * self._line_bytes)))

    def _decode(self, decoder: CallDecoder, text: npt.NDArray[np.uint8], position: int, final: bool) -> int:
        try:
            return decoder.decode(text, base_offset=position, final=final, out=self._batch)
        except RefusedFileError:
            if position == 0:
                raise
            return 0  # a line without end in the middle of a file that was read up to here

    def _skip_long_line(self, content: BinaryIO, position: int, filled: int) -> int:
        """Make the line that fills the buffer one unreadable row, and go on behind its end."""
        length = filled
        chunk = np.empty(1 << 20, np.uint8)
        while count := content.readinto(chunk.data):  # type: ignore[attr-defined]
            ends = np.flatnonzero(chunk[:count] == 10)
            if len(ends):
                length += int(ends[0]) + 1
                content.seek(position + length)
                break
            length += count
        batch, row = self._batch, 0
        batch.n = 1
        batch.record_hi[row], batch.record_lo[row] = record_id_of([position, length])
        batch.content_hash[row] = batch.record_hi[row]
        batch.source_offset[row], batch.source_length[row] = position, _HEADER_BYTES_MAX  # as much as is kept as raw content
        batch.kind[row], batch.status[row] = UNKNOWN_KIND, Reason.LINE_TOO_LONG
        batch.served_number[row] = batch.called_number[row] = EMPTY_NUMBER
        batch.start_at[row] = batch.quantity[row] = 0
        return length


def _read_into(content: BinaryIO, view: memoryview) -> int:
    """Fill a buffer as far as the file goes."""
    total = 0
    while total < len(view):
        count = content.readinto(view[total:])  # type: ignore[attr-defined]
        if not count:
            break
        total += count
    return total
