"""The expected row account and energy of the generated NEM12 files against an obvious reading of what was written."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from ingest.nem12 import read_nem12
from meterline.demo import OperatorSummary, build_operator
from schemas.errors import RefusedFileError
from schemas.periods import period_number, period_of
from schemas.reasons import Reason
from schemas.zones import instant_us, local_midnight_us

ZONE = "Europe/Berlin"
RANK = {"N": 0, "E": 1, "S": 2, "F": 3, "A": 4}  # higher wins


@pytest.fixture(scope="module", params=["2026-10", "2026-03"])
def built(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OperatorSummary]:
    folder = tmp_path_factory.mktemp("demo") / "operator"
    return folder, build_operator(folder, seed=5, subscribers=20, calls=1_000, meters=60, period=request.param)


@dataclass
class Day:
    """A 300 record with its worst quality flag."""

    path: str
    point: str
    channel: str
    start: datetime
    values: list[str]
    flag: str
    updated: str

    @property
    def milliwh(self) -> list[int]:
        exact = [Decimal(value) * 1_000_000 for value in self.values]
        assert all(value == int(value) for value in exact)
        return [int(value) for value in exact]


def _text(folder: Path, path: str) -> str:
    raw = (folder / path).read_bytes()
    if path.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            (member,) = archive.namelist()
            raw = archive.read(member)
    return raw.decode("ascii")


def _days(folder: Path, path: str) -> Iterator[Day]:
    point = channel = ""
    day: Day | None = None
    rows = list(csv.reader(io.StringIO(_text(folder, path))))
    assert rows[0][:2] == ["100", "NEM12"] and rows[-1] == ["900"]
    for row in rows[1:]:
        if row[0] == "400":
            assert day is not None
            day.flag = min(day.flag, row[3][0], key=lambda flag: RANK.get(flag, 9))
            continue
        if day is not None:
            yield day
        day = None
        if row[0] == "200":
            point, channel = row[1], row[4]
            assert row[7:9] == ["kWh", "15"] and len(point) == 10
        elif row[0] == "300":
            assert len(row) == 2 + 96 + 5
            start = datetime.strptime(row[1], "%Y%m%d").replace(tzinfo=UTC) - timedelta(hours=10)
            day = Day(path, point, channel, start, row[2:98], row[98][0], row[101])


def _held(folder: Path) -> dict[str, list[tuple[int, int]]]:
    held: dict[str, list[tuple[int, int]]] = {}
    with (folder / "reference/services.csv").open(newline="") as source:
        for row in csv.DictReader(source):
            ends = []
            for text, default in ((row["effective_from"], 0), (row["effective_to"], 2**62)):
                moment = datetime.fromisoformat(text) if text else None
                at = (
                    default if moment is None else instant_us(moment) if moment.tzinfo else local_midnight_us(moment.date(), ZONE)
                )
                ends.append(at)
            held.setdefault(row["service_id"], []).append((ends[0], ends[1]))
    return held


@pytest.fixture(scope="module")
def settled(built: tuple[Path, OperatorSummary]) -> list[tuple[Day, str]]:
    return _settled(*built)


def _settled(folder: Path, summary: OperatorSummary) -> list[tuple[Day, str]]:
    """Every day with its place: the best version wins, of identical copies the one in the file with the smaller hash."""
    held = _held(folder)
    paths = [file.path for file in summary.files if file.path.startswith("inbox/meters")]
    paths.sort(key=lambda path: hashlib.sha256((folder / path).read_bytes()).digest())
    days = [day for path in paths for day in _days(folder, path)]
    winners: dict[tuple[str, str, datetime], Day] = {}
    for day in days:
        key = (day.point, day.channel, day.start)
        best = winners.setdefault(key, day)
        if (RANK.get(day.flag, 9), day.updated) > (RANK.get(best.flag, 9), best.updated):
            winners[key] = day
    return [(day, _place(day, winners[day.point, day.channel, day.start], held)) for day in days]


def _place(day: Day, winner: Day, held: dict[str, list[tuple[int, int]]]) -> str:
    if day is not winner:
        return "duplicate" if day.values == winner.values and day.updated == winner.updated else "superseded"
    if not day.channel.startswith("E"):
        return "unbilled_channel"
    if day.point not in held:
        return "unknown_service"
    start_at = instant_us(day.start)
    whole = [start <= start_at < end for start, end in held[day.point]]
    if not any(whole):
        return "no_service_at_instant"
    return "null_quality" if day.flag == "N" else "billed"


def test_each_file_has_the_expected_row_account(built: tuple[Path, OperatorSummary], settled: list[tuple[Day, str]]) -> None:
    folder, summary = built
    found: dict[str, Counter[str]] = {}
    for day, place in settled:
        found.setdefault(day.path, Counter())[place] += 1
    expected = {file.path: dict(file.places) for file in summary.files if file.path.startswith("inbox/meters")}
    assert {path: dict(places) for path, places in found.items()} == expected
    assert set(summary.places("inbox/meters")) == {
        "billed", "superseded", "duplicate", "null_quality", "no_service_at_instant", "unbilled_channel", "unknown_service",
    }  # fmt: skip


def test_energy_is_that_of_the_billed_days(built: tuple[Path, OperatorSummary], settled: list[tuple[Day, str]]) -> None:
    folder, summary = built
    month = period_of(period_number(summary.period), ZONE)
    total = inside = 0
    other: Counter[str] = Counter()
    for day, place in settled:
        values = day.milliwh
        if place != "billed":
            other[place] += sum(values)
            continue
        total += sum(values)
        first_at = instant_us(day.start)
        inside += sum(v for slot, v in enumerate(values) if month.start_at <= first_at + slot * 900_000_000 < month.end_at)
    assert (total, inside) == (summary.energy_milliwh, summary.energy_in_period_milliwh)
    assert 0 < inside < total
    assert {place: energy for place, energy in other.items() if energy} == dict(summary.unbilled_energy_milliwh)


def test_days_cover_the_local_month_and_services_begin_and_end_on_day_borders(
    built: tuple[Path, OperatorSummary], settled: list[tuple[Day, str]]
) -> None:
    folder, summary = built
    month = period_of(period_number(summary.period), ZONE)
    days = [day for day, _ in settled if day.point == "NEM1200001"]
    starts = sorted({instant_us(day.start) for day in days})
    assert starts[0] <= month.start_at < starts[0] + 86_400_000_000
    assert starts[-1] < month.end_at <= starts[-1] + 86_400_000_000
    assert len(starts) == month.days + 1
    every = _held(folder)
    for day, place in settled:
        stretches = every.get(day.point, [])
        first_at, last_at = instant_us(day.start), instant_us(day.start + timedelta(hours=23, minutes=45))
        held = [any(start <= at < end for start, end in stretches) for at in (first_at, last_at)]
        assert place not in ("billed", "no_service_at_instant") or held == [place == "billed"] * 2


def test_the_broken_file_lacks_a_value_and_is_no_part_of_the_account(built: tuple[Path, OperatorSummary]) -> None:
    folder, summary = built
    (path,) = summary.refused_files
    assert Path(path).name.startswith("broken_")
    fields = [len(line.split(",")) for line in _text(folder, path).splitlines() if line.startswith("300")]
    assert fields == [103, 103, 102]
    assert path not in {file.path for file in summary.files}


def test_the_reader_of_the_product_takes_the_same_days_and_refuses_the_broken_file(
    built: tuple[Path, OperatorSummary], settled: list[tuple[Day, str]]
) -> None:
    folder, summary = built
    quantities: Counter[str] = Counter()
    for day, _ in settled:
        quantities[day.path] += sum(day.milliwh)
    for file in summary.files:
        if file.path.startswith("inbox/meters"):
            days = read_nem12(_text(folder, file.path).encode(), file_name=file.path, tenant="default")
            assert (len(days.status), int(days.quantity.sum())) == (file.records, quantities[file.path])
            unbilled = int((days.status == Reason.UNBILLED_CHANNEL).sum()), int((days.status == Reason.NULL_QUALITY).sum())
            assert unbilled == (file.places.get("unbilled_channel", 0), file.places.get("null_quality", 0))
    (path,) = summary.refused_files
    with pytest.raises(RefusedFileError, match="line 5: wrong number of interval values, was 95, must be 96"):
        read_nem12((folder / path).read_bytes(), file_name=path, tenant="default")


def test_load_has_a_curve_by_hour(settled: list[tuple[Day, str]]) -> None:
    by_slot = [0] * 96
    for day, place in settled:
        if place == "billed":
            by_slot = [sum(pair) for pair in zip(by_slot, day.milliwh, strict=True)]
    assert max(by_slot) > 2 * min(by_slot) > 0
