"""Golden NEM12 files: input.csv with either expected.jsonl (a row per day) or expected_error.txt (the words of the refusal)."""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path

import pytest

from ingest.nem12 import IntervalDays, read_nem12, to_table
from schemas.errors import RefusedFileError
from schemas.hashing import hex_id

CASES = sorted(Path(__file__).parents[2].glob("golden/ingest/nem12_*"))


def rows_text(days: IntervalDays) -> str:
    """One line of JSON a day, ids as hexadecimal, times as ISO text."""
    rows = to_table(days).to_pylist()
    for row in rows:
        row["record_id"] = hex_id(row.pop("record_hi"), row.pop("record_lo"))
        row["content_hash"] = f"{row['content_hash']:016x}"
    return "".join(json.dumps(row, default=iso_text, sort_keys=True) + "\n" for row in rows)


def iso_text(value: object) -> str:
    assert isinstance(value, date | datetime)
    return value.isoformat()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_golden_file(case: Path) -> None:
    text = (case / "input.csv").read_bytes()
    expected_error = case / "expected_error.txt"
    if expected_error.exists():
        with pytest.raises(RefusedFileError) as refused:
            read_nem12(text, file_name="input.csv", tenant="north")
        assert f"{refused.value}\n" == expected_error.read_text()
    else:
        assert rows_text(read_nem12(text, file_name="input.csv", tenant="north")) == (case / "expected.jsonl").read_text()


def test_there_are_golden_files() -> None:
    assert len(CASES) >= 8
