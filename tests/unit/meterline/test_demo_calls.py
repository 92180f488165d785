"""The expected row account of the generated calls against an obvious reading of the files that were written."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

import pytest

from meterline.demo import OperatorSummary, build_operator
from meterline.demo.call_files import HEADER
from schemas.periods import period_number, period_of
from schemas.zones import instant_us, local_midnight_us, zone_of

ZONE = "Europe/Berlin"
RATED_PREFIXES = ("49", "43", "33", "44", "48", "90", "1")
Stretches = dict[str, list[tuple[int, int]]]


LINES = 55_000


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OperatorSummary]:
    folder = tmp_path_factory.mktemp("demo") / "operator"
    return folder, build_operator(folder, seed=11, subscribers=200, calls=LINES, meters=10)


def _instant(text: str, default: int) -> int:
    if not text:
        return default
    if text.endswith("Z"):
        return instant_us(datetime.fromisoformat(text))
    return local_midnight_us(datetime.fromisoformat(text).date(), ZONE)


def _stretches(folder: Path) -> Stretches:
    held: Stretches = defaultdict(list)
    with (folder / "reference/services.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            held[row["service_id"]].append((_instant(row["effective_from"], -(2**62)), _instant(row["effective_to"], 2**62)))
    return held


def _start_of(fields: list[str]) -> int | None:
    try:
        return instant_us(datetime.fromisoformat(f"{fields[6]}+00:00"))
    except ValueError:
        return None


def _unreadable(fields: list[str]) -> str | None:
    if len(fields) != 11:
        return "bad_field_count"
    if not fields[7].lstrip("-").isdigit():
        return "bad_number"
    if _start_of(fields) is None:
        return "bad_timestamp"
    if not fields[4].isdigit():
        return "bad_identifier"
    if fields[2] not in ("V", "S", "D"):
        return "bad_kind"
    return "negative_quantity" if fields[7].startswith("-") else None


def _normalized(number: str) -> str:
    if number.startswith("00"):
        return number[2:]
    return f"49{number[1:]}" if number.startswith("0") else number


def _place(fields: list[str], held: Stretches) -> str:
    """Of a line that can be read and stands alone."""
    quantity = {"V": int(fields[7]), "S": 1, "D": int(fields[8]) + int(fields[9])}[fields[2]]
    if quantity == 0:
        return "zero_usage"
    start_at = _start_of(fields)
    assert start_at is not None
    if fields[4] not in held:
        return "unknown_service"
    if not any(start <= start_at < end for start, end in held[fields[4]]):
        return "no_service_at_instant"
    if fields[2] == "V" and not _normalized(fields[5]).startswith(RATED_PREFIXES):
        return "no_rate_for_destination"
    return "billed"


def _lines(folder: Path, paths: list[str]) -> list[tuple[str, str]]:
    """(path, line) by (SHA-256 of the file, offset), without the header."""
    by_hash = sorted(paths, key=lambda path: hashlib.sha256((folder / path).read_bytes()).digest())
    return [(path, line) for path in by_hash for line in (folder / path).read_text().splitlines()[1:]]


def test_each_file_has_the_expected_row_account(built: tuple[Path, OperatorSummary]) -> None:
    folder, summary = built
    expected = {file.path: dict(file.places) for file in summary.files if file.path.startswith("inbox/calls")}
    held, lines = _stretches(folder), _lines(folder, list(expected))
    contents: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for _, line in lines:
        fields = line.split(",")
        if _unreadable(fields) is None:
            contents[fields[0], fields[1], fields[4], fields[6]].add(line)
    seen: set[str] = set()
    found: dict[str, Counter[str]] = {path: Counter() for path in expected}
    for path, line in lines:
        fields = line.split(",")
        place = _unreadable(fields)
        if place is None:
            versions = len(contents[fields[0], fields[1], fields[4], fields[6]])
            place = "duplicate" if line in seen else "conflict" if versions > 1 else _place(fields, held)
            seen.add(line)
        found[path][place] += 1
    assert {path: dict(sorted(places.items())) for path, places in found.items()} == expected


def test_there_is_something_of_everything(built: tuple[Path, OperatorSummary]) -> None:
    _, summary = built
    assert summary.records("inbox/calls") == LINES
    assert [file.records for file in summary.files if "calls" in file.path] == [50_000, 5_000]
    assert summary.duplicates == LINES * 3_000 // 1_000_000 + 1  # and one NEM12 day
    assert summary.broken == LINES * 2_000 // 1_000_000
    assert summary.conflicts == 14
    assert set(summary.places("inbox/calls")) == {
        "billed", "duplicate", "conflict", "zero_usage", "unknown_service", "no_service_at_instant", "no_rate_for_destination",
        "bad_field_count", "bad_number", "bad_timestamp", "bad_kind", "bad_identifier", "negative_quantity",
    }  # fmt: skip


@pytest.fixture(scope="module")
def rows(built: tuple[Path, OperatorSummary]) -> list[list[str]]:
    """The fields of every line that can be read, in order of arrival."""
    folder, summary = built
    paths = [file.path for file in summary.files if "calls" in file.path]
    lines = [line.split(",") for path in paths for line in (folder / path).read_text().splitlines()[1:]]
    return [fields for fields in lines if _unreadable(fields) is None]


def test_the_mix_of_kinds_is_60_15_25(rows: list[list[str]]) -> None:
    shares = {kind: round(100 * count / len(rows)) for kind, count in Counter(fields[2] for fields in rows).items()}
    assert shares["V"] in (60, 61, 62) and shares["S"] in (14, 15) and shares["D"] in (24, 25)


def test_starts_lie_in_the_local_month_by_a_daily_curve_and_late_records_come_last(rows: list[list[str]]) -> None:
    month = period_of(period_number("2026-10"), ZONE)
    starts = [start for fields in rows if (start := _start_of(fields)) is not None]
    assert month.start_at <= min(starts) and max(starts) < month.end_at
    hours = Counter(datetime.fromtimestamp(start // 1_000_000, zone_of(ZONE)).hour for start in starts[::7])
    assert hours[18] > 10 * hours[3]
    early = month.start_at + (month.end_at - month.start_at) // 3
    assert sum(start < early for start in starts[: LINES // 4]) == LINES // 4
    assert sum(start < early for start in starts[-LINES // 8 :]) > LINES * 4_000 // 1_000_000 // 2


def test_the_header_names_the_columns_of_the_layout(built: tuple[Path, OperatorSummary]) -> None:
    folder, summary = built
    firsts = {(folder / file.path).read_text().splitlines()[0] for file in summary.files if "calls" in file.path}
    assert firsts == {HEADER}
