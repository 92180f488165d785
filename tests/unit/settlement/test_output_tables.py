"""The published schemas: documented, exact both ways through Parquet, and in step with the frames."""

from __future__ import annotations

from decimal import Context
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import settlement
from settlement.charges import charges_of
from settlement.frames import SERVICE_CHARGES, SERVICE_STATE
from settlement.output_schemas import MONEY, OUTPUT_SCHEMAS, meaning_of, outputs_markdown, unit_of
from settlement.output_tables import frame_of_table, output_table
from settlement.service_charges import charged_services
from tests.unit.settlement.settlement_cases import golden_case, rows, settle

USAGE, _, SETTLED = golden_case("bill_two_versions_and_allowance")
CHARGED = rows(SERVICE_CHARGES, [("A", "s1", "power", "v1", "demand", "peak", "milliw", 80, "2", 160, "", False, "80 mW at 2")])
FRAMES = {
    "bills": SETTLED.bills,
    "bill_lines": SETTLED.lines,
    "charges": charges_of(USAGE, SETTLED),
    "service_charges": charged_services(CHARGED, settle(service=list(CHARGED.iter_rows()))),
    "postings": SETTLED.postings,
    "carried": SETTLED.carried,
    "service_state": rows(SERVICE_STATE, [("A", "s1", "power", "peak", "Demand", 24_317, 60_000_000)]),
}


def test_page_is_up_to_date() -> None:
    page = Path(settlement.__file__).parent / "OUTPUTS.md"
    assert page.read_text() == outputs_markdown(), (
        "write outputs_markdown() of settlement.output_schemas into settlement/OUTPUTS.md"
    )


@pytest.mark.parametrize("name", list(OUTPUT_SCHEMAS))
def test_every_column_is_documented_and_never_null(name: str) -> None:
    for field in OUTPUT_SCHEMAS[name]:
        assert unit_of(field) and meaning_of(field) and not field.nullable, field
        assert not pa.types.is_floating(field.type), field


@pytest.mark.parametrize("name", list(OUTPUT_SCHEMAS))
def test_frames_pass_through_parquet_unchanged(name: str, tmp_path: Path) -> None:
    table = output_table(FRAMES[name], OUTPUT_SCHEMAS[name])
    pq.write_table(table, tmp_path / "t.parquet")
    back = pq.read_table(tmp_path / "t.parquet")
    assert back.schema.equals(OUTPUT_SCHEMAS[name], check_metadata=True)
    assert FRAMES[name].height and frame_of_table(back).select(FRAMES[name].columns).equals(FRAMES[name])


@pytest.mark.parametrize("name", list(OUTPUT_SCHEMAS))
def test_empty_frames_give_empty_tables(name: str) -> None:
    table = output_table(FRAMES[name].clear(), OUTPUT_SCHEMAS[name])
    assert table.num_rows == 0 and table.schema.equals(OUTPUT_SCHEMAS[name])


def test_money_keeps_every_digit() -> None:
    schema = pa.schema([pa.field("amount", MONEY, nullable=False)])
    values = [0, 1, -1, 10**9, 10**38 - 1, -(10**38) + 1]
    table = output_table(pl.DataFrame({"amount_nano": pl.Series(values, dtype=pl.Int128)}), schema)
    assert [int(value.scaleb(9, Context(prec=40))) for value in table["amount"].to_pylist()] == values
    sliced = frame_of_table(table.slice(2, 3))
    assert sliced["amount_nano"].to_list() == values[2:5]


def test_column_that_is_not_published_is_refused() -> None:
    with pytest.raises(AssertionError, match="secret"):
        output_table(SETTLED.carried.with_columns(secret=1), OUTPUT_SCHEMAS["carried"])


def test_charges_lead_from_line_to_services() -> None:
    charges = FRAMES["charges"]
    assert charges["net_nano"].sum() == USAGE["net_nano"].sum()
    by_line = dict(charges.group_by("line_id").agg(pl.col("net_nano").sum() + pl.col("discount_nano").sum()).iter_rows())
    usage = SETTLED.lines.filter(pl.col("kind") == "usage")
    assert by_line == dict(usage.select("line_id", "exact_nano").iter_rows())
    discounted = charges.filter(pl.col("discount_line_id") != "")
    assert discounted["discount_line_id"].to_list() == SETTLED.lines.filter(pl.col("kind") == "discount")["line_id"].to_list()
