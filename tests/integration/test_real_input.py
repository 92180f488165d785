"""Real input end to end: meter files as Australian providers send them, real load curves, and calls priced by a real rate deck.

The input is not part of the project; it is read from `shared/data` beside the checkout, and its absence is said loudly.
"""

from __future__ import annotations

import csv
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingest.zip_member import open_single_member
from meterline.demo.call_files import HEADER
from schemas.money import NANO, nano_text, round_ratio
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import zone_of
from tests.reference.nem12_twin import content_hash, read_twin, row_of
from tests.tools.homes import (
    Account,
    audited,
    build_home,
    close_period,
    open_log,
    quantity_account,
    row_account,
    sealed,
    take_files,
)
from tests.tools.load_profiles import (
    Building,
    building_text,
    buildings_of,
    half_hourly_wh,
    hourly_wh,
    read_shares,
    shares_of_year,
)

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"
HALF_HOUR = timedelta(minutes=30)
NEM_OFFSET = timedelta(hours=10)

TOU = """\
tariff: power_tou
name: Power by time of use
currency: AUD
zone: Australia/Sydney
service: utility
versions:
  - version: "1"
    effective_from: 2004-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    windows:
      peak: {weekdays: [mon, tue, wed, thu, fri], start: "14:00", end: "20:00"}
    energy:
      prices:
        - {item: Peak energy, window: peak, price: "0.5137", per: 1 kWh}
        - {item: Off-peak energy, price: "0.1891", per: 1 kWh}
"""
BLOCKS = """\
tariff: power_blocks
name: Power in blocks
currency: AUD
zone: Australia/Sydney
service: utility
versions:
  - version: "1"
    effective_from: 2004-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    energy:
      tier_scope: shared_chronological
      prices:
        - item: Energy
          per: 1 kWh
          tiers:
            - {from: 0 kWh, price: "0.3100"}
            - {from: 5000 kWh, price: "0.2750"}
            - {from: 20000 kWh, price: "0.2305"}
"""
BLOCK_STARTS_MILLIWH = (0, 5_000_000_000, 20_000_000_000)
BLOCK_PRICES = (Fraction("0.31"), Fraction("0.275"), Fraction("0.2305"))
PEAK_PRICE, OFF_PEAK_PRICE = Fraction("0.5137"), Fraction("0.1891")
MILLIWH_PER_KWH = 1_000_000


def _required(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"NOT PROVED, real input is missing: expected {path.resolve()} beside the checkout")
    return path


def _hold_all_invariants(home: Path) -> None:
    verdicts = audited(home)
    print("\n".join(f"{verdict.code} {verdict.verdict} {verdict.name}: {verdict.figure}" for verdict in verdicts))
    assert [(verdict.code, verdict.verdict, verdict.faults) for verdict in verdicts] == [
        (f"I{n}", "PASS", []) for n in range(1, 11)
    ]


def _billed_months(home: Path) -> list[str]:
    log = open_log(home)
    numbers = sorted(
        {entry.period for entry in log.row_account() if entry.reason == Reason.OK and entry.period >= 0 and entry.quantity}
    )
    log.close()
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in numbers]


def _money(frame: pl.DataFrame, column: str) -> Decimal:
    return sum(frame[column].to_list(), Decimal(0))


# ---- every NEM12 file that providers exchanged ----

NOBODYS = ("NEM1210189", "NEM1314067")  # two metering points that no account has
REFUSED = {
    "Example_NEM12_15min_200_30min_300.csv": ("line 3", "wrong number of interval values, was 48, must be 96"),
    "Example_NEM12_incomplete_interval.csv": ("line 3", "wrong number of interval values, was 0, must be 48"),
    "Example_NEM12_missing_header.csv": ("line 2", "the file has no header, was 200"),
    "Example_NEM12_powercor.csv": ("line 8", "a record after the 900, was 200"),
}
KNOWN_ROWS = {("billed", "ok"): 193, ("filtered", "unbilled_channel"): 120, ("rejected", "unknown_service"): 7}
KNOWN_ENERGY_MILLIWH = {
    ("billed", "ok"): 1_186_742_821_000,
    ("filtered", "unbilled_channel"): 285_250_775_000,
    ("rejected", "unknown_service"): 672_659_000,
}
KNOWN_MONTHS = ["2004-03", "2004-04", "2004-11", "2005-01", "2005-02", "2005-03", "2005-04", "2005-05"]
KNOWN_BILLS, KNOWN_TOTAL_AUD = 40, Decimal("300942.85")


