"""The slow, obvious twin of the rating kernels: fractions, zoneinfo, one increment at a time, the winner sought at each instant.

It reads a `Tariff` and nothing compiled from it: prefixes by dictionary, windows by looking at the wall clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from fractions import Fraction

from rating.language.calendars import Calendar
from rating.language.call_terms import Rate, Rule
from rating.language.shared_terms import PricedAt, Rounding, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import INT64_MAX, UsageKind
from schemas.reasons import Reason
from schemas.zones import moment_of, zone_of


@dataclass(frozen=True)
class TwinPrice:
    """What a record costs and which rule priced its start."""

    status: Reason
    charge_nano: int = 0
    charged_quantity: int = 0
    item: str = ""
    window: str = ""
    destination: str = ""
    exact_nano: Fraction = Fraction(0)


class LevelRules(Exception):
    """Rules that nothing orders at different prices: such a tariff has no price here and must have been refused."""


def terms(version: TariffVersion, rule: Rule, rate: Rate) -> tuple[object, ...]:
    """What a rule charges, whatever its names."""
    return (rate.connect_fee_nano, rate.minimum_charge_nano, rate.cap, rate.tiers, rule.rounding or version.rounding)


class RatingTwin:
    """A tariff with its prefixes in dictionaries: (version, kind) -> prefix -> [(rule, rate)]."""

    def __init__(self, tariff: Tariff) -> None:
        self.tariff = tariff
        self.zone = clock_tz(tariff)
        self.by_prefix: dict[tuple[int, UsageKind], dict[str, list[tuple[Rule, Rate]]]] = {}
        for index, version in enumerate(tariff.versions):
            rates = {rate.name: rate for rate in version.rates}
            destinations = {to.name: to for to in version.destinations}
            for rule in version.rules:
                found = self.by_prefix.setdefault((index, rule.kind), {})
                if rule.destination is None:
                    assert rule.rate is not None
                    found.setdefault("", []).append((rule, rates[rule.rate]))
                    continue
                to = destinations[rule.destination]
                of_prefix = to.deck_rates if rule.rate is None else [rates[rule.rate]] * len(to.prefixes)
                for prefix, rate in zip(to.prefixes, of_prefix, strict=True):
                    found.setdefault(prefix, []).append((rule, rate))

    def price(
        self, kind: UsageKind, digits: str, start_at: int, quantity: int, *, elapsed: int = 0, with_fee: bool = True
    ) -> TwinPrice:
        """Price one record; with `elapsed` an allowance has paid that much and, `with_fee` false, the first increment too."""
        if quantity == 0:
            return TwinPrice(Reason.ZERO_USAGE)
        found = self.winner(kind, digits, start_at)
        if isinstance(found, Reason):
            return TwinPrice(found)
        version, first_rule, first_rate = found
        frozen = kind != UsageKind.VOICE or version.priced_at is PricedAt.USAGE_START
        total = Fraction(first_rate.connect_fee_nano) if with_fee else Fraction(0)
        if first_rate.cap and first_rate.cap.strategy == "free":
            total = min(total, Fraction(first_rate.cap.amount_nano))
        rate = first_rate
        while elapsed < quantity:
            if not frozen:
                now = self.winner(kind, digits, start_at + elapsed * 1000)
                if isinstance(now, Reason):
                    return TwinPrice(Reason.NO_RATE_AT_INSTANT)
                rate = now[2]
            tier = [tier for tier in rate.tiers if tier.from_usage <= elapsed][-1]
            raised = total + Fraction(tier.price_nano * tier.increment, tier.per)
            if rate.cap and rate.cap.strategy == "free":
                raised = max(total, min(raised, Fraction(rate.cap.amount_nano)))
            total = raised
            elapsed += tier.increment
        if with_fee and first_rate.minimum_charge_nano:
            total = max(total, Fraction(first_rate.minimum_charge_nano))
        charge = rounded(total, first_rule.rounding or version.rounding)
        if abs(charge) > INT64_MAX or elapsed > INT64_MAX:
            return TwinPrice(Reason.CHARGE_OVERFLOW)
        names = (first_rule.item, first_rule.window or "", first_rule.destination or "")
        return TwinPrice(Reason.OK, charge, elapsed, *names, total)

    def winner(self, kind: UsageKind, digits: str, at: int) -> tuple[TariffVersion, Rule, Rate] | Reason:
        """The rule at an instant: longer prefix, higher weight, later start of the window occurrence."""
        reaches = False
        for index, version in enumerate(self.tariff.versions):
            found = self.by_prefix.get((index, kind), {})
            matching = [digits[:length] for length in range(len(digits), -1, -1) if digits[:length] in found]
            in_force = version.effective_from_at <= at < version.effective_to_at
            reaches |= bool(matching)
            if not in_force:
                continue
            windows = {window.name: window for window in version.windows}
            for prefix in matching:
                best: tuple[tuple[int, datetime], Rule, Rate] | None = None
                for rule, rate in found[prefix]:
                    since = datetime.min if rule.window is None else self.occurrence(windows[rule.window], at)
                    if since is not None and (best is None or (rule.weight, since) > best[0]):
                        best = ((rule.weight, since), rule, rate)
                        is_level = False
                    elif best is not None and (rule.weight, since) == best[0]:
                        is_level |= terms(version, rule, rate) != terms(version, *best[1:])
                if best is not None:
                    if is_level:
                        raise LevelRules(f"{prefix!r} at {moment_of(at)}: {best[1].item!r}")
                    return version, best[1], best[2]
            return Reason.NO_RATE_AT_INSTANT if matching else Reason.NO_RATE_FOR_DESTINATION
        return Reason.NO_RATE_AT_INSTANT if reaches else Reason.NO_RATE_FOR_DESTINATION

    def occurrence(self, window: Window, at: int) -> datetime | None:
        """The local start of the window's occurrence that holds an instant's wall-clock reading, None if there is none."""
        reading = moment_of(at).astimezone(self.zone).replace(tzinfo=None)
        midnight = datetime(reading.year, reading.month, reading.day)
        time_us = (reading - midnight) // timedelta(microseconds=1)
        yesterday = midnight - timedelta(days=1)
        start = timedelta(microseconds=window.start_us)
        if window.end_us > window.start_us:
            return midnight + start if window.start_us <= time_us < window.end_us and holds(window, midnight.date()) else None
        if time_us >= window.start_us and holds(window, midnight.date()):
            return midnight + start
        return yesterday + start if time_us < window.end_us and holds(window, yesterday.date()) else None


def holds(window: Window, day: date) -> bool:
    """Whether all filters of a window hold on a local date."""
    return (
        (window.weekdays is None or day.isoweekday() in window.weekdays)
        and (window.month_days is None or day.day in window.month_days)
        and (window.months is None or day.month in window.months)
        and (window.years is None or day.year in window.years)
        and (window.dates is None or day in window.dates)
        and (window.day_types is None or any(is_of_type(window.calendar, name, day) for name in window.day_types))
    )


def is_of_type(calendar: Calendar | None, name: str, day: date) -> bool:
    """Whether a local date is of a day type of a calendar."""
    assert calendar is not None
    if name == "holiday":
        return day in calendar.holidays
    if name == "weekend":
        return day.isoweekday() in calendar.weekend
    if name == "workday":
        return not is_of_type(calendar, "holiday", day) and not is_of_type(calendar, "weekend", day)
    of = next(of for of in calendar.types if of.name == name)
    return (
        (of.dates is None or day in of.dates)
        and (of.weekdays is None or day.isoweekday() in of.weekdays)
        and (of.months is None or day.month in of.months)
        and (of.month_days is None or day.day in of.month_days)
        and not any(is_of_type(calendar, other, day) for other in of.without)
    )


class _StandardTime(tzinfo):
    """A zone's offset without its summer time, asked of `zoneinfo` at each instant."""

    def __init__(self, zone: str) -> None:
        self.zone = zone_of(zone)

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        return None if moment is None else self._offset(moment.replace(tzinfo=self.zone))

    def dst(self, moment: datetime | None) -> timedelta:
        return timedelta(0)

    def fromutc(self, moment: datetime) -> datetime:
        return moment + self._offset(moment.replace(tzinfo=UTC).astimezone(self.zone))

    @staticmethod
    def _offset(moment: datetime) -> timedelta:
        return (moment.utcoffset() or timedelta(0)) - (moment.dst() or timedelta(0))


