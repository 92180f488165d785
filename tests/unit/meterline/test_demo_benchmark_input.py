"""The input of the end-to-end benchmark: as many lines as promised, deterministic, every number covered by the deck."""

from __future__ import annotations

import csv
import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from benchmarks.end_to_end_input import BenchmarkInput, deck_prefixes, write_benchmark_operator
from benchmarks.floor import run_floor
from meterline.demo.call_files import HEADER
from rating.tariff_files import load_tariffs
from schemas.errors import ConfigurationError

SIZES = {"records": 5_000, "duplicates": 40, "accounts": 300, "prefixes": 500}


def _small(folder: Path, *, files: int = 1, seed: int = 3) -> BenchmarkInput:
    return write_benchmark_operator(folder, records=5_000, duplicates=40, accounts=300, prefixes=500, files=files, seed=seed)


def _lines(paths: tuple[str, ...]) -> list[str]:
    return [line for path in paths for line in Path(path).read_text().splitlines()[1:]]


@pytest.mark.parametrize("files", [1, 3])
def test_lines_are_records_and_exact_copies(tmp_path: Path, files: int) -> None:
    written = _small(tmp_path / "operator", files=files)
    lines = _lines(written.csv_paths)
    assert len(written.csv_paths) == files
    assert (len(lines), written.lines) == (5_040, 5_040)
    assert len(set(lines)) == 5_000
    assert {(Path(path).read_text().splitlines()[0]) for path in written.csv_paths} == {HEADER}
    assert written.size_bytes == sum(Path(path).stat().st_size for path in written.csv_paths)
    assert 84 <= written.size_bytes / written.lines <= 96
    keys = {(fields[0], fields[1], fields[4], fields[6]) for fields in (line.split(",") for line in set(lines))}
    assert len(keys) == 5_000, "copies are the only lines with equal keys"


def test_the_same_arguments_give_the_same_bytes(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        _small(tmp_path / name, seed=seed)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        digests.append([(path.relative_to(tmp_path / name), hashlib.sha256(path.read_bytes()).hexdigest()) for path in files])
    assert digests[0] == digests[1] != digests[2]


def test_every_called_number_has_a_prefix_and_every_served_one_a_service(tmp_path: Path) -> None:
    written = _small(tmp_path / "operator")
    reference = tmp_path / "operator/reference"
    with (reference / "tariffs/deck.csv").open(newline="") as source:
        prefixes = {row["prefix"] for row in csv.DictReader(source)}
    with (reference / "services.csv").open(newline="") as source:
        services = {row["service_id"] for row in csv.DictReader(source)}
    assert (len(prefixes), len(services)) == (500, 300)
    rows = [line.split(",") for line in _lines(written.csv_paths)]
    assert all(row[4] in services for row in rows)
    called = [row[5] for row in rows if row[2] != "D"]
    assert all(len(number) == 12 and any(number[:digits] in prefixes for digits in range(1, 9)) for number in called)
    assert {row[5] for row in rows if row[2] == "D"} == {""}
    assert all(int(row[8]) + int(row[9]) > 0 if row[2] == "D" else row[2] == "S" or int(row[7]) > 0 for row in rows)
    kinds = Counter(row[2] for row in rows)
    assert kinds["V"] > kinds["D"] > kinds["S"] > 0


def test_the_deck_tariff_loads_with_two_prices_per_prefix(tmp_path: Path) -> None:
    _small(tmp_path / "operator")
    (tariff,) = load_tariffs(tmp_path / "operator/reference/tariffs")
    peak, off_peak = tariff.versions[0].destinations
    assert len(peak.prefixes) == len(off_peak.prefixes) == 500
    assert all(
        high.tiers[0].price_nano > low.tiers[0].price_nano for high, low in zip(peak.deck_rates, off_peak.deck_rates, strict=True)
    )


def test_deck_prefixes_are_different_and_of_all_lengths() -> None:
    prefixes = deck_prefixes(1, 20_000)
    assert len(np.unique(prefixes)) == 20_000
    lengths = Counter(len(str(prefix)) for prefix in prefixes.tolist())
    assert set(lengths) == set(range(1, 9))


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not an empty folder"):
        _small(tmp_path)


def test_the_floor_copies_every_line_cold_and_warm(tmp_path: Path) -> None:
    written = _small(tmp_path / "operator", files=2)
    out = tmp_path / "out"
    out.mkdir()
    floor = run_floor([Path(path) for path in written.csv_paths], out, 1)
    assert (floor["rows"], floor["input_bytes"], floor["threads"]) == (5_040, written.size_bytes, 1)
    for state in ("cold", "warm"):
        assert floor[state]["output_bytes"] > 5_040 and floor[state]["cpu_s"] > 0 and floor[state]["peak_rss_bytes"] > 10_000_000
    assert not list(out.iterdir()), "the copies are removed"


def test_the_command_line_says_what_it_wrote(tmp_path: Path) -> None:
    top = Path(__file__).parents[3]
    options = [f"--{name}={value}" for name, value in SIZES.items()]
    command = [sys.executable, "-m", "benchmarks.end_to_end_input", str(tmp_path / "operator"), *options]
    done = subprocess.run(command, cwd=top, check=True, capture_output=True, text=True)
    assert '"lines": 5040' in done.stdout
