"""Call-record files to columns: the batch arena, the decoder of a layout, the check of a file, a line split for people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.call_columns import BYTE_ORDER_MARK, CallLayout
from ingest.call_kernels import decode_text, find_line_end
from ingest.call_lines import split_fields
from ingest.call_plans import CallPlan, call_plan
from ingest.call_rows import CallColumns, strip_notes
from schemas.errors import Fault, RefusedFileError

UNKNOWN_KIND = 255  # the kind of a row that could not be read
CHECKED_BYTES = 65_536  # how much of a file's beginning check_call_file looks at
TEXT_BYTES_MAX = 2**30  # how much one call decodes; more is left for the next
UNBROKEN_BYTES_MAX = 16 * 2**20  # a file without a line break for so long is refused
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class CallBatch:
    """Reusable columns for up to `capacity` rows in file order; rows [0, n) are valid until the next decode into it.

    Columns: record_hi, record_lo, content_hash u8; source_offset i8 and source_length i4 of the line in the file, its ending
    excluded; kind u1 (UsageKind); served_number, called_number u8 (schemas.numbers, EMPTY_NUMBER for none); start_at i8 (UTC
    microseconds); quantity i8 (ms, count or bytes by kind); status u1 (Reason).

    Status 0, 20 and 21 are readable rows and carry all values. Status 1 to 11 could not be read: kind is UNKNOWN_KIND, numbers
    are EMPTY_NUMBER, start_at and quantity 0, and the record id is both lanes over content_hash and source_offset: it tells such
    rows of one file apart, and whoever knows the file puts the source's identity in its place.
    """

    def __init__(self, capacity: int) -> None:
        assert capacity > 0, "a batch holds at least one row"
        self.n = 0
        self.capacity = capacity
        self.record_hi = np.zeros(capacity, dtype=np.uint64)
        self.record_lo = np.zeros(capacity, dtype=np.uint64)
        self.content_hash = np.zeros(capacity, dtype=np.uint64)
        self.source_offset = np.zeros(capacity, dtype=np.int64)
        self.source_length = np.zeros(capacity, dtype=np.int32)
        self.kind = np.zeros(capacity, dtype=np.uint8)
        self.served_number = np.zeros(capacity, dtype=np.uint64)
        self.called_number = np.zeros(capacity, dtype=np.uint64)
        self.start_at = np.zeros(capacity, dtype=np.int64)
        self.quantity = np.zeros(capacity, dtype=np.int64)
        self.status = np.zeros(capacity, dtype=np.uint8)

    @property
    def columns(self) -> CallColumns:
        """The arrays at full capacity."""
        return CallColumns(*(getattr(self, name) for name in CallColumns._fields))


class CallDecoder:
    """Decodes files of one layout for one tenant. It holds working memory: one decoder per thread."""

    def __init__(self, layout: CallLayout, tenant: str) -> None:
        self.layout = layout
        self._tenant = tenant
        self._notes = strip_notes()
        self._bound: CallLayout | None = None
        self._plan: CallPlan | None = None
        if not layout.header_lines:
            self._bind(layout)

    def bind_header(self, first_line: bytes) -> None:
        """Resolve columns by name, and learn the number of fields, from the first line of the file.

        `decode` does it itself at base_offset 0; call it before decoding a file from its middle. Does nothing for layouts without
        header lines. Raises RefusedFileError when a named column is missing.
        """
        if self.layout.header_lines:
            self._bind(self.layout.bound_to(first_line))

    def _bind(self, bound: CallLayout) -> None:
        if bound != self._bound:
            self._bound, self._plan = bound, call_plan(bound, self._tenant)

    def decode(self, text: npt.NDArray[np.uint8], *, base_offset: int, final: bool, out: CallBatch) -> int:
        """Overwrite `out` with the rows of the whole lines of `text`, in file order, up to its capacity.

        Args:
            text: contiguous bytes of the file from `base_offset` on, read-only or not; not changed.
            base_offset: where `text` begins in the file. At 0 a byte-order mark and the layout's header lines are skipped.
            final: whether the file ends with `text`; then its last line needs no line ending.
            out: the batch; its former rows are lost.

        Returns the bytes consumed: go on with text[consumed:] and base_offset + consumed. When that is 0 and the file goes on,
        more bytes are needed. Empty lines are consumed and are no rows; a line may end in CR LF.

        Raises RefusedFileError when the header lacks a named column or no line ends within UNBROKEN_BYTES_MAX.
        """
        assert text.dtype == np.uint8 and text.ndim == 1 and text.flags.c_contiguous, "text is a contiguous array of bytes"
        out.n = 0
        whole = text.size <= TEXT_BYTES_MAX
        readable = text[:TEXT_BYTES_MAX].view()
        readable.flags.writeable = False
        skipped = self._skip_header(readable, final and whole) if base_offset == 0 else 0
        if skipped < 0:
            self._refuse_unbroken(readable, base_offset)
            return 0
        assert self._plan is not None, "bind_header before decoding from the middle of a file"
        body = readable[skipped:]
        rows, taken = decode_text(self._plan, body, base_offset + skipped, final and whole, self._notes, out.columns)
        out.n = int(rows)
        if taken == 0 and not (final and whole):
            self._refuse_unbroken(body, base_offset + skipped)
        return skipped + int(taken)

    def _skip_header(self, text: npt.NDArray[np.uint8], final: bool) -> int:
        """The bytes of mark and header lines at the start of a file, whose first line is bound; -1 when they are not all here."""
        first = at = len(BYTE_ORDER_MARK) if text[:3].tobytes() == BYTE_ORDER_MARK else 0
        for line in range(self.layout.header_lines):
            end = int(find_line_end(text, at))
            if end < 0 and not final:
                return -1
            end = end if end >= 0 else text.size
            if line == 0:
                self.bind_header(text[first:end].tobytes())
            at = min(end + 1, text.size)
        return at

    def _refuse_unbroken(self, text: npt.NDArray[np.uint8], offset: int) -> None:
        if text.size >= UNBROKEN_BYTES_MAX:
            raise RefusedFileError(
                Fault(
                    f"byte {offset}",
                    "no line ends here",
                    was=f"{text.size} bytes without a line break",
                    must_be=f"a line break within {UNBROKEN_BYTES_MAX} bytes",
                    next_step=f"check that this is a file of layout {self.layout.layout!r}",
                    code="unbroken_text",
                )
            )


def check_call_file(path_or_prefix: Path | bytes, layout: CallLayout) -> None:
    """Raise RefusedFileError for a file that cannot be read at all: UTF-16, NUL bytes, a header that lacks a named column.

    Looks at the first CHECKED_BYTES of the file, or at the prefix given.
    """
    where = "file" if isinstance(path_or_prefix, bytes) else str(path_or_prefix)
    prefix = path_or_prefix if isinstance(path_or_prefix, bytes) else _prefix_of(path_or_prefix)
    must_be, next_step = f"{layout.encoding} text", "have it written as such, or unpack it"
    if prefix.startswith(_UTF16_MARKS):
        raise RefusedFileError(Fault(where, "UTF-16 text", must_be=must_be, next_step=next_step, code="not_text"))
    if b"\0" in prefix:
        where = f"{where}: byte {prefix.index(0)}"
        raise RefusedFileError(Fault(where, "NUL byte", must_be=must_be, next_step=next_step, code="not_text"))
    if layout.header_lines:
        try:
            layout.bound_to(prefix.split(b"\n", 1)[0])
        except RefusedFileError as refused:
            faults = [Fault(f"{where}:1", f.what, f.was, f.must_be, f.next_step, f.code) for f in refused.faults]
            raise RefusedFileError(faults) from refused


def _prefix_of(path: Path) -> bytes:
    with path.open("rb") as source:
        return source.read(CHECKED_BYTES)


def split_line(layout: CallLayout, raw: bytes) -> dict[str, str]:
    """One raw line for people: target -> its text as written, unquoted; fields without a target are `field N`, counted from 0.

    Columns by name need `layout.bound_to(header_line)` first; unbound ones are left to `field N`. A line with wrong quoting is
    split at every separator. Nothing is checked: this explains rejected lines too.
    """
    line = raw.removesuffix(b"\n").removesuffix(b"\r").decode(layout.encoding, "replace")
    texts = split_fields(line, layout.separator, layout.quote)
    if texts is None:
        texts = line.split(layout.separator)
    placed = [(column.target, column.index) for column in layout.columns if column.index is not None]
    named = {target: texts[index] for target, index in placed if index < len(texts)}
    constants = {column.target: column.constant for column in layout.columns if column.constant is not None}
    used = {column.index for column in layout.columns}
    return {**constants, **named, **{f"field {index}": text for index, text in enumerate(texts) if index not in used}}
