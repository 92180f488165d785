"""A tariff as people wrote it, checked and in base units: immutable values, no arrays, no file positions that matter."""

from __future__ import annotations

from dataclasses import dataclass, field

from rating.language.call_terms import Allowance, DerivedRun, Destination, Rate, Rule
from rating.language.discount_terms import Discount, FeeDiscount
from rating.language.shared_terms import Fee, PricedAt, Rounding, ServiceKind, Tax, Window
from rating.language.supply_terms import Supply
from rating.language.utility_terms import DemandPrice, EnergyPrice


@dataclass(frozen=True, slots=True)
class TariffVersion:
    """One edition of a tariff, in force over `[effective_from_at, effective_to_at)`."""

    label: str
    effective_from_at: int
    effective_to_at: int
    rounding: Rounding
    priced_at: PricedAt = PricedAt.INCREMENT_START
    windows: tuple[Window, ...] = ()
    destinations: tuple[Destination, ...] = ()
    rates: tuple[Rate, ...] = ()
    rules: tuple[Rule, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    discounts: tuple[Discount, ...] = ()  # in stacking order
    energy: tuple[EnergyPrice, ...] = ()
    fees: tuple[Fee, ...] = ()
    taxes: tuple[Tax, ...] = ()
    derived: tuple[DerivedRun, ...] = ()
    fee_discounts: tuple[FeeDiscount, ...] = ()
    where: str = field(default="", compare=False)
    supply: Supply = Supply()

    @property
    def demand(self) -> tuple[DemandPrice, ...]:
        """The demand prices; their positions are the `demand_index` of determinants."""
        return self.supply.demand


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price list with its effective-dated versions in order of time.

    `content_hash` covers all that prices: decks, the resolved dates of calendars and, where tariffs were loaded together, the
    fallbacks.
    """

    tariff_id: str
    name: str
    currency: str
    zone: str
    service: ServiceKind
    versions: tuple[TariffVersion, ...]
    clock: str = "wall"  # wall | standard: the zone's standard time all year
    fallback: tuple[str, ...] = ()  # tariffs that price what this one does not, in this order
    content_hash: str = field(default="", compare=False)
    where: str = field(default="", compare=False)
