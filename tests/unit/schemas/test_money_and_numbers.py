"""Money in nano-units, rounding by magnitude, telephone numbers as nibbles, exact conversion of units."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ConfigurationError
from schemas.money import NANO, amount_text, minor_digits, minor_unit_nano, nano_of, nano_text, round_ratio
from schemas.numbers import EMPTY_NUMBER, number_text, packed_number
from schemas.quantities import METER_UNITS, UsageKind, exact_int
from schemas.reasons import Disposition, Reason, Stage

MODES = {"up": ROUND_UP, "down": ROUND_DOWN, "half_up": ROUND_HALF_UP, "half_even": ROUND_HALF_EVEN}


@given(st.integers(-(10**24), 10**24), st.sampled_from([1, 2, 4, 5, 8, 10, 16, 10**9]), st.sampled_from(sorted(MODES)))
def test_rounding_is_that_of_decimal(numerator: int, denominator: int, mode: str) -> None:
    with localcontext(prec=60):
        exact = Decimal(numerator) / Decimal(denominator)  # each divisor ends: the quotient is exact
        expected = int(exact.quantize(Decimal(1), rounding=MODES[mode]))
    assert round_ratio(numerator, denominator, mode) == expected
    assert round_ratio(-numerator, -denominator, mode) == expected


@pytest.mark.parametrize(
    ("numerator", "denominator", "up", "down", "half_up", "half_even"),
    [
        (5,  2,  3,  2,  3,  2),
        (7,  2,  4,  3,  4,  4),
        (-5, 2, -3, -2, -3, -2),
        (1,  3,  1,  0,  0,  0),
        (-2, 3, -1,  0, -1, -1),
        (6,  3,  2,  2,  2,  2),
        (0,  7,  0,  0,  0,  0),
    ],
)  # fmt: skip
def test_rounding_modes(numerator: int, denominator: int, up: int, down: int, half_up: int, half_even: int) -> None:
    found = [round_ratio(numerator, denominator, mode) for mode in ("up", "down", "half_up", "half_even")]
    assert found == [up, down, half_up, half_even]


def test_an_unknown_mode_is_a_programmers_error() -> None:
    with pytest.raises(ValueError, match="unknown rounding mode 'nearest'"):
        round_ratio(1, 2, "nearest")


@given(st.integers(-(10**30), 10**30))
def test_amounts_are_read_back_as_they_were_written(nano: int) -> None:
    assert nano_of(nano_text(nano), "here") == nano
    assert nano_of(amount_text(nano), "here") == nano
    assert len(amount_text(nano).partition(".")[2]) >= 2


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("0.0000000001", "here: too many decimals, was '0.0000000001', must be at most nine decimals"),
        ("nine",         "here: not an amount, was 'nine', must be a decimal such as 0.0900"),
        ("",             "here: not an amount, was '', must be a decimal such as 0.0900"),
        ("NaN",          "here: not an amount, was 'NaN', must be a decimal such as 0.0900"),
        ("Infinity",     "here: not an amount, was 'Infinity', must be a decimal such as 0.0900"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_amount_is_refused_never_rounded(text: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        nano_of(text, "here")
    assert str(refused.value) == fault


def test_minor_units() -> None:
    found = [(name, minor_digits(name), minor_unit_nano(name)) for name in ("EUR", "JPY", "KWD")]
    assert found == [("EUR", 2, NANO // 100), ("JPY", 0, NANO), ("KWD", 3, NANO // 1000)]
    with pytest.raises(AssertionError, match="would lose digits"):
        nano_text(1_234_567_890, 2)
    assert [nano_text(1_230_000_000, 2), nano_text(-5 * NANO, 0)] == ["1.23", "-5"]


@given(st.text("0123456789", max_size=15))
def test_numbers_are_read_back_with_their_leading_zeros(digits: str) -> None:
    packed = packed_number(digits)
    assert number_text(packed) == digits
    assert 0 < packed <= EMPTY_NUMBER and (packed == EMPTY_NUMBER) == (digits == "")


@given(st.text("0123456789", min_size=1, max_size=15), st.text("0123456789", min_size=1, max_size=15))
def test_packing_keeps_prefixes_in_front(one: str, other: str) -> None:
    assert (packed_number(one) >> 60 == packed_number(other) >> 60) == (one[0] == other[0])


@pytest.mark.parametrize("digits", ["1" * 16, "12a", "+49", " 1", "１２"])
def test_what_is_no_number_is_refused(digits: str) -> None:
    with pytest.raises(ValueError, match="not a number of at most 15 digits"):
        packed_number(digits)


def test_units_are_exact_or_refused() -> None:
    assert METER_UNITS["kwh"] == (UsageKind.ENERGY, 1_000_000) and METER_UNITS["mwh"][1] == 1_000_000_000
    assert exact_int(Fraction("1.5") * 2) == 3 and exact_int(Fraction("1.5")) is None
    assert [kind.unit for kind in UsageKind] == ["ms", "count", "bytes", "milliwh", "millivarh", "ml"]


def test_every_reason_has_one_place_and_one_stage() -> None:
    assert Reason.OK.disposition == Disposition.BILLED and Reason.PERIOD_CLOSED.disposition == Disposition.PENDING
    filtered = {reason for reason in Reason if reason.disposition == Disposition.FILTERED}
    assert filtered == {Reason.UNANSWERED, Reason.ZERO_USAGE, Reason.UNBILLED_CHANNEL}
    assert {reason.stage for reason in Reason if reason >= 50} == {Stage.FIRST_PASS}
    assert {reason.stage for reason in Reason if reason < 50} == {Stage.PREPROCESS}
