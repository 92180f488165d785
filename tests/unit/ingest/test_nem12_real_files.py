"""Every real NEM12 file that is at hand is read, and reads as the slow twin reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingest.nem12 import read_nem12, to_table
from ingest.zip_member import open_single_member
from schemas.errors import RefusedFileError
from schemas.quality import Quality
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.reference.nem12_twin import content_hash, read_twin, row_of

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "nem12"
MISSING = f"real NEM12 files are missing: expected {FOLDER.resolve()} beside the checkout"
ARCHIVES = sorted([*FOLDER.glob("*.zip"), *FOLDER.glob("*.ZIP")])

# milliwatt-hours and millivar-hours, added up once from the files with exact fractions
KNOWN_TOTALS = {
    (UsageKind.ENERGY, Reason.OK): 1_187_415_480_000,
    (UsageKind.ENERGY, Reason.UNBILLED_CHANNEL): 285_250_775_000,
    (UsageKind.REACTIVE, Reason.UNBILLED_CHANNEL): 141_683_650_000,
}


@pytest.fixture(scope="module")
def archives() -> list[Path]:
    if not ARCHIVES:
        pytest.skip(MISSING)
    return ARCHIVES


def test_all_real_files_read_as_the_twin_reads_them(archives: list[Path]) -> None:
    assert len(archives) == 47
    totals: dict[tuple[int, int], int] = {}
    rows = intervals = 0
    for path in archives:
        name, text = open_single_member(path.read_bytes(), path.name)
        days = read_nem12(text, file_name=name, tenant="north")
        twins = read_twin(text)
        expected = [row_of(day, "north") for day in twins]
        hashes = [content_hash(day, row) for day, row in zip(twins, expected, strict=True)]
        found = to_table(days).to_pylist()
        assert [row.pop("content_hash") for row in found] == hashes, path.name
        assert found == expected, path.name
        rows, intervals = rows + len(days), intervals + len(days.values)
        for kind, status, quantity in zip(days.kind.tolist(), days.status.tolist(), days.quantity.tolist(), strict=True):
            totals[kind, status] = totals.get((kind, status), 0) + quantity
    assert (rows, intervals) == (320, 20736)
    assert totals == KNOWN_TOTALS


def test_each_span_of_a_real_file_is_its_300_and_its_400s(archives: list[Path]) -> None:
    for path in archives:
        _, text = open_single_member(path.read_bytes(), path.name)
        days = read_nem12(text, file_name=path.name, tenant="north")
        spans = [text[at : at + size] for at, size in zip(days.source_offset, days.source_length, strict=True)]
        assert all(span.startswith(b"300,") and not span.endswith((b"\r", b"\n")) for span in spans)
        assert sum(span.count(b"\n400,") for span in spans) == text.count(b"\n400,")
        assert sum(span.count(b"300,2") for span in spans) >= len(days)


def test_a_flag_of_the_day_shows_the_worst_interval(archives: list[Path]) -> None:
    by_name = {path.name: path for path in archives}
    path = by_name["NEM12_08150_05031502_WBAYM_NEMMCO.zip"]
    days = read_nem12(open_single_member(path.read_bytes(), path.name)[1], file_name=path.name, tenant="north")
    assert days.quality.tolist() == [Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTED]
    assert days.quality_text.to_pylist()[0] == "1-22:A;23-48:S14:76:Communications Fault"


_COUNT = "line 3: wrong number of interval values"
INVALID = {
    "Example_NEM12_15min_200_30min_300.csv": f"{_COUNT}, was 48, must be 96, as the 200 says 15 minutes",
    "Example_NEM12_incomplete_interval.csv": f"{_COUNT}, was 0, must be 48, as the 200 says 30 minutes",
    "Example_NEM12_missing_header.csv": "line 2: the file has no header, was 200, must be a 100 record on the first line",
    "Example_NEM12_powercor.csv": "line 8: a record after the 900, was 200, must be the end of the file; split the file",
}


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_real_file_is_refused_in_words(name: str) -> None:
    path = FOLDER / "invalid" / name
    if not path.exists():
        pytest.skip(MISSING)
    with pytest.raises(RefusedFileError) as refused:
        read_nem12(path.read_bytes(), file_name=name, tenant="north")
    assert f"{name}, {INVALID[name]}" in str(refused.value)


def test_a_file_without_channels_is_valid_and_empty() -> None:
    path = FOLDER / "invalid" / "Example_NEM12_empty.csv"
    if not path.exists():
        pytest.skip(MISSING)
    days = read_nem12(path.read_bytes(), file_name=path.name, tenant="north")
    assert len(days) == 0
    assert to_table(days).num_rows == 0
