"""The same usage by two tariffs: changes by record, counts, largest changes, and what cannot be compared."""

from __future__ import annotations

import dataclasses

import polars as pl
import pytest

from rating.compare_prices import compare_prices
from schemas.errors import MeterlineError
from tests.unit.rating.worked_tariffs import minute, tariff, voice

OLD = tariff(voice(minute("0.10"), "49"), voice(minute("0.20"), "33"), voice(minute("0.30"), "1"))
NEW = tariff(voice(minute("0.12"), "49"), voice(minute("0.10"), "33"), voice(minute("0.40"), "7"))
USAGE = pl.DataFrame(
    {
        "kind": "voice",
        "called_number": ["4930", "3312", "12", "79", "86", "4930"],
        "start_at": "2026-10-05T10:00:00Z",
        "quantity": ["60", "60", "60", "60", "60", "600"],
        "unit": "s",
    }
)


def test_each_record_and_the_whole() -> None:
    found = compare_prices(NEW, OLD, USAGE)
    assert found.records.select("against_charge", "charge", "change", "against_reason", "reason").rows() == [
        ("0.10", "0.12", "0.02", "ok", "ok"),
        ("0.20", "0.10", "-0.10", "ok", "ok"),
        ("0.30", "", "", "ok", "no_rate_for_destination"),
        ("", "0.40", "", "no_rate_for_destination", "ok"),
        ("", "", "", "no_rate_for_destination", "no_rate_for_destination"),
        ("1.00", "1.20", "0.20", "ok", "ok"),
    ]
    assert found.counts == {"dearer": 2, "cheaper": 1, "same": 0, "only_by_this": 1, "only_by_other": 1, "by_neither": 1}
    assert found.largest_changes(2)["row"].to_list() == [5, 1]
    assert found.priced.totals.select("item", "records", "charge").rows() == [
        ("33 always", 1, "0.10"),
        ("49 always", 2, "1.32"),
        ("7 always", 1, "0.40"),
    ]


def test_a_tariff_against_itself_changes_nothing() -> None:
    found = compare_prices(OLD, OLD, USAGE)
    assert found.counts["same"] == 4 and not len(found.largest_changes(5))


def test_two_currencies_are_not_compared() -> None:
    with pytest.raises(MeterlineError, match="a tariff in another currency, was USD, must be EUR"):
        compare_prices(NEW, dataclasses.replace(OLD, currency="USD"), USAGE)


def test_a_line_is_rounded_once_and_not_by_record() -> None:
    """Three calls of 0.0333… each: records keep nano-units, the item's total is rounded up to a cent."""
    of = tariff(voice(minute("0.10", 1, 1), "49"), mode="up", decimals=2, scope="line")
    usage = USAGE.head(1).select(pl.exclude("quantity"), quantity=pl.lit("20"))
    found = compare_prices(of, of, pl.concat([usage] * 3)).priced
    assert found.records["charge"].to_list() == ["0.033333333"] * 3
    assert found.totals.select("records", "charge").rows() == [(3, "0.10")]
