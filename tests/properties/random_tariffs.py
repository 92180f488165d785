"""Random small tariffs and usage at their borders: functions of a `Random`, for pricing by kernel and twin.

Usage is drawn where mistakes live: starts a millisecond or a microsecond around window borders, in nights of a clock change,
around version changes; quantities around tier starts and whole increments, zero, one, and some that leave int64. No usage takes
more than some dozens of increments, since the twin counts them one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from rating.language.call_terms import Cap, Destination, Rate, Rule
from rating.language.shared_terms import DAY_US, PricedAt, Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.zones import first_instant_of_wall_clock

MINUTE_US, HOUR_US = 60_000_000, 3_600_000_000
INCREMENTS_MAX = 40
VOICE_MAX_MS = 3 * 86_400_000

# Zones and the local dates on which their clocks change; each season has them all.
SEASONS = (
    (
        (date(2026, 3, 1), date(2026, 4, 8)),
        {
            "Europe/Berlin": date(2026, 3, 29),
            "Australia/Lord_Howe": date(2026, 4, 5),
            "America/New_York": date(2026, 3, 8),
            "Europe/London": date(2026, 3, 29),
            "Asia/Kathmandu": date(2026, 3, 29),
            "Etc/GMT-1": date(2026, 3, 29),
        },
    ),
    (
        (date(2026, 10, 1), date(2026, 11, 4)),
        {
            "Europe/Berlin": date(2026, 10, 25),
            "Australia/Lord_Howe": date(2026, 10, 4),
            "America/New_York": date(2026, 11, 1),
            "Europe/London": date(2026, 10, 25),
            "Asia/Kathmandu": date(2026, 10, 25),
            "Etc/GMT-1": date(2026, 10, 25),
        },
    ),
)
PREFIXES = ("4", "44", "447", "44770", "4477009", "49", "493012", "4930123", "1", "447700900123", "00", "9", "99999", "999999")
NUMBERS = ("447700900123", "447700911", "4420", "44", "4", "49301234", "493012", "4930", "12025550123", "33", "", "0012",
           "999999999999999", "99999", "100000000000000")  # fmt: skip
TIMES = (0, 1 * MINUTE_US, HOUR_US, 90 * MINUTE_US, 105 * MINUTE_US, 2 * HOUR_US, 150 * MINUTE_US, 3 * HOUR_US, 8 * HOUR_US,
         20 * HOUR_US, 22 * HOUR_US, DAY_US - 1, DAY_US - 1_000_000)  # fmt: skip
MODES = ("up", "down", "half_up", "half_even", "none")


@dataclass(frozen=True)
class Usage:
    """One record for a tariff."""

    kind: UsageKind
    digits: str
    start_at: int
    quantity: int


class TariffMaker:
    """One tariff, in a season and a zone, and usage for it."""

    def __init__(self, rng: Random, tariff_id: str, season: int) -> None:
        self.rng = rng
        (self.first_on, self.last_on), nights = SEASONS[season]
        self.zone = rng.choice(sorted(nights))
        self.night = nights[self.zone]
        # Increments of a tariff are of one order, so that no usage takes too many of them.
        self.steps = {
            UsageKind.VOICE: rng.choice(
                ((1_000, 2_000, 6_000, 7_000), (30_000, 60_000, 180_000), (1, 2, 3, 7), (600_000, 3_600_000))
            ),
            UsageKind.MESSAGE: (1, 2, 3),
            UsageKind.VOLUME: rng.choice(
                ((1, 3, 10), (1024, 10_240, 4_096), (2**20, 10**6), (2**40, 2**41 - 1), (2**31, 2**31 - 1))
            ),
        }
        changes = sorted(rng.sample((-30, -1, 0, 1, 10), rng.choice((0, 0, 1, 1, 2))))
        bounds = [self.midnight(date(2025, 6, 1))]
        bounds += [
            self.midnight(self.night + timedelta(days)) + rng.choice((0, 1, 2 * HOUR_US, 500, HOUR_US + 1)) for days in changes
        ]
        versions = []
        for number, from_at in enumerate(bounds):
            to_at = bounds[number + 1] if number + 1 < len(bounds) else 2**63 - 1
            gap = rng.choice((0, 0, 0, 0, 30 * MINUTE_US))
            versions.append(self.version(str(number + 1), from_at, to_at - (gap if number + 1 < len(bounds) else 0)))
        self.changes = bounds[1:]
        self.tariff = Tariff(tariff_id, tariff_id, "EUR", self.zone, ServiceKind.TELECOM, tuple(versions))
        self.starts = self.border_instants()

    def midnight(self, day: date) -> int:
        return first_instant_of_wall_clock(datetime(day.year, day.month, day.day), self.zone)

    def version(self, label: str, from_at: int, to_at: int) -> TariffVersion:
        rng = self.rng
        windows = tuple(self.window(name) for name in ("a", "b", "c", "d")[: rng.randint(0, 4)])
        named = {kind: tuple(self.rate(f"{kind.label} {n}", kind) for n in range(3)) for kind in self.steps}
        to = [Destination(f"to {n}", self.some_prefixes()) for n in range(2)]
        for number in range(rng.randint(0, 2)):
            prefixes = self.some_prefixes()
            pool = [self.rate(f"deck {number} {n}", UsageKind.VOICE) for n in range(3)]
            to.append(Destination(f"deck {number}", prefixes, f"{number}.csv", tuple(rng.choice(pool) for _ in prefixes)))
        rules = [Rule(kind, None, None, named[kind][0].name, 0, f"{kind.label} to any") for kind in named if rng.random() < 0.7]
        rules += [self.rule(number, named, windows, to) for number in range(1, rng.randint(2, 9))]
        rates = tuple(rate for of_kind in named.values() for rate in of_kind)
        priced_at = rng.choice((PricedAt.INCREMENT_START, PricedAt.INCREMENT_START, PricedAt.USAGE_START))
        return TariffVersion(label, from_at, to_at, self.rounding(), priced_at, windows, tuple(to), rates, tuple(rules))

    def some_prefixes(self) -> tuple[str, ...]:
        return tuple(sorted(self.rng.sample(PREFIXES, self.rng.randint(1, 5))))

    def rounding(self) -> Rounding:
        return Rounding(self.rng.choice(("record", "record", "record", "line")), self.rng.choice(MODES), self.rng.randint(0, 9))

    def rule(
        self, number: int, named: dict[UsageKind, tuple[Rate, ...]], windows: tuple[Window, ...], to: list[Destination]
    ) -> Rule:
        """Weights mostly apart; the few that tie are refused where their prices differ and something is level."""
        rng = self.rng
        destination = rng.choice((None, None, *to))
        is_deck = destination is not None and bool(destination.deck_file)
        kind = UsageKind.VOICE if is_deck else rng.choice((UsageKind.VOICE,) * 3 + (UsageKind.MESSAGE, UsageKind.VOLUME))
        window = rng.choice((None, *windows, *windows))
        weight = rng.choice((number, number, number, rng.randint(0, 3)))
        rounding = self.rounding() if rng.random() < 0.15 else None
        return Rule(
            kind,
            destination.name if destination else None,
            window.name if window else None,
            None if is_deck else rng.choice(named[kind]).name,
            weight,
            f"item {number}",
            rounding,
        )

    def window(self, name: str) -> Window:
        """Every form: weekdays, days of the month, months, years, dates; ends after, at and before their start."""
        rng, night = self.rng, self.night
        filters: dict[str, frozenset[int] | frozenset[date]] = {}
        form = rng.randint(0, 7)
        if form == 0:
            filters["weekdays"] = frozenset(rng.sample(range(1, 8), rng.randint(1, 5)))
        elif form == 1:
            filters["month_days"] = frozenset({night.day, *rng.sample(range(1, 32), 3)})
        elif form == 2:
            filters["months"] = frozenset({rng.choice((night.month, night.month % 12 + 1))})
        elif form == 3:
            filters["years"] = frozenset({2026, rng.choice((2025, 2027))})
        elif form == 4:
            filters["dates"] = frozenset(night + timedelta(rng.randint(-2, 2)) for _ in range(3))
        elif form == 5:
            filters = {
                "weekdays": frozenset({6, 7}),
                "months": frozenset({night.month}),
                "month_days": frozenset(range(1, 32, 2)),
            }
        start, end = rng.choice(TIMES), rng.choice((*TIMES, DAY_US, DAY_US))
        return Window(name, start_us=start, end_us=end, **filters)  # type: ignore[arg-type]

    def rate(self, name: str, kind: UsageKind) -> Rate:
        """One to three tiers, first and next increments; a price now and then negative, tiny or enormous."""
        rng, steps = self.rng, self.steps[kind]
        sign = -1 if rng.random() < 0.1 else 1
        is_huge = kind is not UsageKind.VOICE and rng.random() < 0.1
        first = rng.choice(steps)
        starts = {0}
        if rng.random() < 0.6:
            starts.add(first)  # first/next
        if rng.random() < 0.4:
            starts.add(rng.randint(1, 8) * max(steps) + rng.choice((-1, 0, 1, 0)))
        tiers = []
        for start in sorted(one for one in starts if one >= 0):
            price = rng.choice((0, 1, 7, 90_000_000, rng.randint(1, 300) * 1_000_000, rng.randint(0, 10**9)))
            price = rng.choice((10**18, 2**60, 10**15)) if is_huge else price
            per = rng.choice((60_000, 7_000, 1_000, 3, 1, 2**20, 10**9, first))
            tiers.append(Tier(start, sign * price, per, first if start == 0 else rng.choice(steps)))
        fee = sign * rng.choice((0, 0, 50_000_000, 150_000_001, 5 * 10**17 if is_huge else 1))
        cap, minimum = None, 0
        if sign > 0:
            cap = rng.choice(
                (None, None, None, Cap(rng.randint(0, 9) * 100_000_000 + 5, rng.choice(("free", "free", "disconnect"))))
            )
            minimum = 0 if cap else rng.choice((0, 0, 0, 400_000_000, 33))
        return Rate(name, tuple(tiers), fee, minimum, cap)

    def border_instants(self) -> list[int]:
        """Instants of interest: borders of windows by the wall clock on days around the change, the clock change, versions."""
        found = list(self.changes)
        days = [self.night + timedelta(days) for days in (-1, 0, 0, 1)] + [self.first_on + timedelta(self.rng.randint(1, 28))]
        for version in self.tariff.versions:
            for window in version.windows:
                for day in days:
                    for time_us in (window.start_us, window.end_us):
                        naive = datetime(day.year, day.month, day.day) + timedelta(microseconds=time_us)
                        found.append(first_instant_of_wall_clock(naive, self.zone))
        night = self.midnight(self.night)
        return [*found, night, night + HOUR_US, night + 2 * HOUR_US, night + 3 * HOUR_US, night + 90 * MINUTE_US]

    def usage(self, count: int) -> list[Usage]:
        return [self.one_usage() for _ in range(count)]

    def one_usage(self) -> Usage:
        rng = self.rng
        kind = rng.choice((UsageKind.VOICE,) * 6 + (UsageKind.MESSAGE,) * 1 + (UsageKind.VOLUME,) * 3)
        quantity = self.quantity(kind)
        start_at = rng.choice(self.starts)
        if kind is UsageKind.VOICE and rng.random() < 0.6:  # the border lies somewhere inside, or at an increment
            start_at -= rng.choice((rng.randint(0, quantity), rng.randint(0, 4) * rng.choice(self.steps[kind]))) * 1_000
        start_at += rng.choice((0, 0, 0, 1, -1, 999, 1_000, -1_000, rng.randint(-HOUR_US, HOUR_US)))
        return Usage(kind, rng.choice(NUMBERS), start_at, quantity)

    def quantity(self, kind: UsageKind) -> int:
        """Around zero, whole increments and tier starts."""
        rng, steps = self.rng, self.steps[kind]
        step = rng.choice(steps)
        near = [
            rate.tiers[-1].from_usage
            for version in self.tariff.versions
            for rate in version.rates
            if rate.name.startswith(kind.label)
        ]
        whole, any_ = rng.randint(1, 9) * step, rng.randint(1, 9 * step)
        drawn = rng.choice((0, 1, step, step, whole, whole, whole, rng.choice(near), rng.choice(near), any_, any_, any_))
        drawn = max(drawn + rng.choice((0, 0, 1, 1, -1)), 0)
        most = INCREMENTS_MAX * min(steps)
        return min(drawn, most, VOICE_MAX_MS if kind is UsageKind.VOICE else most)
