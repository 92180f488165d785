"""The lines of a utility bill as a frame: what was measured, its price, the amount rounded once, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Rounding
from rating.utility.exact import INT128, exact_product, line_amounts
from schemas.money import amount_text

LINE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "group": pl.Int32,
    "line": pl.Int32,  # order on the bill
    "kind": pl.String,  # energy, demand, fixed, adjustment, surcharge, credit, minimum, tax, rounding
    "item": pl.String,
    "detail": pl.String,  # tier or TOU period, empty for none
    "quantity": INT128,  # in thousandths of a thousandth of `unit` (milliwatt-hours of kWh); null where a line has none
    "unit": pl.String,
    "price_text": pl.String,
    "numerator": INT128,  # exact value of the line in nano-units; null where it does not fit 128 bits
    "denominator": INT128,
    "amount_nano": INT128,
    "base_nano": INT128,  # what a percentage was taken of; null for none
    "explanation": pl.String,
}
KINDS = ("energy", "demand", "fixed", "adjustment", "surcharge", "credit", "minimum", "tax", "rounding")
LINES_OF_KIND = 1_000  # line numbers of a kind start at its place in KINDS times this


@dataclass(frozen=True, slots=True)
class Label:
    """What is the same for all groups of a line."""

    kind: str
    place: int  # within its kind
    item: str
    detail: str = ""
    unit: str = ""
    price_text: str = ""


def lines_of(
    label: Label,
    groups: pl.Series,
    *,
    factors: Sequence[pl.Series],
    scalar: Fraction,
    divisors: Sequence[pl.Series] = (),
    rounding: Rounding,
    quantity: pl.Series | None = None,
    base: pl.Series | None = None,
    explanation: pl.Series | None = None,
) -> pl.DataFrame:
    """One line for each group: product(factors) * scalar / product(divisors) nano-units.

    Returns:
        `LINE_SCHEMA`, groups in the given order. The explanation, where none is given, says quantity times price.
    """
    amount = line_amounts(factors, scalar, divisors, rounding)
    count = groups.len()
    frame = pl.DataFrame(
        {
            "group": groups.cast(pl.Int32),
            "quantity": pl.Series([None] * count, dtype=INT128) if quantity is None else quantity.cast(INT128),
            "amount_nano": amount,
            "base_nano": pl.Series([None] * count, dtype=INT128) if base is None else base.cast(INT128),
            "numerator": exact_product(factors, scalar.numerator, count),
            "denominator": exact_product(divisors, scalar.denominator, count),
        }
    )
    number = KINDS.index(label.kind) * LINES_OF_KIND + label.place
    frame = frame.with_columns(
        pl.lit(number, dtype=pl.Int32).alias("line"),
        *(pl.lit(getattr(label, name)).alias(name) for name in ("kind", "item", "detail", "unit", "price_text")),
    )
    if explanation is None:
        left = number_text(pl.col("quantity"), 6) + pl.lit(f" {label.unit} x ") if quantity is not None else pl.lit("")
        words = left + pl.lit(label.price_text)
    else:
        frame = frame.with_columns(explanation.alias("explanation"))
        words = pl.col("explanation")
    said = words + pl.lit(" = ") + number_text(pl.col("amount_nano"), 9, least=2)
    return frame.with_columns(explanation=said).select(LINE_SCHEMA.keys())


def number_text(number: pl.Expr, digits: int, *, least: int = 0) -> pl.Expr:
    """An integer as a decimal text with `digits` decimals of which trailing zeros go, but `least` stay."""
    unit = pl.lit(10**digits, dtype=INT128)
    size = number.cast(INT128).abs()
    whole = (size // unit).cast(pl.String)
    rest = (size - size // unit * unit).cast(pl.String).str.zfill(digits)
    kept = rest.str.strip_chars_end("0").str.pad_end(least, "0")
    sign = pl.when(number < 0).then(pl.lit("-")).otherwise(pl.lit(""))
    return sign + whole + pl.when(kept == "").then(pl.lit("")).otherwise(pl.lit(".") + kept)


def price_of(price_nano: int, per: int, unit: str) -> str:
    """`0.1100 per kWh`: a price for `per` base units of a unit that has a million of them."""
    size = Fraction(per, 1_000_000)
    count = "" if size == 1 else f"{size.numerator} " if size.denominator == 1 else f"{decimal(size)} "
    return f"{amount_text(price_nano)} per {count}{unit}"


def decimal(value: Fraction) -> str:
    """The decimal text of a fraction that has one of at most nine decimals."""
    return amount_text(int(value * 10**9), 0).rstrip(".")


def percent_text(ppm: int) -> str:
    return f"{amount_text(ppm * 10**5, 0).rstrip('.')} %"


def no_lines() -> pl.DataFrame:
    return pl.DataFrame(schema=LINE_SCHEMA)


def sum_of(lines: pl.DataFrame, groups: pl.Series, chosen: pl.Expr | None = None) -> pl.Series:
    """The amounts of the chosen lines (all of them for None) summed by group, in the order of `groups`; zero for none."""
    picked = lines if chosen is None else lines.filter(chosen)
    sums = picked.group_by("group").agg(pl.col("amount_nano").sum())
    asked = pl.DataFrame({"group": groups.cast(pl.Int32)}).with_row_index("row")
    joined = asked.join(sums, on="group", how="left").sort("row")
    return joined["amount_nano"].fill_null(0).cast(INT128)


def named(names: Sequence[str]) -> pl.Expr:
    return pl.col("item").is_in(list(names))
