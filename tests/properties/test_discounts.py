"""Discounts == their slow twin, split == whole, parts == discount, and a period's end gives each account what it reached."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import polars as pl
from hypothesis import given, note, settings
from hypothesis import strategies as st

from rating.calls.discounts import part_of
from rating.calls.eligibility import NO_ACTIVATION_AT
from rating.calls.first_pass import rate_calls
from rating.calls.given_discounts import DiscountInput, apply_discounts, apply_retroactive, empty_counters
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Rate
from rating.language.discount_terms import Discount, DiscountTier, Term
from rating.language.shared_terms import Tier
from rating.language.tariff import Tariff
from schemas.kernels import kernel
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from tests.properties.test_rating_calls import a_window
from tests.reference.discount_twin import DiscountTwin, TwinRecord
from tests.unit.rating.worked_tariffs import YEAR, local, minute, nano, tariff, tiered, voice

NUMBERS = ("4930", "49151", "4420", "33")
OCTOBER = (local("2026-10-01T00:00"), local("2026-11-01T00:00"))
TRIAL = Rate("trial", (Tier(0, nano("0.10"), 60_000, 7_000), Tier(60_000, nano("0.03"), 60_000, 1_000)), nano("0.02"))


def some(rng: Random, *choices: object) -> object:
    return rng.choice((None, None, *choices))


def a_discount(rng: Random, place: int) -> Discount:
    """Any mix of what the language allows together."""
    order = place * 10
    filters = {
        "destinations": some(rng, ("49",), ("44", "4915")),
        "items": some(rng, frozenset({"any always"}), frozenset({"49 always", "44 evening"})),
        "windows": some(rng, frozenset({"evening"}), frozenset({"evening", "w"})),
        "effective_to_at": rng.choice((2**63 - 1, OCTOBER[0] + 15 * 86_400 * 10**6)),
        "new_for": some(rng, Term(10, "days"), Term(1, "months"), Term(2, "months")),
        "with_tariffs": some(rng, frozenset({"x"}), frozenset({"x", "y"})),
    }
    filters = {name: value for name, value in filters.items() if rng.random() < 0.4}
    ladder = (DiscountTier(0, rng.choice((0, 33_333))), DiscountTier(nano("0.7"), 123_456), DiscountTier(nano("3"), 10**6))
    by_time = (DiscountTier(0, 50_001), DiscountTier(120_000, 200_000), DiscountTier(600_000, 7))
    shape = rng.choice(("ladder", "quantity", "percent", "rate", "retroactive"))
    basis = {"tiers": by_time, "basis": "quantity", "kinds": frozenset({UsageKind.VOICE})}
    if shape == "retroactive":
        return Discount(f"d{place}", **(rng.choice((basis, {"tiers": ladder}))), order=order + 1000, retroactive=True, **filters)  # type: ignore[arg-type]
    kinds = {"kinds": frozenset({UsageKind.VOICE})}
    given = {
        "ladder": {"tiers": ladder, "split_at_bound": rng.random() < 0.5},
        "quantity": basis | {"split_at_bound": rng.random() < 0.5},
        "percent": {"tiers": (DiscountTier(0, rng.choice((100_000, 10**6))),)},
        "rate": {"rate": "trial"} | kinds,
    }[shape]
    limits = {
        "first_units": rng.randint(1, 600_000),
        "first_records": rng.randint(1, 4),
        "budget_nano": rng.randint(1, nano("1")),
        "after_total": nano("0.5"),
        "exclusive": rng.choice(("one", "two")),
    }
    limits = {name: value for name, value in limits.items() if rng.random() < 0.25}
    base = {} if shape == "rate" else {"base": rng.choice(("rest", "charge"))}
    return Discount(f"d{place}", order=order, **given | kinds | limits | base | filters)  # type: ignore[arg-type]


def a_tariff(rng: Random) -> Tariff:
    discounts = sorted((a_discount(rng, place) for place in range(rng.randint(1, 5))), key=lambda one: one.order)
    of = tariff(
        voice(minute("0.12", 60, 1, fee="0.05"), "49"),
        voice(minute("0.30", 7, 7, minimum="0.20"), "44", "evening"),
        voice(tiered((0, rng.choice(("0.5", "-0.2")), 30), (90, "0.10", 6))),
        windows=(replace(a_window(rng, "evening")), a_window(rng, "w")),
        mode=rng.choice(("up", "half_even", "none")),
        discounts=tuple(discounts),
    )
    version = of.versions[0]
    prefixes = {"4915": "4915", "44": "44", "49": "49"}
    to = {one.name: one for one in version.destinations}
    missing = [replace(to["49"], name=name, prefixes=(prefix,)) for name, prefix in prefixes.items() if name not in to]
    changed = replace(version, rates=(*version.rates, TRIAL), destinations=(*version.destinations, *missing))
    return replace(of, versions=(changed,))


@settings(max_examples=60, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_discounts_are_twin(seed: int) -> None:
    rng = Random(seed)
    of = a_tariff(rng)
    book = compile_book([of], span=YEAR)
    count = 40
    starts = np.array(sorted(rng.randrange(*OCTOBER) for _ in range(count)), dtype=np.int64)
    account = np.array([rng.randrange(3) for _ in range(count)], dtype=np.int32)
    digits = [rng.choice(NUMBERS) for _ in range(count)]
    numbers = np.array([packed_number(number) for number in digits], dtype=np.uint64)
    used = np.array([rng.randint(1, 400_000) for _ in range(count)], dtype=np.int64)
    rated = rate_calls(book, np.zeros(count), np.zeros(count), numbers, starts, used)
    rows = np.flatnonzero(rated.status == 0)
    covered = np.where(np.array([rng.random() < 0.2 for _ in range(count)]), used // rng.choice((1, 2)), 0)
    left = np.where(covered >= used, 0, rated.charge_nano)
    activation = [rng.choice((None, rng.randrange(OCTOBER[0] - 60 * 86_400 * 10**6, OCTOBER[1]))) for _ in range(3)]
    started = np.array([NO_ACTIVATION_AT if activation[a] is None else activation[a] for a in account.tolist()], dtype=np.int64)
    held = [(rng.randrange(3), rng.choice("xyz"), *sorted(rng.sample(range(*OCTOBER, 10**9), 2))) for _ in range(6)]
    names = {"account_index": pl.Int32, "tariff_id": pl.String, "effective_from_at": pl.Int64, "effective_to_at": pl.Int64}
    contracts = pl.DataFrame(held, schema=names, orient="row")

    def settle(take: np.ndarray, counters: np.ndarray) -> tuple[np.ndarray, np.ndarray, object]:
        net = left[take].copy()
        records = DiscountInput(
            account[take], starts[take], numbers[take], used[take], covered[take], rated.rule_index[take],
            np.zeros(len(take), dtype=np.int32),
        )  # fmt: skip
        discount, given_ = apply_discounts(book, records, net, counters, contracts, started[take])
        assert (net + discount == left[take]).all()
        return net, discount, given_

    counters = empty_counters(book, 3)
    net, discount, found = settle(rows, counters)
    twin = DiscountTwin(of, held)
    for row in rows.tolist():
        rule = book.rules[rated.rule_index[row]]
        record = TwinRecord(
            int(account[row]), int(starts[row]), digits[row], UsageKind.VOICE, int(used[row]), int(covered[row]), int(left[row]),
            rule.item, activation[account[row]],
        )  # fmt: skip
        twin.take(of.versions[0], record)
    note(f"{of.versions[0].discounts}")
    got = [row for row in found.frame(book).select("record", "name", "amount_nano").iter_rows() if row[2]]  # type: ignore[attr-defined]
    assert got == twin.given
    assert net.tolist() == twin.net
    cut = rng.randint(0, len(rows))
    again = empty_counters(book, 3)
    parts = [settle(part, again)[0] for part in (rows[:cut], rows[cut:])]
    assert np.concatenate(parts).tolist() == net.tolist() and (again == counters).all(), "split == whole"
    net, discount, found = apply_retroactive(book, account[rows], counters, found, net, discount)  # type: ignore[arg-type]
    expected = twin.end()
    assert net.tolist() == twin.net and (net + discount == left[rows]).all()
    retroactive = {one.item for one in of.versions[0].discounts if one.retroactive}
    sums: dict[tuple[int, str], int] = {}
    for record, name, amount in found.frame(book).select("record", "name", "amount_nano").iter_rows():
        if name in retroactive:
            key = (int(account[rows][record]), name)
            sums[key] = sums.get(key, 0) + amount
    assert sums == expected


ANY_SIZE = st.one_of(*(st.integers(0, 2**bits - 1) for bits in (20, 31, 40, 41, 63)))


@kernel()
def parts_of(amounts, parts, wholes, out):  # type: ignore[no-untyped-def]
    for i in range(len(amounts)):
        out[i] = part_of(amounts[i], parts[i], wholes[i])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(ANY_SIZE, ANY_SIZE, ANY_SIZE.map(lambda whole: max(whole, 1))), min_size=1))
def test_part_of_is_exact(cases: list[tuple[int, int, int]]) -> None:
    cases = [(amount, min(part, whole), whole) for amount, part, whole in cases]
    columns = [np.array(column, dtype=np.int64) for column in zip(*cases, strict=True)]
    out = np.empty(len(cases), dtype=np.int64)
    parts_of(*columns, out)
    assert out.tolist() == [amount * part // whole for amount, part, whole in cases]
