"""The worked examples of the rating reference (§11) as files in tests/golden/rating/worked, priced by `meterline tariff price`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.tools.typed import answer, typed

WORKED = Path(__file__).parents[2] / "golden" / "rating" / "worked"
CASES = sorted(path for path in WORKED.iterdir() if path.is_dir())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as source:
        return list(csv.DictReader(source))


def words_of(case: Path) -> list[Path | str]:
    options = [("--subjects", case / "subjects.csv"), ("--contracts", case / "contracts.csv")]
    return [case, case / "usage.csv", *(word for option, path in options if path.exists() for word in (option, path))]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_charges(case: Path) -> None:
    more = ["--runs"] if (case / "margins.csv").exists() else ["--discounts"] if "discount" in case.name else []
    priced = answer("tariff", "price", *words_of(case), *more)
    expected = rows_of(case / "expected.csv")
    found = priced["runs"] if "--runs" in more else priced["records"]
    assert [{name: str(row[name]) for name in want} for row, want in zip(found, expected, strict=True)] == expected
    if "--runs" in more:
        margins = rows_of(case / "margins.csv")
        assert [{name: str(row[name]) for name in want} for row, want in zip(priced["margins"], margins, strict=True)] == margins
        assert len({row["charge_id"] for row in found}) == len(found)


def test_every_example_without_balances_is_there() -> None:
    named = {case.name[:3] for case in CASES}
    assert named >= {f"e{number:02d}" for number in (*range(1, 17), 24)}


def test_the_words_for_people() -> None:
    code, said, _ = typed("tariff", "price", *words_of(WORKED / "e13_fallback"))
    assert code == 0 and "Calls (1 of everyone)" in said and "no_tariff_for_subject" in said
    code, said, _ = typed("tariff", "price", *words_of(WORKED / "e24_margin"), "--runs")
    assert code == 0 and "without 1 runs that failed" in said and "0.1092" in said
