"""The compiled book: prefixes against a plain search, ambiguity, determinism, statuses of bad batches, terms."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from rating.calls.first_pass import BLOCK, RatedCalls, rate_calls
from rating.compiled.compiler import compile_book
from rating.compiled.prefix_table import compile_prefixes
from rating.compiled.prefixes import match_block, node_of_number
from rating.tariff_files import load_tariffs
from rating.terms import commercial_terms
from schemas.errors import ConfigurationError, MeterlineError
from schemas.kernels import kernel
from schemas.numbers import EMPTY_NUMBER, packed_number
from schemas.quantities import INT64_MAX
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, tariff, voice, window

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "tariffs"


@kernel()
def match_all(numbers, top, sub, node, waiting):  # type: ignore[no-untyped-def]
    match_block(numbers, 0, len(numbers), top, sub, node, waiting)


@pytest.mark.parametrize("seed", range(6))
def test_longest_prefix_is_what_a_search_finds(seed: int) -> None:
    rng = Random(seed)
    digits = "0123456789" if seed % 2 else "01"
    prefixes = {"".join(rng.choices(digits, k=rng.randint(1, 15 if seed < 4 else 7))) for _ in range(400)}
    table = compile_prefixes(prefixes)
    numbers = ["", *prefixes, *("".join(rng.choices(digits, k=rng.randint(0, 15))) for _ in range(600))]
    packed = np.array([packed_number(number) for number in numbers], dtype=np.uint64)
    expected = [max(n for n in range(len(number) + 1) if n == 0 or number[:n] in prefixes) for number in numbers]
    nodes = [int(node_of_number(number, table.top, table.sub)) for number in packed]
    assert [len(table.prefixes[node]) for node in nodes] == expected
    assert all(number.startswith(table.prefixes[node]) for number, node in zip(numbers, nodes, strict=True))
    in_block, waiting = np.empty(len(numbers), dtype=np.int64), np.empty(len(numbers), dtype=np.int64)
    match_all(packed, table.top, table.sub, in_block, waiting)
    assert in_block.tolist() == nodes


def test_level_rules_at_different_prices_stop_the_book() -> None:
    one, other = voice(minute("0.10"), window="a"), voice(minute("0.20"), window="b")
    with pytest.raises(
        ConfigurationError, match="rules 'any a' and 'any b' are ambiguous for any number; give one a higher weight"
    ):
        book_of(tariff(one, other, windows=(window("a", 8, 20), window("b", 8, 21))))
    book_of(tariff(one, other, windows=(window("a", 8, 20), window("b", 9, 21))))
    book_of(tariff(one, voice(minute("0.10"), window="b"), windows=(window("a", 8, 20), window("b", 8, 21))))


def test_two_tariffs_of_one_id() -> None:
    with pytest.raises(ConfigurationError, match="tariff t: this tariff is there twice"):
        book_of(tariff(voice(minute("0.10"))), tariff(voice(minute("0.20"))))


def test_a_book_is_the_same_in_any_order_and_says_what_an_index_means() -> None:
    tariffs = load_tariffs(GOLDEN)
    one, other = compile_book(tariffs, span=YEAR), compile_book(tariffs[::-1], span=YEAR)
    for name in ("cell_of", "choices", "step_rows", "energy_winner", "rule_rows", "rule_words", "energy_cell", "allowance_match"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.rules == other.rules and one.content_hashes == other.content_hashes
    assert {one.discount_items(index) for index in range(len(one.rules))} == {(), ("Volume discount",)}
    frame = one.rules_frame()
    assert frame.columns == ["rule_index", "tariff_id", "version", "item", "destination", "window", "kind", "rate"]
    assert frame.filter(pl.col("item") == "Premium calls")["tariff_id"].to_list() == ["mobile_basic", "mobile_plus"]
    assert (one.tariff_index("mobile_plus"), one.tariff_index("no such tariff")) == (1, -1)


@pytest.mark.parametrize("seed", range(4))
def test_tariffs_do_not_touch_each_other_in_a_book(seed: int) -> None:
    """Charges of a mixed batch are those of each tariff's own book."""
    rng = Random(seed)
    tariffs = [one for one in load_tariffs(GOLDEN) if one.service == "telecom"]
    numbers = ["4930123", "49900123", "4179123", "86130", "882161", "7", ""]
    rows = []
    for _ in range(500):
        called = packed_number(rng.choice(numbers))
        rows.append((rng.randrange(2), rng.randrange(3), called, YEAR[0] + rng.randrange(3 * 10**13), rng.randint(0, 10**6)))
    index, kind, numbers_called, start, used = (list(column) for column in zip(*rows, strict=True))
    packed = np.array(numbers_called, dtype=np.uint64)
    together = rate_calls(compile_book(load_tariffs(GOLDEN), span=YEAR), index, kind, packed, start, used)
    for number, one in enumerate(tariffs):
        alone = rate_calls(compile_book([one], span=YEAR), np.zeros(500), kind, packed, start, used)
        own = np.array(index) == number
        assert together.charge_nano[own].tolist() == alone.charge_nano[own].tolist()
        assert together.status[own].tolist() == alone.status[own].tolist()


