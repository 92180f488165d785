"""What one line of a call file is worth, how a file is taken piece by piece, and which files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ingest import call_decoder
from ingest.call_decoder import UNKNOWN_KIND, CallBatch, CallDecoder, check_call_file, split_line
from ingest.call_layouts import CallLayout, read_call_layout
from schemas.errors import RefusedFileError
from schemas.hashing import record_id_of, tenant_seed, text_words
from schemas.numbers import EMPTY_NUMBER, number_text, packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason

LAYOUT = """
layout: switch
format: csv
header_lines: 1
zone: UTC
columns:
  node:          {index: 0}
  sequence:      {index: 1}
  kind:          {index: 2, values: {voice: [V], message: [S], volume: [D]}}
  served_number: {index: 3}
  called_number: {index: 4}
  start_at:      {index: 5, format: "%Y-%m-%d %H:%M:%S"}
  duration:      {index: 6, unit: s}
  volume:        {name: bytes, unit: bytes}
number_rules: {international_prefix: "00", national_prefix: "0", country_code: "49"}
"""
HEADER = b"node,seq,kind,served,called,start,seconds,bytes\n"
GOOD = b"msc,17,V,491520001,491520002,2026-10-05 08:00:00,61,0"
GOOD_START = 1_791_187_200_000_000
OK, BAD_NUMBER, BAD_STAMP, BAD_IDENTIFIER = Reason.OK, Reason.BAD_NUMBER, Reason.BAD_TIMESTAMP, Reason.BAD_IDENTIFIER


def layout(**extra: str) -> CallLayout:
    return read_call_layout(LAYOUT + "".join(f"{key}: {value}\n" for key, value in extra.items()), "switch.yaml")


def decoded(text: bytes, *, of: CallLayout | None = None, capacity: int = 16, final: bool = True) -> CallBatch:
    batch = CallBatch(capacity)
    used = CallDecoder(of or layout(), "acme").decode(np.frombuffer(text, dtype=np.uint8), base_offset=0, final=final, out=batch)
    assert used <= len(text)
    return batch


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        # a line is good as it is, and wrong where one field is
        (b"msc", b"msc", OK),
        (b"msc", b"", BAD_IDENTIFIER),
        (b"msc", b"m\tsc", BAD_IDENTIFIER),
        (b"msc", "mscü".encode(), OK),
        (b"msc", b"msc\xfc", BAD_IDENTIFIER),
        (b",17,", b",,", BAD_IDENTIFIER),
        (b",V,", b",W,", Reason.BAD_KIND),
        (b",V,", b",VV,", Reason.BAD_KIND),
        (b"491520001", b"", BAD_IDENTIFIER),
        (b"491520001", b"1234567890123456", BAD_IDENTIFIER),
        (b"491520001", b"49152000O", BAD_IDENTIFIER),
        (b"491520001", b"+049152", BAD_IDENTIFIER),
        (b"491520002", b"", BAD_IDENTIFIER),
        (b"08:00:00", b"08:00", BAD_STAMP),
        (b"08:00:00", b"24:00:00", BAD_STAMP),
        (b"08:00:00", b"08:00:60", BAD_STAMP),
        (b"08:00:00", b"08:00:00.5", OK),
        (b"08:00:00", b"08:00:00.", BAD_STAMP),
        (b"2026-10-05", b"2026-02-29", BAD_STAMP),
        (b"2026-10-05", b"2024-02-29", OK),
        (b"2026-10-05", b"2026/10/05", BAD_STAMP),
        (b"2026-10-05", b"1989-12-31", BAD_STAMP),
        (b",61,", b",61.5,", BAD_NUMBER),
        (b",61,", b",,", BAD_NUMBER),
        (b",61,", b", 61,", BAD_NUMBER),
        (b",61,", b",-61,", Reason.NEGATIVE_QUANTITY),
        (b",61,", b",2678400,", OK),
        (b",61,", b",2678401,", Reason.QUANTITY_OUT_OF_RANGE),
        (b",61,", b",0,", Reason.ZERO_USAGE),
        (b",61,0", b",61,", OK),
        (b",61,0", b",61,x", BAD_NUMBER),
        (b",61,0", b",61", Reason.BAD_FIELD_COUNT),
        (b",61,0", b",61,0,", Reason.BAD_FIELD_COUNT),
        # the smallest reason that applies is given
        (b"V,491520001", b"W,x", BAD_IDENTIFIER),
        (b"08:00:00,61", b"never,6x", BAD_NUMBER),
        (b"msc,17,V", b",,W", BAD_IDENTIFIER),
    ],
)
def test_a_field_decides_the_status_of_its_line(old: bytes, new: bytes, reason: Reason) -> None:
    assert old in GOOD
    batch = decoded(HEADER + GOOD.replace(old, new, 1) + b"\n" + GOOD)
    assert batch.n == 2
    assert [Reason(status) for status in batch.status[:2]] == [reason, OK]
    if 0 < reason < Reason.UNANSWERED:
        assert (batch.kind[0], batch.served_number[0], batch.called_number[0]) == (UNKNOWN_KIND, EMPTY_NUMBER, EMPTY_NUMBER)
        assert (batch.start_at[0], batch.quantity[0]) == (0, 0)


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        (b"491520001", "491520001"),
        (b"+491520001", "491520001"),
        (b"00491520001", "491520001"),
        (b"01520001", "491520001"),
        (b"112", "112"),
        (b"00" + b"9" * 15, "9" * 15),
        (b"0" + b"9" * 13, "49" + "9" * 13),
    ],
)
def test_numbers_become_international(written: bytes, digits: str) -> None:
    batch = decoded(HEADER + GOOD.replace(b"491520001", written))
    assert number_text(int(batch.served_number[0])) == digits


@pytest.mark.parametrize(("kind", "quantity"), [(b"V", 61_000), (b"S", 1), (b"D", 9_000)])
def test_the_quantity_is_that_of_the_kind(kind: bytes, quantity: int) -> None:
    batch = decoded(HEADER + GOOD.replace(b",V,", b"," + kind + b",").replace(b",61,0", b",61,9000"))
    assert batch.quantity[0] == quantity


def test_ids_follow_from_tenant_and_natural_key_and_the_hash_from_the_bytes() -> None:
    batch = decoded(HEADER + GOOD + b"\r\n")
    key = [int(UsageKind.VOICE), *text_words(b"msc"), *text_words(b"17"), GOOD_START, packed_number("491520001")]
    assert (batch.record_hi[0], batch.record_lo[0]) == record_id_of(key, seed=tenant_seed("acme"))
    assert batch.content_hash[0] == record_id_of(text_words(GOOD))[0]
    assert batch.start_at[0] == GOOD_START


def test_rows_that_cannot_be_read_are_told_apart_by_place() -> None:
    bad = GOOD.replace(b",V,", b",W,") + b"\n"
    batch = decoded(HEADER + bad + bad)
    offsets, content = (len(HEADER), len(HEADER + bad)), int(batch.content_hash[0])
    wanted = [record_id_of([content, offset], seed=tenant_seed("acme")) for offset in offsets]
    assert list(zip(batch.record_hi[:2].tolist(), batch.record_lo[:2].tolist(), strict=True)) == wanted


def test_the_same_call_in_another_column_order_or_with_quotes_has_the_same_id() -> None:
    quoted = decoded(HEADER + GOOD.replace(b"msc", b'"msc"').replace(b"61", b'"61"'), of=layout(quote="'\"'"))
    plain = decoded(HEADER + GOOD)
    for name in ("record_hi", "record_lo", "quantity", "start_at"):
        assert getattr(quoted, name)[0] == getattr(plain, name)[0]
    assert quoted.content_hash[0] != plain.content_hash[0]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD.replace(b"msc", b'"m,s""c"'), OK),
        (GOOD.replace(b"msc", b'"msc'), Reason.BAD_QUOTING),
        (GOOD.replace(b"msc", b'"msc"x'), Reason.BAD_QUOTING),
        (GOOD.replace(b"msc", b'm"sc'), Reason.BAD_QUOTING),
        (GOOD.replace(b",61,0", b',61,"'), Reason.BAD_QUOTING),
        (GOOD.replace(b",61,0", b',61,""'), OK),
        (GOOD.replace(b"msc", b'"msc",""'), Reason.BAD_FIELD_COUNT),
    ],
)
def test_quotes_are_taken_strictly_and_never_reach_the_next_line(line: bytes, reason: Reason) -> None:
    batch = decoded(HEADER + line + b"\n" + GOOD, of=layout(quote="'\"'"))
    assert [Reason(status) for status in batch.status[: batch.n]] == [reason, OK]


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        (HEADER, 0),
        (HEADER.rstrip(), 0),
        (HEADER + GOOD, 1),
        (b"\xef\xbb\xbf" + HEADER + GOOD, 1),
        (HEADER.replace(b"\n", b"\r\n") + GOOD + b"\r\n" + GOOD + b"\r\n", 2),
        (HEADER + b"\n\r\n\n" + GOOD + b"\n\n", 1),
        (HEADER + b"\n\r", 0),
    ],
)
def test_what_is_a_row(text: bytes, rows: int) -> None:
    batch = decoded(text)
    assert batch.n == rows
    for row in range(rows):
        start, length = int(batch.source_offset[row]), int(batch.source_length[row])
        assert text[start : start + length] == GOOD
        assert batch.status[row] == OK


def test_an_empty_file_has_no_rows_unless_it_owes_a_header() -> None:
    by_index = read_call_layout(LAYOUT.replace("name: bytes", "index: 7"), "switch.yaml")
    assert decoded(b"", of=by_index).n == 0
    with pytest.raises(RefusedFileError, match="column 'bytes'"):
        decoded(b"")


def test_the_last_line_waits_for_its_ending_unless_the_file_is_over() -> None:
    assert decoded(HEADER + GOOD, final=False).n == 0
    assert decoded(HEADER + GOOD, final=True).n == 1
    assert decoded(HEADER[:9], final=False).n == 0


def test_a_full_batch_leaves_the_rest() -> None:
    text = np.frombuffer(HEADER + (GOOD + b"\n") * 5, dtype=np.uint8)
    decoder, batch = CallDecoder(layout(), "acme"), CallBatch(2)
    at, sizes = 0, []
    while at < text.size:
        at += decoder.decode(text[at:], base_offset=at, final=True, out=batch)
        sizes.append(batch.n)
    assert sizes == [2, 2, 1]


def test_a_file_is_resumed_in_its_middle_after_its_header_is_bound() -> None:
    decoder, batch, at = CallDecoder(layout(), "acme"), CallBatch(4), len(HEADER) + len(GOOD) + 1
    text = HEADER + GOOD + b"\n" + GOOD
    decoder.bind_header(HEADER)
    assert decoder.decode(np.frombuffer(text[at:], dtype=np.uint8), base_offset=at, final=True, out=batch) == len(GOOD)
    assert (batch.n, batch.source_offset[0], batch.status[0]) == (1, at, OK)


def test_another_file_brings_its_own_header() -> None:
    decoder, batch = CallDecoder(layout(), "acme"), CallBatch(4)
    for header, line in [(HEADER, GOOD), (b"node,seq,kind,served,called,start,seconds,x,bytes\n", GOOD + b",5")]:
        text = np.frombuffer(header + line, dtype=np.uint8)
        assert decoder.decode(text, base_offset=0, final=True, out=batch) == text.size
        assert (batch.n, batch.status[0]) == (1, OK)


def test_the_text_is_not_changed_and_may_be_read_only() -> None:
    text = np.frombuffer(bytearray(HEADER + GOOD), dtype=np.uint8)
    before = text.tobytes()
    CallDecoder(layout(), "acme").decode(text, base_offset=0, final=True, out=CallBatch(1))
    assert text.flags.writeable and text.tobytes() == before


def test_text_without_line_breaks_is_refused_before_it_fills_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_decoder, "UNBROKEN_BYTES_MAX", 50_000)
    decoder, batch = CallDecoder(layout(), "acme"), CallBatch(1)
    decoder.bind_header(HEADER)
    assert decoder.decode(np.full(49_999, 65, dtype=np.uint8), base_offset=99, final=False, out=batch) == 0
    for base_offset in (0, 99):
        with pytest.raises(RefusedFileError, match=f"byte {base_offset}: no line ends here, was 50000 bytes"):
            decoder.decode(np.full(50_000, 65, dtype=np.uint8), base_offset=base_offset, final=False, out=batch)


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        (HEADER + GOOD, ""),
        (b"", "file:1: column 'bytes'"),
        (HEADER.replace(b"bytes", b"octets") + GOOD, "file:1: column 'bytes' .for volume. is missing"),
        (b"\xff\xfe" + HEADER.decode().encode("utf-16-le"), "file: UTF-16 text, must be utf-8 text"),
        (HEADER + b"a\x00", "file: byte 49: NUL byte"),
    ],
)
def test_files_that_cannot_be_read_are_refused_whole(prefix: bytes, words: str, tmp_path: Path) -> None:
    if not words:
        check_call_file(prefix, layout())
        return
    with pytest.raises(RefusedFileError, match=words):
        check_call_file(prefix, layout())
    path = tmp_path / "calls.csv"
    path.write_bytes(prefix)
    with pytest.raises(RefusedFileError, match=words.replace("file", str(path))):
        check_call_file(path, layout())


def test_a_line_is_split_for_people() -> None:
    bound = layout(quote="'\"'").bound_to(HEADER + b"")
    split = split_line(bound, GOOD.replace(b"msc", b'"m,""c"').replace(b"17", b"\xff") + b"\r\n")
    assert split["node"] == 'm,"c' and split["sequence"] == "\ufffd" and split["volume"] == "0"
    assert split_line(bound, b"a,b,c")["kind"] == "c"
    assert split_line(bound, b'"a,b,c') == {"node": '"a', "sequence": "b", "kind": "c"}
    assert split_line(layout(), GOOD)["field 7"] == "0"
