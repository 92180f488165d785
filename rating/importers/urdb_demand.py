"""Demand prices of a URDB rate: by TOU period, by month, coincident; units, interval and ratchet."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind
from rating.importers.urdb_fields import RateFields, fraction_of
from rating.importers.urdb_schedule import months_of, schedule_cells, windows_of

_WATTS = {"kw": ("kW", 1000), "kva": ("kVA", 1000), "hp": ("kW", 746)}  # an electrical horsepower is 746 W
_FLAT = "Monthly demand"
_MINUTES = (5, 10, 15, 20, 30, 60)
_TOU = ("demandratestructure", "demandrateunit", "Demand", ("demandweekdayschedule", "demandweekendschedule"))
_COINCIDENT = ("coincidentratestructure", "coincidentrateunit", "Coincident demand", ("coincidentrateschedule",) * 2)
USED = (
    *(_TOU[0], _TOU[1], *_TOU[3], _COINCIDENT[0], _COINCIDENT[1], "coincidentrateschedule", "flatdemandstructure"),
    *("flatdemandmonths", "flatdemandunit", "demandwindow", "lookbackpercent", "lookbackrange", "lookbackmonths"),
    "demandratchetpercentage",
)


def read_demand_of(rate: RateFields, windows: dict[str, object]) -> list[dict[str, object]]:
    """The demand elements; their windows are added to `windows`."""
    found = [*_by_period(rate, windows, _TOU, {}), *_by_month(rate, windows)]
    measure, ratchet = _measure(rate, bool(found)), _ratchet(rate, bool(found))
    split = [price for price in found if str(price["item"]).startswith(f"{_FLAT}, ")]
    if ratchet and split:
        what = "a ratchet over demand priced by season: each price keeps its own peaks, so those of other seasons do not bind"
        name = "lookbackpercent" if rate.get("lookbackpercent") is not None else "demandratchetpercentage"
        rate.refuse(name, what, rate.get(name))
    found = [{**price, **measure, **({} if price in split else ratchet)} for price in found]
    return [*found, *_by_period(rate, windows, _COINCIDENT, {"pick": "coincident"})]


def _by_period(
    rate: RateFields, windows: dict[str, object], names: tuple[str, str, str, Sequence[str]], more: dict[str, object]
) -> list[dict[str, object]]:
    structure, unit_name, title, schedules = names
    periods = _periods(rate, structure)
    if not periods:
        return []
    grids = [rate.get(name) for name in schedules]
    if grids[0] is None and grids[1] is None and len(periods) == 1:
        grids = [[[0] * 24] * 12] * 2
    grids = [grids[0] if grids[0] is not None else grids[1], grids[1] if grids[1] is not None else grids[0]]
    try:
        cells = schedule_cells(grids[0], grids[1], len(periods), lambda period, _: period)
    except Unreadable as reason:
        rate.refuse(structure, reason.what)
        return []
    found: list[dict[str, object]] = []
    for period in sorted(key for key in cells if isinstance(key, int)):
        if _is_free(periods[period]):
            continue
        spans = windows_of(cells[period])
        months = [month for span in spans for month in months_of(span)]
        if len(months) > len(set(months)):
            what = "a demand period of several time spans a month: a demand price has one"
            rate.refuse(structure, what, f"{len(spans)} spans", "bill it by one span, or by all hours", inner=f"[{period}]")
            continue
        for number, span in enumerate(spans, start=1):
            item = title if len(cells) == 1 else f"{title}, period {period + 1}" + (f" ({number})" if len(spans) > 1 else "")
            entry = _entry(rate, periods[period], structure, unit_name, period, item)
            if entry is not None:
                if span is not None:
                    windows[item] = span
                    entry["window"] = item
                found.append({**entry, **more})
    return found


def _by_month(rate: RateFields, windows: dict[str, object]) -> list[dict[str, object]]:
    """Flat demand: one period for each month."""
    structure = "flatdemandstructure"
    periods = _periods(rate, structure)
    if not periods:
        return []
    months = rate.get("flatdemandmonths")
    if months is None and len(periods) == 1:
        months = [0] * 12
    if not isinstance(months, list) or len(months) != 12 or any(month not in range(len(periods)) for month in months):
        rate.refuse(structure, "no period for each month (flatdemandmonths)", months or "")
        return []
    found: list[dict[str, object]] = []
    for period in sorted(set(months)):
        if _is_free(periods[period]):
            continue
        item = _FLAT if len(set(months)) == 1 else f"{_FLAT}, period {period + 1}"
        entry = _entry(rate, periods[period], structure, "flatdemandunit", period, item)
        if entry is None:
            continue
        if len(set(months)) > 1:
            windows[item] = {"months": [number for number, month in enumerate(months, start=1) if month == period]}
            entry["window"] = item
        found.append(entry)
    return found


def _periods(rate: RateFields, name: str) -> list[list[dict[str, object]]]:
    value = rate.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(
        isinstance(period, list) and period and all(isinstance(tier, dict) for tier in period) for period in value
    ):
        rate.refuse(name, "no list of periods with tiers", value)
        return []
    return value


def _is_free(period: list[dict[str, object]]) -> bool:
    return all(not tier.get("rate") and not tier.get("adj") for tier in period)


def _entry(
    rate: RateFields, period: list[dict[str, object]], structure: str, unit_name: str, index: int, item: str
) -> dict[str, object] | None:
    """A demand price without window; None (and a finding) where it cannot be said."""
    inner = f"[{index}]"
    try:
        unit_text = str(period[0].get("unit") or rate.get(unit_name) or "kW")
        if unit_text.lower() not in _WATTS:
            raise Unreadable(f"demand in {unit_text}", "a demand price is for the demand of a month, not of each day")
        unit, watts = _WATTS[unit_text.lower()]
        tiers: list[dict[str, object]] = []
        start = Fraction(0)
        for number, tier in enumerate(period):
            price = fraction_of(tier.get("rate") or 0) + fraction_of(tier.get("adj") or 0)
            shown = f"{_thousandths(start * watts)} {unit}" if start else f"0 {unit}"
            tiers.append({"from": shown, "price": rate.amount(price, structure, f"{inner}[{number}]")})
            if number < len(period) - 1:
                most = None if tier.get("max") is None else fraction_of(tier["max"])
                if most is None or not start < most < 10**9:
                    raise Unreadable("tiers whose bounds do not rise")
                start = most
    except Unreadable as reason:
        rate.refuse(structure, reason.what, period, reason.next_step, inner=inner)
        return None
    if watts == 746:
        rate.find(FindingKind.GUESS, structure, "a horsepower is 746 W", inner=inner)
    found: dict[str, object] = {"item": item, "per": f"{_thousandths(Fraction(watts))} {unit}"}
    found |= {"unit": unit} if unit != "kW" else {}
    return {**found, "price": tiers[0]["price"]} if len(tiers) == 1 else {**found, "tiers": tiers}


def _thousandths(watts: Fraction) -> str:
    """Kilo-units of watts, to the milliwatt."""
    milli = round(watts * 1000)
    whole, rest = divmod(milli, 10**6)
    return f"{whole}.{f'{rest:06d}'.rstrip('0')}" if rest else str(whole)


def _measure(rate: RateFields, has_demand: bool) -> dict[str, object]:
    minutes = rate.number("demandwindow")
    if minutes is None or not has_demand:
        if has_demand:
            rate.find(FindingKind.GUESS, "", "demand is that of the meter's own intervals: demandwindow is missing")
        return {}
    if minutes not in _MINUTES:
        rate.refuse("demandwindow", "an unknown demand interval", str(minutes), f"one of {', '.join(map(str, _MINUTES))} minutes")
        return {}
    return {"measure": {"kind": "block", "minutes": int(minutes)}}


def _ratchet(rate: RateFields, has_demand: bool) -> dict[str, object]:
    """Lookback by percent, months looked back, and the months whose peaks count."""
    percent, months = rate.number("lookbackpercent"), rate.number("lookbackrange")
    by_month = rate.get("demandratchetpercentage")
    flags = rate.get("lookbackmonths")
    shares: list[Fraction] = [percent or Fraction(0)] * 12
    name = "lookbackpercent"
    try:
        if percent is None and isinstance(by_month, list) and len(by_month) == 12:
            name, shares = "demandratchetpercentage", [fraction_of(share) for share in by_month]
        if isinstance(flags, list) and len(flags) == 12:
            shares = [share if flag else Fraction(0) for share, flag in zip(shares, flags, strict=True)]
        elif flags is not None:
            raise Unreadable("not twelve months")
    except Unreadable as reason:
        rate.refuse("lookbackmonths" if flags is not None else name, reason.what, flags if flags is not None else by_month)
        return {}
    if not any(shares) or not has_demand:
        return {}
    if not months or months.denominator != 1 or not 1 <= months <= 36:
        rate.refuse(name, "a ratchet without the months it looks back (lookbackrange)", str(rate.get("lookbackrange") or ""))
        return {}
    if any(not 0 <= share <= 1 or (share * 10**6).denominator != 1 for share in shares):
        rate.refuse(name, "a share of a peak that is not 0 to 1 with at most six decimals", str(rate.get(name)))
        return {}
    listed: object = {number: _percent(share) for number, share in enumerate(shares, start=1) if share}
    if len(set(shares)) == 1:
        listed = _percent(shares[0])
    return {"ratchet": {"percent": listed, "months": int(months)}}


def _percent(share: Fraction) -> str:
    whole, rest = divmod(int(share * 10**6), 10**4)
    return f"{whole}.{f'{rest:04d}'.rstrip('0')}" if rest else str(whole)