def clock_tz(tariff: Tariff) -> tzinfo:
    """What the tariff's clock shows."""
    return _StandardTime(tariff.zone) if tariff.clock == "standard" else zone_of(tariff.zone)


class ChainTwin(RatingTwin):
    """A tariff with fallbacks: the first of the chain that has a winner at an instant wins there."""

    def __init__(self, chain: list[Tariff]) -> None:
        super().__init__(chain[0])
        self.members = [RatingTwin(tariff) for tariff in chain]

    def winner(self, kind: UsageKind, digits: str, at: int) -> tuple[TariffVersion, Rule, Rate] | Reason:
        found = [member.winner(kind, digits, at) for member in self.members]
        for one in found:
            if not isinstance(one, Reason):
                return one
        return Reason.NO_RATE_AT_INSTANT if Reason.NO_RATE_AT_INSTANT in found else Reason.NO_RATE_FOR_DESTINATION


def rounded(total: Fraction, rounding: Rounding) -> int:
    """The booked charge: one rounding of the magnitude, to the nearest nano-unit where the line rounds or nothing does."""
    plain = rounding.scope == "line" or rounding.mode == "none"
    mode, grid = ("half_up", 1) if plain else (rounding.mode, 10 ** (9 - rounding.decimals))
    steps = abs(total) / grid
    whole = steps.numerator // steps.denominator
    rest = steps - whole
    half = Fraction(1, 2)
    up = {
        "up": rest > 0,
        "down": False,
        "half_up": rest >= half,
        "half_even": rest > half or (rest == half and whole % 2 == 1),
    }[mode]
    return (whole + up) * grid * (-1 if total < 0 else 1)


def energy_by_item(tariff: Tariff, steps: list[tuple[int, int]]) -> dict[tuple[str, str, int], int] | None:
    """(version, item, tier) -> milliwh of intervals (start_at, milliwh) in time order; None where some instant has no price."""
    twin = RatingTwin(tariff)
    found: dict[tuple[str, str, int], int] = {}
    total = 0
    for at, milliwh in steps:
        best = None
        for version in tariff.versions:
            if not version.effective_from_at <= at < version.effective_to_at:
                continue
            windows = {window.name: window for window in version.windows}
            for price in version.energy:
                since = datetime.min if price.window is None else twin.occurrence(windows[price.window], at)
                if since is not None and (best is None or (price.weight, since) > best[0]):
                    best = ((price.weight, since), version.label, price)
        if best is None:
            return None
        _, label, price = best
        rest = milliwh
        while True:
            tier = max(number for number, tier in enumerate(price.tiers) if tier.from_usage <= total)
            bound = price.tiers[tier + 1].from_usage if tier + 1 < len(price.tiers) else total + rest
            part = min(rest, bound - total)
            key = (label, price.item, tier)
            found[key] = found.get(key, 0) + part
            total += part
            rest -= part
            if rest == 0:
                break
    return found
