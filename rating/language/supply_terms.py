"""What a version of a utility tariff says beyond energy, demand and capacity: export, adjustments, conversions, add-ons.

Units as in `utility_terms`. `of` names lines of the bill by their item; None is all lines that the element can see.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from rating.language.shared_terms import Tier
from rating.language.utility_terms import (
    AddOn,
    CapacityPrice,
    Commodity,
    DemandPrice,
    EnergyPrice,
    Ladder,
    MeterSizeCharge,
    Proration,
    StepRounding,
)


class ExportMethod(StrEnum):
    """What export does: offset quantity, offset money, or be bought apart from a load that is metered whole."""

    NET_METERING = "net_metering"
    NET_BILLING = "net_billing"
    BUY_ALL_SELL_ALL = "buy_all_sell_all"


class Carry(StrEnum):
    """In what a surplus of net metering is carried to the next month."""

    KWH = "kwh"
    MONEY = "money"


class Excess(StrEnum):
    """What becomes of credits that the lines they may pay do not use up."""

    CARRY = "carry"
    PAY = "pay"
    LAPSE = "lapse"


@dataclass(frozen=True, slots=True)
class TrueUp:
    """In local month `month` what is carried ends: kWh are paid at the price, money is paid out where `pays_money`."""

    month: int
    price_nano: int
    per: int
    pays_money: bool = False


@dataclass(frozen=True, slots=True)
class Export:
    """Net metering, net billing or buy-all/sell-all. `prices` are credit prices by window, as energy prices without tiers."""

    method: ExportMethod
    item: str
    prices: tuple[EnergyPrice, ...] = ()
    carry: Carry = Carry.KWH
    within_tou: bool = False
    netting_minutes: int = 0  # 0: the meter's step; -1: the whole period
    next_month: bool = False  # credits may pay from the next month on
    pays: tuple[str, ...] | None = None  # None: the energy lines
    excess: Excess = Excess.CARRY
    true_up: TrueUp | None = None
    expires_months: int = 0  # 0: never


class PowerFactorMethod(StrEnum):
    """How reactive energy changes the bill."""

    TABLE = "table"  # percent of the base by the month's power factor
    EXCESS_KVARH = "excess_kvarh"  # a price for kvarh over a share of kWh
    EXCESS_KVAR = "excess_kvar"  # a price for kvar of demand over a share of kW


@dataclass(frozen=True, slots=True)
class PowerFactor:
    """The adjustment of a base by power factor; `tables` hold ppm of the base for 0.00 to 1.00 in hundredths."""

    item: str
    method: PowerFactorMethod
    of: tuple[str, ...] = ()
    standard: str = ""
    tables: tuple[tuple[str, tuple[int, ...]], ...] = ()
    share_ppm: int = 0
    price_nano: int = 0
    per: int = 1


@dataclass(frozen=True, slots=True)
class Transformer:
    """Name-plate values: no-load and load loss, no-load current and impedance voltage in ppm, capacity."""

    name: str
    no_load_milliw: int
    load_milliw: int
    no_load_current_ppm: int
    impedance_ppm: int
    capacity_milliva: int


@dataclass(frozen=True, slots=True)
class LossRow:
    """Losses of a month for transformers up to a capacity and an average load, both inclusive."""

    capacity_milliva: int
    load_ppm: int
    milliwh: int
    millivarh: int


@dataclass(frozen=True, slots=True)
class TransformerLoss:
    """By formula (K by shifts), by formula without a kvarh meter (power factor assumed), or by table."""

    method: str  # formula | no_kvarh_meter | table
    factors_nano: tuple[tuple[int, int], ...] = ((1, 1_000_000_000),)  # (shifts, K)
    assumed_power_factor_ppm: int = 800_000
    transformers: tuple[Transformer, ...] = ()
    table: tuple[LossRow, ...] = ()
    rounding: StepRounding | None = None  # of each term


@dataclass(frozen=True, slots=True)
class Losses:
    """What is added to the meter's quantity before it is billed, in the order of the bill chain."""

    order: tuple[str, ...]  # transformer, line
    transformer: TransformerLoss | None = None
    line_ppm: int = 0
    to: str | None = None  # the energy item that takes them; None: by the shares of the items


