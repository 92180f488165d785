"""The second pass and the intervals against slow twins: one record and one interval at a time, any split, nothing lost."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from random import Random

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.balances.balance_values import Balance
from rating.calls.allowances import Grants, allowance_grants
from rating.calls.first_pass import rate_calls
from rating.calls.second_pass import discount_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Allowance, PayTerms
from rating.language.discount_terms import Discount, DiscountTier
from rating.language.shared_terms import Rounding, ServiceKind, Tier
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.utility.intervals import determine_intervals
from schemas.numbers import packed_number
from schemas.periods import period_number, period_of
from schemas.quantities import UsageKind
from schemas.zones import local_midnight_us
from tests.properties.test_rating_calls import a_window
from tests.reference.balance_twin import BalanceTwin
from tests.reference.rating_twin import energy_by_item
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local, minute, nano, tariff, tiered, voice, window

OCTOBER = period_of(period_number("2026-10"), "Europe/Berlin")
DAY_STARTS = np.array([local_midnight_us(date.fromordinal(OCTOBER.first_on.toordinal() + n), "Europe/Berlin") for n in range(32)])
NUMBERS = ("4930", "49151", "4420", "33")


def a_tariff(rng: Random, name: str) -> Tariff:
    allowances = tuple(
        Allowance(
            f"{name} {n}",
            UsageKind.VOICE,
            rng.choice((None, ("49",), ("4915", "44"))),
            rng.randint(0, 3_000_000),
            rng.choice((1_000, 7_000, 60_000)),
            rng.choice(("account", "group")),
            rng.random() < 0.7,
            rng.choice((0, 0, 5)),
        )
        for n in range(rng.randint(0, 3))
    )
    ladder = Discount(
        "d", (DiscountTier(0, rng.choice((0, 33_333))), DiscountTier(nano("0.7"), 123_456), DiscountTier(nano("3"), 10**6))
    )
    return tariff(
        voice(minute("0.12", 60, 1, fee="0.05"), "49"),
        voice(minute("0.30", 7, 7, minimum="0.20"), "44", "evening"),
        voice(tiered((0, "0.5", 30), (90, "0.10", 6))),
        windows=(window("evening", 18, 6),),
        mode=rng.choice(("up", "half_even", "none")),
        allowances=allowances,
        discounts=rng.choice(((), (ladder,))),
        tariff_id=name,
    )


def a_month(rng: Random) -> tuple[TariffBook, Grants, pl.DataFrame, list[tuple[int, int, int, str, int, int]]]:
    """A book, grants, and calls (group, start, account, number, tariff, used) in settlement order."""
    book = compile_book([a_tariff(rng, name) for name in ("a", "b")], span=YEAR)
    rows = []
    for account in range(5):
        meet = rng.randint(OCTOBER.start_at, OCTOBER.end_at)
        rows += [
            (account, account // 2, "a", YEAR[0], meet),
            (account, account // 2, "b", meet, rng.choice((meet + 10**12, YEAR[1]))),
        ]
    names = {"account_index": pl.Int32, "group_index": pl.Int32, "tariff_id": pl.String, "effective_from_at": pl.Int64,
             "effective_to_at": pl.Int64}  # fmt: skip
    contracts = pl.DataFrame(rows, schema=names, orient="row")
    grants = allowance_grants(book, contracts, period=OCTOBER, day_starts=DAY_STARTS)
    calls = []
    for account, group, tariff_id, low, high in rows:
        low, high = max(low, OCTOBER.start_at), min(high, OCTOBER.end_at)
        for _ in range(6 if low < high else 0):
            at = rng.choice((rng.randrange(low, high), max(low, high - rng.randint(1, 200) * 1_000_000)))
            calls.append((group, at, account, rng.choice(NUMBERS), book.tariff_index(tariff_id), rng.randint(1, 400_000)))
    return book, grants, contracts, sorted(calls)


def twin_of_settlement(
    book: TariffBook, grants: Grants, calls: list[tuple[int, int, int, str, int, int]]
) -> list[tuple[int, int, int]]:
    """(net, units, discount) by the twin of the walk, every grant a balance and the bill behind them."""
    balances, homes = [], {}
    for row in range(len(grants.units)):
        of = book.allowances[grants.allowance_index[row]].allowance
        owner, group = int(grants.account_index[row]), int(grants.group_of_account[grants.account_index[row]])
        terms = PayTerms(block=of.block, destinations=of.destinations)
        span = (int(grants.valid_from_at[row]), int(grants.valid_to_at[row]))
        entry = book.allowances[grants.allowance_index[row]]
        share = str(group) if of.scope == "group" else ""
        name = f"{of.name} {owner:03d} {row:03d}"
        homes[name] = book.tariffs[book.tariff_index(entry.tariff_id)]
        balances.append(Balance(name, str(owner), 0, Fraction(int(grants.units[row])), of.priority, *span, span[0], terms, share))
    groups = {str(account): str(int(group)) for account, group in enumerate(grants.group_of_account)}
    twin = BalanceTwin(list(book.tariffs), balances, groups, groups, bill=True, homes=homes)
    totals: dict[tuple[int, int], int] = {}
    found = []
    for _, at, account, number, index, used in calls:
        version = book.tariffs[index].versions[0]
        paid = twin.charge(str(account), book.tariff_ids[index], 0, number, at, used)
        net = paid.charge
        before = totals.get((account, index), 0)
        discount = 0
        if version.discounts:
            ppm = max(
                (tier.from_total, tier.ppm)
                for tier in ((DiscountTier(-1, 0)), *version.discounts[0].tiers)
                if tier.from_total <= before
            )[1]
            discount = int(Fraction(net * ppm, 10**6) + Fraction(1, 2))
            totals[account, index] = before + net
        found.append((net - discount, paid.covered, discount))
    return found


@settings(max_examples=30, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_second_pass_is_twin_and_split_is_whole(seed: int) -> None:
    rng = Random(seed)
    book, grants, _, calls = a_month(rng)
    groups, starts, accounts, numbers, tariffs, used = (list(column) for column in zip(*calls, strict=True))
    packed = np.array([packed_number(number) for number in numbers], dtype=np.uint64)
    kind = np.zeros(len(calls), dtype=np.uint8)
    rated = rate_calls(book, tariffs, kind, packed, starts, used)
    priced = [row for row in range(len(calls)) if rated.status[row] == 0]

    def settle(rows: list[int], state: object = None) -> tuple[list[tuple[int, int, int]], object]:
        bounds = [n for n, row in enumerate(rows) if n == 0 or groups[row] != groups[rows[n - 1]]]
        take = [np.array(column)[rows] for column in (accounts, starts, kind, packed, used, tariffs)]
        found = discount_calls(
            book, group_start=[*bounds, len(rows)], account_index=take[0], start_at=take[1], kind=take[2], called_number=take[3],
            quantity=take[4], charge_nano=rated.charge_nano[rows], rule_index=rated.rule_index[rows], tariff_index=take[5],
            grants=grants, state=state,  # type: ignore[arg-type]
        )  # fmt: skip
        assert (found.net_nano + found.allowance_nano + found.discount_nano == rated.charge_nano[rows]).all()
        return list(
            zip(found.net_nano.tolist(), found.allowance_units.tolist(), found.discount_nano.tolist(), strict=True)
        ), found.state

    whole, _ = settle(priced)
    assert whole == twin_of_settlement(book, grants, [calls[row] for row in priced])
    cut = rng.randint(1, len(priced) - 1)
    first, state = settle(priced[:cut])
    rest, _ = settle(priced[cut:], state)
    assert first + rest == whole


def an_energy_tariff(rng: Random) -> Tariff:
    meet = local("2026-10-24T00:00") + rng.randint(0, 48) * HOUR_US

    def version(label: str, from_at: int, to_at: int) -> TariffVersion:
        bounds = sorted({0, *(rng.randint(1, 900) for _ in range(rng.randint(0, 3)))})
        prices = [
            EnergyPrice(f"p{n}", rng.choice((None, "a", "b")), n, tuple(Tier(bound, n + 1, 1000, 1) for bound in bounds))
            for n in range(4)
        ]
        return TariffVersion(label, from_at, to_at, Rounding("line", "up", 2), windows=(a_window(rng, "a"), a_window(rng, "b")),
                             energy=tuple(prices))  # fmt: skip

    versions = (version("1", YEAR[0] - HOUR_US, meet), version("2", meet, 2**63 - 1))
    return Tariff("e", "e", "EUR", rng.choice(("Europe/Berlin", "Australia/Lord_Howe")), ServiceKind.UTILITY, versions)


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_intervals_are_twin(seed: int) -> None:
    rng = Random(seed)
    of = an_energy_tariff(rng)
    book = compile_book([of], span=YEAR)
    step, start = rng.choice((300_000_000, 900_000_000, 1_800_000_000, HOUR_US)), local("2026-10-23T22:00")
    values = [rng.choice((0, 1, rng.randint(0, 40))) for _ in range(200)]
    cuts = sorted({0, *(rng.randint(1, 199) for _ in range(rng.randint(0, 4)))})
    lengths = [high - low for low, high in zip(cuts, [*cuts[1:], 200], strict=True)]
    found = determine_intervals(
        book, tariff_index=[0] * len(cuts), ladder_group=[3] * len(cuts), start_at=[start + step * cut for cut in cuts],
        step_us=[step] * len(cuts), first_value=cuts, count=lengths, values=values,
    )  # fmt: skip
    expected = energy_by_item(of, [(start + step * n, value) for n, value in enumerate(values)])
    if expected is None:
        assert found.status.any()
        return
    assert not found.status.any()
    got: dict[tuple[str, str, int], int] = {}
    for index, milliwh in zip(found.item_index.tolist(), found.quantity_milliwh.tolist(), strict=True):
        item = book.energy_items[index]
        version = next(version for version in of.versions if version.label == item.version)
        name = item.item.split(" above ")[0]
        bounds = [tier.from_usage for tier in next(price for price in version.energy if price.item == name).tiers]
        key = (item.version, name, bounds.index(item.from_milliwh))
        got[key] = got.get(key, 0) + milliwh
    assert got == {key: milliwh for key, milliwh in expected.items() if milliwh}
    by_run = np.bincount(found.run_index, weights=found.quantity_milliwh, minlength=len(cuts))
    assert by_run.tolist() == [sum(values[cut : cut + length]) for cut, length in zip(cuts, lengths, strict=True)]
