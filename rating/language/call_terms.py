"""What a version says of calls, messages and volumes: rates, destinations, rules, allowances and derived runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rating.language.shared_terms import Rounding, Tier
from schemas.quantities import UsageKind


def if_set(default: Any) -> Any:
    """A field that counts in a tariff's content hash only where it is not the default, so that older tariffs keep their hash."""
    return default


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
class PayTerms:
    """How a balance pays: what it is good for and what a block of usage takes from it. None filters are any.

    `per_unit` of generic units says how much usage of each kind (UsageKind -> base units) one unit buys. A priced bundle has a
    `rate` or a tariff of its own and takes units and money.
    """

    block: int | None = None  # base units; None is one second or one unit
    factor: tuple[int, int] = (1, 1)  # units taken for each unit used
    per_unit: tuple[tuple[UsageKind, int], ...] = ()
    destinations: tuple[str, ...] | None = None
    excluded: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    windows: tuple[str, ...] | None = None
    rate: Rate | None = None
    tariff_id: str = ""
    blocker: bool = False
    unlimited: bool = False
    fee_with_allowance: bool = False  # the tariff's connect fee is due also where this pays the first increment
    share_order: str = "own_first"  # own_first | lowest | highest
    member_cap: int | None = None  # what one member may take in a period, in the balance's own units


@dataclass(frozen=True, slots=True)
class Expiry:
    """How long an allowance is valid: to the end of so many periods (its own counts), or so many days of 24 hours."""

    periods: int = 1
    days: int = 0


@dataclass(frozen=True, slots=True)
class Rollover:
    """At its end at most `cap` unused units become a balance that is valid for `periods` further periods."""

    cap: int
    periods: int


@dataclass(frozen=True, slots=True)
class Allowance:
    """Units included in each period, taken in whole blocks before money. `kind` None is generic units."""

    name: str
    kind: UsageKind | None
    destinations: tuple[str, ...] | None
    units: int
    block: int
    scope: str  # account | group
    prorate: bool
    priority: int
    excluded: tuple[str, ...] | None = if_set(None)
    categories: tuple[str, ...] | None = if_set(None)
    windows: tuple[str, ...] | None = if_set(None)
    factor: tuple[int, int] = if_set((1, 1))
    per_unit: tuple[tuple[UsageKind, int], ...] = if_set(())
    rate: Rate | None = if_set(None)
    tariff_id: str = if_set("")
    blocker: bool = if_set(False)
    unlimited: bool = if_set(False)
    fee_with_allowance: bool = if_set(False)
    share_order: str = if_set("own_first")
    member_cap: int | None = if_set(None)
    expiry: Expiry = if_set(Expiry())
    rollover: Rollover | None = if_set(None)

    @property
    def terms(self) -> PayTerms:
        """How its balances pay."""
        return PayTerms(
            self.block or None, self.factor, self.per_unit, self.destinations, self.excluded, self.categories, self.windows,
            self.rate, self.tariff_id, self.blocker, self.unlimited, self.fee_with_allowance, self.share_order, self.member_cap,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class DerivedRun:
    """One more charge for the same usage: another tariff, by id or by a subject of its own, with its own outcome and rounding."""

    name: str
    side: str  # revenue | cost
    tariff_id: str = ""
    subject: str = ""  # resolved among the assignments of the record's tenant and category
    kinds: frozenset[UsageKind] | None = None
    destinations: tuple[str, ...] | None = None
