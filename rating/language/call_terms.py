"""What a version says of calls, messages and volumes: rates, destinations, rules, allowances and derived runs."""

from __future__ import annotations

from dataclasses import dataclass, field

from rating.language.shared_terms import Rounding, Tier
from schemas.quantities import UsageKind


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
class DerivedRun:
    """One more charge for the same usage: another tariff, by id or by a subject of its own, with its own outcome and rounding."""

    name: str
    side: str  # revenue | cost
    tariff_id: str = ""
    subject: str = ""  # resolved among the assignments of the record's tenant and category
    kinds: frozenset[UsageKind] | None = None
    destinations: tuple[str, ...] | None = None
