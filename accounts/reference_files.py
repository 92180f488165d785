"""Reading the reference data that customer systems export: accounts and services as CSV or Parquet, checked as a whole.

Every fault of every file is reported at once, each with file and line.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from accounts.reference_columns import bad_bounds, bound_faults, faulty, raise_all, read_text_columns, with_bounds

ACCOUNT_COLUMNS = ("account_id", "bill_to_account_id", "group_id", "name", "currency")
SERVICE_COLUMNS = ("service_id", "account_id", "tariff_id", "effective_from", "effective_to")
TERM_COLUMNS = ("service_id", "term", "value", "effective_from", "effective_to")

SERVICE_TERMS = {
    "line": pl.Int64,
    "service_id": pl.String,
    "term": pl.String,
    "value": pl.String,
    "effective_from_at": pl.Int64,
    "effective_to_at": pl.Int64,
}


def read_accounts(path: Path, *, currency: str) -> pl.DataFrame:
    """Accounts: [account_id, bill_to_account_id, group_id, name, currency], all text; no payer or group is the account itself."""
    frame = read_text_columns(path, ACCOUNT_COLUMNS, optional=("bill_to_account_id", "group_id", "name", "currency"))
    frame = frame.with_columns(
        bill_to_account_id=pl.when(pl.col("bill_to_account_id") == "").then("account_id").otherwise("bill_to_account_id"),
        currency=pl.when(pl.col("currency") == "").then(pl.lit(currency)).otherwise("currency"),
    )
    faults = [
        *faulty(path, frame, pl.col("account_id") == "", "an account without account_id"),
        *faulty(path, frame, pl.col("account_id").is_duplicated(), "account_id stands twice", "account_id"),
        *faulty(
            path, frame, ~pl.col("bill_to_account_id").is_in(frame["account_id"].implode()), "no such payer", "bill_to_account_id"
        ),
        *faulty(path, frame, pl.col("currency") != currency, f"currency must be {currency} for this tenant", "currency"),
    ]
    raise_all(faults)
    return frame.sort("account_id")


def read_services(path: Path, accounts: pl.DataFrame, tariff_ids: list[str], *, zone: str) -> pl.DataFrame:
    """Service assignments: [service_id, account_id, tariff_id, effective_from_at, effective_to_at] (us UTC, half-open, apart)."""
    frame = read_text_columns(path, SERVICE_COLUMNS, optional=("effective_from", "effective_to"))
    bad = bad_bounds(frame, zone)
    raise_all(
        [
            *bound_faults(path, frame, bad),
            *faulty(path, frame, pl.col("service_id") == "", "a service without service_id"),
            *faulty(path, frame, ~pl.col("account_id").is_in(accounts["account_id"].implode()), "no such account", "account_id"),
            *faulty(path, frame, ~pl.col("tariff_id").is_in(tariff_ids), "no such tariff", "tariff_id", tariff_ids),
        ]
    )
    frame = with_bounds(path, frame, ["service_id"], "assignment", zone)
    return frame.select("service_id", "account_id", "tariff_id", "effective_from_at", "effective_to_at")


def read_service_terms(path: Path, services: pl.DataFrame, *, zone: str) -> pl.DataFrame:
    """What was agreed with services: [line, service_id, term, value, effective_from_at, effective_to_at] (us UTC, half-open).

    Rows of one service and term lie apart. Terms and values are texts here (`installed`, `315 kVA`); what they mean is rating's,
    and it is the one to refuse them.
    """
    frame = read_text_columns(path, TERM_COLUMNS, optional=("effective_from", "effective_to"))
    bad = bad_bounds(frame, zone)
    known = services["service_id"].unique()
    raise_all(
        [
            *bound_faults(path, frame, bad),
            *faulty(path, frame, ~pl.col("service_id").is_in(known.implode()), "no such service", "service_id"),
            *faulty(path, frame, (pl.col("term") == "") | (pl.col("value") == ""), "a term without name or value", "service_id"),
        ]
    )
    frame = with_bounds(path, frame, ["service_id", "term"], "value", zone)
    return frame.select(pl.col(name).cast(kind) for name, kind in SERVICE_TERMS.items())
