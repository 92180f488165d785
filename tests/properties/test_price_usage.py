"""Trials: the columns read what Python reads, and few records (no kernel) cost what many cost (kernels)."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rating.price_usage
from rating.price_texts import amount_texts, rounded_ratios
from rating.price_usage import price_usage_lines
from rating.tariff_files import load_tariff
from rating.usage_columns import usage_columns
from schemas.errors import MeterlineError
from schemas.money import amount_text, round_ratio
from schemas.numbers import packed_number
from schemas.zones import instant_us

GOLDEN = Path(__file__).parents[1] / "golden" / "rating" / "tariffs"
NANO = st.integers(-(2**62), 2**62)


@given(st.lists(NANO, min_size=1, max_size=20), st.integers(0, 9))
def test_amount_texts(amounts: list[int], decimals: int) -> None:
    texts = pl.select(amount_texts(pl.lit(pl.Series(amounts)), decimals)).to_series()
    assert texts.to_list() == [amount_text(nano, decimals) if decimals else amount_text(nano, 0) for nano in amounts]


@given(st.integers(-(2**125), 2**125), st.integers(1, 2**62), st.sampled_from(["up", "down", "half_up", "half_even"]))
def test_rounded_ratios(numerator: int, denominator: int, mode: str) -> None:
    columns = pl.DataFrame({"n": [numerator], "d": [denominator]}, schema={"n": pl.Int128, "d": pl.Int128})
    assert columns.select(rounded_ratios(pl.col("n"), pl.col("d"), mode)).item() == round_ratio(numerator, denominator, mode)


SCALES = {"s": 1_000, "min": 60_000, "h": 3_600_000, "": 1}
WRITTEN = st.one_of(
    st.integers(0, 10**12).map(str),
    st.decimals(0, 10**6, places=3).map(str),
    st.sampled_from(["1e3", "007", "0.0000", "-1", "x", "", "1.5e0", "9223372036854775808", "0.00000000001"]),
)


@given(st.lists(st.tuples(WRITTEN, st.sampled_from(sorted(SCALES))), min_size=1, max_size=8))
def test_quantities_are_read_as_fractions(rows: list[tuple[str, str]]) -> None:
    expected: list[int] = []
    bad = set()
    for row, (text, unit) in enumerate(rows, start=1):
        try:
            exact = Fraction(text) * SCALES[unit]
        except ValueError:
            exact = Fraction(-1)
        if exact.denominator != 1 or not 0 <= exact < 2**63:
            bad.add(f"usage row {row}")
        expected.append(int(exact))
    usage = pl.DataFrame(
        {"kind": "voice", "start_at": "2026-10-05T10:00:00Z", "quantity": [r[0] for r in rows], "unit": [r[1] for r in rows]}
    )
    if not bad:
        assert usage_columns(usage).quantity.tolist() == expected
        return
    with pytest.raises(MeterlineError) as refused:
        usage_columns(usage)
    assert {fault.where for fault in refused.value.faults} == bad


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1))


@given(
    st.lists(
        st.tuples(MOMENTS, st.sampled_from(["Z", "+00:00", "-03:30", "+1400", "+02"]), st.booleans()), min_size=1, max_size=8
    )
)
def test_instants_are_read_as_iso(rows: list[tuple[datetime, str, bool]]) -> None:
    texts = [f"{moment.isoformat(' ' if spaced else 'T')}{offset}" for moment, offset, spaced in rows]
    usage = pl.DataFrame({"kind": "voice", "start_at": texts, "quantity": 1})
    assert usage_columns(usage).start_at.tolist() == [instant_us(datetime.fromisoformat(text)) for text in texts]


def test_numbers_are_packed() -> None:
    digits = ["", "4", "+49", "007", "123456789012345"]
    usage = pl.DataFrame({"kind": "voice", "start_at": "2026-10-05T10:00:00Z", "quantity": 1, "called_number": digits})
    assert usage_columns(usage).called_number.tolist() == [packed_number(one.removeprefix("+")) for one in digits]


CALL = st.tuples(
    st.sampled_from(["voice", "message", "volume", "energy"]),
    st.sampled_from(["4930123", "49900123", "4179", "7", "", "31", "316123456789012"]),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    st.one_of(st.integers(0, 10**7), st.integers(0, 2**60)),
)


@pytest.mark.parametrize("name", ["mobile_basic", "mobile_plus", "power_blocks", "power_tou", "wholesale"])
@settings(max_examples=15)
@given(calls=st.lists(CALL, min_size=1, max_size=12))
def test_few_cost_what_many_cost(name: str, calls: list[tuple[str, str, datetime, int]]) -> None:
    starts = [call[2].replace(tzinfo=UTC) for call in calls]
    usage = pl.DataFrame(
        {
            "kind": [call[0] for call in calls],
            "called_number": [call[1] for call in calls],
            "start_at": pl.Series(starts, dtype=pl.Datetime("us", "UTC")),
            "quantity": [min(call[3], 10**9) if call[0] == "voice" else call[3] for call in calls],  # two weeks of windows
        }
    )
    tariff = load_tariff(GOLDEN / f"{name}.yaml")
    few = price_usage_lines(tariff, usage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rating.price_usage, "EXACT_ROWS_MAX", 0)
        many = price_usage_lines(tariff, usage)
    assert few.records.equals(many.records)
    assert few.lines.sort("row", "item_index").equals(many.lines.sort("row", "item_index"))
    assert few.totals.equals(many.totals)
