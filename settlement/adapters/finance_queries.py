"""The SQL of the finance file: views over listed Parquet files, comments, and the macros that people ask by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from settlement.output_schemas import meaning_of, unit_of

# Columns of this unit hold a telephone number as nibbles filled with F (`schemas.numbers`).
PACKED_NUMBER = "packed number"
_HI, _LO = "_hi", "_lo"

MACROS = (
    """CREATE MACRO bills(period_label) AS TABLE
       SELECT * FROM bills WHERE period = period_label ORDER BY bill_number""",
    """CREATE MACRO lines(account, period_label) AS TABLE
       SELECT * FROM bill_lines
       WHERE period = period_label AND (account_id = account OR bill_to_account_id = account) ORDER BY bill_number, line_no""",
    """CREATE MACRO explain_line(id) AS TABLE
       SELECT l.bill_number, l.line_no, l.kind, l.account_id, l.item, l.exact, l.amount, c.service_id, c.tariff_id, c.version,
              c.record_count, c.unit, c.quantity, c.charged_quantity, c.list, c.allowance, c.discount, c.net, c.price_text
       FROM (SELECT * FROM bill_lines WHERE line_id = id) AS l
       LEFT JOIN (SELECT * FROM charges WHERE line_id = id OR discount_line_id = id) AS c ON true
       ORDER BY c.service_id, c.tariff_id, c.version, c.item""",
    """CREATE MACRO explain_service_line(id) AS TABLE
       SELECT l.bill_number, l.line_no, l.kind, l.account_id, l.item, l.exact AS line_exact, l.amount, s.service_id, s.tariff_id,
              s.version, s.unit, s.quantity, s.price_text, s.exact, s.collected_for, s.explanation
       FROM (SELECT * FROM bill_lines WHERE line_id = id) AS l JOIN service_charges AS s ON s.line_id = id
       ORDER BY s.service_id, s.explanation""",
    """CREATE MACRO trial_balance(period_label) AS TABLE
       SELECT ledger_account, currency, sum(debit) AS debit, sum(credit) AS credit, sum(debit) - sum(credit) AS balance
       FROM postings WHERE period = period_label GROUP BY ledger_account, currency ORDER BY currency, ledger_account""",
)


def text_literal(text: str) -> str:
    """A text as an SQL literal."""
    assert "\0" not in text
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A name as an SQL identifier."""
    assert "\0" not in name
    return '"' + name.replace('"', '""') + '"'


def files_source(files: Sequence[Path]) -> str:
    """The rows of listed Parquet files; columns are matched by name, absent ones are NULL."""
    listed = ", ".join(text_literal(str(path)) for path in files)
    return f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"


def view_columns(schema: pa.Schema) -> list[tuple[str, str, str, str]]:
    """(name, SQL expression, unit, meaning) of each column that a view shows, from the schema of its files.

    A pair of 64-bit columns `x_hi`, `x_lo` is shown as `x_id`, 32 hexadecimal digits; a packed number as its digits.
    """
    columns = []
    for field in schema:
        stem = field.name[: -len(_HI)]
        low = f"{stem}{_LO}"
        if field.name.endswith(_HI) and field.type == pa.uint64() and low in schema.names:
            shown = f"printf('%016x%016x', {identifier(field.name)}, {identifier(low)})"
            columns.append((f"{stem}_id", shown, "-", meaning_of(field)))
        elif field.name.endswith(_LO) and field.type == pa.uint64() and f"{field.name[: -len(_LO)]}{_HI}" in schema.names:
            continue
        elif unit_of(field) == PACKED_NUMBER:
            shown = f"rtrim(printf('%016x', {identifier(field.name)}), 'f')"
            columns.append((field.name, shown, "digits", meaning_of(field)))
        else:
            columns.append((field.name, identifier(field.name), unit_of(field), meaning_of(field)))
    return columns


def create_view(name: str, schema: pa.Schema, files: Sequence[Path], found: Mapping[str, str], where: str = "") -> str:
    """The view of a table.

    Args:
        schema: the columns that the view must have.
        files: its Parquet files; none at all gives a view without rows.
        found: names and SQL types of the columns that the files really have; ones beyond the schema are shown as they are.
        where: an SQL condition on the columns of the files: the rows that the view shows; all of them if empty.
    """
    typed = [
        f"CAST({identifier(field.name) if field.name in found else 'NULL'} AS {sql_type(field.type)}) AS {identifier(field.name)}"
        for field in schema
    ]
    extra = [column for column in found if column not in schema.names]
    inner = ", ".join(typed + [identifier(column) for column in extra])
    shown = [f"{expression} AS {identifier(column)}" for column, expression, _, _ in view_columns(schema)]
    outer = ", ".join(shown + [identifier(column) for column in extra])
    condition = f" WHERE {where}" if where else ""
    source = f"FROM {files_source(files)}{condition}" if files else "WHERE false"
    return f"CREATE VIEW {identifier(name)} AS SELECT {outer} FROM (SELECT {inner} {source})"


def comments(name: str, schema: pa.Schema, extra: Sequence[str]) -> list[str]:
    """Comments on a view and each of its columns: meaning and unit."""
    meaning = (schema.metadata or {}).get(b"meaning", b"").decode()
    statements = [f"COMMENT ON VIEW {identifier(name)} IS {text_literal(meaning)}"] if meaning else []
    noted = [(column, f"{text} [{unit}]" if unit not in ("", "-") else text) for column, _, unit, text in view_columns(schema)]
    noted += [(column, "not part of the documented schema") for column in extra]
    return statements + [
        f"COMMENT ON COLUMN {identifier(name)}.{identifier(column)} IS {text_literal(text)}" for column, text in noted
    ]


_SQL_TYPES: dict[pa.DataType, str] = {
    pa.bool_(): "BOOLEAN",
    pa.int8(): "TINYINT",
    pa.int16(): "SMALLINT",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.uint8(): "UTINYINT",
    pa.uint16(): "USMALLINT",
    pa.uint32(): "UINTEGER",
    pa.uint64(): "UBIGINT",
    pa.string(): "VARCHAR",
    pa.large_string(): "VARCHAR",
    pa.date32(): "DATE",
    pa.binary(): "BLOB",
    pa.large_binary(): "BLOB",
}


def sql_type(arrow_type: pa.DataType) -> str:
    """The DuckDB type of an Arrow type; floats are refused, since no published column may be one."""
    if pa.types.is_decimal128(arrow_type):
        return f"DECIMAL({arrow_type.precision}, {arrow_type.scale})"
    if pa.types.is_timestamp(arrow_type):
        return "TIMESTAMPTZ" if arrow_type.tz else "TIMESTAMP"
    if pa.types.is_list(arrow_type) or pa.types.is_large_list(arrow_type):
        return f"{sql_type(arrow_type.value_type)}[]"
    if pa.types.is_dictionary(arrow_type):
        return sql_type(arrow_type.value_type)
    return _SQL_TYPES[arrow_type]
