"""The worked figures of the utility reference §4, each through the language and the bill."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import polars as pl
import pytest

from rating.utility.bill_input import STEP_SCHEMA, BilledMonth, groups_frame
from rating.utility.power_factor import power_factor_hundredths
from rating.utility.utility_bill import bill_services
from tests.unit.rating.utility_cases import (
    JULY,
    JUNE,
    amounts,
    bill,
    carried,
    channels,
    demand,
    energy,
    found_of,
    kilo,
    nano,
    state_of,
    total,
    version_of,
)

CENTS = "{scope: line, mode: half_up, decimals: 2}"
TIERS = """
energy:
  tier_scope: {scope}
  {more}
  prices:
    - item: Energy
      per: 1 kWh
      tiers: [{{from: 0 kWh, price: "0.10"}}, {{from: 200 kWh, price: "0.15"}}, {{from: 500 kWh, price: "0.25"}}]
"""
PEAK_OFF = """
windows:
  peak: {{start: "17:00", end: "21:00"}}
energy:
  tier_scope: {scope}
  split_at_bound: {split}
  prices:
    - {{item: Off, per: 1 kWh, tiers: [{{from: 0 kWh, price: "0.15"}}, {{from: 400 kWh, price: "0.20"}}]}}
    - {{item: Peak, window: peak, per: 1 kWh, tiers: [{{from: 0 kWh, price: "0.30"}}, {{from: 400 kWh, price: "0.40"}}]}}
