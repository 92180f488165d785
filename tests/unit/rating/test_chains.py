"""Fallback chains: what is asked when, what is refused, what the hash covers; and the kernel against the slow twin."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.chains import chain_of, with_chains
from rating.compiled.compiler import compile_book
from rating.language.tariff import Tariff
from rating.tariff_files import load_tariff, load_tariffs, load_with_chain
from schemas.errors import ConfigurationError
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.properties.test_rating_calls import a_case
from tests.reference.rating_twin import ChainTwin
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, tariff, voice

WORKED = Path(__file__).parents[2] / "golden" / "rating" / "worked" / "e13_fallback"


def named(name: str, *fallback: str, price: str = "0.10", prefix: str = "") -> Tariff:
    return replace(tariff(voice(minute(price), prefix), tariff_id=name), fallback=fallback)


CHAINS = [
    ("its own first", {"a": ("b",), "b": ()}, "a b"),
    ("depth first", {"a": ("b", "c"), "b": ("d",), "c": (), "d": ()}, "a b d c"),
    ("cycles are cut", {"a": ("b",), "b": ("a", "c"), "c": ("b",)}, "a b c"),
    ("three deep", {"a": ("b",), "b": ("c",), "c": ("d",), "d": ("e",), "e": ()}, "a b c d"),
]


@pytest.mark.parametrize(("case", "fallbacks", "expected"), CHAINS, ids=[case for case, _, _ in CHAINS])
def test_the_chain(case: str, fallbacks: dict[str, tuple[str, ...]], expected: str) -> None:
    by_id = {name: named(name, *of) for name, of in fallbacks.items()}
    assert " ".join(of.tariff_id for of in chain_of(by_id["a"], by_id)) == expected


def test_faults_of_chains() -> None:
    foreign = replace(named("c"), currency="USD")
    with pytest.raises(ConfigurationError) as refused:
        book_of(named("a", "bb", "c"), named("b"), foreign)
    assert str(refused.value).splitlines() == [
        "tariff a: no tariff for this fallback, was 'bb'; did you mean 'b'?",
        "tariff a: another currency in the fallback chain, was USD (c), must be EUR",
    ]
    with pytest.raises(ConfigurationError, match="no tariff for this fallback"):
        with_chains([named("a", "b")])


def test_the_hash_covers_the_chain_and_a_file_finds_its_fallbacks() -> None:
    alone = load_tariff(WORKED / "with_fallback.yaml")
    together = {of.tariff_id: of for of in load_tariffs(WORKED)}
    assert alone.content_hash != together["with_fallback"].content_hash
    assert load_tariff(WORKED / "everyone.yaml").content_hash == together["everyone"].content_hash
    chain = load_with_chain(WORKED / "with_fallback.yaml")
    assert [of.tariff_id for of in chain] == ["with_fallback", "everyone"]
    assert chain[0].content_hash == together["with_fallback"].content_hash
    assert [of.tariff_id for of in load_with_chain(WORKED / "everyone.yaml")] == ["everyone"]


def test_a_call_passes_from_one_tariff_to_another_at_its_own_rounding() -> None:
    """Thirds of a nano-unit: weights of both tariffs share a denominator; rounded once, by the rule at the start."""
    book = book_of(named("a", "b", price="0.07", prefix="44"), named("b", price="0.11"))
    rated = rate_calls(
        book, [0, 0], [0, 0], np.array([packed_number("44"), packed_number("33")], dtype=np.uint64), [YEAR[0]] * 2, [1000] * 2
    )
    assert rated.charge_nano.tolist() == [1_200_000, 1_900_000]
    assert [book.rules[rule].fallback for rule in rated.rule_index.tolist()] == ["", "b"]
    assert book.rules_frame()["version"].to_list() == ["1", "1 of b", "1"]
    why = explain_call(book, 0, 0, packed_number("33"), local("2026-10-06T10:00"), 60_000)
    assert "version 1 of b" in why.text() and why.as_json()["fallback"] == "b"


@pytest.mark.parametrize("seed", range(12))
def test_kernel_is_twin(seed: int) -> None:
    rng = Random(seed)
    members, calls = [], []
    for name in "abc":
        of, more = a_case(rng.randrange(2**32))
        members.append(replace(of, tariff_id=name, clock=rng.choice(("wall", "standard"))))
        calls += [(number, at, min(used, 200_000)) for number, at, used in rng.sample(more, 4)]
    chain = [replace(members[0], fallback=("b", "c")), *members[1:]]
    try:
        book = compile_book(chain, span=YEAR)
    except ConfigurationError:  # level rules
        return
    twin = ChainTwin(chain)
    packed = np.array([packed_number(number) for number, _, _ in calls], dtype=np.uint64)
    starts, used = (np.array(column, dtype=np.int64) for column in zip(*((at, q) for _, at, q in calls), strict=True))
    rated = rate_calls(book, np.zeros(len(calls)), np.zeros(len(calls)), packed, starts, used)
    for row, (number, at, quantity) in enumerate(calls):
        price = twin.price(UsageKind.VOICE, number, at, quantity)
        got = (Reason(rated.status[row]), int(rated.charge_nano[row]), int(rated.charged_quantity[row]))
        assert got == (price.status, price.charge_nano, price.charged_quantity), (seed, row)
        assert explain_call(book, 0, 0, int(packed[row]), at, quantity).charge_nano == price.charge_nano
