"""Kernel == twin on random tariffs and calls: clock changes, ties of windows, caps, tiers, versions, rounding modes, splits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random

import numpy as np
from hypothesis import given, note, settings
from hypothesis import strategies as st

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Cap, Destination, Rate, Rule
from rating.language.shared_terms import DAY_US, PricedAt, Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.errors import ConfigurationError
from schemas.numbers import EMPTY_NUMBER, packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import moment_of
from tests.reference.rating_twin import RatingTwin
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local

# Nights of clock changes in each zone, and one ordinary day.
NIGHTS = {
    "Europe/Berlin": ("2026-03-28T20:00", "2026-10-24T20:00", "2026-06-05T12:00"),
    "Australia/Lord_Howe": ("2026-04-04T20:00", "2026-10-03T20:00", "2026-06-05T12:00"),
    "America/New_York": ("2026-03-07T20:00", "2026-10-31T20:00", "2026-06-05T12:00"),
    "Asia/Kathmandu": ("2026-03-28T20:00", "2026-10-24T20:00", "2026-06-05T12:00"),
}
PREFIXES = ("", "4", "44", "447", "44770", "4477009", "49", "493012", "4930123", "1", "447700900123")
NUMBERS = ("447700900123", "447700911", "4420", "44", "4", "49301234", "493012", "4930", "12025550123", "33", "")


def a_rate(rng: Random, name: str) -> Rate:
    """One to three tiers; exact and periodic prices per increment, negative at times, with fee, minimum and cap."""
    is_credit = rng.random() < 0.1
    tiers = tuple(
        Tier(
            start,
            rng.randint(-300, -1) * 1_000_000 if is_credit else rng.randint(0, 300) * 1_000_000 + rng.randint(0, 3),
            rng.choice((60_000, 7_000, 1_000)),
            rng.choice((1_000, 6_000, 7_000, 30_000, 60_000, 180_000)),
        )
        for start in sorted({0, *(rng.randint(1, 900_000) for _ in range(rng.randint(0, 2)))})
    )
    fee = rng.choice((0, 50_000_000, 150_000_001))
    if is_credit:
        return Rate(name, tiers, fee)
    cap = rng.choice((None, None, Cap(9_000_000_000, "free"), Cap(600_000_000, "free"), Cap(5, "free"), Cap(9, "disconnect")))
    return Rate(name, tiers, fee, 0 if cap else rng.choice((0, 400_000_000)), cap)


def a_window(rng: Random, name: str) -> Window:
    start = rng.choice((0, 1, 1.5, 2, 2.5, 3, 8, 20, 22)) * HOUR_US
    end = rng.choice((0, 1.75, 2, 2.25, 3, 6, 20, 22.5, 24)) * HOUR_US
    weekdays = rng.choice((None, frozenset({6, 7}), frozenset({1, 2, 3, 4, 5}), frozenset({7}), frozenset({1, 3, 7})))
    days = rng.choice((None, None, None, frozenset({date(2026, 10, 25), date(2026, 3, 29), date(2026, 4, 5), date(2026, 6, 5)})))
    return Window(name, weekdays=weekdays, dates=days, start_us=int(start), end_us=int(end))


def a_version(rng: Random, label: str, from_at: int, to_at: int) -> TariffVersion:
    names = ("a", "b", "c", "d")
    rates = tuple(a_rate(rng, f"r{number}") for number in range(4))
    to = tuple(Destination(f"d{n}", tuple(sorted(rng.sample(PREFIXES[1:], rng.randint(2, 5))))) for n in range(3))
    rules = [
        Rule(
            UsageKind.VOICE,
            rng.choice((None, None, *(one.name for one in to))),
            rng.choice((None, *names, *names)),
            rng.choice(rates).name,
            rng.randint(0, 40),
            f"item {number}",
            rng.choice((None, None, None, Rounding("record", "up", 3))),
        )
        for number in range(rng.randint(6, 18))
    ]
    rounding = Rounding(
        rng.choice(("record", "record", "line")), rng.choice(("up", "down", "half_up", "half_even")), rng.choice((0, 2, 4, 9))
    )
    priced_at = rng.choice((PricedAt.INCREMENT_START, PricedAt.INCREMENT_START, PricedAt.INCREMENT_START, PricedAt.USAGE_START))
    windows = tuple(a_window(rng, name) for name in names)
    return TariffVersion(label, from_at, to_at, rounding, priced_at, windows, to, rates, tuple(rules))


def a_case(seed: int) -> tuple[Tariff, list[tuple[str, int, int]]]:
    """A tariff of two versions that meet in a night of a clock change, and calls around it."""
    rng = Random(seed)
    zone = rng.choice(sorted(NIGHTS))
    base = local(rng.choice(NIGHTS[zone]), zone)
    change = base + rng.randint(0, 10) * HOUR_US + rng.choice((0, 1, 500))
    first = a_version(rng, "1", base - 400 * DAY_US, change)
    second = a_version(rng, "2", change + rng.choice((0, 0, 0, 1_800_000_000)), 2**63 - 1)
    tariff = Tariff("t", "t", "EUR", zone, ServiceKind.TELECOM, (first, second))
    calls = []
    for _ in range(12):
        at = base + rng.randint(0, 14 * 3600) * 1_000_000 + rng.choice((0, 0, 1, 999_999))
        used = rng.choice((0, 1, 999, 1000, 59_999, 60_000, 61_000, *(rng.randint(1, 3_600_000) for _ in range(14))))
        calls.append((rng.choice(NUMBERS), at, used))
    return tariff, calls


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_kernel_is_twin(seed: int) -> None:
    tariff, calls = a_case(seed)
    try:
        book = compile_book([tariff], span=YEAR)
    except ConfigurationError:  # level rules; their own test is in tests/unit/rating/test_winners.py
        return
    packed = np.array([packed_number(number) for number, _, _ in calls], dtype=np.uint64)
    starts, used = (np.array(column, dtype=np.int64) for column in zip(*((at, q) for _, at, q in calls), strict=True))
    tariffs, kinds = np.zeros(len(calls), dtype=np.int32), np.zeros(len(calls), dtype=np.uint8)
    rated = rate_calls(book, tariffs, kinds, packed, starts, used)
    thirds = [slice(at, at + 3) for at in range(0, len(calls), 3)]
    parts = [rate_calls(book, tariffs[of], kinds[of], packed[of], starts[of], used[of]) for of in thirds]
    assert np.concatenate([part.charge_nano for part in parts]).tolist() == rated.charge_nano.tolist(), "split == whole"
    twin = RatingTwin(tariff)
    for row, (number, at, quantity) in enumerate(calls):
        price = twin.price(UsageKind.VOICE, number, at, quantity)
        note(f"{row} {number} {moment_of(at)} {quantity} {price}")
        got = (Reason(rated.status[row]), int(rated.charge_nano[row]), int(rated.charged_quantity[row]))
        assert got == (price.status, price.charge_nano, price.charged_quantity)
        why = explain_call(book, 0, 0, packed_number(number), at, quantity)
        assert (why.status, why.charge_nano, why.total_nano) == (price.status, price.charge_nano, price.exact_nano)
        if price.status == Reason.OK:
            rule = book.rules[rated.rule_index[row]]
            assert (rule.window, rule.destination) == (price.window, price.destination) or rule.item != price.item
            assert why.text() and why.as_json()


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_list_order_never_matters(seed: int) -> None:
    tariff, calls = a_case(seed)
    turned = replace(
        tariff,
        versions=tuple(
            replace(version, rules=version.rules[::-1], windows=version.windows[::-1], destinations=version.destinations[::-1])
            for version in tariff.versions
        ),
    )
    try:
        books = [compile_book([one], span=YEAR) for one in (tariff, turned)]
    except ConfigurationError:
        return
    packed = np.array([packed_number(number) for number, _, _ in calls], dtype=np.uint64)
    columns = (np.array([at for _, at, _ in calls]), np.array([used for _, _, used in calls]))
    one, other = (rate_calls(book, np.zeros(len(calls)), np.zeros(len(calls)), packed, *columns) for book in books)
    assert one.charge_nano.tolist() == other.charge_nano.tolist()
    assert one.rule_index.tolist() == other.rule_index.tolist()


@settings(max_examples=40, deadline=None, print_blob=True)
@given(
    price=st.integers(1, 10**18),
    per=st.sampled_from((1, 7, 1000, 60_000, 2**20, 10**9)),
    increment=st.sampled_from((1, 10 * 1024, 60_000, 2**31, 2**40)),
    quantity=st.integers(1, 2**62),
    decimals=st.integers(0, 9),
    mode=st.sampled_from(("up", "down", "half_up", "half_even")),
)
def test_large_products_are_exact_or_refused(
    price: int, per: int, increment: int, quantity: int, decimals: int, mode: str
) -> None:
    rate = Rate("r", (Tier(0, price, per, increment),), 3)
    version = TariffVersion("1", YEAR[0], 2**63 - 1, Rounding("record", mode, decimals), rates=(rate,),
                            rules=(Rule(UsageKind.VOLUME, None, None, "r", 0, "i"),))  # fmt: skip
    tariff = Tariff("t", "t", "EUR", "Europe/Berlin", ServiceKind.TELECOM, (version,))
    book = compile_book([tariff], span=YEAR)
    rated = rate_calls(book, [0], [2], np.array([EMPTY_NUMBER], dtype=np.uint64), [YEAR[0] + 5], [quantity])
    count = -(-quantity // increment)
    numerator = 3 * per + count * price * increment
    grid = 10 ** (9 - decimals)
    steps, rest = divmod(numerator, per * grid)
    half = (2 * rest > per * grid) - (2 * rest < per * grid)
    steps += {"up": rest > 0, "down": 0, "half_up": half >= 0, "half_even": half > 0 or (half == 0 and steps % 2 == 1)}[mode]
    if steps * grid >= 2**63 or count * increment >= 2**63:
        assert Reason(rated.status[0]) == Reason.CHARGE_OVERFLOW and rated.charge_nano[0] == 0
    else:
        assert (int(rated.charge_nano[0]), int(rated.charged_quantity[0])) == (steps * grid, count * increment)
