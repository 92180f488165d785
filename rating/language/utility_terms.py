"""What a version says of metered supply: energy prices and their ladder, demand, capacity, and the network side of a bill.

Units: energy in milliwatt-hours, volumes in milliliters, power in milliwatts, millivolt-amperes or millivars, areas in square
millimeters, money in nano-units, shares in ppm, plain factors in 10**-9 (`_nano` of 1).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rating.language.shared_terms import Tier


class Commodity(StrEnum):
    """What the meter measures; prices are per kWh (gas after conversion, heat) or per m3 (water)."""

    ELECTRICITY = "electricity"
    GAS = "gas"
    WATER = "water"
    HEAT = "heat"


class TierScope(StrEnum):
    """What total a tier's bound is held against (reference: utility §4)."""

    SHARED_CHRONOLOGICAL = "shared_chronological"  # the running total of all prices, in time order
    SHARED_PRORATED = "shared_prorated"  # the period's total, each tier split by the prices' shares
    PER_PERIOD = "per_period"  # each price (TOU period) by itself


class BoundBasis(StrEnum):
    """What a tier's bound is multiplied by."""

    PERIOD = "period"  # kWh
    PER_DAY = "per_day"  # kWh/day, times days in force
    PER_KW = "per_kw"  # kWh/kW, times billing demand
    PER_KW_DAY = "per_kw_day"  # kWh/kW/day


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """A TOU period: where it holds and its tiers over the running total of the ladder (increment is 1)."""

    item: str
    window: str | None
    weight: int
    tiers: tuple[Tier, ...]
    where: str = field(default="", compare=False)
    basis: BoundBasis = BoundBasis.PERIOD


@dataclass(frozen=True, slots=True)
class StepRounding:
    """A quantity is rounded to whole `step` base units."""

    mode: str
    step: int


@dataclass(frozen=True, slots=True)
class Ladder:
    """How the tiers of a version's energy prices are climbed.

    `months` is how long the running total runs before it starts again (1, 2, 12 ...), counted from `first_month`; bounds are for
    that span. `prorate` scales them by days in force. With `whole_quantity` all of it takes the tier that the total reaches (a
    bound is reached when it is equalled). `split_at_bound` False: a step takes the tier in which it starts.
    """

    scope: TierScope = TierScope.SHARED_CHRONOLOGICAL
    split_at_bound: bool = True
    whole_quantity: bool = False
    prorate: bool = False
    months: int = 1
    first_month: int = 1
    quantity_rounding: StepRounding | None = None


@dataclass(frozen=True, slots=True)
class AddOn:
    """An own ladder over all energy of the service, charged beside the energy prices (residential annual tiers)."""

    item: str
    tiers: tuple[Tier, ...]
    months: int
    first_month: int
    basis: BoundBasis = BoundBasis.PERIOD


class PowerUnit(StrEnum):
    """What a demand price is per."""

    KW = "kW"
    KVA = "kVA"
    KVAR = "kvar"


class MeasureKind(StrEnum):
    """How demand is read from steps: each step, fixed blocks from local midnight, or a window that slides by a step."""

    STEP = "step"
    BLOCK = "block"
    SLIDING = "sliding"


class Pick(StrEnum):
    """Which of the period's demands is billed."""

    HIGHEST = "highest"
    PERIOD_OF_PEAK = "period_of_peak"  # only the price whose window holds the month's peak
    COINCIDENT = "coincident"  # at the instants of the system's peak
    MEAN_OF_HIGHEST = "mean_of_highest"  # the mean of the `count` highest


class Proration(StrEnum):
    """How an amount for a month shrinks with days not in force or paused."""

    NONE = "none"
    DAYS = "days"  # by the days of the period
    THIRTY = "thirty"  # by 30ths, a whole month being 30


@dataclass(frozen=True, slots=True)
class Measure:
    """Demand over `minutes` (0: the meter's own step)."""

    kind: MeasureKind = MeasureKind.STEP
    minutes: int = 0


@dataclass(frozen=True, slots=True)
class Ratchet:
    """max(floor, current, percent of the month of the peak x peak over `months` previous months); absent months are absent."""

    floor: int
    percent_ppm: tuple[int, ...]  # January ... December
    months: int
    include_current: bool = True


@dataclass(frozen=True, slots=True)
class Contract:
    """Up to `tolerance_ppm` of the contract the contract is billed, the excess over it at `excess_factor_nano` times the price.

    A contract below `minimum_share_ppm` of the installed kVA is billed as that share.
    """

    tolerance_ppm: int
    excess_factor_nano: int
    minimum_share_ppm: int


@dataclass(frozen=True, slots=True)
class HighUse:
    """The price times `factor_ppm` where energy per installed kVA reaches `milliwh_per_kva`."""

    milliwh_per_kva: int
    factor_ppm: int


@dataclass(frozen=True, slots=True)
class DemandPrice:
    """A price for power. Tier bounds, `minimum` and rounding are in milli-units of `unit`."""

    item: str
    tiers: tuple[Tier, ...]
    unit: PowerUnit = PowerUnit.KW
    measure: Measure = Measure()
    window: str | None = None
    pick: Pick = Pick.HIGHEST
    count: int = 1
    distinct_days: bool = False
    minimum: int = 0
    rounding: StepRounding | None = None
    ratchet: Ratchet | None = None
    mean_months: int = 1
    contract: Contract | None = None
    high_use: HighUse | None = None
    prorate: Proration = Proration.NONE
    option: str = ""  # billed only for services with this option; empty: all
    where: str = field(default="", compare=False)


class CapacityBasis(StrEnum):
    """What of the service a capacity price multiplies."""

    INSTALLED = "installed"  # kVA of its transformers
    CONTRACT = "contract"  # contracted kW
    AREA = "area"  # m2 (heat)


@dataclass(frozen=True, slots=True)
class CapacityPrice:
    """A price per month for what is installed or contracted, whatever is used."""

    item: str
    basis: CapacityBasis
    price_nano: int
    per: int
    high_use: HighUse | None = None
    prorate: Proration = Proration.THIRTY
    option: str = ""


@dataclass(frozen=True, slots=True)
class MeterSizeCharge:
    """A monthly charge by the size of the meter that is installed."""

    item: str
    sizes: tuple[tuple[str, int], ...]  # (size, nano-units)
    prorate: Proration = Proration.DAYS
