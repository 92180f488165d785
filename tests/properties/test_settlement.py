"""settle_accounts equals its slow twin, conserves money, and depends neither on row order nor on how accounts are spread."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.periods import period_number, period_of
from schemas.zones import local_midnight_us
from settlement.account_settlement import Settlement, settle_accounts
from settlement.digests import digest_of
from settlement.frames import ACCOUNTS, CARRIED, CONTRACTS, FEES, TAXES, USAGE_ITEMS
from settlement.money_check import check_money
from tests.reference.settlement_twin import settle_slowly

INT64_MAX = 2**63 - 1
# Months with a spring and an autumn clock change, half-hour ones, a February, and one without.
MONTHS = [
    ("2026-03", "Europe/Berlin"),
    ("2026-10", "Europe/Berlin"),
    ("2026-04", "Australia/Lord_Howe"),
    ("2026-10", "Australia/Lord_Howe"),
    ("2024-02", "America/New_York"),
    ("2026-11", "Asia/Kolkata"),
]
World = dict[str, Any]


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A period, a few accounts with payers, contracts that join, leave and move, two tariffs of several versions, usage."""
    label, zone = draw(st.sampled_from(MONTHS))
    period = period_of(period_number(label), zone)
    midnights = [local_midnight_us(period.first_on + timedelta(days=day), zone) for day in range(period.days + 1)]
    near = st.sampled_from([*midnights, midnights[0] - 86_400_000_000, midnights[-1] + 86_400_000_000])
    instants = st.builds(lambda at, off: at + off, near, st.sampled_from([0, 0, 0, -1, 1, 3_600_000_000, -7_200_000_000]))
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    payers = [0, 1, draw(st.sampled_from([0, 1, 2])), draw(st.sampled_from([0, 1, 3]))]
    accounts = [
        {"account_id": f"A{i}", "bill_to_account_id": f"A{payer}", "group_id": "", "name": f"name {i}", "currency": currency}
        for i, payer in enumerate(payers)
    ]
    fees, taxes = [], []
    for tariff_id in ("mobile", "power"):
        bounds = sorted(draw(st.sets(instants, max_size=3)))
        first = draw(st.sampled_from([-(2**63), midnights[0] - 1, midnights[5]]))
        bounds = [first, *[at for at in bounds if at > first], INT64_MAX]
        for number, (from_at, to_at) in enumerate(zip(bounds, bounds[1:], strict=False)):
            version = {"tariff_id": tariff_id, "version_from_at": from_at, "version_to_at": to_at}
            for name in draw(st.sets(st.sampled_from(["basic", "line", "extra"]), max_size=2)):
                amount = draw(st.one_of(st.integers(-(10**11), 10**12), st.sampled_from([30 * 10**9, 999 * 10**7])))
                fees.append(
                    version | {"version": f"v{number}", "name": name, "amount_nano": amount, "prorate": draw(st.booleans())}
                )
            for name in draw(st.sets(st.sampled_from(["VAT", "city"]), max_size=2)):
                taxes.append(
                    version | {"name": name, "rate_ppm": draw(st.sampled_from([0, 77_000, 190_000, 1_000_000])), "of_items": []}
                )
    contracts: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 6))):
        from_at, to_at = draw(instants), draw(st.one_of(instants, st.just(INT64_MAX)))
        key = {
            "service_id": draw(st.sampled_from(["s0", "s1", "s2"])),
            "account_id": draw(st.sampled_from(["A0", "A1", "A2", "A3"])),
            "tariff_id": draw(st.sampled_from(["mobile", "power", "free"])),
        }
        same = [contract for contract in contracts if key.items() <= contract.items()]
        if all(to_at <= other["effective_from_at"] or other["effective_to_at"] <= from_at for other in same):
            contracts.append(key | {"effective_from_at": from_at, "effective_to_at": to_at})
    usage = [_usage(draw) for _ in range(draw(st.integers(0, 8)))]
    carrying = draw(st.sets(st.sampled_from(["A0", "A1", "A3"])))
    carried = [
        {"account_id": account_id, "carried_nano": draw(st.integers(-(10**10), 10**10))} for account_id in sorted(carrying)
    ]
    return {
        "period": period,
        "midnights": midnights,
        "frames": (usage, contracts, accounts, fees, taxes, carried),
    }