def _expected_of_real_files(archives: list[Path]) -> tuple[Account, Account, set[str]]:
    """(records, energy) by place and all metering points, by the slow twin and a dictionary of versions."""
    rows: Account = Counter()
    energy: Account = Counter()
    points: set[str] = set()
    versions: defaultdict[tuple[object, object], dict[int, dict[str, Any]]] = defaultdict(dict)
    for path in archives:
        for day in read_twin(open_single_member(path.read_bytes(), path.name)[1]):
            row = row_of(day, "default")
            points.add(str(row["metering_point_id"]))
            content = content_hash(day, row)
            held = versions[row["record_hi"], row["record_lo"]]
            if content in held:
                _count(rows, energy, "duplicate", "ok", row)
            held[content] = row
    for held in versions.values():
        ranked = sorted(held.items(), key=lambda item: (item[1]["quality"], item[1]["updated_at"], item[0]))
        for _, loser in ranked[:-1]:
            _count(rows, energy, "superseded", "ok", loser)
        best = ranked[-1][1]
        reason = Reason(best["status"])
        if reason == Reason.OK and best["metering_point_id"] in NOBODYS:
            reason = Reason.UNKNOWN_SERVICE
        _count(rows, energy, str(reason.disposition), reason.label, best)
    return rows, Counter({place: quantity for place, quantity in energy.items() if quantity}), points


def _count(rows: Account, energy: Account, disposition: str, reason: str, row: dict[str, Any]) -> None:
    rows[disposition, reason] += 1
    if row["kind"] == UsageKind.ENERGY:
        energy[disposition, reason] += row["quantity"]


