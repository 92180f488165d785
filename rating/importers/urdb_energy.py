"""Energy prices of a URDB rate: periods with tiers and adjustments on 12 x 24 schedules, and what export is credited."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind
from rating.importers.urdb_fields import RateFields, fraction_of
from rating.importers.urdb_schedule import Cell, schedule_cells, windows_of

_UNITS = {"kwh": "kWh", "kwh/kw": "kWh/kW", "kwh daily": "kWh/day", "kwh/kw daily": "kWh/kW/day"}
_UNBOUNDED = Fraction(10) ** 30
SCHEDULES = ("energyweekdayschedule", "energyweekendschedule")


@dataclass(frozen=True, slots=True)
class EnergyTier:
    """One tier of a period: where it starts, its unit, buy and sell price."""

    start: Fraction
    unit: str
    rate: Fraction
    sell: Fraction | None


@dataclass(slots=True)
class EnergyOf:
    """The energy element of a version, its windows, and the sell price of each class of cells."""

    element: dict[str, object]
    windows: dict[str, object]
    sells: list[tuple[str, str | None, Fraction]]  # (item, window, price)
    has_tiers: bool


def read_energy_of(rate: RateFields, scope: str) -> EnergyOf:
    """Prices by window; the class of cells with the most hours has none.

    Raises:
        Unreadable: energy prices that no tariff can say; each reason is named.
    """
    periods = _periods(rate)
    fuel = _fuel(rate)
    cells = _cells(rate, periods, fuel)
    used = {period for period, _ in cells}
    for index in range(len(periods)):
        if index not in used:
            rate.find(FindingKind.NOTE, "energyratestructure", "a period that no schedule uses", inner=f"[{index}]")
    base = max(cells, key=lambda key: (len(cells[key]), -key[0]))
    windows: dict[str, object] = {}
    prices: list[dict[str, object]] = []
    sells: list[tuple[str, str | None, Fraction]] = []
    for key in sorted(cells, key=lambda key: (key[0], min(cells[key]))):
        name = "Energy" if len(cells) == 1 else _name(key, cells)
        spans = [None] if key == base else windows_of(cells[key])
        for number, span in enumerate(spans, start=1):
            item = name if len(spans) == 1 else f"{name} ({number})"
            entry: dict[str, object] = {"item": item}
            window = None
            if span is not None:
                window = item.removeprefix("Energy, ")
                windows[window] = span
                entry |= {"window": window, "weight": 10}
            prices.append({**entry, "per": "1 kWh", **_price(rate, periods[key[0]], fuel[min(cells[key])[0]], key[0])})
            sells.append((item, window, periods[key[0]][0].sell or Fraction(0)))
    has_tiers = any("tiers" in price for price in prices)
    element: dict[str, object] = {"tier_scope": scope} if has_tiers else {}
    return EnergyOf({**element, "prices": prices}, windows, sells, has_tiers)


def _name(key: tuple[int, Fraction], cells: dict[tuple[int, Fraction], set[Cell]]) -> str:
    same = [other for other in cells if other[0] == key[0]]
    months = sorted({month + 1 for month, _, _ in cells[key]})
    suffix = f", months {','.join(map(str, months))}" if len(same) > 1 else ""
    return f"Energy, period {key[0] + 1}{suffix}"


def _cells(rate: RateFields, periods: list[list[EnergyTier]], fuel: list[Fraction]) -> dict[tuple[int, Fraction], set[Cell]]:
    """(period, fuel adjustment of the month) -> cells; a rate with one period needs no schedule."""
    grids = [rate.get(name) for name in SCHEDULES]
    if grids[0] is None and grids[1] is None and len(periods) == 1:
        grids = [[[0] * 24] * 12] * 2
    for index, name in enumerate(SCHEDULES):
        if grids[index] is None:
            rate.find(FindingKind.GUESS, "energyratestructure", f"{name} is missing: taken from the other days")
            grids[index] = grids[1 - index]
    if grids[0] != grids[1]:
        rate.find(FindingKind.NOTE, SCHEDULES[1], "holidays are not known there: none is priced as a weekend")
    try:
        found = schedule_cells(grids[0], grids[1], len(periods), lambda period, month: (period, fuel[month]))
    except Unreadable as reason:
        rate.refuse(SCHEDULES[0], reason.what)
        raise
    return {key: cells for key, cells in found.items() if isinstance(key, tuple)}


def _fuel(rate: RateFields) -> list[Fraction]:
    value = rate.get("fueladjustmentsmonthly")
    if value is None:
        return [Fraction(0)] * 12
    try:
        if not isinstance(value, list) or len(value) != 12:
            raise Unreadable("not twelve adjustments")
        return [fraction_of(each) for each in value]
    except Unreadable as reason:
        rate.refuse("fueladjustmentsmonthly", reason.what, value)
        raise


def _periods(rate: RateFields) -> list[list[EnergyTier]]:
    value = rate.get("energyratestructure")
    if not isinstance(value, list) or not all(isinstance(period, list) and period for period in value):
        rate.refuse("energyratestructure" if "energyratestructure" in rate.values else "", "no energy prices", value or "")
        raise Unreadable("no energy prices")
    found: list[list[EnergyTier]] = []
    failed: Unreadable | None = None
    for index, period in enumerate(value):
        try:
            found.append(_tiers(rate, period, f"[{index}]"))
        except Unreadable as reason:
            rate.refuse("energyratestructure", reason.what, period, reason.next_step, inner=f"[{index}]")
            failed = reason
    if failed:
        raise failed
    return found


def _tiers(rate: RateFields, period: list[object], inner: str) -> list[EnergyTier]:
    found: list[EnergyTier] = []
    start = Fraction(0)
    for number, tier in enumerate(period):
        if not isinstance(tier, dict) or tier.get("rate") is None and tier.get("adj") is None:
            raise Unreadable("a tier without a rate")
        unknown = sorted(tier.keys() - {"rate", "adj", "max", "unit", "sell"})
        if unknown:
            rate.refuse("energyratestructure", "an unknown part of a tier", ", ".join(unknown), inner=f"{inner}[{number}]")
        unit = str(tier.get("unit") or "kWh")
        if unit.lower() not in _UNITS:
            raise Unreadable(f"an unknown unit of a bound: {unit}", " or ".join(_UNITS.values()))
        price = fraction_of(tier.get("rate") or 0) + fraction_of(tier.get("adj") or 0)
        sell = None if tier.get("sell") is None else fraction_of(tier["sell"])
        found.append(EnergyTier(start, _UNITS[unit.lower()], price, sell))
        most = None if tier.get("max") is None else fraction_of(tier["max"])
        last = number == len(period) - 1
        if most is not None and most < _UNBOUNDED and last:
            note = "the last tier has a bound: its price goes on above it"
            rate.find(FindingKind.NOTE, "energyratestructure", note, f"{tier['max']} {unit}", inner=f"{inner}[{number}]")
        if not last:
            if most is None or not start < most < 10**9:
                raise Unreadable("tiers whose bounds do not rise")
            start = most
    if len({tier.sell for tier in found}) > 1:
        rate.refuse("energyratestructure", "other sell prices in higher tiers", "", "the first one is taken", inner=inner)
    if len({tier.unit for tier in found[:-1]}) > 1:
        raise Unreadable("bounds in several units in one period")
    return found


def _price(rate: RateFields, tiers: list[EnergyTier], fuel: Fraction, period: int) -> dict[str, object]:
    inner = f"[{period}]"
    prices = [rate.amount(tier.rate + fuel, "energyratestructure", f"{inner}[{number}]") for number, tier in enumerate(tiers)]
    if len(tiers) == 1:
        return {"price": prices[0]}
    starts = ["0 kWh", *(f"{_plain(tier.start)} {before.unit}" for before, tier in zip(tiers, tiers[1:], strict=False))]
    return {"tiers": [{"from": start, "price": price} for start, price in zip(starts, prices, strict=True)]}


def _plain(value: Fraction) -> str:
    """A bound to the milliwatt-hour."""
    micro = round(value * 10**6)
    whole, rest = divmod(micro, 10**6)
    return f"{whole}.{f'{rest:06d}'.rstrip('0')}" if rest else str(whole)


def read_export_of(rate: RateFields, energy: EnergyOf) -> dict[str, object] | None:
    """The export element by `dgrules`; without rules there is none, and sell prices are named."""
    rules = None if rate.get("dgrules") is None else str(rate.get("dgrules"))
    sells = {price for _, _, price in energy.sells}
    if rules is None:
        if sells != {Fraction(0)}:
            rate.refuse("energyratestructure", "sell prices without rules of export (dgrules)")
        return None
    if rules == "Net Metering":
        if sells != {Fraction(0)}:
            rate.find(FindingKind.NOTE, "energyratestructure", "sell prices are not used by net metering: kWh are carried")
        rate.find(FindingKind.GUESS, "dgrules", "kWh are carried within their period, without a true-up", rules)
        return {"method": "net_metering", "item": "Net metering", "carry": "kwh", "within_tou": True}
    method = {
        "Net Billing Instantaneous": "net_billing",
        "Net Billing Hourly": "net_billing",
        "Buy All Sell All": "buy_all_sell_all",
    }
    if rules not in method:
        rate.refuse("dgrules", "unknown rules of export", rules)
        return None
    export: dict[str, object] = {"method": method[str(rules)], "item": "Export credit"}
    if method[str(rules)] == "net_billing":
        export |= {"netting": "60 min" if rules == "Net Billing Hourly" else "step"}
    prices: list[dict[str, object]] = []
    for item, window, price in energy.sells if len(sells) > 1 else [("", None, next(iter(sells)))]:
        entry: dict[str, object] = {"item": f"Export{item.removeprefix('Energy')}" if item else "Export"}
        entry |= {"window": window, "weight": 10} if window else {}
        prices.append({**entry, "price": rate.amount(price, "energyratestructure"), "per": "1 kWh"})
    return {**export, "prices": prices}
