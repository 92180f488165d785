"""Imports as they are typed: the files, the report with its account of rows, and the words of every refusal (golden)."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from meterline.cli import main
from rating.importers.findings import TARIFF_KEYS
from rating.tariff_files import check_tariff

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "import"
CASES = sorted(path.parent for path in GOLDEN.glob("*/command.txt"))
IMPORTED = [path for path in CASES if not path.name.startswith("error_")]


def typed(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as stopped:
        main(["tariff", "import", *words])
    said = capsys.readouterr()
    return int(stopped.value.code or 0), said.out, said.err


def words_of(case: Path, out: Path) -> list[str]:
    words = shlex.split((case / "command.txt").read_text())
    return [str(case / word) if (case / word).exists() else word for word in words] + ["--out", str(out)]


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("case", IMPORTED, ids=lambda path: path.name)
def test_files_and_report(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pytestconfig: pytest.Config) -> None:
    code, answer, _ = typed([*words_of(case, tmp_path), "--json"], capsys)
    said = json.loads(answer)
    written = texts(tmp_path)
    assert written == texts(case / "expected")
    assert said["in"] == said["represented"] + said["named"] and said["in"] > 0
    assert written["import_report.txt"].splitlines()[-1].endswith(f" = {said['represented']} represented + {said['named']} named")
    told = {(one["file"], one["line"]) for one in said["findings"] if one["kind"] not in ("guess", "note") and one["line"]}
    assert len(told) == said["named"], "each row that is named has a finding with its line"
    assert code == (1 if said["faults"] else 0)


@pytest.mark.parametrize("case", IMPORTED, ids=lambda path: path.name)
def test_imported_tariffs_load_without_errors_and_unused_names(case: Path) -> None:
    for path in sorted((case / "expected").glob("*.yaml")):
        text = path.read_text()
        if not TARIFF_KEYS.search(text):
            continue
        # Prices of a source may jump from one version to the next; all else would be the importer's doing.
        assert [str(fault) for fault in check_tariff(path) if fault.code != "warning_price_change"] == []


@pytest.mark.parametrize("case", [path for path in CASES if path not in IMPORTED], ids=lambda path: path.name)
def test_the_words_of_refusals(case: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, said = typed(words_of(case, tmp_path / "out"), capsys)
    assert (code, answer) == (2, "")
    assert said.replace(f"{case}/", "") == (case / "expected_error.txt").read_text()
    assert not (tmp_path / "out").exists(), "a refused import writes nothing"


def test_files_are_not_replaced_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = words_of(GOLDEN / "az_positions", tmp_path)
    assert typed(words, capsys)[0] == 0
    code, _, said = typed(words, capsys)
    assert code == 2 and "positions.yaml: the file is there already; another --out, or --force" in said
    assert typed([*words, "--force"], capsys)[0] == 0


def test_strict_fails_where_something_was_not_represented(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed([*words_of(GOLDEN / "az_every_fault", tmp_path / "a"), "--strict"], capsys)[0] == 1
    assert typed([*words_of(GOLDEN / "az_positions", tmp_path / "b"), "--strict"], capsys)[0] == 0


def test_a_report_on_the_screen_ends_with_the_account(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, answer, _ = typed(words_of(GOLDEN / "cgrates_every_fault", tmp_path), capsys)
    assert code == 0
    assert re.fullmatch(r"all files: \d+ rows in = \d+ represented \+ \d+ named", answer.splitlines()[-1])


def test_order_of_rows_does_not_change_the_subjects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who has which tariff from when is the same with the rows of every file but the rates turned round."""
    case = GOLDEN / "cgrates_retail"
    shutil.copytree(case / "source", tmp_path / "source")
    for name in ("Destinations", "DestinationRates", "RatingPlans", "RatingProfiles", "Timings"):
        path = tmp_path / "source" / f"{name}.csv"
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    assert typed(["cgrates", str(tmp_path / "source"), "--currency", "EUR", "--out", str(tmp_path / "out")], capsys)[0] == 0
    assert texts(tmp_path / "out")["subjects.csv"] == texts(case / "expected")["subjects.csv"]