def test_an_empty_book_refuses_everything_by_reason() -> None:
    book = compile_book([], span=YEAR)
    rated = rate_calls(book, [-1], [0], np.array([EMPTY_NUMBER], dtype=np.uint64), [YEAR[0]], [1])
    assert rated.status.tolist() == [50]


@pytest.mark.parametrize("rows", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
def test_any_number_of_rows_and_a_buffer_that_is_used_again(rows: int) -> None:
    book = book_of(tariff(voice(minute("0.60"))))
    numbers = np.full(rows, packed_number("49"), dtype=np.uint64)
    columns = (np.zeros(rows), np.zeros(rows), numbers, np.full(rows, local("2026-10-06T10:00")), np.arange(rows) * 1000)
    buffer = RatedCalls.empty(4 * BLOCK)
    rated = rate_calls(book, *columns, out=buffer.first(rows))
    assert rated.charge_nano.tolist() == [second * 10_000_000 for second in range(rows)]
    assert rated.status.tolist() == [21, *[0] * rows][:rows] if rows else not len(rated.status)


def test_read_only_columns_give_the_same() -> None:
    book = book_of(tariff(voice(minute("0.60"))))
    columns = [
        np.array(one) for one in ([0], [0], np.array([packed_number("49")], dtype=np.uint64), [local("2026-10-06T10:00")], [5000])
    ]
    for column in columns:
        column.flags.writeable = False
    assert rate_calls(book, *columns).charge_nano.tolist() == [50_000_000]


@pytest.mark.parametrize(
    ("tariffs", "kinds", "used", "words"),
    [
        ([0, 7], [0, 0], [1, 1], "tariff_index row 1: no such tariff, was 7, must be an index of the book or -1"),
        ([0, 0], [0, 3], [1, 1], "kind row 1: not a kind of call, was 3, must be 0, 1 or 2"),
        ([0, 0], [0, 0], [1, -5], "quantity row 1: a negative quantity, was -5, must be zero or more"),
        ([0], [0, 0], [1, 1], r"columns of different lengths, was \[1, 2\]"),
    ],
)
def test_batches_that_no_stage_may_send(tariffs: list[int], kinds: list[int], used: list[int], words: str) -> None:
    book = book_of(tariff(voice(minute("0.60"))))
    with pytest.raises(MeterlineError, match=words):
        rate_calls(book, tariffs, kinds, np.full(2, EMPTY_NUMBER, dtype=np.uint64), [local("2026-10-06T10:00")] * 2, used)


def test_terms() -> None:
    fees, taxes = commercial_terms(load_tariffs(GOLDEN))
    tou = fees.filter(pl.col("tariff_id") == "power_tou")
    assert tou.rows() == [
        ("power_tou", local("2026-01-01T00:00"), local("2026-10-15T00:00"), "Standing charge", 12_400_000_000, True),
        ("power_tou", local("2026-10-15T00:00"), INT64_MAX, "Standing charge", 12_900_000_000, True),
    ]
    assert taxes.filter(pl.col("tariff_id") == "mobile_plus").rows() == [
        ("mobile_plus", local("2026-01-01T00:00"), INT64_MAX, "VAT", 190_000, [])
    ]
    assert [frame.height for frame in commercial_terms([])] == [0, 0]
