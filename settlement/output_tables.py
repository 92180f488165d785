"""Frames as Arrow tables of the published schemas, and back: nano-units become decimal(38, 9) without touching a digit."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from settlement.exact import decimal_digits
from settlement.output_schemas import MONEY, QUANTITY

_NANO = "_nano"


def output_table(frame: pl.DataFrame, schema: pa.Schema) -> pa.Table:
    """The frame as a table of a published schema (`settlement.output_schemas`).

    A money field `amount` is the frame's column `amount_nano`: the same integer, whose nine last digits are now decimals.
    Frame columns that the schema does not name are an error, as are nulls.
    """
    names = [frame_column(field) for field in schema]
    assert sorted(names) == sorted(frame.columns), f"columns {sorted(frame.columns)} are not {sorted(names)}"
    return pa.table([_array(frame[name], field.type) for name, field in zip(names, schema, strict=True)], schema=schema)


def frame_of_table(table: pa.Table) -> pl.DataFrame:
    """The frame that `output_table` made the table from."""
    columns = []
    for field in table.schema:
        column = table.column(field.name).combine_chunks()
        if pa.types.is_decimal(field.type):
            digits = pa.Array.from_buffers(QUANTITY, len(column), column.buffers(), offset=column.offset)
            columns.append(pl.Series(pl.from_arrow(digits)).cast(pl.Int128).alias(frame_column(field)))
        else:
            columns.append(pl.Series(pl.from_arrow(column)).alias(field.name))
    return pl.DataFrame(columns)


def frame_column(field: pa.Field) -> str:
    """What the column is called while it holds integers."""
    return f"{field.name}{_NANO}" if field.type == MONEY else str(field.name)


def _array(column: pl.Series, arrow_type: pa.DataType) -> pa.Array:
    if pa.types.is_decimal(arrow_type):
        digits = decimal_digits(column)
        return pa.Array.from_buffers(arrow_type, len(digits), digits.buffers(), offset=digits.offset)
    assert not column.null_count(), f"{column.name} has nulls"
    return column.to_arrow(compat_level=pl.CompatLevel.oldest()).cast(arrow_type)