def test_all_real_meter_files_are_billed_or_accounted_for(tmp_path: Path) -> None:
    folder = _required(SHARED / "nem12")
    archives = sorted([*folder.glob("*.zip"), *folder.glob("*.ZIP")])
    invalid = sorted((folder / "invalid").glob("*.csv"))
    assert (len(archives), len(invalid)) == (47, 5)
    rows, energy, points = _expected_of_real_files(archives)
    held = sorted(points - set(NOBODYS))
    accounts = [f"C{number:03d}" for number in range(len(held))]
    services = [
        (point, account, ("power_tou", "power_blocks")[number % 2])
        for number, (point, account) in enumerate(zip(held, accounts, strict=True))
    ]
    home = tmp_path / "home"
    build_home(home, currency="AUD", zone="Australia/Sydney", accounts=accounts, services=services)
    (home / "tariffs/power_tou.yaml").write_text(TOU, encoding="utf-8")
    (home / "tariffs/power_blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    for path in [*archives, *invalid]:
        (home / "inbox/meters" / path.name).write_bytes(path.read_bytes())

    progress = take_files(home)
    months = _billed_months(home)
    for label in months:
        close_period(home, label)

    assert (progress.files, progress.refused) == (len(archives) + 1, len(REFUSED))  # one file of `invalid` is only empty
    log = open_log(home)
    refusals = dict(log.refusals())
    log.close()
    assert set(refusals) == set(REFUSED)
    for name, (line, cause) in REFUSED.items():
        assert f"{name}, {line}: {cause}" in refusals[name]
        why = (home / "refused" / f"{name}.why.txt").read_text(encoding="utf-8")
        assert refusals[name] in why and (home / "refused" / name).read_bytes() == (folder / "invalid" / name).read_bytes()
    assert row_account(home) == rows
    assert quantity_account(home, UsageKind.ENERGY) == energy
    billed = energy["billed", "ok"]
    days = sealed(home, "charged_days")
    assert int(days["quantity"].sum()) == billed
    _hold_all_invariants(home)
    bills = sealed(home, "bills")
    print(f"{progress.files} files read, {progress.refused} refused, {progress.records} meter days")
    print("rows", dict(sorted(rows.items())))
    print("energy, milliwh", dict(sorted(energy.items())))
    print("months", months)
    print(f"{bills.height} bills, {_money(bills, 'total')} AUD")
    assert dict(rows) == KNOWN_ROWS
    assert dict(energy) == KNOWN_ENERGY_MILLIWH
    assert months == KNOWN_MONTHS
    assert (bills.height, _money(bills, "total")) == (KNOWN_BILLS, KNOWN_TOTAL_AUD)


# ---- a year of 24 buildings ----

YEAR, BUILDINGS, ANNUAL_KWH = 2023, 24, 20_000
BUILDING_MONTHS = [*(f"{YEAR}-{month:02d}" for month in range(1, 13)), f"{YEAR + 1}-01"]  # NEM12's year ends at 01:00 in Sydney


def _expected_energy(building: Building, shares: list[Fraction]) -> tuple[dict[str, int], dict[str, int]]:
    """(all, peak) energy of one building in milliwatt-hours by local month, half-hour by half-hour."""
    zone = zone_of("Australia/Sydney")
    total: defaultdict[str, int] = defaultdict(int)
    peak: defaultdict[str, int] = defaultdict(int)
    at = datetime(YEAR, 1, 1, tzinfo=UTC) - NEM_OFFSET
    for wh in half_hourly_wh(hourly_wh(shares_of_year(shares, YEAR), building.annual_wh)):
        local = at.astimezone(zone)
        label = f"{local:%Y-%m}"
        total[label] += wh * 1000
        if local.isoweekday() <= 5 and 14 <= local.hour < 20:
            peak[label] += wh * 1000
        at += HALF_HOUR
    return dict(total), dict(peak)


def _cents(value: Fraction) -> Decimal:
    return Decimal(round_ratio(value.numerator * 100, value.denominator, "half_up")) / 100


def _block_amounts(milliwh: int) -> list[Decimal]:
    """What each block costs, each rounded once: the energy between its start and the next, whatever the order."""
    ends = [*BLOCK_STARTS_MILLIWH[1:], milliwh]
    parts = [max(0, min(end, milliwh) - start) for start, end in zip(BLOCK_STARTS_MILLIWH, ends, strict=True)]
    return [_cents(price * part / MILLIWH_PER_KWH) for price, part in zip(BLOCK_PRICES, parts, strict=True)]


def test_a_year_of_real_load_curves_is_billed_to_the_milliwatt_hour(tmp_path: Path) -> None:
    folder = _required(SHARED / "load_profiles")
    shares = {path.stem: read_shares(path) for path in sorted(folder.glob("*.dat"))}
    buildings = buildings_of(sorted(shares), BUILDINGS, ANNUAL_KWH)
    tariffs = {
        building.metering_point_id: ("power_tou", "power_blocks")[number // 8 % 2] for number, building in enumerate(buildings)
    }
    home = tmp_path / "home"
    services = [(point, f"B{point[-2:]}", tariff) for point, tariff in tariffs.items()]
    build_home(home, currency="AUD", zone="Australia/Sydney", accounts=[account for _, account, _ in services], services=services)
    (home / "tariffs/power_tou.yaml").write_text(TOU, encoding="utf-8")
    (home / "tariffs/power_blocks.yaml").write_text(BLOCKS, encoding="utf-8")
    for building in buildings:
        (home / f"inbox/meters/{building.metering_point_id}.csv").write_text(
            building_text(building, shares[building.profile], YEAR), newline=""
        )

    progress = take_files(home)
    assert progress.records == BUILDINGS * 365
    assert _billed_months(home) == BUILDING_MONTHS
    for label in BUILDING_MONTHS:
        close_period(home, label)

    expected_milliwh = sum(building.annual_wh for building in buildings) * 1000
    days = sealed(home, "charged_days")
    assert int(days["quantity"].sum()) == expected_milliwh
    assert row_account(home) == Counter({("billed", "ok"): BUILDINGS * 365})
    lines = sealed(home, "bill_lines").filter(pl.col("kind") == "usage")
    found = _amounts(lines)
    checked = Decimal(0)
    for building in buildings:
        total, peak = _expected_energy(building, shares[building.profile])
        assert sum(total.values()) == building.annual_wh * 1000
        for label, milliwh in total.items():
            if tariffs[building.metering_point_id] == "power_blocks":
                amounts = _block_amounts(milliwh)
            else:
                in_peak = peak.get(label, 0)
                amounts = [
                    _cents(PEAK_PRICE * in_peak / MILLIWH_PER_KWH),
                    _cents(OFF_PEAK_PRICE * (milliwh - in_peak) / MILLIWH_PER_KWH),
                ]
            assert found[label, f"B{building.metering_point_id[-2:]}"] == sum(amounts), (label, building)
            checked += sum(amounts)
    bills = sealed(home, "bills")
    assert _money(bills, "total") == checked == _money(lines, "amount")
    _hold_all_invariants(home)
    print(f"{progress.records} meter days, {expected_milliwh} milliwh, {bills.height} bills, {checked} AUD")
    assert (expected_milliwh, bills.height) == (1_280_000_000_000, BUILDINGS * len(BUILDING_MONTHS))


def _amounts(lines: pl.DataFrame) -> dict[tuple[str, str], Decimal]:
    sums: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
    for period, account, amount in lines.select("period", "account_id", "amount").iter_rows():
        sums[period, account] += amount
    return sums


# ---- calls priced by a wholesale deck ----

SEED, CALLS, NUMBERS, HOLDERS = 36205, 100_000, 400, 60
WORLD = """\
tariff: world
name: World by deck
currency: USD
zone: UTC
service: telecom
versions:
  - version: "1"
    effective_from: 2004-01-01
    rounding: {scope: record, mode: half_up, decimals: 4}
    destinations:
      world:
        deck:
          file: az_deck.csv
          prefix: prefix
          price: rate_per_min
          per: 60 s
          connect_fee: connect_cost
          increment: {column: increment_s, unit: s}
    rules:
      - {kind: voice, destination: world, item: International calls}
"""


def _drawn_calls(prefixes: list[str]) -> list[tuple[str, str, datetime, int]]:
    """(served, called, start, seconds) of each record: a prefix of the deck with random digits after it, and a few strangers."""
    draw = random.Random(SEED)
    first_at = datetime(2026, 10, 1, tzinfo=UTC)
    stranger = next(
        code for code in map(str, range(200, 1000)) if not any(p.startswith(code) or code.startswith(p) for p in prefixes)
    )
    calls = []
    for number in range(CALLS):
        prefix = draw.choice(prefixes) if number % 500 else stranger
        digits = "".join(draw.choices("0123456789", k=max(0, draw.randrange(9, 14) - len(prefix))))
        start = first_at + timedelta(seconds=draw.randrange(31 * 86_400))
        calls.append(
            (
                f"4477009{draw.randrange(NUMBERS):05d}",
                (prefix + digits)[:15],
                start,
                draw.choice([1, 5, 6, 7, 59, 60, 61, draw.randrange(1, 7_200)]),
            )
        )
    return calls


Charge = tuple[str, str, int, int]  # account, served number, second of the start, nano-units


def _expected_charges(
    calls: list[tuple[str, str, datetime, int]], rates: dict[str, tuple[Fraction, Fraction, int]], holder: dict[str, str]
) -> tuple[Counter[Charge], Counter[str]]:
    """(charges, what each account owes in nano-units): longest prefix by dictionary, whole increments, one rounding."""
    expected: Counter[Charge] = Counter()
    owed: Counter[str] = Counter()
    for served, called, start, seconds in calls:
        rate = next((rates[called[:size]] for size in range(len(called), 0, -1) if called[:size] in rates), None)
        if rate is None:
            continue
        price, fee, increment = rate
        exact = fee + Fraction(-(-seconds // increment) * increment, 60) * price
        nano = round_ratio(exact.numerator * 10_000, exact.denominator, "half_up") * (NANO // 10_000)
        expected[holder[served], served, int(start.timestamp()), nano] += 1
        owed[holder[served]] += nano
    return expected, owed


def test_calls_cost_what_the_deck_says_by_longest_prefix(tmp_path: Path) -> None:
    deck = _required(SHARED / "rate_decks/az_deck.csv")
    print(f"seed {SEED}")
    with deck.open(encoding="utf-8") as source:
        rates = {
            row["prefix"]: (Fraction(row["rate_per_min"]), Fraction(row["connect_cost"]), int(row["increment_s"]))
            for row in csv.DictReader(source)
        }
    assert len(rates) == 36_205
    calls = _drawn_calls(sorted(rates))
    home = tmp_path / "home"
    accounts = [f"W{number:02d}" for number in range(HOLDERS)]
    holder = {f"4477009{number:05d}": accounts[number % HOLDERS] for number in range(NUMBERS)}
    build_home(
        home,
        currency="USD",
        zone="UTC",
        accounts=accounts,
        services=[(number, account, "world") for number, account in holder.items()],
    )
    (home / "tariffs/world.yaml").write_text(WORLD, encoding="utf-8")
    (home / "tariffs/az_deck.csv").write_bytes(deck.read_bytes())
    lines = [f"MSC1,{number},V,26201-1,{served},00{called},{start:%Y-%m-%d %H:%M:%S},{seconds},0,0,16"
             for number, (served, called, start, seconds) in enumerate(calls)]  # fmt: skip
    for part in range(4):
        (home / f"inbox/calls/part{part}.csv").write_text("\n".join([HEADER, *lines[part::4], ""]), encoding="utf-8")

    take_files(home)
    close_period(home, "2026-10")

    expected, owed = _expected_charges(calls, rates, holder)
    charged = sealed(home, "charged_calls").with_columns(
        nano=(pl.col("net") * NANO).cast(pl.Int64), second=pl.col("start_at").dt.epoch("s")
    )
    found = Counter(charged.select("account_id", "service_id", "second", "nano").iter_rows())
    assert found == expected
    billed, strangers = expected.total(), CALLS - expected.total()
    assert row_account(home) == Counter({("billed", "ok"): billed, ("rejected", "no_rate_for_destination"): strangers})
    bills = {row["account_id"]: row for row in sealed(home, "bills").iter_rows(named=True)}
    for account, nano in owed.items():
        assert bills[account]["exact"] * NANO == nano
        assert bills[account]["total"] == _cents(Fraction(nano, NANO))
    _hold_all_invariants(home)
    total = sum(bill["total"] for bill in bills.values())
    print(
        f"{CALLS} calls, {billed} billed, {strangers} without a rate, {nano_text(sum(owed.values()), 4)} USD charged, "
        f"{total} USD on {len(bills)} bills"
    )
    assert (billed, strangers) == (CALLS - CALLS // 500, CALLS // 500)
