"""Reading the reference data that customer systems export: accounts and services as CSV or Parquet, checked as a whole.

Every fault of every file is reported at once, each with file and line.
"""

from __future__ import annotations

from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from schemas.errors import ConfigurationError, Fault
from schemas.quantities import INT64_MAX
from schemas.zones import instant_us, local_midnight_us

ACCOUNT_COLUMNS = ("account_id", "bill_to_account_id", "group_id", "name", "currency")
SERVICE_COLUMNS = ("service_id", "account_id", "tariff_id", "effective_from", "effective_to")
_FAULTS_SHOWN = 20


def read_accounts(path: Path, *, currency: str) -> pl.DataFrame:
    """Accounts: [account_id, bill_to_account_id, group_id, name, currency], all text; no payer or group is the account itself."""
    frame = _read_text_columns(path, ACCOUNT_COLUMNS, optional=("bill_to_account_id", "group_id", "name", "currency"))
    frame = frame.with_columns(
        bill_to_account_id=pl.when(pl.col("bill_to_account_id") == "").then("account_id").otherwise("bill_to_account_id"),
        currency=pl.when(pl.col("currency") == "").then(pl.lit(currency)).otherwise("currency"),
    )
    faults = [
        *_faulty(path, frame, pl.col("account_id") == "", "an account without account_id"),
        *_faulty(path, frame, pl.col("account_id").is_duplicated(), "account_id stands twice", "account_id"),
        *_faulty(
            path, frame, ~pl.col("bill_to_account_id").is_in(frame["account_id"].implode()), "no such payer", "bill_to_account_id"
        ),
        *_faulty(path, frame, pl.col("currency") != currency, f"currency must be {currency} for this tenant", "currency"),
    ]
    _raise(faults)
    return frame.sort("account_id")


def read_services(path: Path, accounts: pl.DataFrame, tariff_ids: list[str], *, zone: str) -> pl.DataFrame:
    """Service assignments: [service_id, account_id, tariff_id, effective_from_at, effective_to_at] (us UTC, half-open, apart)."""
    frame = _read_text_columns(path, SERVICE_COLUMNS, optional=("effective_from", "effective_to"))
    stamps = {text: _instant(text, zone) for text in {*frame["effective_from"], *frame["effective_to"]}}
    bad = [text for text, at in stamps.items() if at is None]
    faults = [
        *_faulty(path, frame, pl.col("effective_from").is_in(bad), "not a date or instant", "effective_from"),
        *_faulty(path, frame, pl.col("effective_to").is_in(bad), "not a date or instant", "effective_to"),
        *_faulty(path, frame, pl.col("service_id") == "", "a service without service_id"),
        *_faulty(path, frame, ~pl.col("account_id").is_in(accounts["account_id"].implode()), "no such account", "account_id"),
        *_faulty(path, frame, ~pl.col("tariff_id").is_in(tariff_ids), "no such tariff", "tariff_id", tariff_ids),
    ]
    _raise(faults)
    instants = {text: at for text, at in stamps.items() if at is not None}
    frame = (
        frame.with_columns(
            effective_from_at=pl.col("effective_from").replace_strict({**instants, "": -INT64_MAX}, return_dtype=pl.Int64),
            effective_to_at=pl.col("effective_to").replace_strict({**instants, "": INT64_MAX}, return_dtype=pl.Int64),
        )
        .sort("service_id", "effective_from_at")
        .with_columns(next_from_at=pl.col("effective_from_at").shift(-1).over("service_id"))
    )
    _raise(
        [
            *_faulty(
                path, frame, pl.col("effective_to_at") <= pl.col("effective_from_at"), "ends before it begins", "service_id"
            ),
            *_faulty(
                path, frame, pl.col("next_from_at") < pl.col("effective_to_at"), "overlaps its next assignment", "service_id"
            ),
        ]
    )
    return frame.select("service_id", "account_id", "tariff_id", "effective_from_at", "effective_to_at")


def _read_text_columns(path: Path, columns: tuple[str, ...], *, optional: tuple[str, ...]) -> pl.DataFrame:
    if not path.is_file():
        raise ConfigurationError(Fault(str(path), "no such reference file", next_step="check `reference:` in meterline.yaml"))
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except pl.exceptions.PolarsError as cause:
        raise ConfigurationError(Fault(str(path), "cannot be read as a table", was=str(cause).splitlines()[0])) from cause
    unknown = [name for name in frame.columns if name not in columns]
    missing = [name for name in columns if name not in frame.columns and name not in optional]
    _raise(
        [Fault(f"{path}:1", "unknown column", was=repr(name), next_step=_hint(name, columns)) for name in unknown]
        + [Fault(f"{path}:1", "column is missing", must_be=name) for name in missing]
    )
    added = [pl.lit("").alias(name) for name in columns if name not in frame.columns]
    return (
        frame.with_columns(*added)
        .select(pl.col(name).cast(pl.String).fill_null("").str.strip_chars() for name in columns)
        .with_row_index("line", offset=2)
    )


def _faulty(
    path: Path, frame: pl.DataFrame, wrong: pl.Expr, what: str, column: str | None = None, known: list[str] | None = None
) -> list[Fault]:
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


def _raise(faults: list[Fault]) -> None:
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
