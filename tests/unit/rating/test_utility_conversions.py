"""Worked figures of the utility reference §4: losses, annual tiers, gas, water; each through the language and the bill."""

from __future__ import annotations

from decimal import Decimal

import polars as pl
import pytest

from rating.utility.bill_input import groups_frame
from rating.utility.losses import transformer_loss
from tests.unit.rating.utility_cases import (
    JUNE,
    amounts,
    bill,
    carried,
    channels,
    energy,
    found_of,
    kilo,
    nano,
    state_of,
    total,
    version_of,
)

CENTS = "{scope: line, mode: half_up, decimals: 2}"

LOSSES = """
energy: {{prices: [{{item: Energy, price: "1", per: 1 kWh}}]}}
losses:
  transformer:
    method: {method}
    transformers:
      S9: {{no_load_loss: 0.48 kW, load_loss: 3.65 kW, no_load_current_percent: "1", impedance_voltage_percent: "4", capacity: 315 kVA}}
    round: {{mode: half_up, to: 0.01 kWh}}
  line_percent: "1.5"
"""


def test_transformer_losses() -> None:
    version = version_of(LOSSES.format(method="formula"))
    rule = version.supply.losses.transformer if version.supply.losses else None
    assert rule is not None
    groups = groups_frame({"group": [0], "days": [30], "transformer": ["S9"]})
    lost, reactive = transformer_loss(rule, groups, pl.Series([kilo("60000")]), pl.Series([kilo("30000")]))
    assert (lost.to_list(), reactive.to_list()) == ([kilo("575.51")], [kilo("3061.65")])
    used = channels(**{"import": "60000", "reactive_import": "30000"})
    billed = bill(version, found_of(energy("60000"), channels=used), transformer="S9")
    # the line loses 1.5 % of what the transformer passes on: 60,575.51 x 1.015
    assert total(billed) == Decimal("61484.14265")
    assert bill(version, found_of(energy("1"), channels=used)).refusals["reason"].to_list() == [
        "no transformer that the tariff knows"
    ]


def test_losses_without_a_kvarh_meter() -> None:
    version = version_of(LOSSES.format(method="no_kvarh_meter"))
    rule = version.supply.losses.transformer if version.supply.losses else None
    assert rule is not None
    groups = groups_frame({"group": [0], "days": [30], "transformer": ["S9"]})
    lost, _ = transformer_loss(rule, groups, pl.Series([kilo("60000")]), pl.Series([kilo("0")]))
    # 345.60 + 3.65 x (60,000 / 0.8)^2 / (720 x 315^2)
    assert lost.to_list() == [kilo("345.60") + kilo("287.38")]


ANNUAL = """
energy:
  prices: [{item: Energy, price: "0.56", per: 1 kWh}]
  add_ons:
    - item: Add-on
      per: 1 kWh
      ladder_months: 12
      tiers: [{from: 0 kWh, price: "0"}, {from: 2160 kWh, price: "0.05"}, {from: 4200 kWh, price: "0.30"}]
"""


@pytest.mark.parametrize(("prior", "costs"), [("2000", "236.00"), ("4100", "319.00"), ("0", "224.00")])
def test_annual_tiers(prior: str, costs: str) -> None:
    version = version_of(ANNUAL)
    state = state_of(("ladder", "Add-on", 2026 * 12, kilo(prior)))
    billed = bill(version, found_of(energy("400")), state=state)
    assert total(billed) == Decimal(costs)
    assert carried(billed, "ladder") == kilo(prior) + kilo("400")


def test_an_annual_ladder_starts_again_with_its_year() -> None:
    state = state_of(("ladder", "Add-on", 2025 * 12, kilo("5000")))
    assert total(bill(version_of(ANNUAL), found_of(energy("400")), state=state)) == Decimal("224.00")


@pytest.mark.parametrize(
    ("unit_rate", "cv",     "register",  "volume", "kwh"),
    [
        ("1.02264",   "39.5",   "1 m3",      "152",    "1705.54"),
        ("1.02264",   "39.5",   "2.83 m3",   "152.82", "1714.74"),  # 54 counts of 100 ft3
    ],
)  # fmt: skip
def test_british_gas(unit_rate: str, cv: str, register: str, volume: str, kwh: str) -> None:
    version = version_of(f"""
        commodity: gas
        gas: {{method: factor, correction: "{unit_rate}", register: {register}, round: {{mode: half_up, to: 0.01 kWh}}}}
        energy: {{prices: [{{item: Gas, price: "1", per: 1 kWh}}]}}
    """)
    found = found_of(energy(volume), channels=channels(volume=volume))
    assert total(bill(version, found, calorific_nano=nano(cv))) == Decimal(kwh)
    assert bill(version, found).refusals.rows() == [(0, "gas", "no calorific of the service or the period")]


def test_german_gas() -> None:
    version = version_of("""
        commodity: gas
        gas: {method: z_number, correction_decimals: 4, calorific_unit: kWh/m3}
        energy: {prices: [{item: Gas, price: "1", per: 1 kWh}]}
    """)
    terms = {
        "temperature_nano": nano("15"),
        "ambient_nano": nano("1005"),
        "gauge_nano": nano("22"),
        "calorific_nano": nano("11.3"),
    }
    assert total(bill(version, found_of(energy("1500"), channels=channels(volume="1500")), **terms)) == Decimal("16285.56")


def test_gas_by_pressure_and_temperature() -> None:
    version = version_of("""
        commodity: gas
        gas: {method: pressure, calorific_unit: kWh/m3, calorific_value: "10"}
        energy: {prices: [{item: Gas, price: "1", per: 1 kWh}]}
    """)
    terms = {"pressure_nano": nano("4.053"), "temperature_nano": nano("288.15"), "compressibility_nano": nano("0.8")}
    assert total(bill(version, found_of(energy("100"), channels=channels(volume="100")), **terms)) == Decimal("5000")


def test_water_and_sewage() -> None:
    version = version_of("""
        commodity: water
        energy:
          tier_scope: per_period
          prices:
            - item: Water
              per: 1 m3
              tiers: [{from: 0 m3, price: "1.20"}, {from: 10 m3, price: "1.80"}, {from: 25 m3, price: "2.90"}]
        sewage: {item: Sewage, percent: "85", price: "1.10", per: 1 m3}
        meter_size: [{item: Meter, sizes: {DN15: "3.20"}}]
    """, CENTS)  # fmt: skip
    billed = bill(version, found_of(energy("28"), channels=channels(volume="28")), meter_size="DN15")
    assert amounts(billed) == {
        "Water": "12.00", "Water above 10 m3": "27.00", "Water above 25 m3": "8.70", "Sewage 85 % of water": "26.18",
        "Meter DN15": "3.20",
    }  # fmt: skip


def test_sewage_by_winter_average() -> None:
    version = version_of("""
        commodity: water
        energy: {prices: [{item: Water, price: "0", per: 1 m3}]}
        sewage: {item: Sewage, percent: "100", price: "1", per: 1 m3, winter_average: true}
    """)
    winter = [("use", "", JUNE.number - back, kilo(use)) for back, use in ((6, "12"), (5, "9"), (4, "9"), (3, "50"))]
    found = found_of(energy("40"), channels=channels(volume="40"))
    assert total(bill(version, found, state=state_of(*winter))) == Decimal(10)
    assert total(bill(version, found)) == Decimal(40)
