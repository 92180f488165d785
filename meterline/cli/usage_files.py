"""Usage in files that a person has at hand: CSV, Parquet or JSON lines."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from schemas.errors import Fault, MeterlineError

if TYPE_CHECKING:
    import polars as pl


def read_usage(path: Path) -> pl.DataFrame:
    """Usage records of a CSV, Parquet or JSON lines file, all columns of a CSV as text."""
    import polars as pl

    readers = {
        ".csv": lambda: pl.read_csv(path, infer_schema=False),
        ".parquet": lambda: pl.read_parquet(path),
        ".jsonl": lambda: pl.read_ndjson(path),
        ".ndjson": lambda: pl.read_ndjson(path),
    }
    if path.suffix not in readers:
        raise MeterlineError(Fault(str(path), "unknown kind of usage file", path.suffix, "one of " + ", ".join(readers)))
    try:
        return readers[path.suffix]()
    except pl.exceptions.PolarsError as cause:
        raise MeterlineError(Fault(str(path), "cannot be read", was=str(cause).splitlines()[0])) from cause


def write_records(records: pl.DataFrame, path: Path | None) -> None:
    """Write priced records to a file of a kind that `read_usage` reads; lists in a CSV are joined by ' | '."""
    if path is None:
        return
    import polars as pl

    wide = pl.selectors.by_dtype(pl.Int128)
    records = records.with_columns(wide.cast(pl.String))
    if path.suffix == ".csv":
        lists = [name for name, of in records.schema.items() if isinstance(of, pl.List)]
        records.with_columns(pl.col(name).list.eval(_as_text(records.schema[name])).list.join(" | ") for name in lists).write_csv(
            path
        )
    elif path.suffix == ".parquet":
        records.write_parquet(path)
    elif path.suffix in (".jsonl", ".ndjson"):
        records.write_ndjson(path)
    else:
        raise MeterlineError(Fault(str(path), "unknown kind of file", path.suffix, "one of .csv, .parquet, .jsonl, .ndjson"))


def _as_text(of: pl.DataType) -> pl.Expr:
    """An element of a list column as text."""
    import polars as pl

    inner = of.inner if isinstance(of, pl.List) else of
    if not isinstance(inner, pl.Struct):
        return pl.element().cast(pl.String)
    return pl.concat_str([pl.element().struct.field(field.name) for field in inner.fields], separator=" ")