"""


def test_time_of_use() -> None:
    version = version_of("""
        windows: {peak: {start: "17:00", end: "21:00"}}
        energy:
          prices:
            - {item: Peak, window: peak, price: "0.42", per: 1 kWh}
            - {item: Off, price: "0.18", per: 1 kWh}
    """)
    assert total(bill(version, found_of(energy("120.5", "310.25")))) == Decimal("106.455")


@pytest.mark.parametrize(
    ("kwh", "days", "more",                      "costs"),
    [
        ("640", 30, "prorate_bounds: false",     "100.00"),
        ("480", 23, "prorate_bounds: true",      "74.00"),
        ("200", 30, "prorate_bounds: true",      "20.00"),
        ("640", 30, "whole_quantity: true",      "160.00"),  # all of it at the third tier's price
        ("500", 30, "whole_quantity: true",      "125.00"),  # a bound is reached when it is equalled
        ("499", 30, "whole_quantity: true",      "74.85"),
    ],
)  # fmt: skip
def test_tiers_and_their_bounds(kwh: str, days: int, more: str, costs: str) -> None:
    version = version_of(TIERS.format(scope="per_period", more=more), CENTS)
    assert total(bill(version, found_of(energy(kwh)), days=days)) == Decimal(costs)


@pytest.mark.parametrize(
    ("scope",                "split",  "costs"),
    [
        ("shared_prorated",      "true",   "140.00"),
        ("shared_chronological", "true",   "140.50"),
        ("shared_chronological", "false",  "135.00"),
        ("per_period",           "true",   "126.00"),
    ],
)  # fmt: skip
def test_each_tier_scope(scope: str, split: str, costs: str) -> None:
    version = version_of(PEAK_OFF.format(scope=scope, split=split))
    order = [(0, 0, 1, 1, kilo("200")), (0, 1, 2, 1, kilo("150")), (0, 0, 3, 1, kilo("160")), (0, 1, 4, 1, kilo("90"))]
    steps = pl.DataFrame(order, schema=STEP_SCHEMA, orient="row")
    assert total(bill(version, replace(found_of(energy("360", "240")), steps=steps))) == Decimal(costs)


def test_a_chronological_ladder_needs_intervals() -> None:
    version = version_of(PEAK_OFF.format(scope="shared_chronological", split="true"))
    refused = bill(version, found_of(energy("360", "240")))
    assert refused.lines.is_empty()
    assert refused.refusals.rows() == [(0, "energy tiers in time order", "no import by interval")]


@pytest.mark.parametrize(
    ("bound",              "kwh",   "kw",    "costs"),
    [
        ("10 kWh/day",     "640",   "0",     "98.00"),   # 300 at 0.10, 340 at 0.20
        ("4 kWh/kW",       "640",   "100",   "88.00"),   # 400 at 0.10
        ("0.5 kWh/kW/day", "640",   "20",    "98.00"),   # 300 at 0.10
    ],
)  # fmt: skip
def test_bounds_by_day_and_by_demand(bound: str, kwh: str, kw: str, costs: str) -> None:
    version = version_of(f"""
        energy:
          tier_scope: per_period
          prices:
            - {{item: Energy, per: 1 kWh, tiers: [{{from: 0 kWh, price: "0.10"}}, {{from: {bound}, price: "0.20"}}]}}
        demand: [{{item: Demand, price: "0", per: 1 kW}}]
    """)
    assert total(bill(version, found_of(energy(kwh), demand=demand(kw)))) == Decimal(costs)


def test_incremental_demand_tiers() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        demand: [{item: Demand, per: 1 kW, tiers: [{from: 0 kW, price: "2.00"}, {from: 50 kW, price: "3.00"}]}]
    """)
    assert amounts(bill(version, found_of(energy("1"), demand=demand("80")))) == {
        "Energy": "0.00", "Demand": "100.00", "Demand above 50 kW": "90.00",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("current", "july",  "months", "bills"),
    [
        ("410",     "620",   11,       "496"),   # 80 % of July
        ("510",     "620",   11,       "510"),   # the month itself is higher
        ("50",      None,    11,       "100"),   # no history is absent, not zero: the floor
        ("410",     "620",   4,        "410"),   # July of last year is too long ago
    ],
)  # fmt: skip
def test_ratchet(current: str, july: str | None, months: int, bills: str) -> None:
    version = version_of(f"""
        energy: {{prices: [{{item: Energy, price: "0", per: 1 kWh}}]}}
        demand: [{{item: Demand, price: "1", per: 1 kW, ratchet: {{floor: 100 kW, percent: {{7: "80"}}, months: {months}}}}}]
    """)
    history = state_of(("peak", "Demand", JUNE.number - 11, kilo(july))) if july else state_of()
    billed = bill(version, found_of(energy("1"), demand=demand(current)), state=history)
    assert total(billed) == Decimal(bills)
    assert (JUNE.number, kilo(current)) in billed.state.filter(pl.col("topic") == "peak").select("period", "value").rows()


def test_mean_of_months_with_a_minimum() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        demand: [{item: Capacity, price: "1", per: 1 kW, minimum: 2.5 kW, mean_of_months: 12}]
    """)
    state, first = state_of(), JUNE.number - 5
    for step, peak in enumerate(("3.1", "2.9", "1.8", "4.2", "5.0", "2.2")):
        month = replace(JUNE, number=first + step)
        billed = bill(version, found_of(energy("1"), demand=demand(peak)), month=month, state=state)
        state = billed.state
    line = billed.lines.filter(pl.col("item") == "Capacity").row(0, named=True)
    assert round(Decimal(line["amount_nano"]) / 10**9, 4) == Decimal("3.3667")
    assert Fraction(line["numerator"], line["denominator"]) == Fraction(20_200_000_000, 6)


def test_only_the_period_that_holds_the_months_peak() -> None:
    version = version_of("""
        windows: {day: {start: "07:00", end: "22:00"}}
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        demand:
          - {item: Day, window: day, price: "5", per: 1 kW, pick: period_of_peak}
          - {item: Night, price: "2", per: 1 kW, pick: period_of_peak}
    """)
    assert amounts(bill(version, found_of(energy("1"), demand=demand("40", "70")))) == {"Energy": "0.00", "Night": "140.00"}


@pytest.mark.parametrize(
    ("kw",   "contract", "kva",   "costs"),
    [
        ("560",  "500",      "1000",  "21660"),     # 19,000 and 35 x 2 x 38
        ("525",  "500",      "1000",  "19000"),     # up to 105 %
        ("300",  "500",      "1000",  "19000"),     # the contract is due anyway
        ("300",  "200",      "1000",  "15200"),     # at least 40 % of the installed kVA
    ],
)  # fmt: skip
def test_contract_demand(kw: str, contract: str, kva: str, costs: str) -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        demand:
          - item: Demand
            price: "38"
            per: 1 kW
            contract: {tolerance_percent: "105", excess_factor: "2", minimum_share_percent: "40"}
    """)
    billed = bill(version, found_of(energy("1"), demand=demand(kw)), contract_milliw=kilo(contract), installed_milliva=kilo(kva))
    assert total(billed) == Decimal(costs)


