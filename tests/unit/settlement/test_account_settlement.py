"""Whole settlements: who gets a bill, taxes, carried rounding, ids, payers."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from schemas.hashing import hex_id, record_id_of, tenant_seed, text_words
from settlement.frames import USAGE_ITEMS
from settlement.money_check import check_money
from tests.unit.settlement.settlement_cases import OPEN, at, rows, settle, usage_row

CENT = 10_000_000
TWO = [("A", "A", "", "Ada", "EUR"), ("B", "A", "", "Ben", "EUR"), ("C", "C", "", "Cleo", "EUR")]
FEE = [("mobile", 0, OPEN, "Basic", 10 * 10**9, True, "v1")]
VAT = [("mobile", 0, OPEN, "VAT", 190_000)]


def amounts(lines: pl.DataFrame, kind: str) -> list[int]:
    return lines.filter(pl.col("kind") == kind)["amount_nano"].to_list()


def test_payer_gets_one_bill_for_all_its_accounts() -> None:
    settlement = settle(accounts=TWO, usage=[usage_row("B", "calls", 5 * CENT), usage_row("A", "calls", 7 * CENT)])
    bills = settlement.bills.select("bill_number", "account_id", "account_count", "total_nano")
    assert bills.rows() == [("2026-10-A", "A", 2, 12 * CENT)]
    assert settlement.lines["account_id"].to_list() == ["A", "B"]
    assert settlement.lines["bill_to_account_id"].to_list() == ["A", "A"]


def test_contract_without_usage_gets_its_fee_bill_and_neither_gets_none() -> None:
    settlement = settle(accounts=TWO, contracts=[("s", "C", "mobile", 0, OPEN)], fees=FEE)
    assert settlement.bills["account_id"].to_list() == ["C"]
    assert settle(accounts=TWO).bills.height == 0
    assert settle(accounts=TWO).postings.height == 0


def test_usage_and_discount_lines_sum_to_net_and_allowance_is_no_money() -> None:
    lines = settle(usage=[usage_row("A", "calls", 90 * CENT, allowance=30 * CENT, discount=6 * CENT)]).lines
    got = lines.select("kind", "exact_nano", "quantity", "charged_quantity", "allowance_nano").rows()
    assert got == [("usage", 60 * CENT, 60_000, 30_000, 30 * CENT), ("discount", -6 * CENT, 0, 0, 0)]


def test_services_of_an_account_share_a_line_and_a_blended_price_is_not_shown() -> None:
    one, two = usage_row("A", "calls", CENT), usage_row("A", "calls", CENT, service="s2")
    same = settle(usage=[one, two]).lines.row(0, named=True)
    assert (same["service_count"], same["record_count"], same["price_text"]) == (2, 4, "0.07 EUR per 1 min")
    blend = settle(usage=[one, (*two[:-1], "0.09 EUR per 1 min")]).lines.row(0, named=True)
    assert blend["price_text"] == ""


@pytest.mark.parametrize(
    ("listed", "rate", "tax"),
    [
        (10_000_000_000, 190_000, 1_900_000_000),
        (10_024_999_999, 200_000, 2_000_000_000),  # 2.0049999998
        (10_025_000_000, 200_000, 2_010_000_000),  # 2.005 goes up
        (-10_025_000_000, 200_000, -2_010_000_000),  # by magnitude
        (10_000_000_000, 0, 0),
    ],
)
def test_tax_is_rounded_once_over_the_exact_net(listed: int, rate: int, tax: int) -> None:
    half = listed // 2  # two lines: rounding each before taxing would give another tax
    usage = [usage_row("A", "a", half), usage_row("A", "b", listed - half)]
    settlement = settle(usage=usage, taxes=[("mobile", 0, OPEN, "VAT", rate)])
    line = settlement.lines.filter(pl.col("kind") == "tax").row(0, named=True)
    assert (line["base_nano"], line["exact_nano"], line["amount_nano"]) == (listed, tax, tax)


def test_tax_of_the_period_is_that_in_force_at_its_end() -> None:
    change = at("2026-10-15")
    taxes = [("mobile", 0, change, "VAT", 190_000), ("mobile", change, OPEN, "VAT", 160_000)]
    assert amounts(settle(usage=[usage_row("A", "calls", 100 * CENT)], taxes=taxes).lines, "tax") == [16 * CENT]
    ended = [("mobile", 0, change, "VAT", 190_000)]
    assert amounts(settle(usage=[usage_row("A", "calls", 100 * CENT)], taxes=ended).lines, "tax") == [19 * CENT]
    past = [("mobile", 0, at("2026-10-01"), "VAT", 190_000)]
    assert amounts(settle(usage=[usage_row("A", "calls", 100 * CENT)], taxes=past).lines, "tax") == []
    future = [("mobile", 0, at("2026-11-01"), "VAT", 190_000), ("mobile", at("2026-11-01"), OPEN, "VAT", 160_000)]
    assert amounts(settle(usage=[usage_row("A", "calls", 100 * CENT)], taxes=future).lines, "tax") == [19 * CENT]


@pytest.mark.parametrize(
    ("carried", "listed", "rounding", "left"),
    [
        (0, 3_000_000, [], 3_000_000),
        (0, 7_000_000, [], -3_000_000),
        (7_000_000, 3_000_000, [CENT], 0),  # exactly one minor unit is billed
        (6_999_999, 3_000_000, [], 9_999_999),
        (-9_000_000, 7_000_000, [-CENT], -2_000_000),
        (25_000_000, 10_000_000, [2 * CENT], 5_000_000),
    ],
)
def test_whole_minor_units_of_the_residue_are_billed(carried: int, listed: int, rounding: list[int], left: int) -> None:
    settlement = settle(usage=[usage_row("A", "calls", listed)], carried=[("A", carried)], taxes=VAT)
    assert amounts(settlement.lines, "rounding") == rounding
    assert settlement.carried.rows() == [("A", left)]


def test_residue_of_a_payer_without_bill_stays() -> None:
    settlement = settle(accounts=TWO, usage=[usage_row("A", "calls", CENT)], carried=[("C", 5), ("A", 4)])
    assert settlement.carried.rows() == [("A", 4), ("C", 5)]


@pytest.mark.parametrize(("currency", "amount"), [("JPY", 2_000_000_000), ("KWD", 1_503_000_000), ("EUR", 1_500_000_000)])
def test_minor_unit_is_the_currencys(currency: str, amount: int) -> None:
    settlement = settle(accounts=[("A", "A", "", "Ada", currency)], usage=[usage_row("A", "calls", 1_502_500_000)])
    assert settlement.lines["amount_nano"].to_list() == [amount]


def test_line_id_is_the_hash_of_its_natural_key() -> None:
    line = settle(usage=[usage_row("A", "calls", CENT)]).lines.row(0, named=True)
    key = ["A", "2026-10", "usage", "mobile", "v1", "calls", "voice", "ms", "0", ""]
    words = [word for part in key for word in text_words(part.encode())]
    assert line["line_id"] == hex_id(*record_id_of(words, seed=tenant_seed("")))


def test_ids_and_amounts_do_not_depend_on_the_issue_date() -> None:
    early = settle(usage=[usage_row("A", "calls", CENT)], issue_on=date(2026, 11, 1))
    late = settle(usage=[usage_row("A", "calls", CENT)], issue_on=date(2027, 1, 1))
    assert early.lines.equals(late.lines)
    assert early.bills.drop("issue_on").equals(late.bills.drop("issue_on"))
    assert early.postings.drop("booked_on").equals(late.postings.drop("booked_on"))


def test_sums_beyond_int64_are_exact() -> None:
    huge = 9 * 10**21 + 1
    usage = [usage_row("A", "calls", huge, service=f"s{i}") for i in range(50)]
    settlement = settle(usage=usage, taxes=VAT)
    assert settlement.lines["exact_nano"][0] == 50 * huge
    assert settlement.lines["base_nano"][1] == 50 * huge
    check_money(rows(USAGE_ITEMS, usage), settlement)


def test_journal_of_a_bill_reads_as_a_table() -> None:
    usage = [usage_row("A", "calls", 90_004_000_000, allowance=30 * CENT, discount=6 * CENT)]
    settlement = settle(usage=usage, contracts=[("s1", "A", "mobile", 0, OPEN)], fees=FEE, taxes=VAT)
    table = settlement.postings.select("posting_no", "ledger_account", "debit_nano", "credit_nano").rows()
    assert table == [
        (0, "receivable", 118_570_000_000, 0),
        (1, "revenue:fee", 0, 10_000_000_000),
        (2, "revenue:usage:voice", 0, 89_704_000_000),
        (3, "discount", 60_000_000, 0),
        (4, "tax_payable", 0, 18_930_000_000),
        (5, "rounding_carried", 4_000_000, 0),
    ]
