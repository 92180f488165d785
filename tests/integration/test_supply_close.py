"""Metered supply from the drop folder to explained bills: demand with a ratchet, reactive energy, credits carried, two closes.

Every figure is computed again here from the values of the files, in fractions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from meterline.cli import main
from meterline.close.bill_view import read_bill
from meterline.config import load_config
from meterline.runtime.engine import open_engine
from tests.tools.homes import broken_invariants, build_home, row_account, sealed

ZONE = "Australia/Brisbane"  # the clock of NEM12: local days are its days
FACTORY, VACANT, ROOF = "NEMB000001", "NEMB000002", "NEMS000001"
FACTORY_TARIFF = """\
tariff: factory
name: Factory
currency: AUD
zone: Australia/Brisbane
service: utility
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    windows:
      peak: {weekdays: [mon, tue, wed, thu, fri], start: "16:00", end: "20:00"}
    energy:
      prices:
        - {item: Energy, price: "0.2000", per: 1 kWh}
        - {item: Peak energy, window: peak, weight: 10, price: "0.3500", per: 1 kWh}
    demand:
      - item: Demand
        measure: {kind: block, minutes: 30}
        price: "12.00"
        per: 1 kW
        ratchet: {floor: 10 kW, percent: {6: "80", 7: "80"}, months: 11}
    capacity:
      - {item: Connection, basis: installed, price: "1.50", per: 1 kVA, prorate: days}
    fees:
      - {name: Customer charge, amount: "0.45", per: day}
    power_factor: {item: Reactive energy, method: excess_kvarh, share_percent: "33", price: "0.012", per: 1 kvarh}
    surcharges:
      - {item: Efficiency fund, basis: energy, price: "0.0031", per: 1 kWh, third_party: State, in_tax_base: false}
    taxes:
      - {name: GST, percent: "10", of: [Energy, Peak energy, Demand, Customer charge]}
"""
ROOF_TARIFF = """\
tariff: roof
name: Roof
currency: AUD
zone: Australia/Brisbane
service: utility
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    energy:
      prices:
        - {item: Energy, price: "0.3000", per: 1 kWh}
    export:
      method: net_billing
      item: Feed-in credit
      netting: 30 min
      pays: [Energy]
      excess: carry
      prices:
        - {item: Feed-in, price: "0.2500", per: 1 kWh}
    fees:
      - {name: Supply charge, amount: "0.90", per: day}
    minimums:
      - {item: Minimum bill, amount: "40.00", per: month, counts: [fixed, credits]}
    taxes:
      - {name: GST, percent: "10"}
"""
MONTHS = {"2026-06": (date(2026, 6, 1), 30), "2026-07": (date(2026, 7, 1), 31)}
Wh = list[int]


def _factory(on: date) -> Wh:
    """Half hours: 8 kW, 20 kW in peak time of weekdays, and one half hour of a month at 60 or 45 kW."""
    found = [4_000 if on.weekday() > 4 or not 32 <= slot < 40 else 10_000 for slot in range(48)]
    if on.day == 10:
        found[34] = 30_000 if on.month == 6 else 22_500
    return found


def _reactive(on: date) -> Wh:
    return [value * (5 if on.month == 6 else 3) // 10 for value in _factory(on)]


def _taken(on: date) -> Wh:
    """Quarter hours of the roof's house: evenings, and a quarter at noon beside export."""
    used = 400 if on.month == 6 else 900
    return [used if slot >= 72 else 150 if slot == 48 else 0 for slot in range(96)]


def _given(on: date) -> Wh:
    return [(700 if on.month == 6 else 100) if 44 <= slot < 56 else 0 for slot in range(96)]


def _days(label: str) -> Iterator[date]:
    first, count = MONTHS[label]
    return (first + timedelta(days=number) for number in range(count))


def _channel(nmi: str, suffix: str, unit: str, minutes: int, values: Callable[[date], Wh], label: str) -> list[str]:
    lines = [f"200,{nmi},E1B1Q1,,{suffix},N1,M1,{unit},{minutes},"]
    for on in _days(label):
        texts = [f"{value // 1000}.{value % 1000:03d}" for value in values(on)]
        lines.append(f"300,{on:%Y%m%d},{','.join(texts)},A,,,{on:%Y%m%d}235959,")
    return lines


