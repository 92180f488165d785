"""Reference files: what is read of sound ones, and the words in which faulty ones are refused, all faults at once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from accounts.reference_files import read_accounts, read_service_terms, read_services
from schemas.errors import ConfigurationError
from schemas.quantities import INT64_MAX
from schemas.zones import instant_us

GOLDEN = Path(__file__).parents[2] / "golden" / "accounts"
ZONE = "Europe/Berlin"
TARIFFS = ["mobile_basic", "mobile_plus"]
ACCOUNTS = pl.DataFrame({"account_id": ["A1", "A2"]})
SERVICE_HEADER = "service_id,account_id,tariff_id,effective_from,effective_to\n"


def _refusal(name: str) -> str:
    """What the reader of a golden case says, with file names instead of paths."""
    folder = GOLDEN / name
    path = next(folder.glob("*.csv"))
    with pytest.raises(ConfigurationError) as refused:
        if path.stem == "accounts":
            read_accounts(path, currency="EUR")
        elif path.stem == "service_terms":
            read_service_terms(path, pl.DataFrame({"service_id": ["M1", "M2"]}), zone=ZONE)
        else:
            read_services(path, ACCOUNTS, TARIFFS, zone=ZONE)
    return str(refused.value).replace(str(path), path.name) + "\n"


@pytest.mark.parametrize(
    "name", ["accounts_every_fault", "services_every_fault", "services_overlap", "terms_every_fault", "terms_overlap"]
)
def test_faults_are_told_in_the_golden_words(name: str) -> None:
    assert _refusal(name) == (GOLDEN / name / "expected_error.txt").read_text(encoding="utf-8")


def test_terms_are_texts_with_bounds(tmp_path: Path) -> None:
    path = tmp_path / "service_terms.csv"
    path.write_text(
        "service_id,term,value,effective_from,effective_to\nM1,installed,315 kVA,,2026-05-01\nM1,installed,400 kVA,2026-05-01,\n"
    )
    found = read_service_terms(path, pl.DataFrame({"service_id": ["M1"]}), zone=ZONE)
    may = instant_us(datetime(2026, 4, 30, 22, tzinfo=UTC))
    assert found.rows() == [(2, "M1", "installed", "315 kVA", -INT64_MAX, may), (3, "M1", "installed", "400 kVA", may, INT64_MAX)]


def test_accounts_have_defaults_and_come_in_order(tmp_path: Path) -> None:
    path = tmp_path / "accounts.csv"
    path.write_text("account_id,bill_to_account_id\n B ,\nA, B\n", encoding="utf-8")
    assert read_accounts(path, currency="EUR").select("account_id", "bill_to_account_id", "group_id", "currency").rows() == [
        ("A", "B", "", "EUR"),
        ("B", "B", "", "EUR"),
    ]


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("2026-03-29",                datetime(2026, 3, 28, 23, tzinfo=UTC)),  # a local day
        ("2026-03-29T12:00:00+02:00", datetime(2026, 3, 29, 10, tzinfo=UTC)),
        ("2026-03-29T12:00:00Z",      datetime(2026, 3, 29, 12, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_validity_is_a_local_date_or_an_instant(tmp_path: Path, text: str, start: datetime) -> None:
    path = tmp_path / "services.csv"
    path.write_text(f"{SERVICE_HEADER}1,A1,mobile_basic,{text},\n2,A2,mobile_plus,,{text}\n", encoding="utf-8")
    bounds = read_services(path, ACCOUNTS, TARIFFS, zone=ZONE).select("effective_from_at", "effective_to_at").rows()
    assert bounds == [(instant_us(start), INT64_MAX), (-INT64_MAX, instant_us(start))]


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    text = f"{SERVICE_HEADER}0049,A1,mobile_basic,2026-01-01,2026-02-01\n0049,A2,mobile_plus,2026-02-01,\n"
    (tmp_path / "s.csv").write_text(text, encoding="utf-8")
    pl.read_csv(tmp_path / "s.csv", infer_schema=False).write_parquet(tmp_path / "s.parquet")
    read = [read_services(tmp_path / name, ACCOUNTS, TARIFFS, zone=ZONE) for name in ("s.csv", "s.parquet")]
    assert read[0].equals(read[1])
    assert read[0]["service_id"].to_list() == ["0049", "0049"]  # a number keeps its leading zeros


def test_unknown_and_missing_columns_are_named_with_a_guess(tmp_path: Path) -> None:
    path = tmp_path / "services.csv"
    path.write_text("service_id,acount_id,tariff_id\n1,A1,mobile_basic\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        read_services(path, ACCOUNTS, TARIFFS, zone=ZONE)
    assert str(refused.value).replace(str(path), "services.csv").splitlines() == [
        "services.csv:1: unknown column, was 'acount_id'; did you mean 'account_id'?",
        "services.csv:1: column is missing, must be account_id",
    ]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such reference file; check `reference:` in meterline.yaml"):
        read_accounts(tmp_path / "accounts.csv", currency="EUR")
