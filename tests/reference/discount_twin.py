"""The slow, obvious twin of the discounts: fractions, the calendar by `datetime`, every contract looked at for every record."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from rating.language.call_terms import Rate
from rating.language.discount_terms import CHARGE, QUANTITY, Discount
from rating.language.shared_terms import Rounding
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.zones import moment_of
from tests.reference.rating_twin import RatingTwin, clock_tz, rounded


@dataclass(frozen=True)
class TwinRecord:
    """A record after allowances: which version and item priced it, what is left of its charge and what allowances paid."""

    account: int
    at: int
    digits: str
    kind: UsageKind
    quantity: int
    covered: int
    charge: int
    item: str
    activation_at: int | None = None


@dataclass
class Used:
    """What a discount of a tariff has seen and given for one account."""

    money: int = 0
    quantity: int = 0
    units: int = 0
    records: int = 0
    given: int = 0
    later: list[tuple[int, Discount]] = field(default_factory=list)  # (record, ladder) of a retroactive one


class DiscountTwin:
    """One tariff's discounts over the records of its accounts, one by one."""

    def __init__(self, tariff: Tariff, contracts: list[tuple[int, str, int, int]]) -> None:
        self.tariff, self.contracts = tariff, contracts
        self.rating = RatingTwin(tariff)
        self.used: dict[tuple[int, str], Used] = {}
        self.net: list[int] = []
        self.given: list[tuple[int, str, int]] = []  # record, name, amount
        self.records: list[TwinRecord] = []

    def take(self, version: TariffVersion, record: TwinRecord) -> None:
        """Give the discounts of one record."""
        number = len(self.net)
        self.records.append(record)
        left = record.charge
        units = max(record.quantity - record.covered, 0)
        groups: set[str] = set()
        for of in sorted(version.discounts, key=lambda one: one.order):
            if not self.counts(version, of, record):
                continue
            used = self.used.setdefault((record.account, of.item), Used())
            amount = 0
            if of.retroactive:
                used.later.append((number, of))
            elif of.exclusive not in groups:
                amount = self.amount(version, of, used, record, left, units)
            if amount:
                left -= amount
                used.units += units
                used.records += 1
                used.given += amount
                groups |= {of.exclusive} if of.exclusive else set()
                self.given.append((number, of.item, amount))
            used.money += record.charge
            used.quantity += units
        self.net.append(left)

    def counts(self, version: TariffVersion, of: Discount, record: TwinRecord) -> bool:
        """Whether filters, dates and conditions hold."""
        if of.kinds is not None and record.kind not in of.kinds or of.items is not None and record.item not in of.items:
            return False
        if not of.effective_from_at <= record.at < of.effective_to_at:
            return False
        if of.destinations is not None:
            prefixes = [p for to in version.destinations if to.name in of.destinations for p in to.prefixes]
            if not any(record.digits.startswith(prefix) for prefix in prefixes):
                return False
        if of.windows is not None:
            windows = [window for window in version.windows if window.name in of.windows]
            if all(self.rating.occurrence(window, record.at) is None for window in windows):
                return False
        if of.with_tariffs is not None and not any(
            account == record.account and tariff in of.with_tariffs and low <= record.at < high
            for account, tariff, low, high in self.contracts
        ):
            return False
        return of.new_for is None or self.is_new(of, record)

    def is_new(self, of: Discount, record: TwinRecord) -> bool:
        assert of.new_for is not None
        if record.activation_at is None or record.activation_at > record.at:
            return False
        clock = clock_tz(self.tariff)
        first = moment_of(record.activation_at).astimezone(clock).date()
        today = moment_of(record.at).astimezone(clock).date()
        if of.new_for.unit == "days":
            return today < first + timedelta(days=of.new_for.count)
        months = first.year * 12 + first.month - 1 + of.new_for.count
        following = date((months + 1) // 12, (months + 1) % 12 + 1, 1)
        last = following - timedelta(days=1)
        return today < last.replace(day=min(first.day, last.day))

    def amount(self, version: TariffVersion, of: Discount, used: Used, record: TwinRecord, left: int, units: int) -> int:
        """What one discount gives."""
        base = record.charge if of.base == CHARGE else left
        limits = (of.first_units, of.first_records, of.budget_nano)
        limited = bool(of.rate) or any(limit is not None for limit in limits)
        reached = used.quantity if of.after_basis == QUANTITY else used.money
        if reached < of.after_total or (base < 0 and limited):
            return 0
        before = used.quantity if of.basis == QUANTITY else used.money
        span = units if of.basis == QUANTITY else record.charge
        if of.rate:
            rate = next(rate for rate in version.rates if rate.name == of.rate)
            given = max(base - flat_charge(rate, version.rounding, record), 0)
        elif of.split_at_bound and base > 0 and span > 0:
            bounds = [0, *(t.from_total - before for t in of.tiers if 0 < t.from_total - before < span), span]
            cuts = [base * bound // span for bound in bounds]
            shares = [ppm_at(of, before + bound) for bound in bounds[:-1]]
            exact = sum(Fraction((high - low) * ppm, 10**6) for low, high, ppm in zip(cuts, cuts[1:], shares, strict=False))
            given = half_up(Fraction(exact))
        else:
            given = half_up(Fraction(base * ppm_at(of, before), 10**6))
        if of.first_units is not None:
            free = max(of.first_units - used.units, 0)
            given = given * free // units if units > free else given
        if of.first_records is not None and used.records >= of.first_records:
            given = 0
        if of.budget_nano is not None:
            given = min(given, of.budget_nano - used.given)
        return min(given, left) if record.charge >= 0 else max(given, left)

    def end(self) -> dict[tuple[int, str], int]:
        """Close the period: what retroactive ladders give each account, once, by name; `net` follows."""
        found: dict[tuple[int, str], int] = {}
        spent: dict[tuple[int, str], int] = {}
        order = sorted(
            (number, of.order, account, name, of) for (account, name), used in self.used.items() for number, of in used.later
        )
        for number, _, account, name, of in order:
            used = self.used[account, name]
            share = ppm_at(of, used.quantity if of.basis == QUANTITY else used.money)
            before = spent.get((account, name), 0)
            spent[account, name] = before + self.net[number]
            amount = half_up(Fraction(spent[account, name] * share, 10**6)) - half_up(Fraction(before * share, 10**6))
            self.net[number] -= amount
            found[account, name] = found.get((account, name), 0) + amount
        return found


def ppm_at(of: Discount, total: int) -> int:
    return max(((tier.from_total, tier.ppm) for tier in of.tiers if tier.from_total <= total), default=(0, 0))[1]


def half_up(value: Fraction) -> int:
    """By magnitude."""
    whole = int(abs(value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def flat_charge(rate: Rate, rounding: Rounding, record: TwinRecord) -> int:
    """The record by one rate, increment by increment."""
    elapsed, with_fee = record.covered, record.covered == 0
    total = Fraction(rate.connect_fee_nano if with_fee else 0)
    while elapsed < record.quantity:
        tier = [tier for tier in rate.tiers if tier.from_usage <= elapsed][-1]
        total += Fraction(tier.price_nano * tier.increment, tier.per)
        elapsed += tier.increment
    if record.quantity <= record.covered:
        return 2**63 - 1
    return rounded(total, rounding)
