"""The slow, obvious twin of a utility bill: one service, fractions, dictionaries and lists, one element after the other.

It reads a `TariffVersion` and determinants in base units, and gives the amounts by item in nano-units.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from rating.language.shared_terms import Rounding, Tier
from rating.language.supply_terms import Excess, ExportMethod, PowerFactorMethod, SurchargeBasis
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import BoundBasis, CapacityBasis, Pick, Proration, TierScope
from schemas.money import round_ratio

PPM = 1_000_000


@dataclass
class TwinService:
    """What one service used and agreed in one month; quantities in base units."""

    days: int
    month_days: int
    month: int
    energy: dict[int, int]
    steps: list[tuple[int, int]] = field(default_factory=list)  # (price index, quantity) in time order
    export: dict[int, int] = field(default_factory=dict)
    demand: dict[int, int] = field(default_factory=dict)
    reactive: int = 0
    installed: int = 0
    contract: int = 0
    option: str = ""
    paused: int = 0
    peaks: dict[str, dict[int, int]] = field(default_factory=dict)  # item -> months ago -> peak
    credit_nano: int = 0


@dataclass
class TwinBill:
    """(kind, item, amount) of each line, and the money carried on."""

    lines: list[tuple[str, str, int]] = field(default_factory=list)
    credit_nano: int = 0

    def add(self, kind: str, item: str, exact: Fraction, rounding: Rounding) -> None:
        if rounding.mode == "none" or rounding.scope == "total":
            amount = round_ratio(exact.numerator, exact.denominator, "half_up")
        else:
            stepped = exact / rounding.grid_nano
            amount = rounding.grid_nano * round_ratio(stepped.numerator, stepped.denominator, rounding.mode)
        self.lines.append((kind, item, amount))

    def sum_of(self, *, items: tuple[str, ...] | None = None, kinds: tuple[str, ...] = ()) -> int:
        return sum(amount for kind, item, amount in self.lines if (items is not None and item in items) or kind in kinds)

    def by_item(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for _, item, amount in self.lines:
            found[item] = found.get(item, 0) + amount
        return {item: amount for item, amount in found.items() if amount}


def nearest(value: Fraction) -> int:
    return round_ratio(value.numerator, value.denominator, "half_up")


def twin_bill(version: TariffVersion, service: TwinService) -> TwinBill:
    bill = TwinBill()
    billed_kw = {price.item: _billed_demand(version, index, service) for index, price in enumerate(version.demand)}
    kw = {item: value for item, value in billed_kw.items() if value is not None}
    highest = max((nearest(value) for value in kw.values()), default=0)
    _energy(version, service, bill, highest)
    _demand(version, service, bill, kw)
    _fixed(version, service, bill)
    _power_factor(version, service, bill)
    _surcharges(version, service, bill, highest)
    _export(version, service, bill)
    _minimums(version, service, bill, highest)
    _taxes(version, bill)
    return bill


def _bounds(version: TariffVersion, index: int, service: TwinService, kw: int) -> list[int]:
    price, found = version.energy[index], []
    for tier in price.tiers:
        exact = Fraction(tier.from_usage)
        if price.basis is BoundBasis.PERIOD and version.supply.ladder.prorate:
            exact = exact * service.days / service.month_days
        if price.basis in (BoundBasis.PER_DAY, BoundBasis.PER_KW_DAY):
            exact *= service.days
        if price.basis in (BoundBasis.PER_KW, BoundBasis.PER_KW_DAY):
            exact = exact * kw / 10**6
        found.append(nearest(exact))
    return found


def _tier_at(bounds: list[int], running: int) -> int:
    return max(tier for tier, bound in enumerate(bounds) if running >= bound)


def _cut(bounds: list[int], low: int, high: int) -> list[int]:
    ends = [*bounds[1:], 10**40]
    return [max(0, min(high, end) - max(low, start)) for start, end in zip(bounds, ends, strict=True)]


def _energy(version: TariffVersion, service: TwinService, bill: TwinBill, kw: int) -> None:
    ladder = version.supply.ladder
    cells: dict[tuple[int, int], Fraction] = {}
    bounds = {index: _bounds(version, index, service, kw) for index in range(len(version.energy))}
    total = sum(service.energy.values())
    if ladder.scope is TierScope.SHARED_CHRONOLOGICAL and len(version.energy) > 1:
        running = 0
        for index, quantity in service.steps:
            parts = _cut(bounds[index], running, running + quantity)
            if not ladder.split_at_bound:
                parts = [quantity if tier == _tier_at(bounds[index], running) else 0 for tier in range(len(parts))]
            for tier, part in enumerate(parts):
                cells[index, tier] = cells.get((index, tier), Fraction(0)) + part
            running += quantity
    else:
        for index, quantity in service.energy.items():
            own = ladder.scope is TierScope.PER_PERIOD or len(version.energy) == 1
            whole = quantity if own else total
            parts = _cut(bounds[index], 0, whole)
            if ladder.whole_quantity:
                parts = [whole if tier == _tier_at(bounds[index], whole) else 0 for tier in range(len(parts))]
            for tier, part in enumerate(parts):
                cells[index, tier] = Fraction(part) if own else Fraction(part * quantity, max(total, 1))
    for (index, number), part in cells.items():
        tier = version.energy[index].tiers[number]
        if part:
            bill.add("energy", version.energy[index].item, part * tier.price_nano / tier.per, version.rounding)


def _billed_demand(version: TariffVersion, index: int, service: TwinService) -> Fraction | None:
    price = version.demand[index]
    if index not in service.demand or (price.option and price.option != service.option):
        return None
    if price.pick is Pick.PERIOD_OF_PEAK:
        turns = [other for other, one in enumerate(version.demand) if one.pick is Pick.PERIOD_OF_PEAK and other in service.demand]
        if index != max(turns, key=lambda other: (service.demand[other], -other)):
            return None
    current = Fraction(max(service.demand[index], price.minimum))
    past = service.peaks.get(price.item, {})
    if price.mean_months > 1:
        seen = [max(peak, price.minimum) for ago, peak in past.items() if 1 <= ago < price.mean_months]
        current = Fraction(sum(seen) + max(service.demand[index], price.minimum), len(seen) + 1)
    if price.ratchet:
        rule = price.ratchet
        held = [rule.floor, current if rule.include_current else 0]
        for ago, peak in past.items():
            if 1 <= ago <= rule.months:
                held.append(nearest(Fraction(peak * rule.percent_ppm[(service.month - 1 - ago) % 12], PPM)))
        current = Fraction(max(held))
    if price.rounding:
        stepped = current / price.rounding.step
        current = Fraction(price.rounding.step * round_ratio(stepped.numerator, stepped.denominator, price.rounding.mode))
    return current


def _share(how: Proration, service: TwinService, paused: bool = True) -> Fraction:
    stopped = service.paused if paused else 0
    if how is Proration.DAYS:
        return Fraction(max(service.days - stopped, 0), service.month_days)
    if how is Proration.THIRTY:
        full = 30 if service.days >= service.month_days else min(service.days, 30)
        return Fraction(max(full - stopped, 0), 30)
    return Fraction(1)


def _tiered(tiers: tuple[Tier, ...], quantity: Fraction) -> list[Fraction]:
    amounts = []
    for place, tier in enumerate(tiers):
        end = Fraction(tiers[place + 1].from_usage) if place + 1 < len(tiers) else quantity
        part = max(Fraction(0), min(quantity, end) - tier.from_usage)
        amounts.append(part * tier.price_nano / tier.per)
    return amounts


def _demand(version: TariffVersion, service: TwinService, bill: TwinBill, kw: dict[str, Fraction]) -> None:
    for price in version.demand:
        if price.item not in kw:
            continue
        share = _share(price.prorate, service)
        if price.contract:
            rule, unit = price.contract, Fraction(price.tiers[0].price_nano, price.tiers[0].per)
            agreed = max(service.contract, nearest(Fraction(service.installed * rule.minimum_share_ppm, PPM)))
            beyond = max(0, nearest(kw[price.item]) - nearest(Fraction(agreed * rule.tolerance_ppm, PPM)))
            bill.add("demand", price.item, agreed * unit * share, version.rounding)
            bill.add("demand", price.item, beyond * unit * share * Fraction(rule.excess_factor_nano, 10**9), version.rounding)
            continue
        for amount in _tiered(price.tiers, kw[price.item]):
            bill.add("demand", price.item, amount * share, version.rounding)


def _fixed(version: TariffVersion, service: TwinService, bill: TwinBill) -> None:
    for price in version.supply.capacity:
        of = {CapacityBasis.INSTALLED: service.installed, CapacityBasis.CONTRACT: service.contract}[price.basis]
        if not price.option or price.option == service.option:
            bill.add(
                "fixed", price.item, Fraction(of * price.price_nano, price.per) * _share(price.prorate, service), version.rounding
            )
    for fee in version.fees:
        if fee.per == "day":
            exact = Fraction(fee.amount_nano * service.days)
        else:
            how = Proration.NONE if not fee.prorate else Proration.THIRTY if fee.thirtieths else Proration.DAYS
            exact = fee.amount_nano * _share(how, service, paused=False)
        bill.add("fixed", fee.name, exact, version.rounding)


def _power_factor(version: TariffVersion, service: TwinService, bill: TwinBill) -> None:
    rule = version.supply.power_factor
    if rule is None:
        return
    active, total = sum(service.energy.values()), service.reactive
    if rule.method is PowerFactorMethod.EXCESS_KVARH:
        over = max(0, total - nearest(Fraction(active * rule.share_ppm, PPM)))
        bill.add("adjustment", rule.item, Fraction(over * rule.price_nano, rule.per), version.rounding)
        return
    square = active * active + total * total
    # 100 times the factor, half up, by its root to eighteen digits more than are needed
    hundredths = (
        100 if square == 0 else (200 * active * 10**18 + math.isqrt(square * 10**36)) // (2 * math.isqrt(square * 10**36))
    )
    ppm = dict(rule.tables)[rule.standard][hundredths]
    bill.add("adjustment", rule.item, Fraction(bill.sum_of(items=rule.of) * ppm, PPM), version.rounding)


def _surcharges(version: TariffVersion, service: TwinService, bill: TwinBill, kw: int) -> None:
    for rule in version.supply.surcharges:
        if rule.basis is SurchargeBasis.LINES:
            exact = Fraction(bill.sum_of(items=rule.of) * rule.percent_ppm, PPM)
        else:
            of = {SurchargeBasis.ENERGY: sum(service.energy.values()), SurchargeBasis.DEMAND: kw}.get(
                rule.basis, service.installed
            )
            exact = Fraction(of * rule.price_nano, rule.per)
        bill.add("surcharge", rule.item, exact, version.rounding)


def _export(version: TariffVersion, service: TwinService, bill: TwinBill) -> None:
    rule = version.supply.export
    if rule is None or rule.method is ExportMethod.NET_METERING:
        bill.credit_nano = service.credit_nano
        return
    earning = TwinBill()
    for index, quantity in service.export.items():
        tier = rule.prices[index].tiers[0]
        earning.add("credit", rule.item, Fraction(quantity * tier.price_nano, tier.per), version.rounding)
    earned = earning.sum_of(kinds=("credit",))
    ready = service.credit_nano + (0 if rule.next_month else earned)
    payable = bill.sum_of(items=rule.pays) if rule.pays is not None else bill.sum_of(kinds=("energy",))
    used = ready if rule.excess is Excess.PAY else min(ready, max(payable, 0))
    left = ready - used if rule.excess is Excess.CARRY else 0
    bill.credit_nano = left + (earned if rule.next_month else 0)
    bill.add("credit", rule.item, Fraction(-used), version.rounding)


def _minimums(version: TariffVersion, service: TwinService, bill: TwinBill, kw: int) -> None:
    for rule in version.supply.minimums:
        kinds = tuple({"fixed": "fixed", "credits": "credit"}[name] for name in rule.counts)
        if rule.of is None:
            kinds = ("energy", "demand", "adjustment", "surcharge", *kinds)
        counted = bill.sum_of(items=rule.of, kinds=kinds)
        exact = rule.amount_nano * _share(rule.prorate, service)
        if rule.per == "kW":
            exact = exact * kw / 10**6
        bill.add("minimum", rule.item, Fraction(max(0, nearest(exact) - counted)), version.rounding)


def _taxes(version: TariffVersion, bill: TwinBill) -> None:
    outside = {rule.item for rule in version.supply.surcharges if not rule.in_tax_base}
    taxed = TwinBill()
    before = [line for line in bill.lines if line[2]]
    for tax in version.taxes:
        base = [line for line in before if (line[1] in tax.of if tax.of is not None else line[1] not in outside)]
        base += [line for line in taxed.lines if tax.of is not None and line[1] in tax.of]
        if version.supply.tax_by == "line":
            for _, _, amount in base:
                taxed.add("tax", tax.name, Fraction(amount * tax.ppm, PPM), version.rounding)
        else:
            taxed.add("tax", tax.name, Fraction(sum(line[2] for line in base) * tax.ppm, PPM), version.rounding)
    bill.lines += taxed.lines