def _new_home(home: Path) -> Path:
    services = [(FACTORY, "B1", "factory"), (VACANT, "B2", "factory"), (ROOF, "S1", "roof")]
    build_home(home, currency="AUD", zone=ZONE, accounts=["B1", "B2", "S1"], services=services)
    (home / "tariffs/factory.yaml").write_text(FACTORY_TARIFF, encoding="utf-8")
    (home / "tariffs/roof.yaml").write_text(ROOF_TARIFF, encoding="utf-8")
    (home / "service_terms.csv").write_text(
        f"service_id,term,value,effective_from,effective_to\n{FACTORY},installed,315 kVA,2026-01-01,\n{VACANT},installed,20 kVA,,\n",
        encoding="utf-8",
    )
    tree = yaml.safe_load((home / "meterline.yaml").read_text(encoding="utf-8"))
    tree["reference"]["service_terms"] = "service_terms.csv"
    (home / "meterline.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    return home


def _drop(home: Path, name: str, lines: list[str]) -> None:
    text = "\n".join(["100,NEM12,202608010000,MDP,RETAILER", *lines, "900", ""])
    (home / f"inbox/meters/{name}.csv").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = _new_home(tmp_path_factory.mktemp("supply") / "home")
    for label in MONTHS:
        lines = [
            *_channel(FACTORY, "E1", "kWh", 30, _factory, label),
            *_channel(FACTORY, "Q1", "kvarh", 30, _reactive, label),
            *_channel(ROOF, "E1", "kWh", 15, _taken, label),
            *_channel(ROOF, "B1", "kWh", 15, _given, label),
        ]
        _drop(home, label, lines)
    _typed(home, "run", "--until-idle", "--json", "--quiet")
    for label in MONTHS:
        _typed(home, "period", "close", label, "--quiet")
    return home


def _typed(home: Path, *words: str) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--home", str(home)])
    assert stopped.value.code in (0, None)


def _cents(value: Fraction) -> Fraction:
    return Fraction(int(value * 100 + Fraction(1, 2)), 100)


def _lines(home: Path, account: str, label: str) -> dict[str, tuple[str, Fraction]]:
    rows = sealed(home, "bill_lines", label)
    own = [row for row in rows.iter_rows(named=True) if row["account_id"] == account]
    found = {row["item"]: (row["kind"], Fraction(row["amount"])) for row in own}
    assert len(found) == len(own)
    return found


def _factory_bill(label: str, demand_kw: Fraction) -> dict[str, tuple[str, Fraction]]:
    days = list(_days(label))
    peak = off = reactive = 0
    for on in days:
        for slot, value in enumerate(_factory(on)):
            if on.weekday() < 5 and 32 <= slot < 40:
                peak += value
            else:
                off += value
        reactive += sum(_reactive(on))
    excess = max(Fraction(reactive) - Fraction(33, 100) * (peak + off), Fraction(0))
    lines = {
        "Energy": ("usage", _cents(Fraction(off, 1000) * Fraction("0.2"))),
        "Peak energy": ("usage", _cents(Fraction(peak, 1000) * Fraction("0.35"))),
        "Demand": ("demand", _cents(demand_kw * 12)),
        "Connection": ("fee", _cents(Fraction(315) * Fraction("1.5"))),
        "Customer charge": ("fee", _cents(Fraction("0.45") * len(days))),
        "Reactive energy": ("adjustment", _cents(excess / 1000 * Fraction("0.012"))),
        "Efficiency fund": ("surcharge", _cents(Fraction(peak + off, 1000) * Fraction("0.0031"))),
    }
    taxed = sum((lines[item][1] for item in ("Energy", "Peak energy", "Demand", "Customer charge")), Fraction(0))
    lines = {item: line for item, line in lines.items() if line[1]}
    return lines | {"GST": ("tax", _cents(taxed / 10))}


def test_a_business_pays_by_time_for_demand_with_a_ratchet_and_for_reactive_energy(home: Path) -> None:
    assert _lines(home, "B1", "2026-06") == _factory_bill("2026-06", Fraction(60))
    assert _lines(home, "B1", "2026-07") == _factory_bill("2026-07", Fraction(48))  # 80 % of June's 60 kW, above July's 45 kW


def test_a_service_without_usage_pays_what_is_fixed_and_the_floor_of_its_demand(home: Path) -> None:
    assert _lines(home, "B2", "2026-07") == {
        "Demand": ("demand", Fraction(120)),
        "Connection": ("fee", Fraction(30)),
        "Customer charge": ("fee", Fraction("13.95")),
        "GST": ("tax", Fraction("13.40")),
    }


def test_credits_of_a_sunny_month_pay_the_next(home: Path) -> None:
    carried = Fraction(0)
    for label in MONTHS:
        taken = given = Fraction(0)
        days = list(_days(label))
        for on in days:
            used, fed = _taken(on), _given(on)
            for slot in range(0, 96, 2):
                net = sum(used[slot : slot + 2]) - sum(fed[slot : slot + 2])
                taken, given = taken + max(net, 0), given + max(-net, 0)
        energy, earned = _cents(taken / 1000 * Fraction("0.3")), _cents(given / 1000 * Fraction("0.25"))
        credit = min(energy, carried + earned)
        carried += earned - credit
        fixed = _cents(Fraction("0.9") * len(days))
        least = max(Fraction(40) - (energy + fixed - credit), Fraction(0))
        lines = {
            "Energy": ("usage", energy),
            "Supply charge": ("fee", fixed),
            "Minimum bill": ("minimum", least),
            "Feed-in credit": ("credit", -credit),
            "GST": ("tax", _cents((energy + fixed - credit + least) / 10)),
        }
        assert _lines(home, "S1", label) == {item: line for item, line in lines.items() if line[1]}
        state = {
            (row["topic"]): Fraction(row["value"])
            for row in sealed(home, "service_state", label).iter_rows(named=True)
            if row["service_id"] == ROOF
        }
        assert state.get("credit_nano", Fraction(0)) == carried * 10**9
    assert carried == 0, "July spends what June earned"


def test_what_is_collected_for_a_third_party_is_no_revenue(home: Path) -> None:
    posted = sealed(home, "postings", "2026-06")
    owed = [row for row in posted.iter_rows(named=True) if row["ledger_account"] == "collected_for:State"]
    fund = _factory_bill("2026-06", Fraction(60))["Efficiency fund"][1]
    assert [Fraction(row["credit"] - row["debit"]) for row in owed] == [fund]


def test_every_channel_is_billed_and_quantities_are_conserved(home: Path) -> None:
    assert row_account(home) == {("billed", "ok"): 4 * 61}
    charged = sealed(home, "charged_days")
    for service, values in ((FACTORY, (_factory, _reactive)), (ROOF, (_taken, _given))):
        own = charged.filter(charged["service_id"] == service)
        metered = sum(sum(value(on)) for label in MONTHS for on in _days(label) for value in values) * 1000
        assert int(own["quantity"].sum()) == metered
    usage = sealed(home, "charges")
    energy = sum(sum(_factory(on)) for label in MONTHS for on in _days(label)) * 1000
    assert int(usage.filter(usage["service_id"] == FACTORY)["quantity"].sum()) == energy


def test_lines_are_explained_down_to_the_meter(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def explained(account: str, item: str) -> dict[str, Any]:
        capsys.readouterr()
        bill = f"2026-07-{account}"
        _typed(home, "bill", "show", bill, "--json")
        line = next(line for line in json.loads(capsys.readouterr().out)["lines"] if line["item"] == item)
        _typed(home, "bill", "explain", bill, str(line["line_no"]), "--json")
        found: dict[str, Any] = json.loads(capsys.readouterr().out)
        return found

    demand = explained("B1", "Demand")
    assert "measured 45 kW at 2026-07-10T07:00Z, ratchet" in demand["arithmetic"][1]
    assert explained("B1", "Peak energy")["records"]
    credit = explained("S1", "Feed-in credit")
    assert "carried in" in credit["arithmetic"][1] and credit["records"][0]["channel"] == "B1"


def test_all_invariants_hold_and_both_closes_replay(home: Path) -> None:
    assert broken_invariants(home) == []


def test_a_service_that_cannot_be_billed_blocks_the_close_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A meter without its reactive channel; export that its tariff does not bill; reactive energy on an import channel."""
    home = _new_home(tmp_path / "home")
    lines = [
        *_channel(FACTORY, "E1", "kWh", 30, _factory, "2026-06"),
        *_channel(FACTORY, "B1", "kWh", 30, _factory, "2026-06"),
        *_channel(VACANT, "E1", "kvarh", 30, _reactive, "2026-06"),
    ]
    _drop(home, "one", lines)
    _typed(home, "run", "--until-idle", "--json", "--quiet")
    assert row_account(home) == {
        ("billed", "ok"): 30, ("filtered", "unbilled_channel"): 30, ("rejected", "unit_not_billable"): 30,
    }  # fmt: skip
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["period", "plan", "2026-06", "--json", "--quiet", "--home", str(home)])
    plan = json.loads(capsys.readouterr().out)
    blocked = {check["check"]: check["figure"] for check in plan["checklist"] if check["verdict"] == "BLOCK"}
    assert blocked == {
        "every service can be billed": f"service {FACTORY}: power factor Reactive energy: no reactive_import channel"
    }


TWO_VERSIONS = """\
tariff: home
name: Home
currency: EUR
zone: Europe/Berlin
service: utility
versions:
  - version: "1"
    effective_from: 2026-01-01
    effective_to: 2026-06-15
    rounding: {scope: line, mode: none}
    energy: {prices: [{item: Energy, price: "0.30", per: 1 kWh}]}
    demand: [{item: Demand, price: "1", per: 1 kW, prorate: days}]
    fees: [{name: Supply charge, amount: "1", per: day}, {name: Metering, amount: "7", per: month, prorate: false}]
  - version: "2"
    effective_from: 2026-06-15
    rounding: {scope: line, mode: none}
    energy: {prices: [{item: Energy, price: "0.40", per: 1 kWh}]}
    demand: [{item: Demand, price: "2", per: 1 kW, prorate: days}]
    fees: [{name: Supply charge, amount: "2", per: day}, {name: Metering, amount: "7", per: month, prorate: false}]
"""


def test_meter_days_are_cut_where_version_account_and_month_change(tmp_path: Path) -> None:
    """Berlin's midnight lies inside days of UTC+10; a version begins on the 15th, another account takes over on the 25th."""
    home = tmp_path / "home"
    build_home(home, currency="EUR", zone="Europe/Berlin", accounts=["A", "B"], services=[])
    (home / "services.csv").write_text(
        "service_id,account_id,tariff_id,effective_from,effective_to\n"
        f"{FACTORY},A,home,2026-01-01,2026-06-25\n{FACTORY},B,home,2026-06-25,\n",
        encoding="utf-8",
    )
    (home / "tariffs/home.yaml").write_text(TWO_VERSIONS, encoding="utf-8")
    lines = [f"200,{FACTORY},E1,,E1,N1,M1,kWh,30,"]
    metered: dict[datetime, int] = {}
    for number in range(-2, 32):
        on = date(2026, 6, 1) + timedelta(days=number)
        values = [(number + 3) * 100 + slot for slot in range(48)]
        start = datetime(on.year, on.month, on.day, tzinfo=timezone(timedelta(hours=10)))
        metered |= {start + timedelta(minutes=30 * slot): value for slot, value in enumerate(values)}
        texts = [f"{value // 1000}.{value % 1000:03d}" for value in values]
        lines.append(f"300,{on:%Y%m%d},{','.join(texts)},A,,,20260801000000,")
    _drop(home, "june", lines)
    _typed(home, "run", "--until-idle", "--quiet")
    parts = (("A", "1", 1, 15, 1, 7), ("A", "2", 15, 25, 2, 0), ("B", "2", 25, 31, 2, 7))
    expected: dict[tuple[str, str, str], Fraction] = {}
    found: dict[tuple[str, str, str], Fraction] = {}
    for account, version, first, end, price, once in parts:
        low, high = (datetime(2026, 6, 1, tzinfo=ZoneInfo("Europe/Berlin")) + timedelta(days=day - 1) for day in (first, end))
        own = [value for at, value in metered.items() if low <= at < high]
        charged = {
            "Energy": Fraction(sum(own), 1000) * Fraction(price + 2, 10),
            "Demand": Fraction(max(own) * 2, 1000) * price * Fraction(end - first, 30),
            "Supply charge": Fraction(price * (end - first)),
            "Metering": Fraction(once),
        }
        expected |= {(account, version, item): amount for item, amount in charged.items() if amount}
    with open_engine(load_config(home)) as engine:
        for account in ("A", "B"):
            view = read_bill(engine.config, engine.log, f"2026-06-{account}")
            found |= {(account, line["version"], line["item"]): Fraction(line["exact_nano"], 10**9) for line in view.lines}
    rounded = {key: Fraction(round(amount * 10**9), 10**9) for key, amount in expected.items()}
    assert {key: amount for key, amount in found.items() if key[2] != "Carried rounding"} == rounded