def _usage(draw: st.DrawFn) -> dict[str, Any]:
    money = st.one_of(st.integers(-(10**10), 10**12), st.integers(-(10**21), 10**21), st.just(0))
    listed, allowance, discount = draw(money), draw(money), draw(money)
    kind, unit = draw(st.sampled_from([("voice", "ms"), ("energy", "milliwh")]))
    return {
        "account_id": draw(st.sampled_from(["A0", "A1", "A2", "A3"])),
        "service_id": draw(st.sampled_from(["s0", "s1", "s2"])),
        "tariff_id": draw(st.sampled_from(["mobile", "power"])),
        "version": draw(st.sampled_from(["v0", "v1"])),
        "item": draw(st.sampled_from(["national", "peak", "Ünïcode"])),
        "kind": kind,
        "unit": unit,
        "record_count": draw(st.integers(1, 1000)),
        "quantity": draw(st.integers(0, 10**18)),
        "charged_quantity": draw(st.integers(0, 10**18)),
        "list_nano": listed,
        "allowance_nano": allowance,
        "discount_nano": discount,
        "net_nano": listed - allowance - discount,
        "price_text": "",
    }


SCHEMAS = (USAGE_ITEMS, CONTRACTS, ACCOUNTS, {**FEES, "version": pl.String}, TAXES, CARRIED)


def frames_of(world: World) -> list[pl.DataFrame]:
    return [pl.DataFrame(rows, schema=dict(schema)) for rows, schema in zip(world["frames"], SCHEMAS, strict=True)]


def settled(world: World, frames: list[pl.DataFrame]) -> Settlement:
    day_starts = np.array(world["midnights"], dtype=np.int64)
    return settle_accounts(*frames, period=world["period"], issue_on=date(2027, 1, 2), day_starts=day_starts, tenant="t")


def digest(settlement: Settlement) -> str:
    return digest_of({"l": settlement.lines, "b": settlement.bills, "p": settlement.postings, "c": settlement.carried})


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds())
def test_equals_the_slow_twin_and_conserves_money(world: World) -> None:
    frames = frames_of(world)
    settlement = settled(world, frames)
    lines, bills, residues = settle_slowly(*world["frames"], midnights=world["midnights"])
    compared = ["account_id", "kind", "tariff_id", "version", "item", "usage_kind", "unit", "service_count", "quantity"]
    compared += ["rate_ppm", "base_nano", "exact_nano", "amount_nano"]
    assert settlement.lines.select(compared).rows() == [tuple(line[name] for name in compared) for line in lines]
    totals = ["total_nano", "tax_nano", "exact_nano", "carried_in_nano", "carried_out_nano"]
    was = {row["account_id"]: {name: row[name] for name in totals} for row in settlement.bills.iter_rows(named=True)}
    assert was == bills
    assert dict(settlement.carried.iter_rows()) == residues
    check_money(frames[0], settlement, carried_in=frames[5])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(worlds(), st.randoms(use_true_random=False))
def test_row_order_does_not_matter(world: World, random: Any) -> None:
    frames = frames_of(world)
    shuffled = [frame[random.sample(range(frame.height), frame.height)] for frame in frames]
    once, again = settled(world, frames), settled(world, shuffled)
    assert once.lines.equals(again.lines) and once.bills.equals(again.bills)
    assert once.postings.equals(again.postings) and once.carried.equals(again.carried)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(worlds())
def test_payers_settled_apart_equal_the_whole(world: World) -> None:
    usage, contracts, accounts, fees, taxes, carried = frames_of(world)
    parts = []
    for _, own in accounts.group_by("bill_to_account_id"):
        payer = accounts.filter(pl.col("account_id") == own["bill_to_account_id"][0])
        members = pl.concat([own, payer]).unique("account_id")
        lonely = own["account_id"].implode()
        mine = [frame.filter(pl.col("account_id").is_in(lonely)) for frame in (usage, contracts)]
        held = carried.filter(pl.col("account_id") == own["bill_to_account_id"][0])
        parts.append(settled(world, [*mine, members, fees, taxes, held]))
    joined = Settlement(
        *(pl.concat([getattr(part, name) for part in parts]) for name in ("lines", "bills", "postings", "carried"))
    )
    whole = settled(world, [usage, contracts, accounts, fees, taxes, carried])
    kept = whole.carried.filter(pl.col("account_id").is_in(accounts["bill_to_account_id"].implode()))
    assert digest(joined) == digest(Settlement(whole.lines, whole.bills, whole.postings, kept))
