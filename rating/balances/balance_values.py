"""A balance as a value: what an account may use, of which kind, how long and under which terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from rating.balances.layout import GENERIC, MONEY
from rating.language.call_terms import PayTerms
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import FOREVER_AT
from schemas.money import NANO
from schemas.quantities import UsageKind

KIND_NAMES = ("voice", "message", "volume", "generic", "money")
ALWAYS_FROM_AT = -(2**60)


@dataclass(frozen=True, slots=True)
class Balance:
    """Units or money; `value` in base units of the kind, generic units or nano-units of money, exact.

    `kind` is 0 voice, 1 message, 2 volume, GENERIC or MONEY. A balance with `share` is used by all accounts of that share group.
    Only a default money balance has a credit limit, and takes what happened and nobody else pays.
    """

    balance_id: str
    owner: str  # account, empty where the share group owns it
    kind: int
    value: Fraction
    priority: int = 0
    valid_from_at: int = ALWAYS_FROM_AT
    valid_to_at: int = FOREVER_AT
    granted_at: int = 0
    terms: PayTerms = field(default_factory=PayTerms)
    share: str = ""
    default: bool = False
    credit_limit_nano: int = 0


def value_text(kind: int, value: Fraction) -> str:
    """`0.73`, `30 s`, `1/2`: a value for people, exact."""
    if kind == MONEY:
        sign, nano = ("-" if value < 0 else ""), abs(value)
        whole, rest = divmod(nano.numerator // nano.denominator, NANO)
        return f"{sign}{whole}.{f'{rest:09d}'.rstrip('0').ljust(2, '0')}"
    if kind == GENERIC or value.denominator != 1:
        unit = "" if kind == GENERIC else f" {UsageKind(kind).unit}"
        return f"{value}{unit}"
    return quantity_text(value.numerator, UsageKind(kind))
