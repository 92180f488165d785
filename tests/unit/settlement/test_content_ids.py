"""Ids of rows equal the exact ids of the shared vocabulary, over any text."""

from __future__ import annotations

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.hashing import hex_id, record_id_of, text_words
from settlement.content_ids import content_ids

TEXT = st.text(max_size=40)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.tuples(TEXT, TEXT), max_size=20), st.integers(0, 2**64 - 1), st.integers(0, 3))
def test_equal_the_exact_ids(table: list[tuple[str, str]], seed: int, cut: int) -> None:
    columns = [pl.Series([row[i] for row in table], dtype=pl.String).slice(cut) for i in range(2)]
    expected = [
        hex_id(*record_id_of([word for part in row for word in text_words(part.encode())], seed=seed)) for row in table[cut:]
    ]
    assert content_ids(columns, seed=seed).to_list() == expected


def test_keys_do_not_run_into_each_other() -> None:
    parts = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc"), ("a\0", "b"), ("a", "\0b")]
    ids = content_ids([pl.Series([part[i] for part in parts]) for i in range(2)])
    assert ids.n_unique() == len(parts)