@pytest.mark.parametrize(
    ("kwh",     "paused", "costs"),
    [
        ("1000",    0,        "28000"),
        ("1000",    12,       "16800"),    # 18 of 30 days
        ("260000",  0,        "25200"),    # 260 kWh a kVA: nine tenths
        ("259999",  0,        "28000"),
    ],
)  # fmt: skip
def test_installed_capacity(kwh: str, paused: int, costs: str) -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        capacity:
          - {item: Capacity, basis: installed, price: "28", per: 1 kVA, high_use: {from: 260 kWh/kVA, percent: "90"}}
    """)
    assert total(bill(version, found_of(energy(kwh)), installed_milliva=kilo("1000"), paused_days=paused)) == Decimal(costs)


@pytest.mark.parametrize(
    ("fee",                                                       "days", "costs"),
    [
        ('{name: F, amount: "0.45", per: day}',                   31,     "13.95"),
        ('{name: F, amount: "0.45", per: day}',                   10,     "4.50"),
        ('{name: F, amount: "31.00", per: month}',                10,     "10.00"),
        ('{name: F, amount: "30.00", per: month, prorate: thirtieths}', 31, "30.00"),
        ('{name: F, amount: "30.00", per: month, prorate: thirtieths}', 10, "10.00"),
        ('{name: F, amount: "31.00", per: month, prorate: false}', 10,    "31.00"),
        ('{name: F, amount: "365.00", per: year}',                31,     "31.00"),
        ('{name: F, amount: "120.00", per: year, prorate: false}', 31,    "10.00"),
    ],
)  # fmt: skip
def test_fees(fee: str, days: int, costs: str) -> None:
    version = version_of(f'energy: {{prices: [{{item: Energy, price: "0", per: 1 kWh}}]}}\nfees: [{fee}]\n')
    assert total(bill(version, found_of(energy("1")), month=JULY, days=days)) == Decimal(costs)


@pytest.mark.parametrize(
    ("minimum",                                                     "costs"),
    [
        ('{item: M, amount: "20", per: month}',                     "31.00"),   # energy 9: 11 missing, and the fee 11
        ('{item: M, amount: "20", per: month, counts: [fixed]}',    "20.00"),
        ('{item: M, amount: "20", per: month, of: [Fee]}',          "29.00"),
        ('{item: M, amount: "20", per: month, of: [Energy, Fee]}',  "20.00"),
        ('{item: M, amount: "2", per: kW, counts: [fixed]}',        "50.00"),
        ('{item: M, amount: "15", per: month, counts: [fixed]}',    "20.00"),   # reached: no line
        ('{item: M, amount: "40", per: month, counts: [fixed, tax]}', "40.00"),
    ],
)  # fmt: skip
def test_minimums(minimum: str, costs: str) -> None:
    version = version_of(f"""
        energy: {{prices: [{{item: Energy, price: "0.30", per: 1 kWh}}]}}
        demand: [{{item: Demand, price: "0", per: 1 kW}}]
        fees: [{{name: Fee, amount: "11", prorate: false}}]
        minimums: [{minimum}]
    """)
    assert total(bill(version, found_of(energy("30"), demand=demand("25")))) == Decimal(costs)


def test_an_annual_minimum_is_settled_in_its_month() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0.10", per: 1 kWh}]}
        minimums: [{item: M, amount: "100", per: year, settled_in: 6}]
    """)
    state, bills = state_of(), []
    for number in range(JUNE.number - 2, JUNE.number + 2):
        billed = bill(version, found_of(energy("150")), month=replace(JUNE, number=number), state=state)
        state, bills = billed.state, [*bills, total(billed)]
    assert bills == [Decimal(15), Decimal(15), Decimal(70), Decimal(15)]
    assert carried(billed, "minimum_nano") == nano("15")


