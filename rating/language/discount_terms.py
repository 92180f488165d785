"""What a version gives back: ladders, promotions, trial prices and cross-product discounts of usage, and discounts of fees."""

from __future__ import annotations

from dataclasses import dataclass, field

from rating.language.shared_terms import FOREVER_AT
from schemas.quantities import UsageKind

MONEY, QUANTITY = "money", "quantity"
REST, CHARGE = "rest", "charge"
NO_START_AT = -(2**62)


@dataclass(frozen=True, slots=True)
class DiscountTier:
    """From a running total of `from_total` in the period on (nano-units or base units), `ppm` of a charge are given back."""

    from_total: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Term:
    """The first days or months of a contract, counted in local dates of the tariff; the day of activation is the first."""

    count: int
    unit: str  # days | months


@dataclass(frozen=True, slots=True)
class Discount:
    """Something given back of each record's charge after allowances, in event-time order; None is any.

    A record *counts* where filters, dates and conditions hold: only then the running totals grow and anything is given. The
    totals are those of the account on the tariff in the period, before the record: charges after allowances and before
    discounts, and units that no allowance paid.
    """

    item: str  # the name on the bill, unique in the version
    tiers: tuple[DiscountTier, ...] = ()  # a plain percentage is one tier from zero; empty where `rate` decides
    order: int = 0  # discounts of a version are taken in ascending order
    basis: str = MONEY  # what the bounds of the tiers count
    split_at_bound: bool = False  # a record over a bound is divided there; else it takes the tier before it, whole
    retroactive: bool = False  # at the end of the period the whole of it takes the tier that was reached
    base: str = REST  # of what the percentage is: what earlier discounts left, or the charge before them
    exclusive: str = ""  # of one such group only the first discount that gives something is taken
    rate: str = ""  # the charge by this rate of the version, where that is lower: a trial price
    kinds: frozenset[UsageKind] | None = None
    destinations: tuple[str, ...] | None = None
    items: frozenset[str] | None = None
    windows: frozenset[str] | None = None  # any of them holds at the start of the record
    effective_from_at: int = NO_START_AT
    effective_to_at: int = FOREVER_AT
    new_for: Term | None = None
    with_tariffs: frozenset[str] | None = None  # the account holds one of them at the start of the record
    after_basis: str = MONEY
    after_total: int = 0  # nothing is given before the running total has reached this
    first_units: int | None = None  # base units for which it is given, in the period
    first_records: int | None = None
    budget_nano: int | None = None  # the most it gives to an account in a period
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class FeeDiscount:
    """A share of the fees named (None is all) for the days on which the account also holds one of the other tariffs."""

    item: str
    ppm: int
    fees: frozenset[str] | None = None
    with_tariffs: frozenset[str] | None = None
    effective_from_at: int = NO_START_AT
    effective_to_at: int = FOREVER_AT
