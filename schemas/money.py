"""Money: int64 nano-units of a currency per record, exact integers of any size for sums. No float, ever."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

from schemas.errors import ConfigurationError, Fault

NANO = 1_000_000_000
# ISO 4217 minor digits that differ from two.
_MINOR_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "VND": 0, "ISK": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}


def minor_digits(currency: str) -> int:
    return _MINOR_DIGITS.get(currency, 2)


def minor_unit_nano(currency: str) -> int:
    """Nano-units in one minor unit (one cent: 10,000,000)."""
    return int(10 ** (9 - minor_digits(currency)))


def nano_of(text: str, where: str) -> int:
    """Exact nano-units of a decimal text; more than nine decimals are refused, never rounded."""
    try:
        value = Fraction(Decimal(text))
    except (ArithmeticError, ValueError) as cause:
        raise ConfigurationError(Fault(where, "not an amount", was=repr(text), must_be="a decimal such as 0.0900")) from cause
    nano = value * NANO
    if nano.denominator != 1:
        raise ConfigurationError(Fault(where, "too many decimals", was=repr(text), must_be="at most nine decimals"))
    return nano.numerator


def nano_text(nano: int, decimals: int = 9) -> str:
    """A decimal text of nano-units with a fixed number of decimals; the rest must be zero."""
    sign, magnitude = ("-" if nano < 0 else ""), abs(nano)
    whole, fraction = divmod(magnitude, NANO)
    digits = f"{fraction:09d}"
    assert not digits[decimals:].strip("0"), "would lose digits"
    return f"{sign}{whole}.{digits[:decimals]}" if decimals else f"{sign}{whole}"


def amount_text(nano: int, least_decimals: int = 2) -> str:
    """The shortest exact decimal text with at least `least_decimals` decimals."""
    text = nano_text(nano)
    whole, _, digits = text.partition(".")
    kept = digits.rstrip("0")
    return f"{whole}.{kept.ljust(least_decimals, '0')}"


def round_ratio(numerator: int, denominator: int, mode: str) -> int:
    """Round an exact ratio to an integer by magnitude, keeping the sign; modes up, down, half_up, half_even."""
    sign = -1 if (numerator < 0) != (denominator < 0) else 1
    quotient, rest = divmod(abs(numerator), abs(denominator))
    twice = 2 * rest
    if mode == "up":
        quotient += rest > 0
    elif mode == "half_up":
        quotient += twice >= abs(denominator)
    elif mode == "half_even":
        quotient += twice > abs(denominator) or (twice == abs(denominator) and quotient % 2 == 1)
    elif mode != "down":
        raise ValueError(f"unknown rounding mode {mode!r}")
    return sign * quotient
