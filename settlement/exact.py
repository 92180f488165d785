"""Exact 128-bit integer arithmetic in Polars: nano-units and quantities, rounded by magnitude, never a float.

Polars wraps silently where a 128-bit integer overflows, so the ranges are proved at the door (`settlement.frames`): each amount
is below 10**22 in magnitude and a frame holds fewer than 10**9 rows. Hence every sum is below 10**32 and a sum times a rate in
ppm below 10**38, also when doubled for rounding; Int128 holds 1.7 * 10**38.
"""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl
import pyarrow as pa

from schemas.money import minor_unit_nano

INT128 = pl.Int128
MAGNITUDE_LIMIT = 10**22
ROWS_LIMIT = 10**9
PPM = 1_000_000


def int128(value: int) -> pl.Expr:
    """A literal of the exact type."""
    return pl.lit(value, dtype=INT128)


def negated(amount: pl.Expr) -> pl.Expr:
    """The other sign; Polars has no unary minus on 128-bit integers."""
    return int128(0) - amount


def rounded_ratio(numerator: pl.Expr, denominator: pl.Expr) -> pl.Expr:
    """numerator / denominator (> 0) to the nearest integer, halves away from zero: the magnitude is rounded, the sign kept."""
    quotient = (numerator.abs() * 2 + denominator) // (denominator * 2)
    return quotient * numerator.sign()


def rounded_to(amount: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """The amount half up at multiples of `unit` (> 0)."""
    return rounded_ratio(amount, unit) * unit


def cut_to(amount: pl.Expr, unit: pl.Expr) -> pl.Expr:
    """The whole units in an amount: toward zero."""
    return amount.abs() // unit * unit * amount.sign()


def minor_units(currencies: Iterable[str]) -> pl.DataFrame:
    """[currency, minor_nano]: nano-units in one minor unit of each currency (one cent: 10,000,000)."""
    names = sorted(set(currencies))
    return pl.DataFrame(
        {"currency": names, "minor_nano": [minor_unit_nano(name) for name in names]},
        schema={"currency": pl.String, "minor_nano": INT128},
    )


def decimal_digits(column: pl.Series) -> pa.Array:
    """The integers of an Int128 series without nulls as an Arrow decimal128(38, 0) array: Arrow has no 128-bit integers."""
    assert column.dtype == INT128 and not column.null_count(), column.name
    digits = column.cast(pl.Decimal(38, 0)).to_arrow(compat_level=pl.CompatLevel.oldest())
    return digits.combine_chunks() if isinstance(digits, pa.ChunkedArray) else digits
