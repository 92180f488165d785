"""Charges of services over the whole period: their lines, the taxes on them, and where the money is posted."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from schemas.errors import ConfigurationError, ConservationError
from settlement.frames import SERVICE_CHARGES, USAGE_ITEMS
from settlement.money_check import check_money
from settlement.service_charges import charged_services
from tests.unit.settlement.settlement_cases import at, rows, settle, usage_row

EUR = 1_000_000_000
KW = 1_000_000
OPEN = (at("2026-01-01"), at(None))


def charge(
    kind: str, item: str, euros: int, *, service: str = "s1", to: str = "", untaxed: bool = False, price: str = "2.00 EUR per kW"
) -> tuple[Any, ...]:
    unit, quantity = ("milliw", 80 * KW) if kind == "demand" else ("", 0)
    return ("A", service, "power", "v1", kind, item, unit, quantity, price, euros * EUR, to, untaxed, f"{item} explained")


def shown(lines: pl.DataFrame) -> list[tuple[Any, ...]]:
    return list(lines.select("kind", "item", "quantity", pl.col("amount_nano") // EUR, "collected_for").iter_rows())


def test_one_line_for_each_kind_and_item_over_all_services_in_the_order_of_the_bill() -> None:
    charges = [
        charge("credit", "export", -3),
        charge("surcharge", "fund", 4, to="energy fund"),
        charge("demand", "peak", 160, service="s1"),
        charge("demand", "peak", 90, service="s2"),
        charge("minimum", "minimum bill", 2),
        charge("adjustment", "power factor", 5),
        charge("fee", "meter", 1),
    ]
    lines = settle(service=charges).lines
    assert shown(lines) == [
        ("fee",        "meter",        0,        1,   ""),
        ("demand",     "peak",         160 * KW, 250, ""),
        ("adjustment", "power factor", 0,        5,   ""),
        ("surcharge",  "fund",         0,        4,   "energy fund"),
        ("minimum",    "minimum bill", 0,        2,   ""),
        ("credit",     "export",       0,        -3,  ""),
    ]  # fmt: skip
    assert lines["service_count"].to_list() == [1, 2, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("of_items", "untaxed", "tax"),
    [
        ([],                False, 20),  # 10 % of 200
        ([],                True,  10),  # the levy is in no tax base
        (["peak"],          False, 10),  # only the named line
        (["peak", "levy"],  False, 20),
        (["nothing"],       False, None),
    ],
)  # fmt: skip
def test_a_tax_applies_to_the_lines_that_it_names(of_items: list[str], untaxed: bool, tax: int | None) -> None:
    taxes = [("power", *OPEN, "VAT", 100_000, of_items)]
    settled = settle(service=[charge("demand", "peak", 100), charge("surcharge", "levy", 100, untaxed=untaxed)], taxes=taxes)
    found = settled.lines.filter(pl.col("kind") == "tax")["amount_nano"].to_list()
    assert found == ([] if tax is None else [tax * EUR])


def test_what_is_collected_for_a_third_party_is_never_revenue() -> None:
    settled = settle(service=[charge("surcharge", "fund", 4, to="energy fund"), charge("demand", "peak", 6)])
    posted = {row["ledger_account"]: row["credit_nano"] - row["debit_nano"] for row in settled.postings.iter_rows(named=True)}
    assert posted == {"receivable": -10 * EUR, "collected_for:energy fund": 4 * EUR, "revenue:demand": 6 * EUR}


def test_a_line_leads_back_to_its_services() -> None:
    charges = rows(SERVICE_CHARGES, [charge("demand", "peak", 160), charge("demand", "peak", 90, service="s2")])
    settled = settle(service=list(charges.iter_rows()))
    found = charged_services(charges, settled)
    assert found["line_id"].unique().to_list() == [settled.lines["line_id"][0]]
    assert found.select("service_id", pl.col("exact_nano") // EUR).rows() == [("s1", 160), ("s2", 90)]


def test_money_is_checked_against_the_service_charges() -> None:
    usage, charges = [usage_row("A", "calls", EUR)], [charge("demand", "peak", 160), charge("fee", "meter", 1)]
    settled = settle(usage=usage, service=charges)
    check_money(rows(USAGE_ITEMS, usage), settled, service_charges=rows(SERVICE_CHARGES, charges))
    for wrong in ([charge("demand", "peak", 161), charges[1]], [charges[0], charge("fee", "meter", 2)], charges[1:]):
        with pytest.raises(ConservationError, match="service charges are not what was charged"):
            check_money(rows(USAGE_ITEMS, usage), settled, service_charges=rows(SERVICE_CHARGES, wrong))


def test_a_kind_that_no_service_is_charged_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="service_charges.kind: no such kind of service charge, was 'tax'"):
        settle(service=[charge("tax", "VAT", 1)])
