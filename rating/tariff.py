"""A tariff as people wrote it, checked and in base units: immutable values, no arrays, no file positions that matter.

Units: money in nano-units of the tariff's currency, quantities in the base unit of their kind (milliseconds, messages, bytes,
milliwatt-hours), times of day in microseconds since local midnight, instants in microseconds UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from schemas.quantities import INT64_MAX, UsageKind

FOREVER_AT = INT64_MAX
DAY_US = 86_400_000_000


class ServiceKind(StrEnum):
    """What the tariff is for: calls, messages and volumes, or interval energy."""

    TELECOM = "telecom"
    UTILITY = "utility"


class PricedAt(StrEnum):
    """Which instant chooses version and window: each increment's own start, or the start of the usage for all of it."""

    INCREMENT_START = "increment_start"
    USAGE_START = "usage_start"


@dataclass(frozen=True, slots=True)
class Rounding:
    """Where (`record` or `line`), how and to how many decimals an amount is rounded; it happens once."""

    scope: str
    mode: str
    decimals: int

    @property
    def grid_nano(self) -> int:
        """The step of booked amounts in nano-units."""
        return int(10 ** (9 - self.decimals))


@dataclass(frozen=True, slots=True)
class Window:
    """A recurring local time span. None is any; all filters must hold on the local date on which the occurrence starts."""

    name: str
    weekdays: frozenset[int] | None = None  # ISO 1-7
    month_days: frozenset[int] | None = None
    months: frozenset[int] | None = None
    years: frozenset[int] | None = None
    dates: frozenset[date] | None = None
    start_us: int = 0
    end_us: int = DAY_US  # exclusive; not after the start: crosses midnight

    @property
    def crosses_midnight(self) -> bool:
        return self.end_us <= self.start_us


@dataclass(frozen=True, slots=True)
class Tier:
    """From `from_usage` on: `price_nano` for each `per` units, taken in whole increments."""

    from_usage: int
    price_nano: int
    per: int
    increment: int


@dataclass(frozen=True, slots=True)
class Cap:
    """The most one call may cost, fee included; `free` holds the total there, `disconnect` only limits grants."""

    amount_nano: int
    strategy: str


@dataclass(frozen=True, slots=True)
class Rate:
    """Connect fee, minimum, tiers and cap of one call."""

    name: str
    tiers: tuple[Tier, ...]
    connect_fee_nano: int = 0
    minimum_charge_nano: int = 0
    cap: Cap | None = None


@dataclass(frozen=True, slots=True)
class Destination:
    """A named set of number prefixes; a deck gives each prefix a rate of its own (`deck_rates`, same order)."""

    name: str
    prefixes: tuple[str, ...]
    deck_file: str = ""
    deck_rates: tuple[Rate, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """Price selector. `destination`, `window` None is any; `rate` None takes the deck's rate of the matched prefix."""

    kind: UsageKind
    destination: str | None
    window: str | None
    rate: str | None
    weight: int
    item: str
    rounding: Rounding | None = None  # None is that of the version
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Units included in each period, taken in whole blocks before money."""

    name: str
    kind: UsageKind
    destinations: tuple[str, ...] | None
    units: int
    block: int
    scope: str  # account | group
    prorate: bool
    priority: int


@dataclass(frozen=True, slots=True)
class DiscountTier:
    """From a running total of `from_nano` in the period on, `ppm` of a record's charge are given back."""

    from_nano: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Discount:
    """A ladder over what an account was charged on this tariff in the period, after allowances, in event-time order."""

    item: str
    tiers: tuple[DiscountTier, ...]


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """A TOU period: where it holds and its tiers over the running total of the period (increment is 1)."""

    item: str
    window: str | None
    weight: int
    tiers: tuple[Tier, ...]
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Fee:
    """A recurring amount of the contract."""

    name: str
    amount_nano: int
    prorate: bool


@dataclass(frozen=True, slots=True)
class Tax:
    """A rate that applies to all lines of the tariff."""

    name: str
    ppm: int


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
