"""The sealed tables of per-record charges: what each call and each meter day came to, beside the bills (settlement's)."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from settlement.output_schemas import MONEY, column

_RECORD = [
    column("account_id", pa.large_string(), "-", "the account that used the service"),
    column("service_id", pa.large_string(), "-", "the service used: a number or a metering point"),
    column("record_hi", pa.uint64(), "-", "upper half of the record id"),
    column("record_lo", pa.uint64(), "-", "lower half of the record id"),
    column(
        "start_at", pa.timestamp("us", tz="UTC"), "UTC", "start of the use, or of the part of a meter day that lies in the period"
    ),
    column("tariff_id", pa.large_string(), "-", "the tariff that priced it"),
    column("version", pa.large_string(), "-", "the tariff version that priced it"),
    column("item", pa.large_string(), "-", "what is charged, in the words of the tariff"),
]

CHARGED_CALLS = pa.schema(
    [
        *_RECORD,
        column("kind", pa.large_string(), "-", "voice, message or volume"),
        column("quantity", pa.int64(), "ms, count or bytes by kind", "what was used"),
        column("charged_quantity", pa.int64(), "ms, count or bytes by kind", "after increments, less what allowances covered"),
        column("allowance", pa.large_string(), "-", "the allowance that covered some of it; empty if none"),
        column("allowance_units", pa.int64(), "ms, count or bytes by kind", "units taken from the allowance"),
        column("list", MONEY, "currency", "list price of the first pass"),
        column("allowance_value", MONEY, "currency", "list value of what the allowance covered"),
        column("discount", MONEY, "currency", "discount; positive lowers the charge"),
        column("net", MONEY, "currency", "the charge: list - allowance_value - discount"),
    ],
    metadata={"table": "charged_calls"},
)

CHARGED_DAYS = pa.schema(
    [
        *_RECORD[:2],
        column("channel", pa.large_string(), "-", "the measured channel"),
        *_RECORD[2:],
        column(
            "quantity", pa.int64(), "base unit of the channel", "what of the meter day is at this price, or metered for this item"
        ),
    ],
    metadata={"table": "charged_days"},
)

PER_RECORD = {"charged_calls": CHARGED_CALLS, "charged_days": CHARGED_DAYS}
_NANO = {"list": "list_nano", "allowance_value": "allowance_nano", "discount": "discount_nano", "net": "net_nano"}


def charged_calls_table(charges: pl.DataFrame) -> Any:
    return _table(charges.sort("account_id", "start_at", "record_hi", "record_lo"), CHARGED_CALLS)


def charged_days_table(determinants: pl.DataFrame) -> Any:
    return _table(determinants.sort("account_id", "service_id", "channel", "start_at", "record_hi", "item_index"), CHARGED_DAYS)


def _table(frame: pl.DataFrame, schema: Any) -> Any:
    arrays = [_array(frame[_NANO.get(field.name, field.name)], field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(values: pl.Series, kind: Any) -> Any:
    if kind == MONEY:  # the same integer, whose last nine digits are now decimals
        digits = values.cast(pl.Int128).cast(pl.Decimal(38, 0)).to_arrow().cast(pa.decimal128(38, 0))
        return pa.Array.from_buffers(MONEY, len(digits), digits.buffers(), offset=digits.offset)
    array = values.to_arrow(compat_level=pl.CompatLevel.oldest())
    return array.cast(kind)
