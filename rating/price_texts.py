"""Amounts of whole columns as exact decimal texts."""

from __future__ import annotations

import polars as pl

from schemas.money import NANO


def amount_texts(nano: pl.Expr, least_decimals: int = 2) -> pl.Expr:
    """`schemas.money.amount_text` over a column of Int64 or Int128 nano-units: the shortest exact text."""
    magnitude = nano.cast(pl.Int128).abs()
    digits = (magnitude % NANO).cast(pl.String).str.pad_start(9, "0").str.strip_chars_end("0").str.pad_end(least_decimals, "0")
    sign = pl.when(nano < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return pl.concat_str(sign, (magnitude // NANO).cast(pl.String), pl.lit("."), digits)


def rounded_ratios(numerator: pl.Expr, denominator: pl.Expr, mode: str) -> pl.Expr:
    """`schemas.money.round_ratio` over Int128 columns; the denominator is above zero and twice the numerator fits."""
    magnitude = numerator.abs()
    quotient = magnitude // denominator
    twice = (magnitude % denominator) * 2
    up = {
        "up": twice > 0,
        "down": pl.lit(False),
        "half_up": twice >= denominator,
        "half_even": (twice > denominator) | ((twice == denominator) & (quotient % 2 == 1)),
    }[mode]
    return (quotient + up.cast(pl.Int128)) * pl.when(numerator < 0).then(-1).otherwise(1).cast(pl.Int128)
