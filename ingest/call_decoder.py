"""Call-record files to columns: the batch arena, the decoder of one layout, the whole-file check and the split of a line for people.

Signatures are fixed; see each docstring.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.call_layouts import CallLayout

UNKNOWN_KIND = 255  # the kind of a row that could not be read


class CallBatch:
    """Reusable columns for up to `capacity` rows in file order; rows [0, n) are valid until the next decode into it.

    A row with status 1-11 could not be read: kind 255, numbers EMPTY_NUMBER, start_at 0, quantity 0, record id = both lanes over
    [tenant seed, content_hash, source_offset] (replace it by source identity). Status 20/21 (filtered) and 0 carry all values.
    """

    n: int
    capacity: int
    record_hi: npt.NDArray[np.uint64]
    record_lo: npt.NDArray[np.uint64]
    content_hash: npt.NDArray[np.uint64]
    source_offset: npt.NDArray[np.int64]
    source_length: npt.NDArray[np.int32]
    kind: npt.NDArray[np.uint8]
    served_number: npt.NDArray[np.uint64]
    called_number: npt.NDArray[np.uint64]
    start_at: npt.NDArray[np.int64]
    quantity: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint8]

    def __init__(self, capacity: int) -> None: ...


class CallDecoder:
    """Decodes files of one layout for one tenant; not shared between threads (make one per thread)."""

    def __init__(self, layout: CallLayout, tenant: str) -> None: ...

    def bind_header(self, first_line: bytes) -> None:
        """Resolve columns by name; decode() does it itself at base_offset 0. Needed before decoding from the middle of a file."""

    def decode(self, text: npt.NDArray[np.uint8], *, base_offset: int, final: bool, out: CallBatch) -> int:
        """Overwrite `out` with the rows of the whole lines of `text` (up to its capacity); returns the bytes consumed.

        Call again with text[consumed:] and base_offset + consumed. 0 consumed and not final: more bytes are needed.
        """


def check_call_file(path_or_prefix: Path | bytes, layout: CallLayout) -> None:
    """Raise RefusedFileError for a file that cannot be read at all: NUL bytes, UTF-16, a header that lacks a named column."""


def split_line(layout: CallLayout, raw: bytes) -> dict[str, str]:
    """Field name -> text of one raw line, for people. Use `layout.bound_to(header)` first when columns go by name."""