@dataclass(frozen=True, slots=True)
class DynamicPrice:
    """Energy at the price of its UTC interval, out of a file beside the tariff."""

    item: str
    file: str
    per: int
    markup_nano: int = 0
    percent_ppm: int = 0  # of the price, a margin in percent
    floor_nano: int | None = None
    cap_nano: int | None = None
    cap_tax_ppm: int = 0  # of the tax that floor and cap include; 0: they are before tax
    price_rounding: StepRounding | None = None


class GasMethod(StrEnum):
    """How volume is corrected to standard conditions."""

    FACTOR = "factor"
    PRESSURE = "pressure"  # (P bar / 1.01325)(288.15 / T) / Z
    Z_NUMBER = "z_number"  # 273.15/(273.15+t) (p_amb + p_eff - phi p_s)/1013.25 / K


@dataclass(frozen=True, slots=True)
class GasConversion:
    """Volume to energy: volume x correction x calorific value. Values a service does not give are those of the tariff."""

    method: GasMethod
    correction_nano: int | None = None
    correction_decimals: int | None = None
    calorific_nano: int | None = None  # MJ/m3 or kWh/m3
    calorific_file: str = ""
    megajoule: bool = True
    volume_ml: int = 1_000_000  # of one count of the register: 1 m3, 2,830,000 for 100 ft3
    quantity_rounding: StepRounding | None = None
    day_start_us: int = 0


@dataclass(frozen=True, slots=True)
class Sewage:
    """Waste water as a share of the water, or of the average of the winter months."""

    item: str
    share_ppm: int
    tiers: tuple[Tier, ...]
    winter_average: bool = False
    winter_months: tuple[int, ...] = (12, 1, 2)


class SurchargeBasis(StrEnum):
    """What a surcharge multiplies."""

    ENERGY = "energy"
    DEMAND = "demand"  # the highest billed demand, or that of a named item
    INSTALLED = "installed"
    LINES = "lines"


@dataclass(frozen=True, slots=True)
class Surcharge:
    """An add-on, often collected for a third party. Dated within its version by `effective_from_at`, `effective_to_at`."""

    item: str
    basis: SurchargeBasis
    price_nano: int = 0
    per: int = 1
    percent_ppm: int = 0
    of: tuple[str, ...] = ()
    third_party: str = ""
    effective_from_at: int | None = None
    effective_to_at: int | None = None
    in_pf_base: bool = False
    in_tax_base: bool = True
    on_self_generation: bool = False


@dataclass(frozen=True, slots=True)
class Minimum:
    """The least that the named lines come to: max(0, minimum - their sum) is a line of its own."""

    item: str
    amount_nano: int
    per: str  # month | year | kW
    of: tuple[str, ...] | None = None
    counts: frozenset[str] = frozenset()  # fixed, credits, tax: kinds that count too where `of` is None
    prorate: Proration = Proration.NONE
    settled_in: int = 12  # the local month that settles an annual minimum


@dataclass(frozen=True, slots=True)
class Supply:
    """All elements of a utility tariff's version but energy prices, dynamic ones included, fees and taxes."""

    commodity: Commodity = Commodity.ELECTRICITY
    ladder: Ladder = Ladder()
    add_ons: tuple[AddOn, ...] = ()
    demand: tuple[DemandPrice, ...] = ()
    capacity: tuple[CapacityPrice, ...] = ()
    meter_size: tuple[MeterSizeCharge, ...] = ()
    minimums: tuple[Minimum, ...] = ()
    export: Export | None = None
    power_factor: PowerFactor | None = None
    losses: Losses | None = None
    dynamic: tuple[DynamicPrice, ...] = ()
    gas: GasConversion | None = None
    sewage: Sewage | None = None
    surcharges: tuple[Surcharge, ...] = ()
    tax_by: str = "sum"  # sum | line
    wheres: tuple[tuple[str, str], ...] = field(default=(), compare=False)  # (item, where it is written)
