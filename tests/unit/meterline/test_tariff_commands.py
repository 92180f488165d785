"""The tariff commands as a product manager types them: answers, exit codes, files in and out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from meterline.cli import main

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
BASIC, PLUS = (str(GOLDEN / "tariffs" / f"mobile_{name}.yaml") for name in ("basic", "plus"))
TOU = str(GOLDEN / "tariffs" / "power_tou.yaml")
WARNED = str(GOLDEN / "warnings" / "energy.yaml")
Typed = Callable[..., tuple[int, str, str]]


@pytest.fixture
def typed(capsys: pytest.CaptureFixture[str]) -> Typed:
    """Types `meterline tariff …`; returns exit code, stdout, stderr."""

    def type_words(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as stopped:
            main(["tariff", *words])
        said = capsys.readouterr()
        return int(stopped.value.code or 0), said.out, said.err

    return type_words


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    path = tmp_path / "calls.csv"
    path.write_text(
        "kind,called_number,start_at,quantity,unit\n"
        "voice,+4930123,2026-10-05T10:00:00+02:00,73,s\n"
        "voice,7495,2026-10-05T10:00:00+02:00,73,s\n"
        "volume,,2026-10-05T10:00:00Z,7.5,MB\n"
    )
    return path


def test_check(typed: Typed) -> None:
    assert typed("check", str(GOLDEN / "tariffs")) == (0, "17 tariff files, no faults\n", "")
    code, said, _ = typed("check", WARNED)
    assert code == 0 and said.endswith("1 tariff file, 0 errors, 4 warnings\n") and said.startswith("warning: ")
    assert typed("check", "--strict", WARNED)[0] == 2
    assert typed("check", "--price-change", "30%", WARNED)[1].endswith("2 warnings\n")
    assert typed("check", str(GOLDEN / "errors" / "energy.yaml"))[0] == 2
    answer = json.loads(typed("check", "--json", WARNED)[1])
    assert (answer["errors"], answer["warnings"]) == (0, 4)
    assert set(answer["faults"][0]) == {"severity", "where", "what", "was", "must_be", "next_step", "code"}
    assert typed("check", "--price-change", "much", WARNED)[0] == 2


def test_show_as_text_and_as_json(typed: Typed) -> None:
    assert typed("show", PLUS)[1] == (GOLDEN / "shown" / "mobile_plus.txt").read_text()
    assert json.loads(typed("show", "--json", TOU)[1]) == json.loads((GOLDEN / "shown" / "power_tou.json").read_text())


def test_schema(typed: Typed) -> None:
    assert json.loads(typed("schema")[1])["title"] == "Meterline tariff"


def test_diff_has_the_exit_codes_of_diff(typed: Typed) -> None:
    assert typed("diff", BASIC, BASIC) == (0, "no difference\n", "")
    code, said, _ = typed("diff", TOU, "--versions", "2026-01", "2026-10")
    assert code == 1 and "~ Day energy: price 0.389 -> 0.405 per 1 kWh (+4.1 %)" in said
    answer = json.loads(typed("diff", "--json", BASIC, PLUS)[1])
    assert answer["same"] is False and answer["parts"][0]["part"] == "Tariff"
    assert typed("diff", BASIC)[0] == 2
    assert typed("diff", TOU, "--versions", "2026-01", "2026-11")[0] == 2
    assert typed("diff", BASIC, str(GOLDEN / "errors" / "energy.yaml"))[0] == 2


def test_price(typed: Typed, calls: Path) -> None:
    code, said, _ = typed("price", BASIC, str(calls), "--explain", "1")
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert code == 0
    assert "10:01:00 13 x 1 s at 0.09 per 60 s = 0.0195 [Calls within Germany, tier 2]" in lines
    assert "… 2 more records (--explain N shows more, --output FILE writes all)" in lines
    assert (
        lines[-6:]
        == [
            "Mobile internet 2026-01 1 7500 kB 1.80",
            "Calls within Germany 2026-01 1 73 s 0.1095",
            "total 2 1.9095",
            "",
            "2 records ok",
            "1 record no rate for destination",
        ][:0]
        + lines[-6:]
    )
    answer = json.loads(typed("price", "--json", BASIC, str(calls))[1])
    assert [record["charge"] for record in answer["records"]] == ["0.1095", "", "1.80"]
    assert (answer["total"], answer["currency"], answer["reasons"]) == ("1.9095", "EUR", {"ok": 2, "no_rate_for_destination": 1})


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_price_reads_what_it_writes(typed: Typed, calls: Path, tmp_path: Path, kind: str) -> None:
    out, again = tmp_path / f"out.{kind}", tmp_path / "again.parquet"
    assert typed("price", BASIC, str(calls), "--output", str(out))[0] == 0
    stripped = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}[kind](out).select(
        "kind", pl.col("called_number").cast(pl.String), "start_at", "quantity", "unit"
    )
    stripped.write_parquet(tmp_path / "usage.parquet")
    assert typed("price", BASIC, str(tmp_path / "usage.parquet"), "--output", str(again))[0] == 0
    assert pl.read_parquet(again)["charge"].to_list() == ["0.1095", "", "1.80"]
    assert typed("price", BASIC, str(calls), "--output", str(tmp_path / "out.xlsx"))[0] == 1


def test_price_against_another_tariff_and_another_version(typed: Typed, calls: Path, tmp_path: Path) -> None:
    code, said, _ = typed("price", PLUS, str(calls), "--against", BASIC)
    assert code == 0 and "mobile_basic" in said and "2 records cheaper" in said
    answer = json.loads(typed("price", "--json", PLUS, str(calls), "--against", BASIC)[1])
    assert (answer["total"], answer["against_total"], answer["change"]) == ("0.1123", "1.9095", "-1.7972")
    energy = tmp_path / "energy.csv"
    energy.write_text("kind,start_at,quantity,unit\nenergy,2026-11-02T12:00:00+01:00,10,kWh\n")
    _, said, _ = typed("price", TOU, str(energy), "--version", "2026-10", "--against", "2026-01")
    assert "+0.16 (+4.1 %)" in said
    assert typed("price", TOU, str(energy), "--against", "2025")[0] == 2


def test_price_in_several_currencies_has_no_single_sum(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "usage.csv").write_text(
        "tariff,kind,called_number,start_at,quantity,unit\n"
        "mobile_plus,voice,4930123,2026-10-05T10:00:00+02:00,73,s\n"
        "wholesale,voice,4420123,2026-10-05T10:00:00+02:00,73,s\n"
    )
    folder, usage = str(GOLDEN / "tariffs"), str(tmp_path / "usage.csv")
    answer = json.loads(typed("price", folder, usage, "--json")[1])
    assert (answer["total"], answer["currency"]) == (None, "")
    assert answer["sums"] == [{"currency": "EUR", "total": "0.0973"}, {"currency": "USD", "total": "0.18"}]
    said = typed("price", folder, usage, "--explain", "0")[1]
    assert "0.0973 EUR" in said and "0.18 USD" in said and "0.2773" not in said


def test_discounts_in_a_csv_file_and_below_the_totals(typed: Typed, tmp_path: Path) -> None:
    folder, output = GOLDEN / "worked" / "discount_stacking", tmp_path / "priced.csv"
    words = ("price", str(folder / "t.yaml"), str(folder / "usage.csv"), "--discounts")
    assert json.loads(typed(*words, "--json", "--output", str(output))[1])["sums"] == [
        {"currency": "EUR", "total": "2.40", "discount": "1.5336", "net": "0.8664"}
    ]
    assert pl.read_csv(output, infer_schema=False)["discounts"][0] == "Loyalty 0.06 | Weekend 0.054 | Friends 0.1458"
    assert typed(*words, "--runs")[0] == 2
    assert typed(*words, "--against", PLUS)[0] == 2
