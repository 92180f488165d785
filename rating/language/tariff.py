"""A tariff as people wrote it, checked and in base units: immutable values, no arrays, no file positions that matter."""

from __future__ import annotations

from dataclasses import dataclass, field

from rating.language.call_terms import Allowance, Destination, Discount, Rate, Rule
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
    discount: Discount | None = None
    energy: tuple[EnergyPrice, ...] = ()
    fees: tuple[Fee, ...] = ()
    taxes: tuple[Tax, ...] = ()
    where: str = field(default="", compare=False)
    supply: Supply = field(default=Supply(), metadata={"hashed_if_set": True})

    @property
    def demand(self) -> tuple[DemandPrice, ...]:
        """The demand prices; their positions are the `demand_index` of determinants."""
        return self.supply.demand


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price list with its effective-dated versions in order of time; `content_hash` covers all that prices, decks included."""

    tariff_id: str
    name: str
    currency: str
    zone: str
    service: ServiceKind
    versions: tuple[TariffVersion, ...]
    content_hash: str = field(default="", compare=False)
    where: str = field(default="", compare=False)
