"""The finance file: a DuckDB file of views and macros over published Parquet, built in scratch for the caller to move.

Finance opens the file; the pipeline never does (DuckDB lets one process at a time write). A rename publishes all tables at once:
whoever has the old file open keeps reading the old files, which stay until their time to live is over.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from schemas.errors import ConfigurationError, Fault, MeterlineError
from settlement.adapters.finance_queries import MACROS, comments, create_view, files_source, identifier, sql_type, text_literal
from settlement.output_schemas import OUTPUT_SCHEMAS

VIEWS = (
    *("rated_calls", "interval_days", "suspense", "duplicates"),
    *("bills", "bill_lines", "charges", "service_charges", "postings", "row_account"),
)
_OWN = frozenset(OUTPUT_SCHEMAS)
# Nothing is fetched, and the machine is left to others (reference: reliability §8).
_QUIET: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "threads": "1",
}


def build_finance_file(
    target: Path,
    scratch: Path,
    tables: Mapping[str, Sequence[Path]],
    *,
    columns: Mapping[str, pa.Schema],
    version: Mapping[str, str],
    conditions: Mapping[str, str] | None = None,
) -> Path:
    """Build the finance file for a set of published files.

    Args:
        target: where the caller will move it; only its name is used.
        scratch: an existing folder outside the published ones; a leftover of the same name in it is replaced.
        tables: for every view of VIEWS (and any further one) the absolute paths of its Parquet files; none gives an empty view.
        columns: schemas with unit and meaning of each column, for the views that `settlement.output_schemas` does not define.
        conditions: an SQL condition on the columns of a view's files, for views that show some of their rows.
        version: what the file shows in the view `finance_version`, such as the commit and the schema version.

    Returns:
        the file in scratch, closed and complete; the caller makes it durable and renames it over `target`.

    Raises:
        ConfigurationError: a view without files listed or without schema, an unknown one, a relative path, a pattern, an absent
            file, a column of a type that cannot be published; every fault at once.
        MeterlineError: files that are not readable Parquet.
    """
    schemas = {name: schema for name, schema in OUTPUT_SCHEMAS.items() if name in tables} | dict(columns)
    faults = [*_table_faults(tables, schemas), *_path_faults(tables), *_type_faults(schemas)]
    if faults:
        raise ConfigurationError(faults)
    built = scratch / target.name
    for leftover in (built, built.with_name(f"{built.name}.wal")):
        leftover.unlink(missing_ok=True)
    with duckdb.connect(str(built), config={**_QUIET, "temp_directory": str(scratch)}) as link:
        link.execute("BEGIN")
        for name, files in tables.items():
            found = _columns_of(link, name, files) if files else {}
            link.execute(create_view(name, schemas[name], files, found, (conditions or {}).get(name, "")))
            for statement in comments(name, schemas[name], [column for column in found if column not in schemas[name].names]):
                link.execute(statement)
        for macro in MACROS:
            link.execute(macro)
        link.execute(_version_view(version))
        link.execute("COMMIT")
        link.execute("CHECKPOINT")
    return built


def open_finance_file(
    path: Path, folders: Sequence[Path], *, memory_limit: str = "1GB", threads: int = 2
) -> duckdb.DuckDBPyConnection:
    """Open a finance file for reading, locked down: only files in `folders` can be read and no setting can be changed.

    DuckDB lets whoever may read a folder also write into it by COPY; so the operating-system user of readers must have no right
    to write there.
    """
    link = duckdb.connect(str(path), read_only=True, config={**_QUIET, "memory_limit": memory_limit, "threads": str(threads)})
    listed = ", ".join(text_literal(str(folder)) for folder in folders)
    link.execute(f"SET allowed_directories = [{listed}]")
    link.execute("SET enable_external_access = false")
    link.execute("SET lock_configuration = true")
    return link


def _columns_of(link: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> dict[str, str]:
    """Names and SQL types of the columns that the files have between them."""
    try:
        described = link.execute(f"DESCRIBE SELECT * FROM {files_source(files)}").fetchall()
    except duckdb.Error as cause:
        where = f"finance view {name}"
        raise MeterlineError(Fault(where, "its files cannot be read", was=str(cause), code="unreadable_file")) from cause
    return {str(row[0]): str(row[1]) for row in described}


def _version_view(version: Mapping[str, str]) -> str:
    rows = ", ".join(f"({text_literal(name)}, {text_literal(value)})" for name, value in sorted(version.items()))
    source = f"(VALUES {rows}) AS v(name, value)" if rows else "(SELECT '' AS name, '' AS value WHERE false)"
    return f"CREATE VIEW {identifier('finance_version')} AS SELECT name, value FROM {source}"


def _table_faults(tables: Mapping[str, Sequence[Path]], schemas: Mapping[str, pa.Schema]) -> list[Fault]:
    faults = []
    for name in VIEWS:
        if name not in tables:
            close = difflib.get_close_matches(name, tables, n=1)
            hint = f"is it {close[0]!r} under another name?" if close else "give it an empty list if there are no files"
            faults.append(Fault(f"finance view {name}", "its files are not listed", next_step=hint, code="missing_view"))
    for name in tables:
        if name not in schemas:
            must_be = "a schema with unit and meaning of each column"
            faults.append(Fault(f"finance view {name}", "its columns are not described", must_be=must_be, code="missing_schema"))
    for name in schemas:
        if name not in tables:
            close = difflib.get_close_matches(name, tables, n=1)
            hint = f"did you mean {close[0]!r}?" if close else ""
            faults.append(Fault(f"finance columns {name}", "there is no such view", next_step=hint, code="unknown_view"))
    return faults


def _path_faults(tables: Mapping[str, Sequence[Path]]) -> list[Fault]:
    faults = []
    for name, files in tables.items():
        for path in files:
            if not path.is_absolute():
                faults.append(Fault(f"finance view {name}", "a path is relative", str(path), "absolute", code="bad_path"))
            elif set(str(path)) & set("*?[]"):
                faults.append(Fault(f"finance view {name}", "a path is a pattern", str(path), "one file's name", code="bad_path"))
            elif not path.is_file():
                faults.append(
                    Fault(f"finance view {name}", "a file is absent", str(path), "a published file", code="absent_file")
                )
    return faults


def _type_faults(schemas: Mapping[str, pa.Schema]) -> list[Fault]:
    faults = []
    for name, schema in schemas.items():
        for field in schema:
            try:
                sql_type(field.type)
            except KeyError:
                where = f"finance columns {name}.{field.name}"
                must_be = "an integer, decimal, text, date or time"
                faults.append(Fault(where, "a type that is not published", str(field.type), must_be, code="column_type"))
    return faults
