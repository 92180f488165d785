"""Bills as JSON and as text: golden, exact, and safe to print."""

from __future__ import annotations

import json

import pytest

from schemas.errors import ConfigurationError
from settlement.bill_document import bill_json, bill_rows, canonical_json, each_bill
from settlement.bill_text import render_bill_text
from settlement.digests import digest_of
from tests.unit.settlement.settlement_cases import GOLDEN, golden_case, settle, usage_row

CASE = "bill_two_versions_and_allowance"
NUMBER = "2026-10-A000123"


def test_text_is_golden() -> None:
    _, _, settlement = golden_case(CASE)
    text = render_bill_text(*bill_rows(settlement.bills, settlement.lines, NUMBER))
    assert text == (GOLDEN / CASE / "expected.txt").read_text()
    assert all(line == line.rstrip() for line in text.splitlines())


def test_json_is_golden() -> None:
    _, _, settlement = golden_case(CASE)
    document = bill_json(*bill_rows(settlement.bills, settlement.lines, NUMBER))
    expected = (GOLDEN / CASE / "expected.json").read_text()
    assert json.dumps(document, indent=1, ensure_ascii=False) + "\n" == expected
    assert json.loads(canonical_json(document)) == document


def test_journal_is_golden() -> None:
    _, _, settlement = golden_case(CASE)
    assert (
        settlement.postings.select("ledger_account", "debit_nano", "credit_nano").write_csv()
        == (GOLDEN / CASE / "expected_journal.csv").read_text()
    )


def test_json_holds_no_float_and_sorted_keys() -> None:
    _, _, settlement = golden_case(CASE)

    def visit(value: object) -> None:
        assert not isinstance(value, float)
        if isinstance(value, dict):
            assert list(value) == sorted(value)
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            visit(part)

    visit(bill_json(*bill_rows(settlement.bills, settlement.lines, NUMBER)))


def test_each_bill_yields_every_bill_with_its_lines() -> None:
    accounts = [(name, name, "", name, "EUR") for name in ("B", "A", "C")]
    settlement = settle(accounts=accounts, usage=[usage_row(name, item, 5) for name in "CAB" for item in ("x", "y")])
    seen = [
        (bill["bill_number"], [line["item"] for line in lines]) for bill, lines in each_bill(settlement.bills, settlement.lines)
    ]
    assert seen == [(f"2026-10-{name}", ["x", "y"]) for name in "ABC"]
    for bill, lines in each_bill(settlement.bills, settlement.lines):
        assert bill_json(bill, lines) == bill_json(*bill_rows(settlement.bills, settlement.lines, bill["bill_number"]))


def test_unknown_bill_is_named() -> None:
    settlement = settle(usage=[usage_row("A", "calls", 5)])
    with pytest.raises(ConfigurationError, match="bill '2026-10-Z': no such bill"):
        bill_rows(settlement.bills, settlement.lines, "2026-10-Z")


def test_names_cannot_write_to_the_terminal() -> None:
    settlement = settle(
        accounts=[("A", "A", "", "Ada\x1b[2J\nTOTAL EUR 0.00", "EUR")], usage=[usage_row("A", "calls\r\x07", 12_345 * 10**7)]
    )
    text = render_bill_text(*bill_rows(settlement.bills, settlement.lines, "2026-10-A"))
    assert "Ada?[2J?TOTAL EUR 0.00 (A)" in text and "calls??" in text
    assert all(character.isprintable() or character == "\n" for character in text)


def test_currency_without_decimals_is_printed_so() -> None:
    settlement = settle(accounts=[("A", "A", "", "Ada", "JPY")], usage=[usage_row("A", "calls", 1234_600_000_000)])
    bill, lines = bill_rows(settlement.bills, settlement.lines, "2026-10-A")
    assert bill_json(bill, lines)["totals"]["total"] == "1235"
    assert render_bill_text(bill, lines).splitlines()[-1].split() == ["TOTAL", "JPY", "1235"]


def test_digest_sees_every_value_and_no_order() -> None:
    _, _, settlement = golden_case(CASE)
    lines = settlement.lines
    digest = digest_of({"lines": lines, "bills": settlement.bills})
    assert digest_of({"bills": settlement.bills, "lines": lines.reverse()}) == digest
    assert digest_of({"lines": lines.slice(0, 4).vstack(lines.slice(4)), "bills": settlement.bills}) == digest
    for column in lines.columns:
        other = lines.with_columns(lines[column].gather([lines.height - 1, *range(lines.height - 1)]))
        moved = digest_of({"lines": other, "bills": settlement.bills})
        assert (moved == digest) == (lines[column].n_unique() == 1), column
    assert digest_of({"lines": lines}) != digest_of({"bills": lines})
    assert digest_of({}) == digest_of({})
