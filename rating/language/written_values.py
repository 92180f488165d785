"""Values as a tariff writes them: amounts, percentages, quantities with units, times of day, dates and instants.

Each function takes the place of the value, gives it in base units, or None after entering a fault.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from fractions import Fraction

from rating.language.clocks import first_instant_of_day
from rating.language.shared_terms import DAY_US
from rating.language.yaml_places import Place, close_match
from schemas.errors import MeterlineError
from schemas.money import nano_of
from schemas.quantities import UsageKind, exact_int
from schemas.zones import instant_us

AMOUNT_NANO_MAX = 10**18
QUANTITY_MAX = 2**62
WEIGHT_MAX = 1_000_000

UNITS: dict[str, tuple[UsageKind, int]] = {
    "ms": (UsageKind.VOICE, 1),
    "s": (UsageKind.VOICE, 1_000),
    "min": (UsageKind.VOICE, 60_000),
    "h": (UsageKind.VOICE, 3_600_000),
    "message": (UsageKind.MESSAGE, 1),
    "messages": (UsageKind.MESSAGE, 1),
    "B": (UsageKind.VOLUME, 1),
    "kB": (UsageKind.VOLUME, 10**3),
    "MB": (UsageKind.VOLUME, 10**6),
    "GB": (UsageKind.VOLUME, 10**9),
    "TB": (UsageKind.VOLUME, 10**12),
    "KiB": (UsageKind.VOLUME, 2**10),
    "MiB": (UsageKind.VOLUME, 2**20),
    "GiB": (UsageKind.VOLUME, 2**30),
    "TiB": (UsageKind.VOLUME, 2**40),
    "Wh": (UsageKind.ENERGY, 10**3),
    "kWh": (UsageKind.ENERGY, 10**6),
    "MWh": (UsageKind.ENERGY, 10**9),
    "varh": (UsageKind.REACTIVE, 10**3),
    "kvarh": (UsageKind.REACTIVE, 10**6),
    "Mvarh": (UsageKind.REACTIVE, 10**9),
    "L": (UsageKind.LIQUID, 10**3),
    "kL": (UsageKind.LIQUID, 10**6),
    "m3": (UsageKind.LIQUID, 10**6),
}
EXAMPLES = {
    UsageKind.VOICE: "60 s",
    UsageKind.MESSAGE: "1 message",
    UsageKind.VOLUME: "1 MB",
    UsageKind.ENERGY: "1 kWh",
    UsageKind.REACTIVE: "1 kvarh",
    UsageKind.LIQUID: "1 m3",
}
_DECIMAL = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) *((?:[A-Za-z]+[0-9]?)?)")
_TIME = re.compile(r"([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")


def quantity_units(kind: UsageKind) -> str:
    return ", ".join(unit for unit, (of_kind, _) in UNITS.items() if of_kind == kind)


def base_units(number: str, unit: str) -> int | None:
    """Exact base units of a decimal number of a unit; None where it is no whole number of them."""
    return exact_int(Fraction(number) * UNITS[unit][1])


def amount(place: Place | None, *, negative: bool = False) -> int | None:
    """Nano-units of a quoted decimal."""
    if place is None or (text := place.text()) is None:
        return None
    if not place.is_quoted:
        place.fault("an amount is not quoted", was=text, must_be=f'"{text}"', next_step="quote it, so that no digit is lost")
        return None
    if not _DECIMAL.fullmatch(text):
        place.fault("not an amount", was=repr(text), must_be='a decimal such as "0.0900"')
        return None
    try:
        nano = nano_of(text, place.where)
    except MeterlineError as refused:
        place.faults.extend(refused.faults)
        return None
    if abs(nano) > AMOUNT_NANO_MAX or (nano < 0 and not negative):
        place.fault("amount out of range", was=text, must_be=f"{'at most' if negative else '0 to'} 1,000,000,000")
        return None
    return nano


def parts_per_million(place: Place | None, most_percent: int = 100) -> int | None:
    """Parts per million of a quoted percentage with at most four decimals."""
    if place is None or (text := place.text()) is None:
        return None
    if not place.is_quoted or not _DECIMAL.fullmatch(text):
        place.fault("not a percentage", was=text, must_be='a quoted decimal such as "19" or "7.5"')
        return None
    ppm = exact_int(Fraction(text) * 10_000)
    if ppm is None or not 0 <= ppm <= most_percent * 10_000:
        place.fault("percentage out of range", was=text, must_be=f"0 to {most_percent} with at most four decimals")
        return None
    return ppm


def quantity(place: Place | None, kind: UsageKind | None = None) -> tuple[UsageKind, int] | None:
    """(kind, base units) of a quantity with a unit; `kind` is what it must be, None takes any."""
    if place is None or (text := place.text()) is None:
        return None
    example = EXAMPLES.get(kind, "60 s, 1 MB or 1 message") if kind is not None else "60 s, 1 MB or 1 message"
    match = _QUANTITY.fullmatch(text)
    if not match:
        place.fault("not a quantity", was=repr(text), must_be=f"a number and a unit such as {example}")
        return None
    number, unit = match.groups()
    if not unit and kind is UsageKind.MESSAGE:
        unit = "messages"
    if not unit:
        place.fault("the unit is missing", was=repr(text), must_be=f"a number and a unit such as {example}", code="unit_missing")
        return None
    if unit not in UNITS:
        place.fault("no such unit", was=repr(unit), must_be=f"such as {example}", next_step=close_match(unit, UNITS))
        return None
    found = UNITS[unit][0]
    if kind is not None and found != kind:
        place.fault(f"a quantity of {found.label}", was=repr(text), must_be=f"one of {kind.label} ({quantity_units(kind)})")
        return None
    units = base_units(number, unit)
    if units is None or units > QUANTITY_MAX:
        place.fault("not a whole number of base units", was=repr(text), must_be=f"a whole number of {found.unit}")
        return None
    return found, units


def whole(place: Place | None, least: int, most: int) -> int | None:
    """A plain integer that is no quantity (a weight, a weekday, a number of decimals)."""
    if place is None or (text := place.text()) is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,9}", text) or not least <= int(text) <= most:
        place.fault("out of range", was=repr(text), must_be=f"a whole number from {least} to {most}")
        return None
    return int(text)


def boolean(place: Place | None, default: bool) -> bool:
    if place is None:
        return default
    return place.choice(("true", "false")) == "true"


def time_of_day_us(place: Place | None) -> int | None:
    """Microseconds since local midnight of HH:MM or HH:MM:SS; 24:00 is the end of the day."""
    if place is None or (text := place.text()) is None:
        return None
    match = _TIME.fullmatch(text)
    hour, minute, second = (int(part or 0) for part in match.groups()) if match else (99, 0, 0)
    at_us = ((hour * 60 + minute) * 60 + second) * 1_000_000
    if minute > 59 or second > 59 or at_us > DAY_US:
        place.fault("not a time of day", was=repr(text), must_be="HH:MM or HH:MM:SS, 24:00 at most")
        return None
    return at_us


def local_date(place: Place | None) -> date | None:
    if place is None or (text := place.text()) is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else _no_date()
    except ValueError:
        place.fault("not a date", was=repr(text), must_be="YYYY-MM-DD")
        return None


def _no_date() -> date:
    raise ValueError


DAY_NAMES = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)}


def week_days(place: Place | None) -> frozenset[int] | None:
    """ISO weekdays of a list of names or numbers."""
    if place is None:
        return None
    found = set()
    for item in place.items():
        text = item.choice((*DAY_NAMES, *(str(number) for number in DAY_NAMES.values())))
        if text:
            found.add(DAY_NAMES.get(text) or int(text))
    return frozenset(found)


def day_numbers(place: Place | None, least: int, most: int) -> frozenset[int] | None:
    """A list of whole numbers of a range."""
    if place is None:
        return None
    found = [whole(item, least, most) for item in place.items()]
    return frozenset(number for number in found if number is not None)


def local_dates(place: Place | None, *, single: bool = False) -> frozenset[date] | None:
    """A list of dates, or one."""
    if place is None:
        return None
    found = [local_date(item) for item in ([place] if single else place.items())]
    return frozenset(day for day in found if day is not None)


def instant_at(place: Place | None, zone: str, clock: str = "wall") -> int | None:
    """UTC microseconds of a local date (its first instant on the tariff's clock) or of an instant with an offset."""
    if place is None or (text := place.text()) is None:
        return None
    try:
        if len(text) == 10:
            return first_instant_of_day(date.fromisoformat(text), zone, clock)
        moment = datetime.fromisoformat(text)
    except ValueError:
        place.fault("neither date nor instant", was=repr(text), must_be="YYYY-MM-DD or YYYY-MM-DDTHH:MM:SSZ")
        return None
    if moment.tzinfo is None:
        place.fault("an instant without offset", was=repr(text), must_be="one that ends in Z or +HH:MM")
        return None
    return instant_us(moment)
