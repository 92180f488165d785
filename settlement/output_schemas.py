"""The published tables: every column's type, unit and meaning, in this one place, versioned like an API.

Finance and CRM read these; `OUTPUTS.md` is generated from here. Adding a column raises the minor part of the version; removing or
renaming one, or changing its type, unit or meaning, raises the major part. Money is decimal(38, 9) in currency units, which holds
nano-units exactly; quantities are decimal(38, 0) in the base unit that `unit` names. No column has nulls.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

OUTPUT_SCHEMA_VERSION = "1.2"
MONEY = pa.decimal128(38, 9)
QUANTITY = pa.decimal128(38, 0)

_TEXT = pa.large_string()
_COUNT = pa.int64()
_CURRENCY = "currency"
_NO_UNIT = "-"


def column(name: str, kind: pa.DataType, unit: str, meaning: str) -> pa.Field:
    """A published column: never null, with its unit and meaning as metadata."""
    return pa.field(name, kind, nullable=False, metadata={b"unit": unit.encode(), b"meaning": meaning.encode()})


def _text(name: str, meaning: str) -> pa.Field:
    return column(name, _TEXT, _NO_UNIT, meaning)


def _money(name: str, meaning: str) -> pa.Field:
    return column(name, MONEY, _CURRENCY, meaning)


def _quantity(name: str, meaning: str) -> pa.Field:
    return column(name, QUANTITY, "as column unit", meaning)


def _count(name: str, meaning: str) -> pa.Field:
    return column(name, _COUNT, "count", meaning)


def _day(name: str, meaning: str) -> pa.Field:
    return column(name, pa.date32(), "local date", meaning)


def _table(name: str, meaning: str, *fields: pa.Field) -> pa.Schema:
    metadata = {"table": name, "meaning": meaning, "output_schema_version": OUTPUT_SCHEMA_VERSION}
    return pa.schema(fields, metadata=metadata)


_BILL_NUMBER = _text("bill_number", "number of the bill: period and paying account")
_PERIOD = _text("period", "billing period, YYYY-MM")
_CURRENCY_CODE = _text("currency", "ISO 4217 code of every amount in the row")

BILLS = _table(
    "bills",
    "one row per bill: a paying account in a period",
    _BILL_NUMBER,
    _text("account_id", "the account that pays and receives the bill"),
    _text("group_id", "settlement group of the paying account; empty = a group of its own"),
    _text("name", "name of the paying account"),
    _CURRENCY_CODE,
    _PERIOD,
    _day("first_on", "first day of the period"),
    _day("end_on", "day after the last day of the period"),
    _day("issue_on", "date of issue, as given to the bill run"),
    _count("account_count", "accounts with lines on the bill"),
    _count("line_count", "lines on the bill"),
    _money("net", "sum of amounts of all lines but tax and rounding"),
    _money("tax", "sum of amounts of tax lines"),
    _money("rounding", "amount of the line that bills carried rounding"),
    _money("total", "what is to be paid: net + tax + rounding, the sum of all rounded lines"),
    _money("exact", "sum of exact values of all lines"),
    _money("carried_in", "rounding residue taken over from earlier bills"),
    _money("carried_out", "rounding residue handed on: carried_in + exact - total, below one minor unit"),
    _text("journal_entry_id", "the journal entry that books the bill"),
)

BILL_LINES = _table(
    "bill_lines",
    "one row per line of a bill",
    _BILL_NUMBER,
    _count("line_no", "place on the bill, from 1"),
    _text("line_id", "stable id: a hash of account, period, kind, tariff, version, item"),
    _PERIOD,
    _text("bill_to_account_id", "the account that pays the bill"),
    _text("account_id", "the account that the line is about; the payer on tax and rounding lines"),
    _text("kind", "fee, usage, discount, demand, adjustment, surcharge, minimum, credit, tax or rounding"),
    _text("usage_kind", "voice, message, volume, energy, reactive or liquid on usage and discount lines, else empty"),
    _text("tariff_id", "the tariff that priced the line; empty on tax and rounding lines"),
    _text("version", "the tariff version that priced the line"),
    _text("item", "what the line charges, in the words of the tariff"),
    _text("unit", "base unit of the quantities; days or count on fee lines; milliw or milliva of demand"),
    _count("service_count", "services summed in the line"),
    _count("record_count", "usage records summed in the line"),
    _quantity("quantity", "quantity used; service-days in force or services on fee lines"),
    _quantity("charged_quantity", "quantity that money was asked for: after increments, less what allowances covered"),
    _money("allowance", "list value of what allowances covered; shown for information, not part of any amount"),
    _text("price_text", "the price as on the bill; empty where the line blends several"),
    column("rate_ppm", pa.int64(), "parts per million", "tax rate of tax lines, else 0"),
    _money("base", "exact net taxed by a tax line, else 0"),
    _money("exact", "exact value of the line: list - allowance on usage lines, minus the discount on discount lines"),
    _text("collected_for", "the third party that a surcharge is collected for; empty: revenue of the house"),
    _money("amount", "the exact value half up at the minor unit: what the customer reads"),
    _CURRENCY_CODE,
)

CHARGES = _table(
    "charges",
    "one row per account, service, tariff version and item of a period: priced usage, and the lines that it went to",
    _BILL_NUMBER,
    _PERIOD,
    _text("line_id", "the usage line that sums the charge"),
    _text("discount_line_id", "the discount line that sums its discount; empty when there is none"),
    _text("account_id", "the account that used the service"),
    _text("service_id", "the service used: a number or a metering point"),
    _text("tariff_id", "the tariff that priced it"),
    _text("version", "the tariff version that priced it"),
    _text("item", "what is charged, in the words of the tariff"),
    _text("kind", "voice, message, volume, energy, reactive or liquid"),
    _text("unit", "base unit of the quantities"),
    _count("record_count", "usage records summed"),
    _quantity("quantity", "quantity used"),
    _quantity("charged_quantity", "quantity that money was asked for: after increments, less what allowances covered"),
    _money("list", "value at list price"),
    _money("allowance", "list value of what allowances covered"),
    _money("discount", "discount; positive lowers the charge"),
    _money("net", "the charge: list - allowance - discount"),
    _text("price_text", "the price as on the bill"),
    _CURRENCY_CODE,
)

SERVICE_CHARGES = _table(
    "service_charges",
    "one row per service and charge over the whole period beside its usage, and the line that it went to",
    _BILL_NUMBER,
    _PERIOD,
    _text("line_id", "the bill line that sums the charge"),
    _text("account_id", "the account of the service"),
    _text("service_id", "the service: a metering point or a number"),
    _text("tariff_id", "the tariff that priced it"),
    _text("version", "the tariff version that priced it"),
    _text("kind", "fee, demand, adjustment, surcharge, minimum or credit"),
    _text("item", "what is charged, in the words of the tariff"),
    _text("unit", "base unit of the quantity; empty where none"),
    _quantity("quantity", "the billing determinant: demand, energy, days; 0 where none"),
    _text("price_text", "the price as on the bill"),
    _money("exact", "the charge"),
    _text("collected_for", "the third party that it is collected for; empty: revenue of the house"),
    _text("explanation", "how the charge follows from the determinant"),
    _CURRENCY_CODE,
)

POSTINGS = _table(
    "postings",
    "one row per posting; the postings of a journal_entry_id sum to zero",
    _text("posting_id", "stable id: a hash of period, account, ledger account, line"),
    _text("journal_entry_id", "the balanced entry that the posting belongs to"),
    _count("posting_no", "place in the entry: 0 receivable, then the bill's line numbers, then rounding"),
    _PERIOD,
    _BILL_NUMBER,
    _text("account_id", "the paying account"),
    _text("line_id", "the bill line that the posting books; empty on receivable and rounding"),
    _text(
        "ledger_account",
        "receivable, revenue:usage:<kind>, revenue:<line kind>, collected_for:<who>, discount, tax_payable or rounding_carried",
    ),
    _money("debit", "amount on the debit side, else 0"),
    _money("credit", "amount on the credit side, else 0"),
    _CURRENCY_CODE,
    _day("booked_on", "booking date: the date of issue"),
)

CARRIED = _table(
    "carried",
    "one row per account that takes a rounding residue into the next period",
    _text("account_id", "the paying account"),
    _money("carried", "rounding residue; positive is still owed by the customer"),
)

SERVICE_STATE = _table(
    "service_state",
    "one row per fact that a service's tariff carries into the next period: a peak, a credit, a running total",
    _text("account_id", "the account of the service"),
    _text("service_id", "the service: a metering point or a number"),
    _text("tariff_id", "the tariff whose elements look back"),
    _text("topic", "peak, credit_quantity, credit_nano, ladder, minimum_nano or use"),
    _text("name", "the element of the tariff, or the pool of a credit"),
    column("period", pa.int64(), "months since year 0", "the billing period that it is of"),
    column("value", QUANTITY, "milli-units; credit_nano, minimum_nano: 1e-9 of the currency", "how much"),
)

OUTPUT_SCHEMAS: Mapping[str, pa.Schema] = {
    "bills": BILLS,
    "bill_lines": BILL_LINES,
    "charges": CHARGES,
    "service_charges": SERVICE_CHARGES,
    "postings": POSTINGS,
    "carried": CARRIED,
    "service_state": SERVICE_STATE,
}


def unit_of(field: pa.Field) -> str:
    """The unit of a column, empty when it states none."""
    return _metadata(field, b"unit")


def meaning_of(field: pa.Field) -> str:
    """The meaning of a column, empty when it states none."""
    return _metadata(field, b"meaning")


def _metadata(field: pa.Field, key: bytes) -> str:
    text: bytes = (field.metadata or {}).get(key, b"")
    return text.decode()


def outputs_markdown(schemas: Mapping[str, pa.Schema] = OUTPUT_SCHEMAS) -> str:
    """The page `OUTPUTS.md`: every published table and column for those who read them."""
    parts = [
        "# Published tables",
        "",
        f"Schema version {OUTPUT_SCHEMA_VERSION}. Generated from `settlement/output_schemas.py`; a test keeps it up to date.",
        "Money is decimal(38, 9) in units of the row's currency, quantities are decimal(38, 0) in the row's unit.",
        "No column has nulls.",
    ]
    for name, schema in schemas.items():
        parts += ["", f"## {name}", schema.metadata[b"meaning"].decode().capitalize() + ".", ""]
        parts += ["| Column | Type | Unit | Meaning |", "|---|---|---|---|"]
        parts += [f"| {field.name} | {field.type} | {unit_of(field)} | {meaning_of(field)} |" for field in schema]
    return "\n".join(parts) + "\n"
