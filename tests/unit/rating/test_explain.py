"""Explanations: the words (golden), the same amounts as the first pass, more segments than expected, big integers."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.rule_arrays import weights_of
from rating.tariff_files import load_tariffs
from schemas.numbers import EMPTY_NUMBER, packed_number
from schemas.reasons import Reason
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, tariff, voice, window

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
CALLS = {
    "window_border": ("mobile_plus", 0, "4930123456", "2026-10-05T19:58:30", 250_000),
    "night_of_the_clock_change": ("mobile_plus", 0, "4930123456", "2026-10-25T02:30:00", 3_600_000),
    "held_by_the_cap": ("mobile_plus", 0, "49900123", "2026-10-05T12:00:00", 3_600_000),
    "raised_to_the_minimum_is_not_needed": ("mobile_plus", 0, "49900123", "2026-10-05T12:00:00", 1_000),
    "volume": ("mobile_plus", 2, "", "2026-10-05T12:00:00", 7_340_033),
    "no_such_destination": ("mobile_basic", 0, "8612345", "2026-10-05T12:00:00", 60_000),
}


@pytest.fixture(scope="module")
def book() -> TariffBook:
    return compile_book(load_tariffs(GOLDEN / "tariffs"), span=YEAR)


@pytest.mark.parametrize("case", CALLS)
def test_the_words(book: TariffBook, case: str) -> None:
    tariff_id, kind, number, start, quantity = CALLS[case]
    why = explain_call(book, book.tariff_index(tariff_id), kind, packed_number(number), local(start), quantity)
    assert why.text() + "\n" == (GOLDEN / "explained" / f"{case}.txt").read_text()
    assert json.dumps(why.as_json(), indent=1) + "\n" == (GOLDEN / "explained" / f"{case}.json").read_text()


def test_the_minimum_is_a_step_of_its_own() -> None:
    why = explain_call(
        book_of(tariff(voice(minute("0.09", minimum="0.10")))), 0, 0, packed_number("49"), local("2026-10-06T10:00"), 41_000
    )
    assert "raised to the minimum of 0.10" in why.text()


def test_segments_add_up_and_are_written_however_many_there_are() -> None:
    windows = tuple(window(f"w{hour}", hour, hour + 1) for hour in range(24))
    of = tariff(
        *(voice(minute(f"0.{hour + 10}"), window=f"w{hour}") for hour in range(24)), windows=windows, mode="none", decimals=9
    )
    start, quantity = local("2026-10-01T00:30"), 10 * 86_400_000
    why = explain_call(book_of(of), 0, 0, packed_number("49"), start, quantity)
    assert len(why.segments) == 241
    costs = [weights_of(why.book.rules[part.rule_index].rate)[part.tier] * part.count for part in why.segments]
    assert sum(costs, Fraction(0)) == why.total_nano == why.segments[-1].total_nano
    rated = rate_calls(why.book, [0], [0], np.array([packed_number("49")], dtype=np.uint64), [start], [quantity])
    assert int(rated.charge_nano[0]) == why.charge_nano


def test_the_big_integer_path_explains_itself_too() -> None:
    rate = minute("0.60")
    rate = replace(rate, tiers=(replace(rate.tiers[0], per=2**40 - 87, price_nano=10**18),))
    book = book_of(tariff(voice(rate), mode="half_up", decimals=9))
    why = explain_call(book, 0, 0, packed_number("49"), local("2026-10-06T10:00"), 5_000)
    assert (why.status, why.total_nano) == (Reason.OK, Fraction(5 * 10**21, 2**40 - 87))
    assert "about" in why.text()


def test_without_tariff_or_usage(book: TariffBook) -> None:
    at = local("2026-10-06T10:00")
    assert explain_call(book, -1, 0, EMPTY_NUMBER, at, 60_000).text() == "voice of 60 s: not priced, no_tariff_for_subject"
    assert explain_call(book, 0, 0, EMPTY_NUMBER, at, 0).as_json()["status"] == "zero_usage"
