"""Who the customers of the generated operator are: accounts, numbers, metering points, and who held what when."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from meterline.demo.seeded import I64, drawn_roles, stream
from schemas.periods import Period
from schemas.zones import instant_us, local_midnight_us

ZONE = "Europe/Berlin"
LONG_AGO_ON = date(2025, 1, 1)
MOBILE_TARIFFS = ("mobile_basic", "mobile_plus")
POWER_TARIFFS = ("power_tou", "power_blocks")
FIRST_NUMBER = 4_915_200_000_000
NEM_OFFSET = timedelta(hours=10)  # NEM12 dates are UTC+10 all year
_PLAIN, _JOINED, _LEFT, _RECYCLED, _MOVED, _SWITCHED = range(6)

Effective = str  # a local date or an instant, as the services file writes it
Service = tuple[str, str, str, Effective, Effective]


@dataclass(slots=True)
class Customers:
    """Rows of accounts.csv and services.csv while they are made."""

    accounts: list[tuple[str, str, str, str, str]] = field(default_factory=list)
    services: list[Service] = field(default_factory=list)

    def open_account(self, name: str, *, payer: str = "", group: str = "") -> str:
        account_id = f"A{len(self.accounts) + 1:06d}"
        self.accounts.append((account_id, payer or account_id, group, name, "EUR"))
        return account_id

    def accounts_frame(self) -> pl.DataFrame:
        """account_id, bill_to_account_id, group_id (empty: a group of its own), name, currency."""
        columns = ["account_id", "bill_to_account_id", "group_id", "name", "currency"]
        return pl.DataFrame(self.accounts, schema=dict.fromkeys(columns, pl.String), orient="row")

    def services_frame(self) -> pl.DataFrame:
        """service_id, account_id, tariff_id, effective_from, effective_to (empty: still in force)."""
        columns = ["service_id", "account_id", "tariff_id", "effective_from", "effective_to"]
        return pl.DataFrame(self.services, schema=dict.fromkeys(columns, pl.String), orient="row")


@dataclass(frozen=True, slots=True)
class Holdings:
    """Services of one sort: `away_from_at[i] <= instant < away_to_at[i]` (us UTC) is when nobody holds service i in the period.

    The two are equal for a service that is held all the time.
    """

    identifiers: tuple[str, ...]
    away_from_at: I64
    away_to_at: I64

    @property
    def always_held(self) -> I64:
        return np.flatnonzero(self.away_from_at == self.away_to_at)

    @property
    def sometimes_away(self) -> I64:
        return np.flatnonzero(self.away_from_at < self.away_to_at)


def add_mobile(customers: Customers, period: Period, *, seed: int, count: int) -> Holdings:
    """`count` subscribers with a number each: families, joiners, leavers, recycled and handed-over numbers, tariff switches."""
    random = stream(seed, 1)
    few = max(1, count // 100)
    roles = drawn_roles(random, count, dict.fromkeys((_JOINED, _LEFT, _RECYCLED, _MOVED, _SWITCHED), few))
    days = random.integers(2, period.days - 5, count)
    plus = random.integers(0, 10, count) < 4
    away = np.full((2, count), period.start_at, dtype=np.int64)
    numbers = [str(FIRST_NUMBER + 17 * index) for index in range(count)]
    owners = _subscribers(customers, count)
    for index, number in enumerate(numbers):
        tariff = MOBILE_TARIFFS[int(plus[index])]
        day = period.first_on + timedelta(days=int(days[index]))
        away[:, index] = _add_number(customers, period, number, owners[index], tariff, int(roles[index]), day)
    return Holdings(tuple(numbers), away[0], away[1])


def _subscribers(customers: Customers, count: int) -> list[str]:
    """One account each; the first seventh live in families of three, most of which one member pays for."""
    owners: list[str] = []
    for index in range(count):
        family, member = divmod(index, 3)
        in_family = index < count // 7 // 3 * 3
        payer = owners[family * 3] if in_family and member and family % 5 else ""
        group = f"G{family + 1:05d}" if in_family else ""
        owners.append(customers.open_account(f"Subscriber {index + 1:06d}", payer=payer, group=group))
    return owners


def _add_number(
    customers: Customers, period: Period, number: str, owner: str, tariff: str, role: int, day: date
) -> tuple[int, int]:
    """Add the services of one number; returns when nobody holds it."""
    start, midnight = LONG_AGO_ON.isoformat(), local_midnight_us(day, ZONE)
    if role == _JOINED:
        noon = datetime(day.year, day.month, day.day, 10, 30, tzinfo=UTC)
        customers.services.append((number, owner, tariff, _instant_text(noon), ""))
        return period.start_at, instant_us(noon)
    if role == _LEFT:
        customers.services.append((number, owner, tariff, start, day.isoformat()))
        return midnight, period.end_at
    if role in (_RECYCLED, _MOVED):
        again = day + timedelta(days=3 if role == _RECYCLED else 0)
        successor = customers.open_account(f"Successor of {number}")
        customers.services.append((number, owner, tariff, start, day.isoformat()))
        customers.services.append((number, successor, MOBILE_TARIFFS[0], again.isoformat(), ""))
        return midnight, local_midnight_us(again, ZONE)
    if role == _SWITCHED:
        other = MOBILE_TARIFFS[tariff == MOBILE_TARIFFS[0]]
        customers.services.append((number, owner, tariff, start, day.isoformat()))
        customers.services.append((number, owner, other, day.isoformat(), ""))
        return period.start_at, period.start_at
    customers.services.append((number, owner, tariff, start, ""))
    return period.start_at, period.start_at


def add_metering_points(customers: Customers, *, seed: int, count: int, nem_days: tuple[date, ...]) -> Holdings:
    """`count` metering points at sites; joins and ends fall on NEM12 day borders, so that each NEM12 day is in or out whole.

    A tenant change in the middle of the period falls on a local midnight, inside a NEM12 day that is held on both sides.
    """
    random = stream(seed, 2)
    few = max(1, count // 100)
    roles = drawn_roles(random, count, dict.fromkeys((_JOINED, _LEFT, _MOVED), few))
    days = random.integers(3, len(nem_days) - 5, count)
    first_at, end_at = nem_midnight_us(nem_days[0]), nem_midnight_us(nem_days[-1] + timedelta(days=1))
    subscribers = [account[0] for account in customers.accounts]
    points = [f"NEM12{index + 1:05d}" for index in range(count)]
    away = np.full((2, count), first_at, dtype=np.int64)
    owner = ""
    for index, point in enumerate(points):
        owner = _site_owner(customers, index, owner, subscribers)
        tariff, day = POWER_TARIFFS[index % 3 == 0], nem_days[int(days[index])]
        border = nem_midnight_us(day)
        border_text = _instant_text(datetime.combine(day, datetime.min.time(), UTC) - NEM_OFFSET)
        if roles[index] == _JOINED:
            customers.services.append((point, owner, tariff, border_text, ""))
            away[1, index] = border
        elif roles[index] == _LEFT:
            customers.services.append((point, owner, tariff, LONG_AGO_ON.isoformat(), border_text))
            away[:, index] = border, end_at
        elif roles[index] == _MOVED:
            tenant = customers.open_account(f"Next tenant of {point}")
            customers.services.append((point, owner, tariff, LONG_AGO_ON.isoformat(), day.isoformat()))
            customers.services.append((point, tenant, tariff, day.isoformat(), ""))
        else:
            customers.services.append((point, owner, tariff, LONG_AGO_ON.isoformat(), ""))
    return Holdings(tuple(points), away[0], away[1])


def _site_owner(customers: Customers, index: int, previous: str, subscribers: list[str]) -> str:
    """Every twentieth point belongs to a mobile subscriber, every tenth to the account of the point before it."""
    if index % 20 == 19:
        return subscribers[index % len(subscribers)]
    if index % 10 == 9:
        return previous
    return customers.open_account(f"Site {index + 1:04d}")


def nem_midnight_us(day: date) -> int:
    """The instant (us UTC) at which a NEM12 day starts."""
    return instant_us(datetime.combine(day, datetime.min.time(), UTC) - NEM_OFFSET)


def nem_days_of(period: Period) -> tuple[date, ...]:
    """Every NEM12 day that has a part in the period, so that the local month is complete."""
    day_us = 86_400_000_000
    offset_us = NEM_OFFSET // timedelta(microseconds=1)
    first = (period.start_at + offset_us) // day_us
    last = (period.end_at - 1 + offset_us) // day_us
    return tuple(date(1970, 1, 1) + timedelta(days=ordinal) for ordinal in range(first, last + 1))


def _instant_text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
