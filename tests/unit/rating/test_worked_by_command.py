"""The worked examples of the rating reference (§11) as files in tests/golden/rating/worked, priced by `meterline tariff price`."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.tools.typed import answer, typed

WORKED = Path(__file__).parents[2] / "golden" / "rating" / "worked"
CASES = sorted(path.parent for path in WORKED.glob("*/expected.csv"))


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
    assert code == 0 and "without 1 run that failed" in said and "0.1092" in said


def test_what_cannot_be_priced_is_said_in_words(tmp_path: Path) -> None:
    chain = WORKED / "e13_fallback"
    usage = chain / "usage.csv"
    assert typed("tariff", "price", chain, usage)[2] == (
        f"error: {chain}: several tariffs and no subjects, was 4, must be one tariff, --subjects, or a column tariff\n"
    )
    named = tmp_path / "usage.csv"
    named.write_text("tariff,kind,start_at,quantity\nevryone,voice,2026-10-06T10:00:00Z,1\n")
    code, _, said = typed("tariff", "price", chain, named)
    assert (code, said) == (1, "error: usage row 1: no such tariff, was 'evryone'; did you mean 'everyone'?\n")
    wrong = tmp_path / "subjects.csv"
    wrong.write_text("tenant,category,subject,tariff,effective_from\nop,call,s1,everyon,2026-01-01\n")
    code, _, said = typed("tariff", "price", chain, usage, "--subjects", wrong)
    assert (code, said) == (2, f"error: {wrong}:2: no such tariff, was 'everyon'; did you mean 'everyone'?\n")
    alone = tmp_path / "alone.yaml"
    alone.write_text((chain / "with_fallback.yaml").read_text())
    code, _, said = typed("tariff", "price", alone, usage)
    assert (code, said) == (2, f"error: {alone}: no tariff for this fallback, was 'everyone'; there is none\n")


def test_a_file_finds_its_fallbacks_beside_it() -> None:
    records = answer("tariff", "price", WORKED / "e13_fallback" / "with_fallback.yaml", WORKED / "e13_fallback" / "usage.csv")
    assert records["tariff_id"] == "with_fallback"
    assert [row["charge"] for row in records["records"]][:2] == ["0.04", "0.80"]