@pytest.mark.parametrize(
    ("active",  "reactive", "hundredths"),
    [
        ("100000",  "62000",    85),
        ("0",       "0",        100),
        ("0",       "5",        0),
        ("60000",   "30000",    89),
        ("1",       "0",        100),
    ],
)  # fmt: skip
def test_power_factor(active: str, reactive: str, hundredths: int) -> None:
    found = power_factor_hundredths(pl.Series([kilo(active)]), pl.Series([kilo(reactive)]))
    assert found.to_list() == [hundredths]


def test_power_factor_adjustment() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0.64", per: 1 kWh}]}
        fees: [{name: Fund, amount: "500", prorate: false}]
        power_factor:
          item: Adjustment
          method: table
          standard: "0.90"
          of: [Energy]
          tables:
            "0.90":
              points: [{at: "0.95", percent: "-0.75"}, {at: "0.90", percent: "0"}, {at: "0.70", percent: "10"}, {at: "0.65", percent: "15"}]
              per_hundredth_below: "2"
            "0.85": {points: [{at: "0.90", percent: "-0.5"}, {at: "0.85", percent: "0"}, {at: "0.65", percent: "10"}]}
    """)
    used = channels(**{"import": "100000", "reactive_import": "50000", "reactive_export": "12000"})
    found = found_of(energy("100000"), channels=used)
    assert amounts(bill(version, found))["Adjustment"] == "1600.00"
    assert "Adjustment" not in amounts(bill(version, found, power_factor_standard="0.85"))
    table = dict(version.supply.power_factor.tables)["0.90"] if version.supply.power_factor else ()
    assert [table[at] for at in (100, 95, 91, 90, 89, 70, 69, 65, 60)] == [
        -7_500, -7_500, -1_500, 0, 5_000, 100_000, 110_000, 150_000, 250_000,
    ]  # fmt: skip
    assert bill(version, found_of(energy("1"))).refusals.rows() == [(0, "power factor Adjustment", "no reactive_import channel")]


def test_excess_reactive_energy() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}
        power_factor: {item: Reactive, method: excess_kvarh, share_percent: "33", price: "0.02", per: 1 kvarh}
    """)
    used = channels(**{"import": "1000", "reactive_import": "430"})
    assert amounts(bill(version, found_of(energy("1000"), channels=used)))["Reactive over 33 %"] == "2.00"


@pytest.mark.parametrize(
    ("by",    "scope",  "lines",   "costs"),
    [
        ("sum",   "line",   "10.00",   "30.00"),
        ("sum",   "total",  "10.004",  "30.01"),
    ],
)  # fmt: skip
def test_rounding_of_lines_and_of_the_total(by: str, scope: str, lines: str, costs: str) -> None:
    fees = ", ".join(f'{{name: F{number}, amount: "10.004", prorate: false}}' for number in range(3))
    version = version_of(
        f'energy: {{prices: [{{item: Energy, price: "0", per: 1 kWh}}]}}\nfees: [{fees}]\ntax_by: {by}\n',
        f"{{scope: {scope}, mode: half_up, decimals: 2}}",
    )
    billed = bill(version, found_of(energy("1")))
    assert amounts(billed)["F0"] == str(Decimal(lines) + Decimal("0.00"))
    assert total(billed) == Decimal(costs)


