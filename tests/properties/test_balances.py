"""The walk through balances against its twin: random tariffs, balances and records; any split; slices; refunds restore."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from hypothesis.control import currently_in_test_context

from rating.balances.balance_table import BalanceTable, compile_balances
from rating.balances.balance_values import Balance
from rating.balances.charge import ChargedUsage, charge_usage
from rating.balances.layout import GENERIC, MONEY
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import PayTerms, Rate
from rating.language.tariff import Tariff
from schemas.errors import ConfigurationError
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from tests.properties.test_rating_calls import NIGHTS, a_version
from tests.reference.balance_twin import BILL, BalanceTwin, TwinCall
from tests.unit.rating.worked_tariffs import DAY_US, HOUR_US, YEAR, local, minute, nano, tariff, tiered, voice, window

ACCOUNTS = ("me", "you", "they")
NUMBERS = ("447700900123", "4420", "49301234", "4930", "33")
RATES = (
    minute("0.12", 60, 1, fee="0.05"),
    minute("0.07"),
    minute("0.30", 7, 7, minimum="0.20"),
    minute("0.25", 60, 60, fee="0.20", cap="1.50"),
    minute("0.25", 30, 6, fee="0.20", cap="1.50", how="disconnect"),
    minute("0", 20, 20, fee="0.01"),
    minute("0"),
    tiered((0, "0.5", 30), (90, "0.10", 6), (300, "0", 60)),
    Rate("credit", (replace(minute("0.10", 60, 60).tiers[0], price_nano=-nano("0.04")),)),
)


def a_tariff(rng: Random, name: str, base: int, zone: str) -> Tariff:
    """One of a few shapes: windows over a night, two versions that meet in it, or one plain price."""
    if rng.random() < 0.3:
        first = a_version(rng, "1", base - 400 * DAY_US, base + rng.randint(1, 6) * HOUR_US)
        second = a_version(rng, "2", first.effective_to_at, 2**63 - 1)
        return replace(tariff(voice(minute("1"))), tariff_id=name, zone=zone, versions=(first, second))
    entries = [voice(replace(rng.choice(RATES), name=f"r{n}"), *of) for n, of in enumerate(
        [("",), ("", "night", 5), ("44",), ("44", "evening", 5), ("4930", None, 9)])]  # fmt: skip
    windows = (window("night", rng.choice((22, 0, 2)), rng.choice((3, 6, 2.5))), window("evening", 18, 1))
    return tariff(*entries, windows=windows, mode=rng.choice(("up", "down", "half_up", "half_even", "none")),
                  decimals=rng.choice((2, 2, 4, 0)), zone=zone, tariff_id=name)  # fmt: skip


def a_balance(rng: Random, n: int, base: int, names: tuple[list[str], list[str]], bundle: str) -> Balance:
    """Money, units, generic units or a priced bundle, with any of the options."""
    kind = rng.choice((MONEY, MONEY, 0, 0, 0, GENERIC, 1))
    to, windows = names
    amount = rng.choice((0, nano("0.03"), nano("0.5"), nano("1"), nano("20"))) if kind == MONEY else rng.randint(0, 400) * 1000
    units = kind not in (MONEY, GENERIC)
    is_bundle = kind == 0 and rng.random() < 0.3
    share = rng.choice(("", "", "family"))
    terms = PayTerms(
        block=rng.choice((None, 7_000, 60_000)) if units else None,
        factor=rng.choice(((1, 1), (1, 1), (3, 1), (1, 3), (2, 7))) if kind != MONEY else (1, 1),
        per_unit=((UsageKind.VOICE, rng.choice((60_000, 7_000))),) if kind == GENERIC else (),
        destinations=(rng.choice(to),) if to and rng.random() < 0.3 else None,
        excluded=(rng.choice(to),) if to and rng.random() < 0.15 else None,
        categories=rng.choice((None, None, None, ("roaming",), ("home", "roaming"))),
        windows=(rng.choice(windows),) if windows and rng.random() < 0.2 else None,
        rate=replace(rng.choice(RATES[:8]), name="own") if is_bundle and rng.random() < 0.5 else None,
        blocker=rng.random() < 0.12,
        unlimited=kind != MONEY and rng.random() < 0.08,
        fee_with_allowance=rng.random() < 0.2,
        share_order=rng.choice(("own_first", "lowest", "highest")) if share else "own_first",
        member_cap=(nano("0.40") if kind == MONEY else 30_000) if share and rng.random() < 0.5 else None,
    )
    if is_bundle and terms.rate is None:
        terms = replace(terms, tariff_id=bundle)
    value = Fraction(amount, 1000) if kind == GENERIC else Fraction(amount)
    low = base + rng.randint(-4, 8) * HOUR_US + rng.choice((0, 500, 1_000_000))
    valid = rng.choice(((-(2**60), 2**63 - 1), (-(2**60), low), (low, low + 2 * HOUR_US)))
    return Balance(f"b{n:02d}", rng.choice(ACCOUNTS) if not share or rng.random() < 0.8 else "", kind, value, rng.choice((0, 0, 5)),
                   *valid, rng.choice((0, 1)), terms, share)  # fmt: skip


class Case:
    """A book, balances in all sorts, and records in order."""

    def __init__(self, seed: int) -> None:
        rng = Random(seed)
        zone = rng.choice(("Europe/Berlin", "Australia/Lord_Howe"))
        base = local(rng.choice(NIGHTS[zone]), zone)
        self.tariffs = [a_tariff(rng, "main", base, zone), a_tariff(rng, "own", base, zone)]
        self.book: TariffBook = compile_book(self.tariffs, span=YEAR)
        names = ([to.name for to in self.tariffs[0].versions[-1].destinations],
                 [one.name for one in self.tariffs[0].versions[-1].windows])  # fmt: skip
        self.balances = [a_balance(rng, n, base, names, "own") for n in range(rng.randint(0, 8))]
        if rng.random() < 0.8:
            value, limit = Fraction(rng.choice((0, nano("0.30"), -nano("2"), nano("5")))), rng.choice((0, nano("0.50")))
            self.balances += [
                Balance(f"{who} default", who, MONEY, value, default=True, credit_limit_nano=limit) for who in ACCOUNTS
            ]
        self.groups, self.shares = dict.fromkeys(ACCOUNTS, "g"), dict.fromkeys(ACCOUNTS, "family")
        self.bill = rng.random() < 0.3
        rows = []
        for n in range(8):
            at = base + rng.randint(0, 9 * 3600) * 1_000_000 + rng.choice((0, 0, 1, 999_999))
            used = rng.choice((0, 1, 1000, 60_000, rng.randint(1, 400_000), rng.randint(1, 9_000_000)))
            rows.append((at, n, rng.choice(ACCOUNTS), rng.choice(NUMBERS), used, rng.choice(("", "roaming", "home")),
                         rng.choice((0, 0, 0, 0, 1))))  # fmt: skip
        self.records = [row for row in sorted(rows) if row[6] == 0]
        self.table: BalanceTable = compile_balances(
            self.book, self.balances, accounts=self.groups, shares=self.shares, home=self.tariffs[0]
        )

    def twin(self) -> BalanceTwin:
        return BalanceTwin(self.tariffs, self.balances, self.groups, self.shares, self.bill)

    def charge(
        self, rows: slice, task: str, state: object = None, calls: object = None, part: Fraction = Fraction(1)
    ) -> ChargedUsage:
        of = self.records[rows]
        codes = self.table.categories
        return charge_usage(
            self.book, self.table, account_index=[self.table.accounts.index(row[2]) for row in of],
            tariff_index=[self.book.tariff_index("main")] * len(of), kind=[row[6] for row in of],
            called_number=np.array([packed_number(row[3]) for row in of], dtype=np.uint64), start_at=[row[0] for row in of],
            quantity=[int(row[4] * part) for row in of], category=np.array([codes.get(row[5], -1) for row in of] or [-1]),
            task=task, state=state, calls=calls, bill=self.bill,  # type: ignore[arg-type]
        )  # fmt: skip


def cases(seed: int) -> Case | None:
    try:
        return Case(seed)
    except ConfigurationError:  # level rules
        return None


def left_of(case: Case, found: ChargedUsage) -> dict[str, Fraction]:
    return {one.balance_id: case.table.value(found.state, row) for row, one in enumerate(case.table.balances)}


def paid_of(case: Case, found: ChargedUsage, row: int) -> dict[str, Fraction]:
    """balance -> what it paid for a record."""
    paid: dict[str, Fraction] = {}
    for post in found.postings[found.postings[:, 0] == row].tolist():
        for place, amount in ((post[1], post[2]), (post[3], post[4])):
            if place >= 0:
                name = case.table.balances[place].balance_id
                paid[name] = paid.get(name, Fraction(0)) + Fraction(amount, case.table.den(place))
            elif amount:
                paid[BILL] = paid.get(BILL, Fraction(0)) + amount
    return {name: amount for name, amount in paid.items() if amount}


def agrees(seed: int, task: str) -> None:
    case = cases(seed)
    if case is None:
        return
    found, twin = case.charge(slice(None), task), case.twin()
    for row, (at, _, account, digits, used, category, kind) in enumerate(case.records):
        wanted = twin.charge(account, "main", kind, digits, at, used, category=category, task=task)
        if currently_in_test_context():
            note(f"{row} {account} {digits} {at} {used} {category}: {wanted}")
        got = (
            Reason(int(found.status[row])),
            int(found.charge_nano[row]),
            int(found.charged_quantity[row]),
            int(found.covered[row]),
        )
        assert got == (wanted.status, wanted.charge, wanted.elapsed, wanted.covered)
        assert paid_of(case, found, row) == wanted.paid
    assert left_of(case, found) == twin.values


@settings(max_examples=60, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from(("book", "take", "grant")))
def test_kernel_is_twin(seed: int, task: str) -> None:
    agrees(seed, task)


@pytest.mark.long
def test_kernel_is_twin_in_many_cases() -> None:
    """Seeds 0 to 5,999, each in one of the three ways."""
    for seed in range(6_000):
        agrees(seed, ("book", "take", "grant")[seed % 3])


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1), st.integers(0, 8))
def test_split_batch_is_whole_batch(seed: int, cut: int) -> None:
    case = cases(seed)
    if case is None:
        return
    whole, first = case.charge(slice(None), "book"), case.charge(slice(0, cut), "book")
    rest = case.charge(slice(cut, None), "book", first.state)
    assert [*first.charge_nano.tolist(), *rest.charge_nano.tolist()] == whole.charge_nano.tolist()
    assert rest.state.value.tolist() == whole.state.value.tolist()
    assert [*first.over_limit_nano.tolist(), *rest.over_limit_nano.tolist()] == whole.over_limit_nano.tolist()


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1), st.sampled_from(("book", "take")))
def test_compiled_walk_is_the_walk_on_python_integers(seed: int, task: str) -> None:
    """The same source twice: once compiled, once on balances kept as integers of any size."""
    case = cases(seed)
    if case is None:
        return
    found = case.charge(slice(None), task)
    start = case.table.start()
    exact = case.charge(slice(None), task, replace(start, value=start.value.astype(object), used=start.used.astype(object)))
    for name in ("status", "charge_nano", "charged_quantity", "covered", "over_limit_nano"):
        assert getattr(found, name).tolist() == getattr(exact, name).tolist(), name
    assert found.postings.tolist() == exact.postings.tolist()
    assert found.state.value.tolist() == exact.state.value.tolist()


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_slices_follow_the_twin_and_a_lone_slice_is_the_whole(seed: int) -> None:
    """A call booked in two slices: tiers, windows, fee and rounding run over both."""
    case = cases(seed)
    if case is None or not case.records:
        return
    case.records = case.records[:1]
    twin, call = case.twin(), TwinCall()
    at, _, account, digits, used, category, kind = case.records[0]
    state = calls = None
    for part in (Fraction(2, 5), Fraction(1)):
        found = case.charge(slice(0, 1), "book", state, calls, part)
        wanted = twin.charge(account, "main", kind, digits, at, int(used * part), category=category, call=call)
        assert (found.status[0], found.charge_nano[0]) == (wanted.status, wanted.charge)
        state, calls = found.state, found.calls
    assert left_of(case, found) == twin.values
