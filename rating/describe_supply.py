"""The elements of a utility tariff as text that people read, section by section in the order of the bill."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rating.described_terms import instant_text
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import FOREVER_AT, Tier
from rating.language.supply_terms import (
    DynamicPrice,
    Export,
    GasConversion,
    Losses,
    Minimum,
    PowerFactor,
    PowerFactorMethod,
    Sewage,
    Surcharge,
    SurchargeBasis,
    TransformerLoss,
)
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import (
    BoundBasis,
    CapacityBasis,
    Commodity,
    DemandPrice,
    HighUse,
    Ladder,
    Measure,
    MeasureKind,
    Pick,
    Proration,
    StepRounding,
)
from rating.utility.bill_lines import decimal, percent_text, price_of
from schemas.money import amount_text
from schemas.quantities import UsageKind

_SUFFIX = {BoundBasis.PERIOD: "", BoundBasis.PER_DAY: "/day", BoundBasis.PER_KW: "/kW", BoundBasis.PER_KW_DAY: "/kW/day"}
_CAPACITY_UNIT = {CapacityBasis.INSTALLED: "kVA", CapacityBasis.CONTRACT: "kW", CapacityBasis.AREA: "m2"}
_PICKS = {
    Pick.HIGHEST: "",
    Pick.PERIOD_OF_PEAK: "only where the month's peak lies",
    Pick.COINCIDENT: "at the system's peak",
}
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
Section = tuple[str, list[str]]


def metered_kind(version: TariffVersion) -> UsageKind:
    return UsageKind.LIQUID if version.supply.commodity is Commodity.WATER else UsageKind.ENERGY


def energy_tier_lines(tiers: tuple[Tier, ...], basis: BoundBasis, kind: UsageKind) -> list[str]:
    """One indented line for each tier."""
    lines = []
    for tier in tiers:
        start = f"from {quantity_text(tier.from_usage, kind)}{_SUFFIX[basis]}: " if tier.from_usage else ""
        lines.append(f"  {start}{amount_text(tier.price_nano)} per {quantity_text(tier.per, kind)}")
    return lines


def ladder_lines(version: TariffVersion) -> list[str]:
    """How tiers are climbed, where that is not the usual running total in time order."""
    ladder, plain = version.supply.ladder, Ladder()
    said = [f"tiers {ladder.scope}"] if ladder.scope is not plain.scope else []
    said += [] if ladder.split_at_bound else ["a step takes the tier it starts in"]
    said += ["all of it at the tier reached"] if ladder.whole_quantity else []
    said += ["bounds prorated by days"] if ladder.prorate else []
    said += [_months_text(ladder.months, ladder.first_month)] if ladder.months > 1 else []
    unit = "m3" if metered_kind(version) is UsageKind.LIQUID else "kWh"
    said += [f"quantities rounded {_rounding_text(ladder.quantity_rounding, unit)}"] if ladder.quantity_rounding else []
    return ["; ".join(said)] if said else []


def supply_sections(version: TariffVersion, zone: str, clock: str) -> list[Section]:
    """(title, lines) of every element besides energy prices, fees and taxes; empty ones are left out by the caller."""
    supply = version.supply
    kind = metered_kind(version)
    add_ons = [
        line
        for one in supply.add_ons
        for line in (f"{one.item} ({_months_text(one.months, one.first_month)})", *energy_tier_lines(one.tiers, one.basis, kind))
    ]
    capacity = [
        f"{one.item}: {price_of(one.price_nano, one.per, _CAPACITY_UNIT[one.basis])} ({one.basis}){_use_text(one.high_use)}"
        f"{_option_text(one.option)}{_proration_text(one.prorate)}"
        for one in supply.capacity
    ]
    sizes = [
        f"{one.item} ({size}): {amount_text(nano)} per month{_proration_text(one.prorate)}"
        for one in supply.meter_size
        for size, nano in one.sizes
    ]
    return [
        ("Commodity", [str(supply.commodity)] if supply.commodity is not Commodity.ELECTRICITY else []),
        ("Gas conversion", _gas_lines(supply.gas) if supply.gas else []),
        ("Losses", _loss_lines(supply.losses) if supply.losses else []),
        ("Add-ons", add_ons),
        ("Dynamic prices", [_dynamic_text(one) for one in supply.dynamic]),
        ("Sewage", _sewage_lines(supply.sewage) if supply.sewage else []),
        ("Demand", [line for one in supply.demand for line in _demand_lines(one)]),
        ("Capacity", capacity),
        ("Meter size", sizes),
        ("Power factor", _factor_lines(supply.power_factor) if supply.power_factor else []),
        ("Surcharges", [_surcharge_text(one, kind, zone, clock) for one in supply.surcharges]),
        ("Export", _export_lines(supply.export) if supply.export else []),
        ("Minimums", [_minimum_text(one) for one in supply.minimums]),
        ("Tax rounding", ["line by line"] if supply.tax_by == "line" else []),
    ]


def named_text(names: Sequence[str]) -> str:
    return ", ".join(names)


def _kilo(base_units: int) -> str:
    return decimal(Fraction(base_units, 1_000_000))


def _factor(nano: int) -> str:
    return decimal(Fraction(nano, 10**9))


def _months_text(months: int, first: int) -> str:
    return f"over {months} months from {_MONTHS[first - 1]}" if months > 1 else "month by month"


def _rounding_text(rounding: StepRounding, unit: str) -> str:
    return f"{rounding.mode} to {_kilo(rounding.step)} {unit}"


def _use_text(use: HighUse | None) -> str:
    return f", {percent_text(use.factor_ppm)} from {_kilo(use.milliwh_per_kva)} kWh/kVA" if use else ""


def _option_text(option: str) -> str:
    return f", for option {option}" if option else ""


def _proration_text(how: Proration) -> str:
    return {Proration.NONE: "", Proration.DAYS: ", prorated by days", Proration.THIRTY: ", prorated by 30ths"}[how]


def _measure_text(measure: Measure) -> str:
    return "by step" if measure.kind is MeasureKind.STEP else f"{measure.kind} of {measure.minutes} min"


def _demand_lines(price: DemandPrice) -> list[str]:
    unit = str(price.unit)
    highest = f"mean of the {price.count} highest" + (" on different days" if price.distinct_days else "")
    said = [_measure_text(price.measure), f"in {price.window}" if price.window else "", _PICKS.get(price.pick, highest)]
    said.append(f"at least {_kilo(price.minimum)} {unit}" if price.minimum else "")
    said.append(f"rounded {_rounding_text(price.rounding, unit)}" if price.rounding else "")
    said.append(f"mean of {price.mean_months} months" if price.mean_months > 1 else "")
    head = f"{price.item} ({', '.join(filter(None, said))}){_use_text(price.high_use)}"
    lines = [f"{head}{_option_text(price.option)}{_proration_text(price.prorate)}"]
    for tier in price.tiers:
        start = f"from {_kilo(tier.from_usage)} {unit}: " if tier.from_usage else ""
        lines.append(f"  {start}{price_of(tier.price_nano, tier.per, unit)}")
    if price.ratchet:
        by_month = price.ratchet.percent_ppm
        percents = (
            percent_text(by_month[0])
            if len(set(by_month)) == 1
            else ", ".join(f"{_MONTHS[month]} {percent_text(ppm)}" for month, ppm in enumerate(by_month) if ppm)
        )
        floor = f", floor {_kilo(price.ratchet.floor)} {unit}" if price.ratchet.floor else ""
        alone = "" if price.ratchet.include_current else ", whatever the month's own peak"
        lines.append(f"  ratchet: {percents} of the peaks of {price.ratchet.months} months{floor}{alone}")
    if price.contract:
        terms = price.contract
        least = f", at least {percent_text(terms.minimum_share_ppm)} of installed kVA" if terms.minimum_share_ppm else ""
        excess = f"beyond {percent_text(terms.tolerance_ppm)} at {_factor(terms.excess_factor_nano)} times the price"
        lines.append(f"  contract demand{least}; {excess}")
    return lines


def _dynamic_text(rule: DynamicPrice) -> str:
    said = [f"{rule.item}: prices of {rule.file} per {_kilo(rule.per)} kWh"]
    said.append(f"plus {percent_text(rule.percent_ppm)}" if rule.percent_ppm else "")
    said.append(f"plus {amount_text(rule.markup_nano)}" if rule.markup_nano else "")
    said.append(f"at least {amount_text(rule.floor_nano)}" if rule.floor_nano is not None else "")
    said.append(f"at most {amount_text(rule.cap_nano)}" if rule.cap_nano is not None else "")
    rounding = rule.price_rounding
    said.append(f"prices rounded {rounding.mode} to {amount_text(rounding.step)}" if rounding else "")
    limits = rule.floor_nano is not None or rule.cap_nano is not None
    said.append(f"limits include tax of {percent_text(rule.cap_tax_ppm)}" if limits and rule.cap_tax_ppm else "")
    return ", ".join(filter(None, said))


def _gas_lines(rule: GasConversion) -> list[str]:
    unit = "MJ/m3" if rule.megajoule else "kWh/m3"
    correction = (
        f"correction {_factor(rule.correction_nano)}" if rule.correction_nano is not None else f"correction by {rule.method}"
    )
    value = "of the service" if rule.calorific_nano is None else _factor(rule.calorific_nano)
    source = f"of {rule.calorific_file}" if rule.calorific_file else value
    lines = [f"{correction}, calorific value {source} ({unit})", f"a count of the register is {_kilo(rule.volume_ml)} m3"]
    lines += [f"correction to {rule.correction_decimals} decimals"] if rule.correction_decimals is not None else []
    lines += [f"energy rounded {_rounding_text(rule.quantity_rounding, 'kWh')}"] if rule.quantity_rounding else []
    minutes = rule.day_start_us // 60_000_000
    return lines + ([f"days start at {minutes // 60:02d}:{minutes % 60:02d}"] if minutes else [])


def _loss_lines(rule: Losses) -> list[str]:
    lines = [f"in this order: {named_text(rule.order)}"] if len(rule.order) > 1 else []
    if rule.transformer:
        lines.append(_transformer_text(rule.transformer))
        lines += [
            f"  {one.name}: {_kilo(one.capacity_milliva)} kVA, no load {_kilo(one.no_load_milliw)} kW, "
            f"load {_kilo(one.load_milliw)} kW, I0 {percent_text(one.no_load_current_ppm)}, Uk {percent_text(one.impedance_ppm)}"
            for one in rule.transformer.transformers
        ]
        lines += [
            f"  to {_kilo(row.capacity_milliva)} kVA and {percent_text(row.load_ppm)} load: "
            f"{_kilo(row.milliwh)} kWh, {_kilo(row.millivarh)} kvarh a month"
            for row in rule.transformer.table
        ]
    lines += [f"line: {percent_text(rule.line_ppm)}"] if rule.line_ppm else []
    return lines + ([f"added to {rule.to}"] if rule.to else [])


def _transformer_text(rule: TransformerLoss) -> str:
    rounding = f", terms rounded {_rounding_text(rule.rounding, 'kWh')}" if rule.rounding else ""
    if rule.method == "table":
        return f"transformer: by table{rounding}"
    factors = ", ".join(f"{_factor(nano)}{f' with {shifts} a day' if shifts else ''}" for shifts, nano in rule.factors_nano)
    assumed = f", power factor {percent_text(rule.assumed_power_factor_ppm)}" if rule.method == "no_kvarh_meter" else ""
    return f"transformer: {rule.method}, K by shifts {factors}{assumed}{rounding}"


def _sewage_lines(rule: Sewage) -> list[str]:
    months = named_text([_MONTHS[month - 1] for month in rule.winter_months])
    of = f"the average of {months}" if rule.winter_average else "water"
    return [
        f"{rule.item}: {percent_text(rule.share_ppm)} of {of}",
        *energy_tier_lines(rule.tiers, BoundBasis.PERIOD, UsageKind.LIQUID),
    ]


def _factor_lines(rule: PowerFactor) -> list[str]:
    if rule.method is not PowerFactorMethod.TABLE:
        unit = "kvarh" if rule.method is PowerFactorMethod.EXCESS_KVARH else "kvar"
        over = f"over {percent_text(rule.share_ppm)} of {'kWh' if unit == 'kvarh' else 'kW'}"
        return [f"{rule.item}: {price_of(rule.price_nano, rule.per, unit)} {over}"]
    lines = [f"{rule.item}: of {named_text(rule.of)}; standard {rule.standard}"]
    for name, table in rule.tables:
        lines.append(f"  table {name}: {_table_text(table)}")
    return lines


def _table_text(table: tuple[int, ...]) -> str:
    """The percentages from 1.00 down to 0.00 at the points where their steps change."""
    turns = [at for at in range(99, 0, -1) if table[at + 1] - table[at] != table[at] - table[at - 1]]
    return ", ".join(f"{at // 100}.{at % 100:02d} {percent_text(table[at])}" for at in (100, *turns, 0))


def _surcharge_text(rule: Surcharge, kind: UsageKind, zone: str, clock: str) -> str:
    if rule.basis is SurchargeBasis.LINES:
        price = f"{percent_text(rule.percent_ppm)} of {named_text(rule.of)}"
    else:
        metered = "m3" if kind is UsageKind.LIQUID else "kWh"
        price = price_of(
            rule.price_nano, rule.per, {SurchargeBasis.ENERGY: metered, SurchargeBasis.DEMAND: "kW"}.get(rule.basis, "kVA")
        )
    said = [f"{rule.item}: {price}", f"for {rule.third_party}" if rule.third_party else ""]
    for word, at in (("from", rule.effective_from_at), ("until", rule.effective_to_at)):
        said.append(f"{word} {instant_text(at, zone, clock)}" if at is not None and at != FOREVER_AT else "")
    said.append("in the base of the power factor" if rule.in_pf_base else "")
    said.append("" if rule.in_tax_base else "not taxed")
    said.append("on self-generation too" if rule.on_self_generation else "")
    return ", ".join(filter(None, said))


def _export_lines(rule: Export) -> list[str]:
    netting = {0: "by step", -1: "over the period"}.get(rule.netting_minutes, f"within {rule.netting_minutes} min")
    said = [f"{rule.item}: {rule.method}", netting if rule.method == "net_billing" else ""]
    said.append(f"surplus carried in {rule.carry}" if rule.method == "net_metering" else "")
    said.append("within each TOU period" if rule.within_tou else "")
    said.append("credits pay from the next month" if rule.next_month else "")
    said.append(f"pays {named_text(rule.pays)}" if rule.pays else "")
    said.append(f"excess: {rule.excess}")
    said.append(f"expires after {rule.expires_months} months" if rule.expires_months else "")
    lines = [", ".join(filter(None, said))]
    for price in rule.prices:
        marks = [f"in {price.window}" if price.window else "", f"weight {price.weight}" if price.weight else ""]
        window = f" ({', '.join(filter(None, marks))})" if any(marks) else ""
        lines.append(f"  {price.item}{window}: {price_of(price.tiers[0].price_nano, price.tiers[0].per, 'kWh')}")
    if rule.true_up:
        paid = f", kWh paid at {price_of(rule.true_up.price_nano, rule.true_up.per, 'kWh')}" if rule.true_up.price_nano else ""
        lines.append(
            f"  true-up in {_MONTHS[rule.true_up.month - 1]}{paid}{', money paid out' if rule.true_up.pays_money else ''}"
        )
    return lines


def _minimum_text(rule: Minimum) -> str:
    of = f" of {named_text(rule.of)}" if rule.of is not None else " of energy, demand, adjustments and surcharges"
    counts = f", and {named_text(sorted(rule.counts))}" if rule.counts else ""
    settled = f", settled in {_MONTHS[rule.settled_in - 1]}" if rule.per == "year" else ""
    return f"{rule.item}: {amount_text(rule.amount_nano)} per {rule.per}{of}{counts}{settled}{_proration_text(rule.prorate)}"
