"""Kernel == twin on random tariffs and calls: clock changes, ties of windows, caps, tiers, versions, every rounding mode, splits."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from rating.compiler import compile_book
from rating.explain import explain_call
from rating.first_pass import rate_calls
from rating.tariff import DAY_US, Cap, Destination, PricedAt, Rate, Rounding, Rule, ServiceKind, Tariff, TariffVersion, Tier, Window
from schemas.errors import ConfigurationError
from schemas.numbers import EMPTY_NUMBER, packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
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


@st.composite
def rates(draw: st.DrawFn, name: str) -> Rate:
    """One to three tiers; prices with exact and with periodic increments, negative at times."""
    is_credit = draw(st.integers(0, 9)) == 0
    low, high = (-300, -1) if is_credit else (0, 300)
    starts = [0, *sorted(draw(st.sets(st.integers(1, 400), max_size=2)))]
    tiers = tuple(
        Tier(
            start * draw(st.sampled_from((997, 1000))) if start else 0,
            draw(st.integers(low, high)) * 1_000_000 + draw(st.integers(0, 3)),
            draw(st.sampled_from((60_000, 7_000, 1_000))),
            draw(st.sampled_from((1_000, 6_000, 7_000, 30_000, 60_000, 180_000))),
        )
        for start in starts
    )
    if any(after.from_usage <= before.from_usage for before, after in zip(tiers, tiers[1:], strict=False)):
        tiers = tiers[:1]
    fee = draw(st.sampled_from((0, 50_000_000, 150_000_001)))
    if is_credit:
        return Rate(name, tiers, fee)
    cap = draw(st.sampled_from((None, Cap(900_000_000, "free"), Cap(300_000_000, "free"), Cap(5, "free"), Cap(9, "disconnect"))))
    minimum = 0 if cap else draw(st.sampled_from((0, 400_000_000)))
    return Rate(name, tiers, fee, minimum, cap)


@st.composite
def windows(draw: st.DrawFn, name: str) -> Window:
    start = draw(st.sampled_from((0, 1, 1.5, 2, 2.5, 3, 8, 20, 22))) * HOUR_US
    end = draw(st.sampled_from((0, 1.75, 2, 2.25, 3, 6, 20, 22.5, 24))) * HOUR_US
    weekdays = draw(st.none() | st.frozensets(st.integers(1, 7), min_size=1))
    days = draw(st.sampled_from((None, None, frozenset({date(2026, 10, 25), date(2026, 3, 29), date(2026, 4, 5), date(2026, 6, 5)}))))
    return Window(name, weekdays=weekdays, dates=days, start_us=int(start), end_us=int(end))


@st.composite
def versions(draw: st.DrawFn, label: str, from_at: int, to_at: int) -> TariffVersion:
    names = ("a", "b", "c")
    own_windows = tuple(draw(windows(name)) for name in names)
    own_rates = tuple(draw(rates(f"r{number}")) for number in range(3))
    lists = draw(st.lists(st.sets(st.sampled_from(PREFIXES[1:]), min_size=1, max_size=4), min_size=2, max_size=3))
    to = tuple(Destination(f"d{number}", tuple(sorted(prefixes))) for number, prefixes in enumerate(lists))
    rules = [
        Rule(
            UsageKind.VOICE,
            draw(st.sampled_from((None, *(one.name for one in to)))),
            draw(st.sampled_from((None, *names))),
            draw(st.sampled_from(own_rates)).name,
            draw(st.integers(0, 40)),
            f"item {number}",
        )
        for number in range(draw(st.integers(1, 6)))
    ]
    rounding = Rounding(
        draw(st.sampled_from(("record", "record", "line"))),
        draw(st.sampled_from(("up", "down", "half_up", "half_even"))),
        draw(st.sampled_from((0, 2, 4, 9))),
    )
    priced_at = draw(st.sampled_from((PricedAt.INCREMENT_START, PricedAt.INCREMENT_START, PricedAt.USAGE_START)))
    return TariffVersion(label, from_at, to_at, rounding, priced_at, own_windows, to, own_rates, tuple(rules))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Tariff, list[tuple[str, int, int]]]:
    """A tariff of one or two versions that meet in a night of a clock change, and calls around it."""
    zone = draw(st.sampled_from(sorted(NIGHTS)))
    night = draw(st.sampled_from(NIGHTS[zone]))
    base = local(night, zone)
    change = base + draw(st.integers(0, 10)) * HOUR_US + draw(st.sampled_from((0, 1, 500)))
    first = draw(versions("1", base - 400 * DAY_US, change))
    gap = draw(st.sampled_from((0, 0, 1_800_000_000)))
    second = draw(versions("2", change + gap, 2**63 - 1))
    tariff = Tariff("t", "t", "EUR", zone, ServiceKind.TELECOM, (first, second))
    calls = draw(
        st.lists(
            st.tuples(
                st.sampled_from(NUMBERS),
                st.integers(0, 14 * 3600).map(lambda s: base + s * 1_000_000),
                st.sampled_from((0, 1, 999, 1000, 59_999, 60_000, 61_000)) | st.integers(1, 4 * 3_600_000),
            ),
            min_size=8,
            max_size=8,
        )
    )
    return tariff, [(number, at + draw(st.sampled_from((0, 0, 1, 999_999))), used) for number, at, used in calls]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(cases())
def test_kernel_is_twin(case: tuple[Tariff, list[tuple[str, int, int]]]) -> None:
    tariff, calls = case
    try:
        book = compile_book([tariff], span=YEAR)
    except ConfigurationError:  # level rules; their own test is in tests/unit/rating/test_winners.py
        return
    packed = np.array([packed_number(number) for number, _, _ in calls], dtype=np.uint64)
    starts, used = (np.array(column, dtype=np.int64) for column in zip(*((at, q) for _, at, q in calls), strict=True))
    tariffs, kinds = np.zeros(len(calls), dtype=np.int32), np.zeros(len(calls), dtype=np.uint8)
    rated = rate_calls(book, tariffs, kinds, packed, starts, used)
    parts = [rate_calls(book, tariffs[at : at + 3], kinds[at : at + 3], packed[at : at + 3], starts[at : at + 3], used[at : at + 3])
             for at in range(0, len(calls), 3)]  # fmt: skip
    assert np.concatenate([part.charge_nano for part in parts]).tolist() == rated.charge_nano.tolist(), "split batch == whole batch"
    twin = RatingTwin(tariff)
    for row, (number, at, quantity) in enumerate(calls):
        price = twin.price(UsageKind.VOICE, number, at, quantity)
        note(f"{row} {number} {datetime.fromtimestamp(at / 1e6)} {quantity} {price}")
        got = (Reason(rated.status[row]), int(rated.charge_nano[row]), int(rated.charged_quantity[row]))
        assert got == (price.status, price.charge_nano, price.charged_quantity)
        why = explain_call(book, 0, 0, packed_number(number), at, quantity)
        assert (why.status, why.charge_nano, why.total_nano) == (price.status, price.charge_nano, price.exact_nano)
        if price.status == Reason.OK:
            rule = book.rules[rated.rule_index[row]]
            assert (rule.window, rule.destination) == (price.window, price.destination) or rule.item != price.item
            assert why.text() and why.as_json()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)
@given(cases())
def test_list_order_never_matters(case: tuple[Tariff, list[tuple[str, int, int]]]) -> None:
    tariff, calls = case
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
    one, other = (
        rate_calls(book, np.zeros(len(calls)), np.zeros(len(calls)), packed, *columns) for book in books
    )
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
def test_large_products_are_exact_or_refused(price: int, per: int, increment: int, quantity: int, decimals: int, mode: str) -> None:
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
