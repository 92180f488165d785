"""The journal: one balanced entry per bill, in nano-units, from receivable to revenue, tax and carried rounding."""

from __future__ import annotations

import polars as pl

from settlement.content_ids import content_ids
from settlement.exact import INT128, int128, negated
from settlement.frames import Columns
from settlement.line_kinds import LineKind

RECEIVABLE = "receivable"
DISCOUNT = "discount"
TAX_PAYABLE = "tax_payable"
ROUNDING_CARRIED = "rounding_carried"
REVENUE = "revenue:"
COLLECTED_FOR = "collected_for:"

POSTINGS: Columns = {
    "posting_id": pl.String,
    "journal_entry_id": pl.String,
    "posting_no": pl.Int64,
    "period": pl.String,
    "bill_number": pl.String,
    "account_id": pl.String,
    "line_id": pl.String,
    "ledger_account": pl.String,
    "debit_nano": INT128,
    "credit_nano": INT128,
    "currency": pl.String,
    "booked_on": pl.Date,
}


def ledger_account_of_line() -> pl.Expr:
    """The ledger account that a line's exact value goes to, from its `kind`, `usage_kind` and `collected_for`."""
    kind = pl.col("kind")
    return (
        pl.when(pl.col("collected_for") != "")
        .then(pl.concat_str(pl.lit(COLLECTED_FOR), "collected_for"))  # owed to a third party, never revenue
        .when(kind == LineKind.USAGE.value)
        .then(pl.concat_str(pl.lit(f"{REVENUE}usage:"), "usage_kind"))
        .when(kind == LineKind.DISCOUNT.value)
        .then(pl.lit(DISCOUNT))
        .when(kind == LineKind.TAX.value)
        .then(pl.lit(TAX_PAYABLE))
        .otherwise(pl.concat_str(pl.lit(REVENUE), kind))
    )


def postings_of(bills: pl.DataFrame, lines: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """The postings of the bills, in canonical order.

    Per bill: receivable takes the total that the customer owes, every line's exact value is the credit of its ledger account
    (a debit where it is negative), and rounding_carried takes the difference, exact - total. An entry sums to zero because of
    that, and the balance of rounding_carried over all periods is what customers still carry. Postings of nothing are left out.

    Returns:
        POSTINGS; one of debit and credit is zero, neither is negative; a posting's id follows from (period, account, ledger
        account, line).
    """
    of_bill = bills.select(
        "journal_entry_id", "bill_number", "account_id", "period", "currency", pl.col("issue_on").alias("booked_on")
    )
    receivable = of_bill.with_columns(
        line_id=pl.lit(""), ledger_account=pl.lit(RECEIVABLE), posting_no=int128(0), signed_nano=bills["total_nano"]
    )
    rounding = of_bill.with_columns(
        line_id=pl.lit(""),
        ledger_account=pl.lit(ROUNDING_CARRIED),
        posting_no=(bills["line_count"] + 1).cast(INT128),
        signed_nano=bills["exact_nano"] - bills["total_nano"],
    )
    of_lines = (
        lines.select(
            "bill_number",
            "line_id",
            ledger_account=ledger_account_of_line(),
            posting_no=pl.col("line_no").cast(INT128),
            signed_nano=negated(pl.col("exact_nano")),
        )
        .join(of_bill, on="bill_number", how="inner")
        .select(receivable.columns)
    )
    signed = pl.concat([receivable, of_lines, rounding]).filter(pl.col("signed_nano") != 0).sort("account_id", "posting_no")
    key = [signed[name] for name in ("period", "account_id", "ledger_account", "line_id")]
    amount = pl.col("signed_nano")
    return signed.with_columns(
        content_ids(key, seed=seed).alias("posting_id"),
        pl.col("posting_no").cast(pl.Int64),
        debit_nano=pl.when(amount > 0).then(amount).otherwise(int128(0)),
        credit_nano=pl.when(amount < 0).then(negated(amount)).otherwise(int128(0)),
    ).select(list(POSTINGS))
