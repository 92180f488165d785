"""Tables of text that customer systems export: their columns, their bounds in time, and every fault with file and line."""

from __future__ import annotations

from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from schemas.errors import ConfigurationError, Fault
from schemas.quantities import INT64_MAX
from schemas.zones import instant_us, local_midnight_us

_FAULTS_SHOWN = 20


def read_text_columns(path: Path, columns: tuple[str, ...], *, optional: tuple[str, ...]) -> pl.DataFrame:
    """The columns of a CSV or Parquet file as stripped texts, absent optional ones empty, with `line` (the first row is 2)."""
    if not path.is_file():
        raise ConfigurationError(Fault(str(path), "no such reference file", next_step="check `reference:` in meterline.yaml"))
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as cause:
        raise ConfigurationError(Fault(str(path), "cannot be read as a table", was=str(cause).splitlines()[0])) from cause
    unknown = [name for name in frame.columns if name not in columns]
    missing = [name for name in columns if name not in frame.columns and name not in optional]
    raise_all(
        [Fault(f"{path}:1", "unknown column", was=repr(name), next_step=_hint(name, columns)) for name in unknown]
        + [Fault(f"{path}:1", "column is missing", must_be=name) for name in missing]
    )
    added = [pl.lit("").alias(name) for name in columns if name not in frame.columns]
    return (
        frame.with_columns(*added)
        .select(pl.col(name).cast(pl.String).fill_null("").str.strip_chars() for name in columns)
        .with_row_index("line", offset=2)
    )


def faulty(
    path: Path, frame: pl.DataFrame, wrong: pl.Expr, what: str, column: str | None = None, known: list[str] | None = None
) -> list[Fault]:
    """A fault for each row that is wrong, 20 at most, with the value of a column and what it may have meant."""
    rows = frame.filter(wrong).head(_FAULTS_SHOWN)
    return [
        Fault(
            f"{path}:{line}",
            what,
            was=repr(value) if column else "",
            next_step=_hint(value, known) if known and column else "",
            code="reference",
        )
        for line, value in zip(rows["line"], rows[column or "line"], strict=True)
    ]


def _hint(name: str, known: tuple[str, ...] | list[str]) -> str:
    near = get_close_matches(str(name), known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known are {', '.join(list(known)[:8])}"


def raise_all(faults: list[Fault]) -> None:
    """Raise ConfigurationError if there are any."""
    if faults:
        raise ConfigurationError(faults)


def _instant(text: str, zone: str) -> int | None:
    """Microseconds UTC of an ISO instant with offset or of a local date; empty text is no bound (0, never used)."""
    if not text:
        return 0
    try:
        if len(text) == 10:
            return local_midnight_us(date.fromisoformat(text), zone)
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant_us(moment) if moment.tzinfo else None


def _stamps(frame: pl.DataFrame, zone: str) -> dict[str, int | None]:
    return {text: _instant(text, zone) for text in {*frame["effective_from"], *frame["effective_to"]}}


def bad_bounds(frame: pl.DataFrame, zone: str) -> list[str]:
    """The texts in effective_from and effective_to that are neither a local date nor an instant with offset."""
    return [text for text, at in _stamps(frame, zone).items() if at is None]


def bound_faults(path: Path, frame: pl.DataFrame, bad: list[str]) -> list[Fault]:
    """A fault for each row with one of the bad texts."""
    return [
        *faulty(path, frame, pl.col("effective_from").is_in(bad), "not a date or instant", "effective_from"),
        *faulty(path, frame, pl.col("effective_to").is_in(bad), "not a date or instant", "effective_to"),
    ]


def with_bounds(path: Path, frame: pl.DataFrame, key: list[str], what: str, zone: str) -> pl.DataFrame:
    """The frame in order of (key, start) with effective_from_at and effective_to_at, us UTC; an empty text is no bound.

    Raises:
        ConfigurationError: a row that ends before it begins, or overlaps the next of its key.
    """
    instants = {text: at for text, at in _stamps(frame, zone).items() if at is not None}
    frame = (
        frame.with_columns(
            effective_from_at=pl.col("effective_from").replace_strict({**instants, "": -INT64_MAX}, return_dtype=pl.Int64),
            effective_to_at=pl.col("effective_to").replace_strict({**instants, "": INT64_MAX}, return_dtype=pl.Int64),
        )
        .sort(*key, "effective_from_at")
        .with_columns(next_from_at=pl.col("effective_from_at").shift(-1).over(key))
    )
    ends_early = pl.col("effective_to_at") <= pl.col("effective_from_at")
    overlaps = pl.col("next_from_at") < pl.col("effective_to_at")
    raise_all(
        [
            *faulty(path, frame, ends_early, "ends before it begins", key[0]),
            *faulty(path, frame, overlaps, f"overlaps its next {what}", key[0]),
        ]
    )
    return frame.drop("next_from_at")
