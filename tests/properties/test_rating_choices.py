"""Choices by shape == the full table of winners, and the same tariffs ambiguous; division by reciprocals == division."""

from __future__ import annotations

from datetime import datetime
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.compiled.choice_search import choose
from rating.compiled.choices import Choices, dense_choices, rule_numbers
from rating.compiled.prefix_table import compile_prefixes
from rating.compiled.quotients import quotient
from rating.compiled.reciprocals import DIVISOR_MAX, reciprocal
from rating.compiled.timeline import NO_VERSION, Pattern, compile_timeline
from rating.compiled.winners import CALL_KIND_COUNT, call_candidates, price_numbers, resolve, rule_rows
from schemas.kernels import kernel
from schemas.quantities import UsageKind
from schemas.zones import first_instant_of_wall_clock
from tests.properties.random_tariffs import SEASONS, TariffMaker

PLACE, FIRST_RULE = 7, 100  # where the words and rules of a tariff might stand in a book


@kernel()
def quotients(numbers, multiplier, shift, out):  # type: ignore[no-untyped-def]
    for i in range(len(numbers)):
        out[i] = quotient(numbers[i], multiplier, shift)


def table_of(choices: Choices, columns: int) -> np.ndarray:
    """The full table that words of choices stand for, read as the kernels do."""
    cells, words = choices.words(PLACE, FIRST_RULE)
    words = np.concatenate([np.full(PLACE, -9, dtype=np.int32), words])
    offsets = words[words[cells][:, None] + np.arange(columns)]
    return words[cells[:, None] + offsets]


@pytest.mark.parametrize("seed", range(40))
def test_choices_are_the_full_table(seed: int) -> None:
    maker = TariffMaker(Random(f"choices {seed}"), "t", seed % 2)
    tariff = maker.tariff
    start, end = (first_instant_of_wall_clock(datetime(day.year, day.month, day.day), "UTC") for day in SEASONS[seed % 2][0])
    patterns = (*compile_timeline(tariff, start, end).patterns, Pattern(NO_VERSION, ()))
    table = compile_prefixes(prefix for version in tariff.versions for to in version.destinations for prefix in to.prefixes)
    rows = rule_rows(tariff)
    prices, rules = price_numbers(rows), rule_numbers(rows)
    for kind in list(UsageKind)[:CALL_KIND_COUNT]:
        found = {
            index: call_candidates(version, index, kind, rows, table.node_of) for index, version in enumerate(tariff.versions)
        }
        winners, all_level = resolve(found, patterns, table, prices)
        choices, level = choose(found, patterns, table, prices, rules)
        in_book = np.where(winners >= 0, winners + FIRST_RULE, winners)
        assert np.array_equal(table_of(choices, len(patterns)), in_book)
        assert np.array_equal(table_of(dense_choices(winners), len(patterns)), in_book)
        pairs = {(rules[one.rows[0]], rules[one.rows[1]]) for one in all_level}
        assert {(rules[one.rows[0]], rules[one.rows[1]]) for one in level} == pairs
        assert [one.pattern for one in level] == sorted(one.pattern for one in level)


@settings(max_examples=300)
@given(
    st.one_of(st.integers(1, 5_000), st.integers(0, 62).map(lambda n: 2**n), st.integers(1, DIVISOR_MAX)),
    st.lists(st.integers(0, 2**63 - 1), max_size=20),
)
def test_a_reciprocal_divides_exactly(divisor: int, numbers: list[int]) -> None:
    last = (2**63 - 1) // divisor * divisor  # the largest multiple, beside which a wrong quotient shows first
    numbers += [0, divisor - 1, divisor, last - 1, last, 2**63 - 1]
    out = np.empty(len(numbers), dtype=np.int64)
    quotients(np.array(numbers, dtype=np.int64), *reciprocal(divisor), out)
    assert out.tolist() == [number // divisor for number in numbers]
