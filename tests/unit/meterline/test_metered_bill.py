"""`tariff price --period`: golden bills of the example tariffs, as text and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from meterline.cli.tariff import command

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
CASES = sorted(path.parent for path in (GOLDEN / "metered").glob("*/command"))


def run(case: Path, *more: str) -> Result:
    tariff, *periods = (case / "command").read_text().split()
    arguments = [
        "price",
        str(GOLDEN / "tariffs" / "utility" / f"{tariff}.yaml"),
        str(case / "usage.csv"),
        "--terms",
        str(case / "terms.yaml"),
    ]
    for period in periods:
        arguments += ["--period", period]
    return CliRunner().invoke(command, [*arguments, *more])


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_golden_bills(case: Path) -> None:
    done = run(case)
    assert done.exit_code == (1 if case.name == "refused" else 0), done.output
    assert done.output == (case / "expected.txt").read_text()


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_json_says_the_same(case: Path) -> None:
    answer = json.loads(run(case, "--json").output)
    text = (case / "expected.txt").read_text()
    for bill in answer["bills"]:
        assert sum(round(float(line["amount"]) * 100) for line in bill["lines"]) == round(float(bill["total"]) * 100)
        assert all(line["explanation"] in text for line in bill["lines"])
    assert all(refusal["reason"] in text for refusal in answer["refusals"])


def test_terms_need_a_period(tmp_path: Path) -> None:
    terms = tmp_path / "terms.yaml"
    terms.write_text("shifts: 1\n")
    case = GOLDEN / "metered" / "water"
    done = CliRunner().invoke(
        command,
        ["price", str(GOLDEN / "tariffs" / "utility" / "water_home.yaml"), str(case / "usage.csv"), "--terms", str(terms)],
    )
    assert "terms without a period" in str(done.exception)


def test_every_example_tariff_is_shown() -> None:
    for path in sorted((GOLDEN / "tariffs" / "utility").glob("*.yaml")):
        done = CliRunner().invoke(command, ["show", str(path)])
        assert done.exit_code == 0
        assert done.output == (GOLDEN / "shown" / f"{path.stem}.txt").read_text()
