"""The worked examples of the rating reference (§11) in which no balance takes part: kernel, twin and explanation agree."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import numpy as np
import pytest

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.language.call_terms import Rate, Rule
from rating.language.shared_terms import PricedAt, Tier, Window
from rating.language.tariff import Tariff
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.reference.rating_twin import RatingTwin
from tests.unit.rating.worked_tariffs import book_of, local, minute, nano, tariff, tiered, voice, window

TUE, FRI, SAT = "2026-10-06", "2026-10-09", "2026-10-10"
PEAK, OFF = window("peak", 8, 20), window("off", 20, 8)


def peak_and_off(peak: Rate, off: Rate, **more: object) -> Tariff:
    return tariff(voice(peak, window="peak"), voice(off, window="off"), windows=(PEAK, OFF), **more)  # type: ignore[arg-type]


def plain(rate: Rate, **more: object) -> Tariff:
    return tariff(voice(rate), **more)  # type: ignore[arg-type]


E04 = (minute("0.12"), minute("0.05"))
E05 = (minute("0.12", 60, 60), minute("0.05", 60, 60))
E06 = peak_and_off(tiered((0, "0.30", 60), (60, "0.12", 1), fee="0.05"), tiered((0, "0.20", 60), (60, "0.06", 1), fee="0.05"))
E08 = tariff(
    voice(minute("0.02"), window="friday night", weight=10),
    voice(minute("0.10")),
    windows=(window("friday night", 22, 6, weekdays=[5]),),
)
E09 = tariff(
    voice(minute("0.02"), window="night"), voice(minute("0.08"), window="day"), windows=(window("night", 0, 3), window("day", 3))
)
E10 = tariff(
    voice(minute("0.02"), window="night"),
    voice(minute("0.08"), window="day"),
    windows=(window("night", 0, 2.5), window("day", 2.5)),
)
_E11A = [voice(minute("0.06"), window="day", weight=10), voice(minute("0.01"), window="happy hour", weight=30)]
E11A_WINDOWS = (window("day"), window("happy hour", 18, 19))
E11B = tariff(
    voice(minute("0.03"), window="holiday", weight=20),
    voice(minute("0.05"), window="weekend"),
    voice(minute("0.90"), window="week"),
    windows=(
        Window("holiday", dates=frozenset({date(2026, 5, 1)})),
        window("weekend", weekdays=[6, 7]),
        window("week", weekdays=[1, 2, 3, 4, 5]),
    ),
)
E12 = tariff(
    voice(minute("0.02", 60, 60), "44"),
    voice(minute("0.15", 60, 60), "447"),
    voice(minute("0.05", 60, 60), "44770", "weekend"),
    windows=(window("weekend", weekdays=[6, 7]),),
)
E14 = plain(minute("0.25", 60, 60, fee="0.20", cap="1.50"))
E14_DISCONNECT = plain(minute("0.25", 60, 60, fee="0.20", cap="1.50", how="disconnect"))

# case, tariff, number, local start, seconds, charge
VOICE = [
    ("E01 60/60 41 s", plain(minute("0.09", 60, 60)), "49", f"{TUE}T10:00", 41, "0.0900"),
    ("E01 60/1  41 s", plain(minute("0.09", 60, 1)), "49", f"{TUE}T10:00", 41, "0.0900"),
    ("E01 30/6  41 s", plain(minute("0.09", 30, 6)), "49", f"{TUE}T10:00", 41, "0.0630"),
    ("E01 1/1   41 s", plain(minute("0.09", 1, 1)), "49", f"{TUE}T10:00", 41, "0.0615"),
    ("E01 60/60 73 s", plain(minute("0.09", 60, 60)), "49", f"{TUE}T10:00", 73, "0.1800"),
    ("E01 60/1  73 s", plain(minute("0.09", 60, 1)), "49", f"{TUE}T10:00", 73, "0.1095"),
    ("E01 30/6  73 s", plain(minute("0.09", 30, 6)), "49", f"{TUE}T10:00", 73, "0.1170"),
    ("E01 1/1   73 s", plain(minute("0.09", 1, 1)), "49", f"{TUE}T10:00", 73, "0.1095"),
    ("E02 up 4", plain(minute("0.07")), "49", f"{TUE}T10:00", 433, "0.5052"),
    ("E02 half_up 4", plain(minute("0.07"), mode="half_up"), "49", f"{TUE}T10:00", 433, "0.5052"),
    ("E02 down 4", plain(minute("0.07"), mode="down"), "49", f"{TUE}T10:00", 433, "0.5051"),
    ("E02 up 2", plain(minute("0.07"), decimals=2), "49", f"{TUE}T10:00", 433, "0.51"),
    ("E02 half_up 2", plain(minute("0.07"), mode="half_up", decimals=2), "49", f"{TUE}T10:00", 433, "0.51"),
    ("E02 down 2", plain(minute("0.07"), mode="down", decimals=2), "49", f"{TUE}T10:00", 433, "0.50"),
    ("E02 0.125 half_up", plain(minute("0.125", 60, 60), mode="half_up", decimals=2), "49", f"{TUE}T10:00", 60, "0.13"),
    ("E02 0.125 half_even", plain(minute("0.125", 60, 60), mode="half_even", decimals=2), "49", f"{TUE}T10:00", 60, "0.12"),
    ("E02 line scope", plain(minute("0.07"), scope="line", decimals=2), "49", f"{TUE}T10:00", 433, "0.505166667"),
    ("E03 tiers", plain(tiered((0, "0.10", 1), (180, "0.04", 1), fee="0.15")), "49", f"{TUE}T10:00", 330, "0.55"),
    ("E04 window border", peak_and_off(*E04), "49", f"{TUE}T19:57:20", 330, "0.4617"),
    ("E05 straddling step", peak_and_off(*E05), "49", f"{TUE}T19:58:30", 240, "0.34"),
    ("E05 usage_start", peak_and_off(*E05, priced_at=PricedAt.USAGE_START), "49", f"{TUE}T19:58:30", 240, "0.48"),
    ("E06 no new first minute", E06, "49", f"{TUE}T19:59:30", 75, "0.365"),
    ("E07 midnight", plain(minute("0.30", fee="0.50")), "49", f"{TUE}T23:55", 600, "3.50"),
    ("E08 Sat 05:55", E08, "49", f"{SAT}T05:55", 600, "0.60"),
    ("E08 Fri 05:55", E08, "49", f"{FRI}T05:55", 600, "1.00"),
    ("E08 Fri 21:55", E08, "49", f"{FRI}T21:55", 600, "0.60"),
    ("E09 spring night", E09, "49", "2026-03-29T01:55", 600, "0.50"),
    ("E10 first 02:50", E10, "49", "2026-10-25T02:50", 1800, "1.20"),
    ("E10 second 02:50", E10, "49", "2026-10-25T02:50+fold", 1800, "2.40"),
    ("E11a listed one way", tariff(*_E11A, windows=E11A_WINDOWS), "49", f"{TUE}T17:50", 5400, "2.40"),
    ("E11a and the other", tariff(*_E11A[::-1], windows=E11A_WINDOWS), "49", f"{TUE}T17:50", 5400, "2.40"),
    ("E11b holiday", E11B, "49", "2026-05-01T23:50", 1200, "0.80"),
    ("E12 Tue", E12, "447700900123", f"{TUE}T10:00", 180, "0.45"),
    ("E12 Sat", E12, "447700900123", f"{SAT}T10:00", 180, "0.15"),
    ("E12 into Saturday", E12, "447700900123", f"{FRI}T23:58:30", 180, "0.35"),
    ("E12 landline", E12, "442079460123", f"{TUE}T10:00", 180, "0.06"),
    ("E14 4 min", E14, "49", f"{TUE}T10:00", 240, "1.20"),
    ("E14 5 min", E14, "49", f"{TUE}T10:00", 300, "1.45"),
    ("E14 6 min", E14, "49", f"{TUE}T10:00", 360, "1.50"),
    ("E14 60 min", E14, "49", f"{TUE}T10:00", 3600, "1.50"),
    ("E14 disconnect, happened", E14_DISCONNECT, "49", f"{TUE}T10:00", 360, "1.70"),
    ("E16 1 ms", plain(minute("0.09", 60, 60, fee="0.05")), "49", f"{TUE}T10:00", 0.001, "0.14"),
    ("E16 minimum", plain(minute("0.09", minimum="0.10")), "49", f"{TUE}T10:00", 41, "0.10"),
    ("E17 without allowance", plain(tiered((0, "0.30", 60), (60, "0.18", 1), fee="0.10")), "49", f"{TUE}T10:00", 150, "0.67"),
    ("E24 retail", plain(minute("0.09", 60, 1)), "49", f"{TUE}T10:00", 95, "0.1425"),
    ("E24 supplier", plain(minute("0.021")), "49", f"{TUE}T10:00", 95, "0.0333"),
]


@pytest.mark.parametrize(("case", "of", "number", "start", "seconds", "charge"), VOICE, ids=[row[0] for row in VOICE])
def test_a_call_costs(case: str, of: Tariff, number: str, start: str, seconds: float, charge: str) -> None:
    at = local(start.removesuffix("+fold"), fold=int(start.endswith("+fold")))
    quantity = round(seconds * 1000)
    book = book_of(of)
    rated = rate_calls(book, [0], [0], np.array([packed_number(number)], dtype=np.uint64), [at], [quantity])
    twin = RatingTwin(of).price(UsageKind.VOICE, number, at, quantity)
    why = explain_call(book, 0, 0, packed_number(number), at, quantity)
    assert (int(rated.charge_nano[0]), Reason(rated.status[0])) == (nano(charge), Reason.OK)
    assert (twin.charge_nano, twin.charged_quantity) == (nano(charge), int(rated.charged_quantity[0]))
    assert (why.charge_nano, why.charged_quantity, why.total_nano) == (nano(charge), twin.charged_quantity, twin.exact_nano)
    assert why.segments[-1].total_nano <= why.total_nano


def volume(price: str, per: int, increment: int, decimals: int, quantity: int) -> tuple[int, int]:
    rate = Rate("r", (Tier(0, nano(price), per, increment),))
    of = tariff((Rule(UsageKind.VOLUME, None, None, "r", 0, "Internet"), rate, ""), decimals=decimals)
    nobody = np.array([packed_number("")], dtype=np.uint64)
    rated = rate_calls(book_of(of), [0], [2], nobody, [local(f"{TUE}T10:00")], [quantity])
    return int(rated.charge_nano[0]), int(rated.charged_quantity[0])


def test_e15_volumes_are_one_multiplication() -> None:
    assert volume("2.00", 10**9, 1, 4, 3_500_000_000) == (nano("7.00"), 3_500_000_000)
    assert volume("0.10", 2**20, 10 * 1024, 5, 7_340_033) == (nano("0.70020"), 717 * 10 * 1024)


WEEKENDS = tariff(voice(minute("1"), "44", "weekend"), windows=(window("weekend", weekdays=[6, 7]),))
DAYS = tariff(voice(minute("1"), window="day"), windows=(window("day", 0, 20),))
REFUSED = [
    ("E12 no such destination", E12, "33123456789", f"{TUE}T10:00", 180, Reason.NO_RATE_FOR_DESTINATION),
    ("weekends only", WEEKENDS, "44", f"{TUE}T10:00", 60, Reason.NO_RATE_AT_INSTANT),
    ("hole in the middle", DAYS, "44", f"{TUE}T19:59", 120, Reason.NO_RATE_AT_INSTANT),
    ("E16 zero usage", plain(minute("0.09", fee="0.05")), "49", f"{TUE}T10:00", 0, Reason.ZERO_USAGE),
    ("outside the book", plain(minute("0.09")), "49", "2031-01-01T10:00", 60, Reason.NO_RATE_AT_INSTANT),
]


@pytest.mark.parametrize(("case", "of", "number", "start", "seconds", "reason"), REFUSED, ids=[row[0] for row in REFUSED])
def test_what_is_not_priced_says_why(case: str, of: Tariff, number: str, start: str, seconds: int, reason: Reason) -> None:
    packed = np.array([packed_number(number)], dtype=np.uint64)
    rated = rate_calls(book_of(of), [0], [0], packed, [local(start)], [seconds * 1000])
    assert (Reason(rated.status[0]), int(rated.charge_nano[0]), int(rated.rule_index[0])) == (reason, 0, -1)
    why = explain_call(book_of(of), 0, 0, packed_number(number), local(start), seconds * 1000)
    assert why.status == reason and (reason == Reason.ZERO_USAGE or "not priced" in why.text())


def test_a_record_without_tariff_is_refused_by_name_of_the_reason() -> None:
    packed = np.array([packed_number("49")], dtype=np.uint64)
    rated = rate_calls(book_of(E14), [-1], [0], packed, [local(f"{TUE}T10:00")], [1000])
    assert Reason(rated.status[0]) == Reason.NO_TARIFF_FOR_SUBJECT


def test_e07_one_segment_over_midnight() -> None:
    why = explain_call(book_of(plain(minute("0.30", fee="0.50"))), 0, 0, packed_number("49"), local(f"{TUE}T23:55"), 600_000)
    assert [(segment.elapsed, segment.count) for segment in why.segments] == [(0, 600)]
    assert why.total_nano == Fraction(nano("3.50"))


def test_a_lower_cap_that_comes_into_force_never_lowers_what_was_charged() -> None:
    """Three minutes at 0.50 reach 1.50; then a rule whose cap is 0.60 holds the total where it is."""
    of = peak_and_off(minute("0.50", 60, 60), minute("0.40", 60, 60, cap="0.60"))
    start = local(f"{TUE}T19:57")
    packed = np.array([packed_number("49")], dtype=np.uint64)
    rated = rate_calls(book_of(of), [0], [0], packed, [start], [600_000])
    assert int(rated.charge_nano[0]) == nano("1.50") == RatingTwin(of).price(UsageKind.VOICE, "49", start, 600_000).charge_nano
    reached = rate_calls(book_of(of), [0], [0], packed, [local(f"{TUE}T19:59")], [600_000])
    assert int(reached.charge_nano[0]) == nano("0.60"), "0.50 before the border, held at the cap after it"


@pytest.mark.parametrize("used", [3, 5])
@pytest.mark.parametrize(("start_us", "before"), [(0, 2), (1, 2), (999, 2), (1000, 1), (1001, 1)])
def test_a_border_between_two_milliseconds_of_a_call(start_us: int, before: int, used: int) -> None:
    """Steps of 1 ms from 19:59:59.998 and some microseconds on: those that start before 20:00 are at the peak price."""
    milli = Rate("peak", (Tier(0, 1000, 1, 1),)), Rate("off", (Tier(0, 1, 1, 1),))
    start, number = local(f"{TUE}T19:59:59") + 998_000 + start_us, packed_number("49")
    book = book_of(peak_and_off(*milli, mode="none", decimals=9))
    rated = rate_calls(book, [0], [0], np.array([number], dtype=np.uint64), [start], [used])
    assert int(rated.charge_nano[0]) == 1000 * before + (used - before)
    assert [part.count for part in explain_call(book, 0, 0, number, start, used).segments] == [before, used - before]
