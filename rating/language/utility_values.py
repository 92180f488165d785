"""Values that only utility tariffs write: power, bounds per day and per kW, decimal factors, months, names of lines."""

from __future__ import annotations

import re
from fractions import Fraction

from rating.language.shared_terms import Tier
from rating.language.utility_terms import BoundBasis, HighUse, PowerUnit, Proration, StepRounding
from rating.language.written_values import QUANTITY_MAX, amount, parts_per_million, quantity, whole
from rating.language.yaml_places import Fields, Place, close_match
from schemas.money import NANO
from schemas.quantities import UsageKind, exact_int

POWER_UNITS = {"W": 10**3, "kW": 10**6, "MW": 10**9}
APPARENT_UNITS = {"VA": 10**3, "kVA": 10**6, "MVA": 10**9}
REACTIVE_UNITS = {"var": 10**3, "kvar": 10**6, "Mvar": 10**9}
AREA_UNITS = {"m2": 10**6}
UNITS_OF = {PowerUnit.KW: POWER_UNITS, PowerUnit.KVA: APPARENT_UNITS, PowerUnit.KVAR: REACTIVE_UNITS}
STEP_MODES = ("up", "down", "half_up", "half_even")
_MEASURED = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) *([A-Za-z]+[0-9]?)")
_DECIMAL = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,9})?")
_BASES = {"day": BoundBasis.PER_DAY, "kW": BoundBasis.PER_KW, "kW/day": BoundBasis.PER_KW_DAY, "day/kW": BoundBasis.PER_KW_DAY}


def measured(place: Place | None, units: dict[str, int]) -> int | None:
    """Base units of a number with one of a few units, such as `100 kW`."""
    if place is None or (text := place.text()) is None:
        return None
    example = f"a number and a unit such as {100 if 'kW' in units else 1} {list(units)[min(1, len(units) - 1)]}"
    match = _MEASURED.fullmatch(text)
    if not match:
        place.fault("not a quantity", was=repr(text), must_be=example)
        return None
    if match[2] not in units:
        place.fault("no such unit", was=repr(match[2]), must_be=example, next_step=close_match(match[2], units))
        return None
    found = exact_int(Fraction(match[1]) * units[match[2]])
    if found is None or found > QUANTITY_MAX:
        place.fault(
            "not a whole number of base units",
            was=repr(text),
            must_be=f"at least a thousandth of 1 {min(units, key=units.__getitem__)}",
        )
        return None
    return found


def bound(place: Place | None, kind: UsageKind) -> tuple[BoundBasis, int] | None:
    """A tier's start: `200 kWh`, `6.5 kWh/day`, `100 kWh/kW` or `3 kWh/kW/day`, in base units for one of the divisor."""
    text = place.text() if place else None
    if place is None or text is None:
        return None
    head, slash, tail = text.partition("/")
    if not slash:
        found = quantity(place, kind)
        return (BoundBasis.PERIOD, found[1]) if found else None
    unit = {UsageKind.LIQUID: {"L": 10**3, "m3": 10**6}}.get(kind, {"Wh": 10**3, "kWh": 10**6, "MWh": 10**9})
    match = _MEASURED.fullmatch(head)
    base = exact_int(Fraction(match[1]) * unit[match[2]]) if match and match[2] in unit else None
    if base is None or tail not in _BASES:
        place.fault("not a bound", was=repr(text), must_be="such as 200 kWh, 6.5 kWh/day, 100 kWh/kW or 3 kWh/kW/day")
        return None
    return _BASES[tail], base


def decimal_nano(place: Place | None, least: str = "0", most: str = "1000000000") -> int | None:
    """A plain quoted decimal in units of 10**-9 (a factor, a calorific value)."""
    if place is None or (text := place.text()) is None:
        return None
    if not place.is_quoted or not _DECIMAL.fullmatch(text):
        place.fault("not a decimal", was=text, must_be='a quoted decimal such as "1.02264"')
        return None
    value = Fraction(text)
    if not Fraction(least) <= value <= Fraction(most):
        place.fault("out of range", was=text, must_be=f"{least} to {most}")
        return None
    return int(value * NANO)


def tiers_of_power(fields: Fields, unit: PowerUnit) -> tuple[Tier, ...]:
    """`price` or `tiers` (from a power) for each `per`, in milli-units of the demand's unit."""
    price_place, tiers_place, per_place = fields.get("price"), fields.get("tiers"), fields.get("per")
    units = UNITS_OF[unit]
    per = measured(per_place, units)
    if (price_place is None) == (tiers_place is None):
        fields.place.fault("price or tiers", must_be="one of the two")
        return ()
    if per == 0 and per_place:
        per_place.fault("per is zero", must_be="more than zero")
        return ()
    if tiers_place is None:
        price = amount(price_place, negative=True)
        return () if price is None or per is None else (Tier(0, price, per, 1),)
    found: list[Tier] = []
    for item in tiers_place.items():
        of = item.fields(("from", "price"))
        start, price = measured(of.get("from"), units), amount(of.get("price"), negative=True)
        if start is None or price is None:
            continue
        in_order(item, found, start)
        found.append(Tier(start, price, per or 1, 1))
    return tuple(found) if per is not None else ()


def in_order(place: Place, before: list[Tier], start: int) -> None:
    """A fault where a tier does not start above the one before, or the first not at zero."""
    if not before and start != 0:
        place.fault("tiers out of order", must_be="zero for the first tier")
    if before and start <= before[-1].from_usage:
        place.fault("tiers out of order", must_be="a higher start than the tier before")


def step_rounding(place: Place | None, units: dict[str, int]) -> StepRounding | None:
    """`{mode, to: 1 kW}`: quantities rounded to whole steps."""
    if place is None:
        return None
    fields = place.fields(("mode", "to"))
    mode_place, to_place = fields.get("mode"), fields.get("to")
    mode = mode_place.choice(STEP_MODES) if mode_place else None
    step = measured(to_place, units)
    if step == 0 and to_place:
        to_place.fault("a step of zero", must_be="more than zero")
    return StepRounding(mode, step) if mode and step else None


def proration(place: Place | None, default: Proration) -> Proration:
    found = place.choice([str(way) for way in Proration]) if place else None
    return Proration(found) if found else default


def energy_per_capacity(place: Place | None) -> int | None:
    """Milliwatt-hours for one kVA of `260 kWh/kVA`."""
    if place is None or (text := place.text()) is None:
        return None
    head, _, tail = text.partition("/")
    match = _MEASURED.fullmatch(head)
    milliwh = exact_int(Fraction(match[1]) * 10**6) if match and match[2] == "kWh" and tail == "kVA" else None
    if milliwh is None:
        place.fault("not an energy per capacity", was=repr(text), must_be="such as 260 kWh/kVA")
    return milliwh


def high_use(place: Place | None) -> HighUse | None:
    """`{from: 260 kWh/kVA, factor: "0.9"}`: the price of a demand or capacity charge under high use."""
    if place is None:
        return None
    fields = place.fields(("from", "percent"))
    milliwh = energy_per_capacity(fields.get("from"))
    ppm = parts_per_million(fields.get("percent"))
    return HighUse(milliwh, ppm) if milliwh is not None and ppm is not None else None


def month_number(place: Place | None, default: int) -> int:
    return whole(place, 1, 12) or default


def line_names(place: Place | None) -> tuple[str, ...] | None:
    """The names of bill lines; whether there are such lines is checked once the whole version is read."""
    if place is None:
        return None
    return tuple(text for item in place.items() if (text := item.text()))
