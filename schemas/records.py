"""The tables that commits hold, column by column: unit and meaning travel with each field. Rated rows end with the first pass.

All columns are non-nullable (reading is a third cheaper); what cannot be read of a record is 0 or empty and its reason says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa

RECORD_SCHEMA_VERSION = 2


def _column(name: str, kind: Any, meaning: str, unit: str = "") -> Any:
    return pa.field(name, kind, nullable=False, metadata={"meaning": meaning, "unit": unit})


def _identity() -> list[Any]:
    return [
        _column("record_hi", pa.uint64(), "upper half of the 128-bit record id, a hash of the natural key"),
        _column("record_lo", pa.uint64(), "lower half of the record id"),
        _column("content_hash", pa.uint64(), "hash of the whole content: tells a copy from a conflict"),
        _column("source_id", pa.int32(), "the input file, see sources"),
        _column("source_offset", pa.int64(), "where the raw record starts in its file (in the member, for a zip)", "bytes"),
        _column("source_length", pa.int32(), "length of the raw record", "bytes"),
        _column("kind", pa.uint8(), "0 voice, 1 message, 2 volume, 3 energy, 4 reactive, 5 liquid"),
    ]


RATED_CALLS = pa.schema(
    [
        *_identity(),
        _column("account_key", pa.int32(), "the account that had the service when it was used, see account_keys"),
        _column("served_number", pa.uint64(), "number of the served party", "packed number"),
        _column("called_number", pa.uint64(), "number called", "packed number"),
        _column("start_at", pa.timestamp("us", tz="UTC"), "start of the use", "UTC"),
        _column("quantity", pa.int64(), "what was used", "ms, count or bytes by kind"),
        _column("charged_quantity", pa.int64(), "what is charged after increments", "ms, count or bytes by kind"),
        _column("rule_key", pa.int32(), "the tariff rule at the start, see rule_keys"),
        _column("charge_nano", pa.int64(), "list price of the first pass", "1e-9 of the currency"),
    ],
    metadata={"table": "rated_calls", "version": str(RECORD_SCHEMA_VERSION)},
)

# A meter day is one source record; where its period or account changes within the day it is stored in parts.
INTERVAL_DAYS = pa.schema(
    [
        *_identity(),
        _column("account_key", pa.int32(), "the account that had the metering point, see account_keys"),
        _column("metering_point_id", pa.string(), "the place of supply (NMI)"),
        _column("channel", pa.string(), "the measured channel (NMI suffix)"),
        _column("role", pa.uint8(), "which way the channel counts, a code of schemas.channels.ChannelRole"),
        _column("meter_serial", pa.string(), "serial number of the meter"),
        _column("start_at", pa.timestamp("us", tz="UTC"), "start of the first interval of the part", "UTC"),
        _column("step_s", pa.int32(), "length of an interval", "s"),
        _column(
            "counted",
            pa.uint8(),
            "1: the row stands for its source record; 0: a further part of a record that is counted elsewhere",
        ),
        _column(
            "values", pa.list_(pa.field("item", pa.int64(), nullable=False)), "the intervals in time order", "base unit of kind"
        ),
        _column("quantity", pa.int64(), "sum of the values", "base unit of kind"),
        _column("quality", pa.uint8(), "the worst quality of the day, a rank of schemas.quality"),
        _column("quality_text", pa.string(), "quality by interval"),
        _column("updated_at", pa.timestamp("us", tz="UTC"), "when the meter data provider last changed the day", "UTC"),
    ],
    metadata={"table": "interval_days", "version": str(RECORD_SCHEMA_VERSION)},
)

SET_ASIDE = pa.schema(
    [
        *_identity(),
        _column("disposition", pa.string(), "rejected, pending, filtered, duplicate or superseded"),
        _column("reason", pa.uint8(), "a code of schemas.reasons.Reason; 0 for copies and losers"),
        _column("period", pa.int32(), "month number of the billing period; -1 where the instant cannot be read"),
        _column("service_id", pa.string(), "the service as the record names it; empty where it cannot be read"),
        _column("start_at", pa.timestamp("us", tz="UTC"), "start of the use; 1970 where it cannot be read", "UTC"),
        _column("quantity", pa.int64(), "what was used; 0 where it cannot be read", "base unit of kind"),
        _column("quality", pa.uint8(), "quality rank of a meter day; 0 for calls"),
        _column("updated_at", pa.timestamp("us", tz="UTC"), "update time of a meter day; 1970 for calls", "UTC"),
        _column(
            "counted",
            pa.uint8(),
            "1: the row stands for its source record; 0: a further part of a record that is counted elsewhere",
        ),
        _column("raw", pa.binary(), "the raw record as it was received (rejected records)"),
    ],
    metadata={"table": "set_aside", "version": str(RECORD_SCHEMA_VERSION)},
)

TOMBSTONES = pa.schema(
    [
        _column("record_hi", pa.uint64(), "upper half of the id of the row that is withdrawn"),
        _column("record_lo", pa.uint64(), "lower half"),
        _column("content_hash", pa.uint64(), "content of the row that is withdrawn"),
    ],
    metadata={"table": "tombstones", "version": str(RECORD_SCHEMA_VERSION)},
)

STORED_TABLES: dict[str, Any] = {
    "rated_calls": RATED_CALLS,
    "interval_days": INTERVAL_DAYS,
    "set_aside": SET_ASIDE,
    "tombstones": TOMBSTONES,
}


def empty_table(name: str) -> Any:
    return STORED_TABLES[name].empty_table()


def table_of(name: str, columns: dict[str, Any], *, convert: Callable[[Any, Any], Any] | None = None) -> Any:
    """An Arrow table of a stored schema from arrays by name; every column of the schema must be there."""
    schema = STORED_TABLES[name]
    arrays = [
        _as_array(columns[field.name], field.type) if convert is None else convert(columns[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _as_array(values: Any, kind: Any) -> Any:
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return values if values.type == kind else values.cast(kind)
    if pa.types.is_timestamp(kind):
        return pa.array(values, type=pa.int64()).cast(kind)
    return pa.array(values, type=kind)
