"""Bills: one per payer and period, with totals of their lines; the number follows from (period, account)."""

from __future__ import annotations

from datetime import date

import polars as pl

from schemas.periods import Period
from settlement.content_ids import content_ids
from settlement.exact import INT128
from settlement.frames import Columns
from settlement.line_kinds import LineKind

BILLS: Columns = {
    "bill_number": pl.String,
    "account_id": pl.String,
    "group_id": pl.String,
    "name": pl.String,
    "currency": pl.String,
    "period": pl.String,
    "first_on": pl.Date,
    "end_on": pl.Date,
    "issue_on": pl.Date,
    "account_count": pl.Int64,
    "line_count": pl.Int64,
    "net_nano": INT128,
    "tax_nano": INT128,
    "rounding_nano": INT128,
    "total_nano": INT128,
    "exact_nano": INT128,
    "carried_in_nano": INT128,
    "carried_out_nano": INT128,
    "journal_entry_id": pl.String,
}


def bills_of(
    lines: pl.DataFrame, residues: pl.DataFrame, accounts: pl.DataFrame, period: Period, issue_on: date, *, seed: int
) -> pl.DataFrame:
    """The bills that numbered lines make up, by payer.

    Returns:
        BILLS; net, tax and rounding are sums of rounded lines and total is theirs; exact is the sum of exact lines, and
        carried_out = carried_in + exact - total.
    """
    amount, kind = pl.col("amount_nano"), pl.col("kind")
    totals = (
        lines.group_by("bill_number", pl.col("bill_to_account_id").alias("account_id"))
        .agg(
            account_count=pl.col("account_id").n_unique().cast(pl.Int64),
            line_count=pl.len().cast(pl.Int64),
            tax_nano=amount.filter(kind == LineKind.TAX.value).sum(),
            rounding_nano=amount.filter(kind == LineKind.ROUNDING.value).sum(),
            total_nano=amount.sum(),
            exact_nano=pl.col("exact_nano").sum(),
        )
        .join(residues.rename({"bill_to_account_id": "account_id"}).drop("currency", "minor_nano"), on="account_id", how="left")
        .join(accounts.drop("bill_to_account_id"), on="account_id", how="left")
        .with_columns(
            net_nano=pl.col("total_nano") - pl.col("tax_nano") - pl.col("rounding_nano"),
            carried_out_nano=pl.col("carried_in_nano") + pl.col("exact_nano") - pl.col("total_nano"),
            period=pl.lit(period.label),
            first_on=pl.lit(period.first_on),
            end_on=pl.lit(period.end_on),
            issue_on=pl.lit(issue_on),
        )
        .sort("account_id")
    )
    return totals.with_columns(
        content_ids([_constant("journal entry", totals.height), totals["period"], totals["account_id"]], seed=seed).alias(
            "journal_entry_id"
        )
    ).select(list(BILLS))


def _constant(text: str, rows: int) -> pl.Series:
    return pl.Series([text], dtype=pl.String).new_from_index(0, rows)
