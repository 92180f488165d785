"""Pricing without set-up: what a person types is what is priced, and what cannot be read is named by row."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from rating.language.tariff import Tariff
from rating.price_usage import PRICED_SCHEMA, price_usage
from rating.tariff_files import load_tariff
from schemas.errors import MeterlineError

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "tariffs"


def of(name: str) -> Tariff:
    return load_tariff(GOLDEN / f"{name}.yaml")


def test_calls() -> None:
    usage = pl.DataFrame(
        {
            "kind": ["voice", "message", "volume", "voice", "voice", "energy"],
            "called_number": ["+4930123", "4915", None, "7495", "4930", ""],
            "start_at": ["2026-10-05T10:00:00+02:00"] * 6,
            "quantity": ["73", "1", "7.5", "60", "0", "1"],
            "unit": ["s", "message", "MB", "s", "s", "kWh"],
        }
    )
    priced = price_usage(of("mobile_basic"), usage)
    assert priced.select("charge", "charged_quantity", "rule", "reason").rows() == [
        ("0.1095", 73_000, "Calls within Germany (2026-01)", "ok"),
        ("0.09", 1, "Text messages (2026-01)", "ok"),
        ("1.80", 7_500_000, "Mobile internet (2026-01)", "ok"),
        ("", 0, "", "no_rate_for_destination"),
        ("", 0, "", "zero_usage"),
        ("", 0, "", "no_tariff_for_subject"),
    ]
    assert priced["segments"][0].to_list() == [
        "10:00:00  1 x 60 s at 0.09 per 60 s = 0.09  [Calls within Germany]",
        "10:01:00  13 x 1 s at 0.09 per 60 s = 0.0195  [Calls within Germany, tier 2]",
        "exact 0.1095, rounded once (up, 4 decimals): 0.1095 EUR",
    ]


def test_energy_in_time_order_whatever_the_row_order() -> None:
    at = [datetime(2026, 10, 7, 10, tzinfo=UTC), datetime(2026, 10, 6, 10, tzinfo=UTC)]
    priced = price_usage(
        of("power_blocks"), pl.DataFrame({"kind": ["energy"] * 2, "start_at": at, "quantity": [100_000_000, 150_000_000]})
    )
    assert priced["charge"].to_list() == ["31.00", "43.50"]
    assert priced["rule"].to_list() == ["Energy (2026-01), Energy above 200 kWh (2026-01)", "Energy (2026-01)"]
    assert priced["segments"][0].to_list() == [
        "50 kWh at 0.29 per 1 kWh: 14.50  [Energy]",
        "50 kWh at 0.33 per 1 kWh: 16.50  [Energy above 200 kWh]",
    ]


def test_no_rows() -> None:
    empty = pl.DataFrame(schema={"kind": pl.String, "start_at": pl.String, "quantity": pl.Int64})
    assert price_usage(of("mobile_basic"), empty).columns == ["kind", "start_at", "quantity", *PRICED_SCHEMA]


def test_every_row_that_cannot_be_read_is_named() -> None:
    usage = pl.DataFrame(
        {
            "kind": ["fax", "voice", "voice", "voice", "voice"],
            "called_number": ["49", "49x", "49", "49", "49"],
            "start_at": [
                "2026-10-05T10:00:00Z",
                "2026-10-05T10:00:00Z",
                "2026-10-05T10:00:00",
                "2026-10-05T10:00:00Z",
                "2026-10-05T10:00:00Z",
            ],
            "quantity": ["1", "1", "1", "0.0001", "1"],
            "unit": ["s", "s", "s", "s", "MB"],
        }
    )
    with pytest.raises(MeterlineError) as refused:
        price_usage(of("mobile_basic"), usage)
    assert str(refused.value).splitlines() == [
        "usage row 1: no such kind, was 'fax', must be voice or message or volume or energy or reactive or liquid",
        "usage row 2: not a number of at most 15 digits: '49x'",
        "usage row 3: start_at without offset: 2026-10-05T10:00:00",
        "usage row 4: not a whole number of ms: 0.0001 s",
        "usage row 5: not a unit of voice: 'MB', must be one of ms, s, min, h",
    ]
    with pytest.raises(MeterlineError, match="column quantity is missing"):
        price_usage(of("mobile_basic"), usage.drop("quantity"))
