"""What a call layout may say, and what binding it to a header line makes of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ingest.call_layouts import CallLayout, NumberRules, load_call_layout, read_call_layout
from schemas.errors import ConfigurationError, ExitCode, RefusedFileError
from schemas.quantities import UsageKind

PLAIN = """
layout: plain
format: csv
header_lines: 1
zone: UTC
columns:
  node:          {index: 0}
  sequence:      {index: 1}
  kind:          {index: 2, values: {voice: [V, T], volume: D}}
  served_number: {name: caller}
  called_number: {index: 4}
  start_at:      {index: 5, format: "%Y%m%d%H%M%S"}
  duration:      {index: 6, unit: ms}
  volume:        {index: 7, unit: bytes}
"""


def read(old: str = "", new: str = "") -> CallLayout:
    assert old in PLAIN
    return read_call_layout(PLAIN.replace(old, new) if old else PLAIN, "plain.yaml")


def test_a_layout_is_read_with_its_defaults() -> None:
    layout = read()
    assert (layout.separator, layout.quote, layout.encoding, layout.ambiguous) == (",", "", "utf-8", "reject")
    assert layout.kinds == (UsageKind.VOICE, UsageKind.VOLUME)
    assert layout.number_rules == NumberRules()
    assert layout.fields is None and not layout.is_bound
    column = layout.column("kind")
    assert column is not None and column.values == (("V", "voice"), ("T", "voice"), ("D", "volume"))


def test_a_file_is_loaded_with_its_digest(tmp_path: Path) -> None:
    path = tmp_path / "plain.yaml"
    path.write_text(PLAIN)
    assert load_call_layout(path).digest == hashlib.sha256(PLAIN.encode()).hexdigest()


HEADER = b"node,seq,kind,caller,called,start,ms,bytes"


@pytest.mark.parametrize(
    ("header", "index", "fields"),
    [
        (HEADER, 3, 8),
        (HEADER + b"\r\n", 3, 8),
        (b"\xef\xbb\xbf" + HEADER, 3, 8),
        (HEADER.replace(b"caller", b" caller "), 3, 8),
        (HEADER + b",more,columns", 3, 10),
        (b"caller", 0, None),  # a title of fewer fields than the others need
    ],
)
def test_a_header_places_named_columns_and_counts_fields(header: bytes, index: int, fields: int | None) -> None:
    bound = read().bound_to(header)
    column = bound.column("served_number")
    assert column is not None and column.index == index
    assert bound.fields == fields and bound.is_bound


def test_a_declared_field_count_is_not_taken_from_the_header() -> None:
    assert read("zone: UTC", "zone: UTC\nfields: 9").bound_to(HEADER).fields == 9


def test_a_named_column_must_be_there() -> None:
    with pytest.raises(RefusedFileError, match=r"column 'caller' \(for served_number\) is missing.*did you mean 'called'\?"):
        read().bound_to(HEADER.replace(b"caller", b"from"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format: csv", "format: json", r"plain.yaml:3:9: format: unknown value, was 'json', must be one of csv"),
        ("zone: UTC\n", "", r"`zone` is missing, must be given for stamps in local time"),
        ("  sequence:      {index: 1}\n", "", r"columns.sequence is missing"),
        ("{index: 0}", "{index: 0, name: n}", r"columns.node: its place is not clear, was index and name"),
        ("{index: 0}", "{}", r"columns.node: its place is not clear, was none"),
        ("{index: 0}", "{index: 1000}", r"whole number from 0 to 999"),
        ("header_lines: 1", "header_lines: 0", r"columns.served_number: by name, but the file has no header"),
        ("values: {voice: [V, T], volume: D}", "values: {}", r"columns.kind.values: empty"),
        ("values: {voice: [V, T], volume: D}", "constant: call", r"columns.kind.constant: unknown value, was 'call'"),
        ("volume: D}", "volume: ''}", r"columns.kind.values: not usable, was ''"),
        ("unit: ms", "unit: m", r"columns.duration.unit: unknown value, was 'm', must be one of s, ms; did you mean 'ms'\?"),
        ("  duration:      {index: 6, unit: ms}\n", "", r"columns.duration is missing, must be given for voice or messages"),
        ("  volume:        {index: 7, unit: bytes}\n", "", r"columns: no volume, must be volume, or bytes_up and bytes_down"),
        ("zone: UTC", "zone: UTC\nquote: ','", r"quote and separator are the same"),
        ("zone: UTC", "zone: UTC\nnumber_rules: {country_code: '049'}", r"1 to 3 digits, not beginning with 0"),
        ("zone: UTC", "zone: UTC\nnumber_rules: 49", r"number_rules: not a mapping"),
        ("zone: UTC", "zone: [UTC]", r"zone: not a single value"),
        ("zone: UTC", "zone: UTC\nfields: 7", r"fields: fewer than the columns need, was 7, must be at least 8"),
        ("volume: D}", "volume: €}", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words(old: str, new: str, words: str) -> None:
    if not words:
        read(old, new)
        return
    with pytest.raises(ConfigurationError, match=words) as error:
        read(old, new)
    assert error.value.exit_code == ExitCode.WRONG_USAGE
    assert all(fault.code != "error" for fault in error.value.faults)


def test_a_text_outside_the_encoding_is_refused() -> None:
    text = PLAIN.replace("zone: UTC", "zone: UTC\nencoding: latin-1").replace("volume: D}", "volume: €}")
    with pytest.raises(ConfigurationError, match="columns.kind: not in the encoding, was '€'"):
        read_call_layout(text, "plain.yaml")


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (b"", "empty file"),
        (b"- a\n", "not a mapping"),
        (b"a: [b\n", "not YAML"),
        (b"a: \x00\n", "not YAML"),
        (b"\xff\xfe", "not UTF-8"),
        (b"&a [*a]", "not a mapping"),
        (b"{[a]: b, layout: [x], columns: &c {node: *c}}", "unknown key"),
    ],
)
def test_no_file_is_too_odd(tmp_path: Path, raw: bytes, words: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigurationError, match=words):
        load_call_layout(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="none.yaml: cannot be read: No such file"):
        load_call_layout(tmp_path / "none.yaml")