@pytest.mark.parametrize(("by", "tax"), [("sum", "0.04"), ("line", "0.03")])
def test_taxes_on_named_lines_by_sum_and_by_line(by: str, tax: str) -> None:
    version = version_of(f"""
        energy: {{prices: [{{item: Energy, price: "5", per: 1 kWh}}]}}
        fees: [{{name: A, amount: "0.14", prorate: false}}, {{name: B, amount: "0.14", prorate: false}}, {{name: C, amount: "0.14", prorate: false}}]
        taxes: [{{name: VAT, percent: "10", of: [A, B, C]}}]
        tax_by: {by}
    """, CENTS)  # fmt: skip
    billed = bill(version, found_of(energy("1")))
    assert amounts(billed)["VAT"] == tax


def test_surcharges_and_their_bases() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "0.50", per: 1 kWh}]}
        demand: [{item: Demand, price: "2", per: 1 kW}]
        surcharges:
          - {item: Fund, basis: energy, price: "0.01", per: 1 kWh, on_self_generation: true, in_tax_base: false, third_party: State}
          - {item: Standby, basis: demand, price: "0.5", per: 1 kW}
          - {item: Access, basis: installed, price: "0.1", per: 1 kVA}
          - {item: City, basis: lines, percent: "2.5", of: [Energy, Fund]}
        taxes: [{name: VAT, percent: "10"}]
    """)
    used = channels(**{"import": "1000", "self_generation": "200"})
    billed = bill(version, found_of(energy("1000"), demand=demand("20"), channels=used), installed_milliva=kilo("50"))
    assert amounts(billed) == {
        "Energy": "500.00", "Demand": "40.00", "Fund for State": "12.00", "Standby": "10.00", "Access": "5.00", "City": "12.80",
        "VAT": "56.78",
    }  # fmt: skip


def test_a_refusal_leaves_no_total_and_keeps_the_state() -> None:
    version = version_of("""
        energy: {prices: [{item: Energy, price: "1", per: 1 kWh}]}
        demand: [{item: Demand, price: "1", per: 1 kW, mean_of_months: 12}]
    """)
    history = state_of(("peak", "Demand", JUNE.number - 1, kilo("5")))
    refused = bill(version, found_of(energy("1")), state=history)
    assert refused.lines.is_empty()
    assert refused.refusals.rows() == [(0, "demand Demand", "no demand in kW could be measured")]
    assert refused.state.rows() == history.rows()


def test_many_services_at_once_are_each_billed_as_if_alone() -> None:
    version = version_of(TIERS.format(scope="per_period", more="prorate_bounds: true"))
    uses, days = [17, 480, 640, 0, 9_999], [30, 23, 30, 1, 12]
    rows = pl.DataFrame({"group": range(5), "price_index": 0, "quantity": [kilo(str(use)) for use in uses]}).cast(
        {"group": pl.Int32, "price_index": pl.Int32, "quantity": pl.Int64}
    )
    used = rows.select("group", role=pl.lit("import"), quantity="quantity")
    groups = groups_frame({"group": list(range(5)), "days": days})
    together = bill_services(version, JUNE, groups, found_of(rows, channels=used))
    for group in range(5):
        own = rows.filter(pl.col("group") == group)
        alone = bill_services(
            version, JUNE, groups.filter(pl.col("group") == group), found_of(own, channels=used.filter(pl.col("group") == group))
        )
        assert alone.lines.rows() == together.lines.filter(pl.col("group") == group).rows()


def test_a_month_knows_its_ladders() -> None:
    march = BilledMonth(2026 * 12 + 2, 31, 365)
    assert [march.ladder_start(months, first) - 2026 * 12 for months, first in ((1, 1), (2, 1), (12, 1), (12, 7))] == [
        2,
        2,
        0,
        -6,
    ]
