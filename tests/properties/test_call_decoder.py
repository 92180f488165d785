"""Property: the call-record kernel equals its slow twin in every column, on good, odd and mutated lines, however cut."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ingest.call_decoder import CallBatch, CallDecoder
from ingest.call_layouts import CallLayout, read_call_layout
from ingest.call_stamps import STAMP_FORMATS
from schemas.reasons import Reason
from tests.reference.call_twin import TwinRow, twin_rows

SEED = 20261001
_LAYOUT = """
layout: everything
format: csv
header_lines: 0
quote: '"'
zone: Europe/Berlin
fields: 11
columns:
  node:          {index: 0}
  sequence:      {index: 1}
  kind:          {index: 2, values: {voice: [V, telephony_call], message: [S], volume: [D, packet]}}
  disposition:   {index: 3, answered: [ANSWERED, "", NORMAL_CLEARING]}
  served_number: {index: 4}
  called_number: {index: 5}
  start_at:      {index: 6, format: "%Y-%m-%d %H:%M:%S"}
  duration:      {index: 7, unit: s}
  bytes_up:      {index: 8, unit: bytes}
  bytes_down:    {index: 9, unit: bytes}
  messages:      {index: 10}
number_rules: {international_prefix: "00", national_prefix: "0", country_code: "49"}
"""
_ODD = {
    0: ["msc-01", "msc-01", "node with ü", "n" * 120, "n" * 121, "", "a\x7fb", "12345678", "123456789", "\ud800"],
    1: ["1", "12345678", "123456789012345678", "x-y", "", "\x01"],
    2: ["V", "S", "D", "telephony_call", "packet", "v", "telephony_cal", ""],
    3: ["ANSWERED", "", "NORMAL_CLEARING", "NO ANSWER", "NORMAL_CLEARINX"],
    4: ["491520000001", "+491520000001", "00491520000001", "01520000001", "1", "", "0", "00", "+", "+0123", "1" * 15, "1" * 16,
        "00" + "1" * 15, "0" + "1" * 13, "0" + "1" * 14, "12345678", "1234567a"],
    5: ["491520000002", "", "+15550001", "internet", "110"],
    7: ["60", "0", "", "-1", "-", "1.5", "2678400", "2678401", "00000060", "12345678901234567", "1234567x", "+5"],
    8: ["0", "1", "", "70368744177664", "70368744177665", "1234567890123456", "99999999999999999", "123456789x"],
    9: ["0", "70368744177664", "999", ""],
    10: ["1", "2", "0", "", "1000000", "1000001"],
}  # fmt: skip
_CLOCKS = [
    "2026-10-01 12:00:00", "2026-10-25 02:30:00", "2026-03-29 02:30:00", "2024-02-29 23:59:59", "2026-02-29 00:00:00",
    "2059-12-31 23:59:59", "1989-12-31 23:59:59", "2060-01-01 00:00:00", "2026-10-01 24:00:00", "2026-13-01 00:00:00",
    "2026-10-25 01:59:59", "2026-10-25 03:00:00", "2026-03-29 01:59:59", "2026-03-29 03:00:00", "2026-00-10 00:00:00",
    "1990-01-01 00:00:00", "2026-10-01 12:00:60", "2026-01-00 00:00:00",
]  # fmt: skip
_EPOCHS = ["0", "631151999", "631152000", "1790000000", "1790000000123", "2840140800", "2840140800000", "12x", ""]
_BYTES = np.frombuffer(b'0123456789,,""+-.:TZ \r\x00\xff\xc3aV', dtype=np.uint8)
_CUTS = [(1, 40_000), (7, 977), (4096, 64), (4096, 32_768), (4096, 32_769), (10_000, 100_003)]  # (rows, bytes) at a time
_CHANGE_SEASONS = [("2026-02-10", "2026-04-10"), ("2026-10-01", "2026-11-01")]
_TAILS = ["", ".5", ".123456", ".1234567", ".", "Z", "+02:00", "-0330", "+14:00", "+14:01", "+1:00", ".25Z", ".25+01:00", " "]


def _stamp(rng: np.random.Generator, format_text: str) -> str:
    if format_text.startswith("epoch"):
        return str(rng.choice(_EPOCHS)) if rng.random() < 0.4 else "1790000000123"[: 10 if format_text == "epoch_s" else 13]
    ordinary = f"2026-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d} 08:15:59"
    clock = str(rng.choice(_CLOCKS)) if rng.random() < 0.5 else ordinary
    date, time = clock.split(" ")
    year, month, day = date.split("-")
    tail = str(rng.choice(_TAILS)) if rng.random() < 0.4 else ("Z" if format_text.endswith(("Z", "%z")) else "")
    if format_text.startswith("%Y%m"):
        return year + month + day + time.replace(":", "") + tail
    if format_text.startswith("%d"):
        return f"{day}.{month}.{year} {time}{tail}"
    return f"{date}{'T' if 'T' in format_text else ' '}{time}{tail}"


def _line(rng: np.random.Generator, format_text: str, *, quoted: float) -> bytes:
    """A line that is mostly good: each field is odd with a small chance."""
    who = ["msc-01", str(rng.integers(10**9)), str(rng.choice(["V", "S", "D"])), "ANSWERED", f"4915{rng.integers(10**8):08d}"]
    what = [str(rng.integers(4000)), str(rng.integers(10**9)), str(rng.integers(10**5)), "1"]
    common = [*who, f"+{rng.integers(1, 10**12)}", "", *what]
    fields = [str(rng.choice(_ODD[at])) if at in _ODD and rng.random() < 0.08 else text for at, text in enumerate(common)]
    fields[6] = _stamp(rng, format_text)
    written = ['"' + text.replace('"', '""') + '"' if rng.random() < quoted else text for text in fields]
    return ",".join(written).encode("utf-8", "surrogatepass")


def _mutated(rng: np.random.Generator, line: bytes) -> bytes:
    """One byte changed, deleted, inserted or repeated; no line feed appears."""
    at, byte = int(rng.integers(len(line))), bytes([int(rng.choice(_BYTES))])
    changed, deleted = line[:at] + byte + line[at + 1 :], line[:at] + line[at + 1 :]
    inserted, repeated = line[:at] + byte + line[at:], line[: at + 1] + line[at:]
    return [changed, deleted, inserted, repeated][int(rng.integers(4))]


def _layout(**changes: str) -> CallLayout:
    text = _LAYOUT
    for old, new in changes.items():
        text = text.replace({"stamp": "%Y-%m-%d %H:%M:%S", "zone": "Europe/Berlin"}[old], new)
    return read_call_layout(text, "everything.yaml")


def _decoded(layout: CallLayout, text: bytes, *, capacity: int, chunk: int) -> list[TwinRow]:
    """All rows of a file that arrives in chunks of `chunk` bytes."""
    decoder, batch, rows = CallDecoder(layout, "acme"), CallBatch(capacity), []
    at, size = 0, chunk
    while True:
        part = np.frombuffer(text[at : at + size], dtype=np.uint8)
        final = at + size >= len(text)
        used = decoder.decode(part, base_offset=at, final=final, out=batch)
        columns = [getattr(batch, name)[: batch.n].tolist() for name in TwinRow.__dataclass_fields__]
        rows += [TwinRow(*row) for row in zip(*columns, strict=True)]
        at, size = at + used, chunk if used else size + chunk
        if at == len(text):
            return rows


def _assert_same(layout: CallLayout, text: bytes, *, capacity: int = 4096, chunk: int = 1 << 20) -> list[TwinRow]:
    found, wanted = _decoded(layout, text, capacity=capacity, chunk=chunk), twin_rows(layout, "acme", text)
    for row, twin in zip(found, wanted, strict=False):
        assert row == twin, f"line {text[twin.source_offset : twin.source_offset + twin.source_length]!r}, seed {SEED}"
    assert len(found) == len(wanted)
    return found


@pytest.mark.parametrize("format_text", list(STAMP_FORMATS))
@pytest.mark.parametrize("quoted", [0.0, 0.3])
def test_odd_lines_equal_the_twin_in_every_stamp_format(format_text: str, quoted: float) -> None:
    rng = np.random.default_rng(SEED)
    text = b"\n".join(_line(rng, format_text, quoted=quoted) for _ in range(500))
    rows = _assert_same(_layout(stamp=format_text), text)
    assert {row.status for row in rows} >= {0, Reason.BAD_TIMESTAMP, Reason.BAD_IDENTIFIER, Reason.UNANSWERED}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Kolkata", "Africa/Casablanca", "UTC"])
@pytest.mark.parametrize("ambiguous", ["reject", "earlier", "later"])
def test_wall_clocks_equal_zoneinfo_around_every_change(zone: str, ambiguous: str) -> None:
    layout = replace(_layout(zone=zone), ambiguous=ambiguous)
    days = np.concatenate([np.arange(np.datetime64(first), np.datetime64(end)) for first, end in _CHANGE_SEASONS])
    nights = (days.astype("datetime64[m]")[:, None] + np.arange(0, 240, 15)).ravel()  # midnight to four, where clocks change
    rng = np.random.default_rng(SEED)
    clocks = [str(clock).replace("T", " ") + ":00" for clock in rng.permutation(nights)]
    text = b"".join(f"n,{at},V,ANSWERED,49152,49153,{clock},1,0,0,1\n".encode() for at, clock in enumerate(clocks))
    statuses = {row.status for row in _assert_same(layout, text)}
    changes = zone not in ("UTC", "Asia/Kolkata")
    assert (Reason.NONEXISTENT_LOCAL_TIME in statuses) == changes
    assert (Reason.AMBIGUOUS_LOCAL_TIME in statuses) == (changes and ambiguous == "reject")


@pytest.mark.parametrize("quoted", [0.0, 0.2])
def test_no_mutated_line_is_accepted_wrongly(quoted: float) -> None:
    rng = np.random.default_rng(SEED)
    format_text = "%Y-%m-%d %H:%M:%S"
    good = [_line(rng, format_text, quoted=quoted) for _ in range(500)]
    text = b"\n".join(_mutated(rng, good[int(rng.integers(len(good)))]) for _ in range(6_000))
    rows = _assert_same(_layout(), text)
    accepted = sum(row.status == 0 for row in rows)
    assert 500 < accepted < len(rows) - 500


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
def test_no_mutated_line_is_accepted_wrongly_in_long(seed: int) -> None:
    rng = np.random.default_rng(SEED + seed)
    good = [_line(rng, "%Y-%m-%d %H:%M:%S", quoted=0.02) for _ in range(2_000)]
    for _ in range(4):
        _assert_same(_layout(), b"\n".join(_mutated(rng, good[int(rng.integers(len(good)))]) for _ in range(10_000)))


@pytest.mark.parametrize(("capacity", "chunk"), _CUTS)
def test_a_file_cut_anywhere_gives_the_same_rows(capacity: int, chunk: int) -> None:
    rng = np.random.default_rng(SEED)
    lines = [_line(rng, "%Y-%m-%d %H:%M:%S", quoted=0.02) for _ in range(900)]
    lines[100] = b"x" * 4_097
    lines[200] = b"y," * 20_000
    lines[300] = b"z" * 70_001 + b"\r"
    lines[400] = lines[500] = lines[501] = b""
    text = b"".join(line + (b"\r\n" if at % 3 == 0 else b"\n") for at, line in enumerate(lines)) + b"\r\n\n" + lines[0]
    rows = _assert_same(_layout(), text, capacity=capacity, chunk=chunk)
    assert sum(row.status == Reason.LINE_TOO_LONG for row in rows) == 3


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("length", [1, 7, 8, 9, 63, 64, 65, 4096, 4097, 32_767, 32_768, 32_769, 40_000])
def test_a_single_line_of_any_length(length: int, ending: bytes) -> None:
    rows = _assert_same(_layout(), b"a" * length + ending)
    assert [row.source_length for row in rows] == [length]
