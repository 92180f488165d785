"""Carried rounding: what rounded lines leave over is carried from bill to bill, and paid out once it makes a minor unit."""

from __future__ import annotations

import polars as pl

from settlement.bill_lines import as_parts
from settlement.exact import INT128, cut_to, int128
from settlement.line_kinds import LineKind


def residues(lines: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """[bill_to_account_id, currency, minor_nano, carried_in_nano, residue_nano] per bill.

    residue = carried in + sum of exact - sum of rounded, before any rounding line.
    """
    return (
        lines.group_by("bill_to_account_id", "currency", "minor_nano")
        .agg(left_nano=pl.col("exact_nano").sum() - pl.col("amount_nano").sum())
        .join(carried.rename({"account_id": "bill_to_account_id"}), on="bill_to_account_id", how="left")
        .with_columns(carried_in_nano=pl.col("carried_nano").fill_null(int128(0)))
        .with_columns(residue_nano=pl.col("carried_in_nano") + pl.col("left_nano"))
        .drop("left_nano", "carried_nano")
    )


def rounding_lines(residues: pl.DataFrame) -> pl.DataFrame:
    """Lines that bill the whole minor units of a residue; their exact value is nil, since it lies in lines billed before.

    Returns:
        line parts with the payer's columns and amount_nano. What stays carried is below one minor unit.
    """
    due = residues.filter(pl.col("residue_nano").abs() >= pl.col("minor_nano")).with_columns(
        account_id=pl.col("bill_to_account_id"),
        item=pl.lit("Carried rounding"),
        amount_nano=cut_to(pl.col("residue_nano"), pl.col("minor_nano")),
        exact_nano=pl.lit(0, dtype=INT128),
    )
    payer = due.select("bill_to_account_id", "currency", "minor_nano", "amount_nano")
    return pl.concat([as_parts(due, LineKind.ROUNDING), payer], how="horizontal")
