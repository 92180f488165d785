"""Golden call layouts: a layout and a file give exactly these rows, or exactly these words."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ingest.call_decoder import CallBatch, CallDecoder, check_call_file
from ingest.call_layouts import CallLayout, load_call_layout
from schemas.errors import MeterlineError
from schemas.hashing import hex_id
from schemas.numbers import number_text
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import moment_of

CASES = sorted(Path(__file__).parents[2].glob("golden/ingest/layout_*"))
CUTS = [1 << 20, 600]  # bytes that arrive at a time: all at once, and as after a crash in the middle of the file


def rows_as_lines(layout: CallLayout, raw: bytes, chunk: int) -> list[str]:
    """One JSON object per row, in the words that people use."""
    decoder, batch, lines, at, size = CallDecoder(layout, "default"), CallBatch(4), [], 0, chunk
    while at < len(raw):
        part = np.frombuffer(raw[at : at + size], dtype=np.uint8)
        used = decoder.decode(part, base_offset=at, final=at + size >= len(raw), out=batch)
        lines += [json.dumps(row_in_words(batch, row)) for row in range(batch.n)]
        at, size = at + used, chunk if used else size + chunk
    return lines


def row_in_words(batch: CallBatch, row: int) -> dict[str, object]:
    offset, length = int(batch.source_offset[row]), int(batch.source_length[row])
    place: dict[str, object] = {"status": Reason(int(batch.status[row])).label, "offset": offset, "length": length}
    ids = {"id": hex_id(int(batch.record_hi[row]), int(batch.record_lo[row])), "content": f"{int(batch.content_hash[row]):016x}"}
    if batch.kind[row] == 255:
        return place | ids
    kind = UsageKind(int(batch.kind[row]))
    numbers = {"served": number_text(int(batch.served_number[row])), "called": number_text(int(batch.called_number[row]))}
    usage = {"start_at": moment_of(int(batch.start_at[row])).isoformat(), "quantity": f"{int(batch.quantity[row])} {kind.unit}"}
    return place | {"kind": kind.label} | numbers | usage | ids


@pytest.mark.parametrize("chunk", CUTS)
@pytest.mark.parametrize("case", [case for case in CASES if (case / "expected.jsonl").exists()], ids=lambda case: case.name)
def test_golden_rows(case: Path, chunk: int) -> None:
    layout = load_call_layout(case / "layout.yaml")
    check_call_file(case / "input.csv", layout)
    found = rows_as_lines(layout, (case / "input.csv").read_bytes(), chunk)
    assert found == (case / "expected.jsonl").read_text().splitlines()


@pytest.mark.parametrize("case", [case for case in CASES if (case / "expected_error.txt").exists()], ids=lambda case: case.name)
def test_golden_words(case: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(case)
    with pytest.raises(MeterlineError) as error:
        check_call_file(Path("input.csv"), load_call_layout(Path("layout.yaml")))
    assert str(error.value) == (case / "expected_error.txt").read_text().rstrip("\n")


def test_every_case_says_what_it_expects() -> None:
    assert len(CASES) >= 8
    assert all((case / "expected.jsonl").exists() != (case / "expected_error.txt").exists() for case in CASES)
