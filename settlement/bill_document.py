"""A bill as JSON: canonical, every amount a decimal string, so that equal bills are equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import polars as pl

from schemas.errors import ConfigurationError, Fault
from schemas.money import amount_text, minor_digits, nano_text
from settlement.line_kinds import LineKind
from settlement.taxes import rate_text

DOCUMENT_VERSION = 1

Row = Mapping[str, Any]


def bill_json(bill: Row, lines: Sequence[Row]) -> dict[str, Any]:
    """The document of one bill.

    Args:
        bill: a row of `settlement.bills.BILLS`.
        lines: its rows of `settlement.bill_lines.LINES`, by line_no.

    Returns:
        a tree of dicts with sorted keys, lists and strings (counts are integers): amounts as decimal strings in currency units,
        rounded ones with the currency's decimals, exact ones with all that they need.
    """
    assert all(line["bill_number"] == bill["bill_number"] for line in lines), "lines of another bill"
    digits = minor_digits(bill["currency"])
    document: dict[str, Any] = {
        "document": "bill",
        "document_version": DOCUMENT_VERSION,
        "bill_number": bill["bill_number"],
        "account": {"account_id": bill["account_id"], "group_id": bill["group_id"], "name": bill["name"]},
        "currency": bill["currency"],
        "issue_on": bill["issue_on"].isoformat(),
        "period": {"label": bill["period"], "first_on": bill["first_on"].isoformat(), "end_on": bill["end_on"].isoformat()},
        "totals": {name: nano_text(bill[f"{name}_nano"], digits) for name in ("net", "tax", "rounding", "total")},
        "taxes": [_tax_json(line, digits) for line in lines if line["kind"] == LineKind.TAX.value],
        "carried": {"in": amount_text(bill["carried_in_nano"]), "out": amount_text(bill["carried_out_nano"])},
        "journal_entry_id": bill["journal_entry_id"],
        "lines": [_line_json(line, digits) for line in lines],
    }
    return {key: _sorted_keys(document[key]) for key in sorted(document)}


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """The bytes of a document: sorted keys, no spaces, UTF-8, one line end."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode() + b"\n"


def bill_rows(bills: pl.DataFrame, lines: pl.DataFrame, bill_number: str) -> tuple[Row, list[Row]]:
    """(bill, its lines) of one bill number.

    Raises:
        ConfigurationError: no bill has that number.
    """
    found = bills.filter(pl.col("bill_number") == bill_number)
    if not found.height:
        raise ConfigurationError(Fault(f"bill {bill_number!r}", "no such bill", next_step="list the bills of the period"))
    of_bill = lines.filter(pl.col("bill_number") == bill_number).sort("line_no")
    return found.row(0, named=True), list(of_bill.iter_rows(named=True))


def each_bill(bills: pl.DataFrame, lines: pl.DataFrame) -> Iterator[tuple[Row, list[Row]]]:
    """(bill, its lines) of every bill, by bill number, in one pass over both frames: for writers of documents."""
    rows = lines.sort("bill_number", "line_no").iter_rows(named=True)
    for bill in bills.sort("bill_number").iter_rows(named=True):
        yield bill, list(islice(rows, bill["line_count"]))


def _line_json(line: Row, digits: int) -> dict[str, Any]:
    document: dict[str, Any] = {
        "line_no": line["line_no"],
        "line_id": line["line_id"],
        "account_id": line["account_id"],
        "kind": line["kind"],
        "item": line["item"],
        "exact": amount_text(line["exact_nano"]),
        "amount": nano_text(line["amount_nano"], digits),
    }
    if line["tariff_id"]:
        document |= {"tariff_id": line["tariff_id"], "tariff_version": line["version"]}
    if line["price_text"]:
        document["price"] = line["price_text"]
    if line["kind"] == LineKind.TAX.value:
        document |= {"base": amount_text(line["base_nano"]), "rate_ppm": str(line["rate_ppm"])}
    if line["kind"] in (LineKind.USAGE.value, LineKind.DISCOUNT.value):
        document["usage_kind"] = line["usage_kind"]
    if line["collected_for"]:
        document["collected_for"] = line["collected_for"]
    if LineKind(line["kind"]).of_service or line["kind"] == LineKind.USAGE.value:
        document |= {"quantity": str(line["quantity"]), "unit": line["unit"], "service_count": line["service_count"]}
    if line["kind"] == LineKind.USAGE.value:
        document |= {
            "charged_quantity": str(line["charged_quantity"]),
            "record_count": line["record_count"],
            "allowance_value": amount_text(line["allowance_nano"]),
        }
    return document


def _tax_json(line: Row, digits: int) -> dict[str, str]:
    return {
        "name": line["item"],
        "rate": rate_text(line["rate_ppm"]),
        "base": amount_text(line["base_nano"]),
        "amount": nano_text(line["amount_nano"], digits),
    }


def _sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted_keys(value[key]) for key in sorted(value)}
    return [_sorted_keys(part) for part in value] if isinstance(value, list) else value
