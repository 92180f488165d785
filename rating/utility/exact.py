"""Exact ratios over columns: products of 128-bit integers, rounded once by magnitude, never a float and never a silent wrap.

Polars wraps 128-bit integers silently. Each product is bounded by the largest of its factors before it is multiplied; where that
could leave 126 bits the rows are computed one by one on Python's integers, which is slow and right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Rounding
from rating.language.utility_terms import StepRounding
from schemas.errors import Fault, MeterlineError
from schemas.money import round_ratio

INT128 = pl.Int128
PPM = 1_000_000
_LIMIT = 2**126


def rounded_products(
    factors: Sequence[pl.Series], scalar: Fraction = Fraction(1), divisors: Sequence[pl.Series] = (), mode: str = "half_up"
) -> pl.Series:
    """product(factors) * scalar / product(divisors) to the nearest integer by `mode`; divisors are above zero.

    Raises:
        MeterlineError: a result beyond 128 bits; names the row.
    """
    top, bottom = scalar.numerator, scalar.denominator
    high = math.prod((_largest(factor) for factor in factors), start=abs(top))
    low = math.prod((_largest(divisor) for divisor in divisors), start=bottom)
    if 2 * (high + low) < _LIMIT:
        count = [*factors, *divisors][0].len()
        above, below = _product(factors, top, count), _product(divisors, bottom, count)
        frame = pl.DataFrame({"above": above, "below": below})
        return frame.select(rounded_ratio(pl.col("above"), pl.col("below"), mode).alias("")).to_series()
    rows = zip(*(column.to_list() for column in (*factors, *divisors)), strict=True)
    found = []
    for row, values in enumerate(rows):
        number = round_ratio(top * math.prod(values[: len(factors)]), bottom * math.prod(values[len(factors) :]), mode)
        if abs(number) >= _LIMIT:
            raise MeterlineError(Fault(f"row {row}", "a product beyond 128 bits", str(number), "an amount that can be booked"))
        found.append(number)
    return pl.Series("", found, dtype=INT128)


def _largest(column: pl.Series) -> int:
    low, high = column.min(), column.max()
    return max(abs(int(str(low))), abs(int(str(high))), 1) if column.len() and low is not None else 1


def exact_product(factors: Sequence[pl.Series], scalar: int, count: int) -> pl.Series:
    """product(factors) * scalar in `count` rows; nulls where it could leave 126 bits."""
    if math.prod((_largest(factor) for factor in factors), start=abs(scalar)) >= _LIMIT:
        return pl.Series("", [None] * count, dtype=INT128)
    return _product(factors, scalar, count)


def _product(factors: Sequence[pl.Series], scalar: int, count: int) -> pl.Series:
    found = pl.Series("", [scalar], dtype=INT128).new_from_index(0, count)
    for factor in factors:
        found = found * factor.cast(INT128)
    return found


def rounded_ratio(numerator: pl.Expr, denominator: pl.Expr, mode: str) -> pl.Expr:
    """numerator / denominator (> 0) to an integer: the magnitude is rounded, the sign kept. Twice both must fit 128 bits."""
    size = numerator.abs()
    if mode == "down":
        quotient = size // denominator
    elif mode == "up":
        quotient = (size + denominator - 1) // denominator
    elif mode == "half_up":
        quotient = (size * 2 + denominator) // (denominator * 2)
    else:
        whole = size // denominator
        twice = (size - whole * denominator) * 2
        odd = whole - whole // 2 * 2 == 1
        quotient = whole + ((twice > denominator) | ((twice == denominator) & odd)).cast(INT128)
    return quotient * numerator.sign()


def constant(like: pl.Series, value: int) -> pl.Series:
    """A 128-bit column of one value, as long as another."""
    return pl.Series("", [value], dtype=INT128).new_from_index(0, like.len())


def times(number: pl.Series, factor: int) -> pl.Series:
    """A column times an integer; Polars multiplies 128-bit columns by columns only."""
    return number.cast(INT128) * pl.Series("", [factor], dtype=INT128)


def grid_of(rounding: Rounding) -> tuple[int, str]:
    """(step in nano-units, mode) of one line: the nano-unit where the version rounds nothing or its total only."""
    if rounding.mode == "none" or rounding.scope == "total":
        return 1, "half_up"
    return rounding.grid_nano, rounding.mode


def line_amounts(factors: Sequence[pl.Series], scalar: Fraction, divisors: Sequence[pl.Series], rounding: Rounding) -> pl.Series:
    """Nano-units of a line, rounded once as the version says."""
    grid, mode = grid_of(rounding)
    return times(rounded_products(factors, scalar / grid, divisors, mode), grid)


def to_step(quantity: pl.Series, rounding: StepRounding | None) -> pl.Series:
    """A quantity rounded to whole steps, or as it is."""
    if rounding is None:
        return quantity
    return times(rounded_products([quantity], Fraction(1, rounding.step), (), rounding.mode), rounding.step)


def whole_roots(square: pl.Series) -> pl.Series:
    """The square root of each number (0 to 2**124) to the nearest integer."""
    frame = pl.DataFrame({"square": square.cast(INT128)}).with_columns(root=pl.lit(0, dtype=INT128))
    bit = 1 << max((_largest(square).bit_length() + 1) // 2, 1)
    while bit:
        tried = pl.col("root") + pl.lit(bit, dtype=INT128)
        frame = frame.with_columns(root=pl.when(tried * tried <= pl.col("square")).then(tried).otherwise("root"))
        bit >>= 1
    nearest = pl.col("square") - pl.col("root") * pl.col("root") > pl.col("root")  # above (root + 1/2) squared
    return frame.select(pl.col("root") + nearest.cast(INT128)).to_series()
