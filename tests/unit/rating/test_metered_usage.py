"""Measuring: demand, netting, tiers in time order, dynamic prices and totals out of steps; reading usage, terms and price files."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from rating.bill_usage import BilledUsage, bill_usage
from rating.language.tariff import Tariff
from rating.metered_usage import read_metered_usage
from rating.price_files import load_price_files
from rating.service_terms import read_service_terms
from rating.utility.dynamic import PRICE_SCHEMA
from schemas.errors import ConfigurationError, MeterlineError
from tests.unit.rating.utility_cases import nano, tariff_of

FREE = 'energy: {prices: [{item: Energy, price: "0", per: 1 kWh}]}\n'


def steps(start: str, minutes: int, kwh: list[str], role: str = "import", unit: str = "kWh", **more: str) -> pl.DataFrame:
    """Steps in a row from an instant on; `-` leaves one out."""
    at = datetime.fromisoformat(start)
    rows = [
        {
            "role": role,
            "start_at": (at + timedelta(minutes=minutes * n)).isoformat(),
            "step_s": minutes * 60,
            "quantity": value,
            "unit": unit,
            **more,
        }
        for n, value in enumerate(kwh)
        if value != "-"
    ]
    return pl.DataFrame(rows, schema_overrides={"step_s": pl.Int64})


def total(billed: BilledUsage) -> Decimal:
    assert billed.refusals.is_empty(), billed.refusals
    return Decimal(int(billed.lines["amount_nano"].sum())) / 10**9


def quarter_hours(*kw: str) -> list[str]:
    return [value if value == "-" else str(Decimal(value) / 4) for value in kw]


@pytest.mark.parametrize(
    ("measure",                       "kw",                                     "peaks"),
    [
        ("{kind: step}",                  ("40", "100", "80", "20"),            "100"),
        ("{kind: block, minutes: 30}",    ("40", "100", "80", "20"),            "70"),
        ("{kind: sliding, minutes: 30}",  ("40", "100", "80", "20"),            "90"),
        ("{kind: block, minutes: 60}",    ("40", "100", "80", "20"),            "60"),
        ("{kind: block, minutes: 30}",    ("40", "-", "80", "20"),              "50"),   # the first block is incomplete
        ("{kind: sliding, minutes: 30}",  ("40", "100", "-", "80", "20"),       "70"),   # no window across the gap
        ("{kind: sliding, minutes: 60}",  ("40", "100", "80", "20", "60"),      "65"),
    ],
)  # fmt: skip
def test_demand_measures(measure: str, kw: tuple[str, ...], peaks: str) -> None:
    tariff = tariff_of(FREE + f'demand: [{{item: Demand, price: "1", per: 1 kW, measure: {measure}}}]\n')
    assert total(bill_usage(tariff, steps("2026-06-08T10:00:00+02:00", 15, quarter_hours(*kw)), ["2026-06"])) == Decimal(peaks)


def test_only_incomplete_windows_refuse_the_month() -> None:
    tariff = tariff_of(FREE + 'demand: [{item: Demand, price: "1", per: 1 kW, measure: {kind: block, minutes: 60}}]\n')
    billed = bill_usage(tariff, steps("2026-06-08T10:00:00+02:00", 15, ["1", "-", "1", "1"]), ["2026-06"])
    assert billed.lines.is_empty()
    assert billed.refusals["reason"].to_list() == ["no demand in kW could be measured"]


@pytest.mark.parametrize(
    ("elements",                                                       "peaks"),
    [
        ("pick: mean_of_highest, count: 3",                            "90"),    # 100, 90, 80
        ("pick: mean_of_highest, count: 2, distinct_days: true",       "85"),    # 100 of one day, 70 of the other
        ("window: evening",                                            "70"),
        ("pick: coincident",                                           "80"),
    ],
)  # fmt: skip
def test_which_demand_is_picked(elements: str, peaks: str) -> None:
    tariff = tariff_of(
        'windows: {evening: {start: "18:00", end: "20:00"}}\n'
        + FREE
        + f'demand: [{{item: Demand, price: "1", per: 1 kW, {elements}}}]\n'
    )
    usage = pl.concat(
        [
            steps("2026-06-08T10:00:00+02:00", 60, ["100", "90", "80"]),
            steps("2026-06-09T18:00:00+02:00", 60, ["70"]),
        ]
    )
    at = [int(datetime.fromisoformat("2026-06-08T12:30:00+02:00").timestamp()) * 10**6]
    assert total(bill_usage(tariff, usage, ["2026-06"], coincident_at=at)) == Decimal(peaks)


def test_a_window_that_never_holds_in_the_month_has_no_demand() -> None:
    tariff = tariff_of(
        "windows: {summer: {months: [7, 8]}}\n" + FREE + 'demand: [{item: Summer, window: summer, price: "1", per: 1 kW}]\n'
    )
    usage = steps("2026-06-08T10:00:00+02:00", 60, ["5"])
    assert total(bill_usage(tariff, usage, ["2026-06"])) == 0


def test_apparent_and_reactive_demand() -> None:
    tariff = tariff_of(FREE + """
demand:
  - {item: Apparent, price: "1", per: 1 kVA, unit: kVA}
  - {item: Reactive, price: "1000", per: 1 kvar, unit: kvar}
""")  # fmt: skip
    at = "2026-06-08T10:00:00+02:00"
    usage = pl.concat([steps(at, 60, ["3", "30"]), steps(at, 60, ["4", "40"], "reactive_import", "kvarh")])
    assert total(bill_usage(tariff, usage, ["2026-06"])) == Decimal(50 + 40_000)


@pytest.mark.parametrize(
    ("netting",   "costs"),
    [
        ("step",      "0.36"),   # hour by hour: 2 bought, 3 sold
        ("period",    "-0.08"),  # 4 bought against 5 sold
    ],
)  # fmt: skip
def test_net_billing_out_of_hours(netting: str, costs: str) -> None:
    tariff = tariff_of(f"""
        energy: {{prices: [{{item: Energy, price: "0.30", per: 1 kWh}}]}}
        export: {{method: net_billing, item: Credit, netting: {netting}, excess: pay, prices: [{{item: Feed-in, price: "0.08", per: 1 kWh}}]}}
    """)
    at = "2026-06-08T10:00:00+02:00"
    usage = pl.concat([steps(at, 60, ["3", "1"]), steps(at, 60, ["1", "4"], "export")])
    assert total(bill_usage(tariff, usage, ["2026-06"])) == Decimal(costs)


def prices(*rows: tuple[str, str]) -> dict[str, pl.DataFrame]:
    starts = [int(datetime.fromisoformat(at).timestamp()) * 10**6 for at, _ in rows]
    values = [(start, start + 3_600_000_000, nano(price)) for start, (_, price) in zip(starts, rows, strict=True)]
    return {"p.csv": pl.DataFrame(values, schema=PRICE_SCHEMA, orient="row")}


SPOT = prices(
    ("2026-06-08T08:00:00+00:00", "0.12"), ("2026-06-08T09:00:00+00:00", "-0.03"), ("2026-06-08T10:00:00+00:00", "0.25")
)


@pytest.mark.parametrize(
    ("more",                                              "costs"),
    [
        ("",                                              "0.945"),
        (', markup: "0.01"',                              "1.01"),
        (', floor: "0"',                                  "0.99"),
        (', cap: "0.2"',                                  "0.795"),
        (', cap: "0.238", limits_include_tax: VAT',       "0.795"),   # 0.238 with 19 % tax is 0.2
        (', percent: "10"',                               "1.0485"),  # a tenth of what the price is, also where it is negative
    ],
)  # fmt: skip
def test_dynamic_prices(more: str, costs: str) -> None:
    tariff = tariff_of(f'dynamic: [{{item: Spot, file: p.csv, per: 1 kWh{more}}}]\ntaxes: [{{name: VAT, percent: "19"}}]\n')
    usage = steps("2026-06-08T10:00:00+02:00", 60, ["2.0", "1.5", "3.0"])
    billed = bill_usage(tariff, usage, ["2026-06"], prices=SPOT)
    assert Decimal(int(billed.lines.filter(pl.col("kind") == "energy")["amount_nano"].sum())) / 10**9 == Decimal(costs)


def test_a_missing_price_is_a_refusal_and_not_zero() -> None:
    tariff = tariff_of("dynamic: [{item: Spot, file: p.csv, per: 1 kWh}]\n")
    billed = bill_usage(tariff, steps("2026-06-08T10:00:00+02:00", 60, ["2.0", "1.5", "3.0", "0"]), ["2026-06"], prices=SPOT)
    assert billed.lines.is_empty()
    assert billed.refusals.select("element", "reason").rows() == [("dynamic Spot", "1 steps without a price")]


@pytest.mark.parametrize(("night", "hours"), [("2026-10-25", 25), ("2026-03-29", 23)])
def test_the_nights_of_the_clock_change(night: str, hours: int) -> None:
    tariff = tariff_of("""
        windows: {night: {start: "00:00", end: "06:00"}}
        energy: {prices: [{item: Day, price: "1", per: 1 kWh}, {item: Night, window: night, price: "100", per: 1 kWh}]}
    """)
    start = datetime.fromisoformat(f"{night}T00:00:00").astimezone(None)
    at = f"{night}T00:00:00{'+02:00' if hours == 25 else '+01:00'}"
    assert start is not None
    billed = bill_usage(tariff, steps(at, 60, ["1"] * hours), [night[:7]])
    night_hours = 7 if hours == 25 else 5
    assert total(billed) == Decimal(night_hours * 100 + hours - night_hours)


def two_versions(elements: str) -> Tariff:
    one = tariff_of(elements)
    version = one.versions[0]
    from dataclasses import replace

    from schemas.zones import local_midnight_us

    cut = local_midnight_us(datetime(2026, 6, 11).date(), one.zone)
    later = replace(version, label="2", effective_from_at=cut)
    return replace(one, versions=(replace(version, effective_to_at=cut), later))


def test_a_change_of_version_within_the_month() -> None:
    tariff = two_versions("""
        energy:
          tier_scope: shared_chronological
          prices: [{item: Energy, per: 1 kWh, tiers: [{from: 0 kWh, price: "1"}, {from: 10 kWh, price: "2"}]}]
        fees:
          - {name: Whole, amount: "7", prorate: false}
          - {name: By day, amount: "30", per: month}
    """)
    usage = pl.concat([steps("2026-06-10T10:00:00+02:00", 60, ["8"]), steps("2026-06-11T10:00:00+02:00", 60, ["8"])])
    billed = bill_usage(tariff, usage, ["2026-06"])
    # one ladder over both versions: 10 at 1 and 6 at 2; the whole fee once, the other by days
    assert total(billed) == Decimal(22 + 7 + 30)
    by_version = dict(billed.lines.filter(pl.col("item") == "By day").select("version", "amount_nano").rows())
    assert by_version == {"1": nano("10"), "2": nano("20")}


def test_register_totals_are_not_split_over_versions() -> None:
    tariff = two_versions(FREE)
    usage = pl.DataFrame({"role": ["import"], "quantity": ["12"], "unit": ["kWh"]})
    refused = bill_usage(tariff, usage, ["2026-06"]).refusals
    assert refused["reason"].unique().to_list() == ["a register total cannot be split over versions of the tariff"]


def test_a_changed_household_prorates_the_annual_bound_by_months() -> None:
    """Six months at 2,160 and six at 2,400 kWh a year make 2,280."""
    from dataclasses import replace

    from schemas.zones import local_midnight_us

    elements = """
        energy:
          prices: [{{item: Energy, price: "0", per: 1 kWh}}]
          add_ons: [{{item: Add-on, per: 1 kWh, ladder_months: 12, tiers: [{{from: 0 kWh, price: "0"}}, {{from: {bound} kWh, price: "1"}}]}}]
    """
    old, new = (tariff_of(elements.format(bound=bound)) for bound in (2160, 2400))
    cut = local_midnight_us(datetime(2026, 7, 1).date(), old.zone)
    first = replace(old.versions[0], effective_to_at=cut)
    tariff = replace(old, versions=(first, replace(new.versions[0], label="2", effective_from_at=cut)))
    usage = pl.DataFrame({"role": ["import"], "quantity": ["2281"], "unit": ["kWh"]})
    assert total(bill_usage(tariff, usage, ["2026-12"])) == Decimal(1)


def test_months_in_a_row_carry_their_state() -> None:
    tariff = tariff_of(FREE + 'demand: [{item: Demand, price: "1", per: 1 kW, ratchet: {percent: "50", months: 2}}]\n')
    usage = pl.concat(
        [steps(f"2026-0{month}-10T10:00:00+02:00", 60, [kw]) for month, kw in ((5, "100"), (6, "10"), (7, "10"), (8, "10"))]
    )
    together = bill_usage(tariff, usage, ["2026-05", "2026-06", "2026-07", "2026-08"])
    assert [int(value) // 10**9 for value in together.totals()["total_nano"]] == [100, 50, 50, 10]
    first = bill_usage(tariff, usage, ["2026-05", "2026-06"])
    rest = bill_usage(tariff, usage, ["2026-07", "2026-08"], state=first.state)
    assert pl.concat([first.lines, rest.lines]).rows() == together.lines.rows()


def test_several_services_and_their_terms(tmp_path: Path) -> None:
    tariff = tariff_of("""
        energy: {prices: [{item: Energy, price: "1", per: 1 kWh}]}
        capacity: [{item: Connection, basis: contract, price: "2", per: 1 kW, prorate: days}]
    """)
    (tmp_path / "terms.yaml").write_text("""
services:
  a: {contract: 10 kW, moved_in_on: 2026-06-16}
  b: {contract: 5 kW, periods: {2026-06: {contract: 6 kW}}}
""")
    terms, state = read_service_terms(tmp_path / "terms.yaml", tariff.zone)
    usage = pl.concat(
        [steps("2026-06-20T10:00:00+02:00", 60, [kwh], service=name) for name, kwh in (("a", "3"), ("b", "4"), ("c", "5"))]
    )
    billed = bill_usage(tariff, usage, ["2026-06"], terms, state=state)
    assert dict(billed.totals().select("service", "total_nano").rows()) == {"a": nano("13"), "b": nano("16")}
    assert billed.refusals.rows() == [("c", "2026-06", "1", "capacity Connection", "no contract value")]


def test_faults_of_usage_are_all_said_at_once() -> None:
    usage = pl.DataFrame(
        {
            "role": ["import", "imports", "import", "reactive_import", "demand", "import"],
            "start_at": ["2026-06-01T00:00:00", "", "", "", "2026-06-01T00:00:00Z", "2026-06-01T00:00:00Z"],
            "step_s": ["900", "", "", "", "900", ""],
            "quantity": ["1", "1", "1,5", "1", "2", "0.0000001"],
            "unit": ["kWh", "kWh", "kWh", "kWh", "kW", "kWh"],
        }
    )
    with pytest.raises(MeterlineError) as refused:
        read_metered_usage(usage)
    assert sorted(str(fault) for fault in refused.value.faults) == [
        "usage row 1: start_at is no instant with an offset",
        "usage row 2: no such role, was 'imports', must be import or export or self_generation or reactive_import or reactive_export or volume or demand",
        "usage row 3: not a quantity, was '1,5', must be a decimal number",
        "usage row 4: not a unit of this role, was 'kWh'",
        "usage row 5: demand by step; it is measured from import",
        "usage row 6: a step without its length in seconds (step_s)",
        "usage row 6: not a whole number of base units, was '0.0000001'",
    ]
    with pytest.raises(MeterlineError, match="binary fractions"):
        read_metered_usage(pl.DataFrame({"role": ["import"], "quantity": [1.5], "unit": ["kWh"]}))


def test_negative_steps_and_unknown_totals_are_refused() -> None:
    tariff = tariff_of("""
        windows: {peak: {start: "17:00", end: "21:00"}}
        energy: {prices: [{item: Peak, window: peak, price: "1", per: 1 kWh}, {item: Off, price: "1", per: 1 kWh}]}
    """)
    negative = bill_usage(tariff, steps("2026-06-20T10:00:00+02:00", 60, ["5", "-1"]), ["2026-06"])
    assert negative.refusals["reason"].to_list() == ["a negative quantity"]
    usage = pl.DataFrame({"role": ["import"], "quantity": ["12"], "unit": ["kWh"], "item": ["Pique"]})
    assert bill_usage(tariff, usage, ["2026-06"]).refusals["reason"].to_list() == ["a total that names none of Peak, Off"]


def test_faults_of_terms_and_price_files(tmp_path: Path) -> None:
    path = tmp_path / "terms.yaml"
    path.write_text(
        "installed: 10 kW\ncalorific_value: 39.5\nperiods: {2026-13: {}}\ncarried: {peaks: {Demand: {2026-01: 3 kWh}}}\nshift: 2\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        read_service_terms(path, "UTC")
    assert [fault.what for fault in refused.value.faults] == [
        "unknown key", "no such unit", "not a decimal", "no such period", "no such unit",
    ]  # fmt: skip
    tariff = tariff_of("dynamic: [{item: Spot, file: p.csv, per: 1 kWh}]\n")
    (tmp_path / "p.csv").write_text(
        "start_at,price\n2026-01-01T00:00:00Z,0.1\n2026-01-01T00:00:00Z,0.2\n2026-01-01,0.1\n2026-01-02T00:00:00Z,a\n"
    )
    with pytest.raises(ConfigurationError) as refused:
        load_price_files(tariff, tmp_path)
    assert [fault.what for fault in refused.value.faults] == [
        "this interval has another price above",
        "not an instant",
        "not an amount",
    ]


def test_a_ladder_of_two_months_runs_on_and_starts_again() -> None:
    tariff = tariff_of("""
        commodity: water
        energy:
          tier_scope: per_period
          ladder_months: 2
          prices: [{item: Water, per: 1 m3, tiers: [{from: 0 m3, price: "1"}, {from: 10 m3, price: "2"}]}]
    """)
    months = ["2026-01", "2026-02", "2026-03"]
    usage = pl.DataFrame({"role": ["volume"] * 3, "quantity": ["8"] * 3, "unit": ["m3"] * 3, "period": months})
    billed = bill_usage(tariff, usage, months)
    assert [int(value) // 10**9 for value in billed.totals()["total_nano"]] == [8, 14, 8]


def test_a_surcharge_dated_within_the_month_is_charged_for_its_share() -> None:
    dated = 'surcharges: [{item: Fund, basis: energy, price: "1", per: 1 kWh, effective_from: 2026-06-16, effective_to: 2026-06-25}]\n'
    usage = steps("2026-06-08T10:00:00+02:00", 60, ["10"])
    assert total(bill_usage(tariff_of(FREE + dated), usage, ["2026-06"])) == Decimal(3)


def test_incomplete_windows_are_said_on_the_line() -> None:
    tariff = tariff_of(FREE + 'demand: [{item: Demand, price: "1", per: 1 kW, measure: {kind: block, minutes: 30}}]\n')
    billed = bill_usage(tariff, steps("2026-06-08T10:00:00+02:00", 15, quarter_hours("40", "-", "80", "20")), ["2026-06"])
    (said,) = billed.lines.filter(pl.col("kind") == "demand")["explanation"].to_list()
    assert said == "50 kW x 1.00 per kW (measured 50 kW at 2026-06-08T08:30Z, 1 windows incomplete) = 50.00"


def test_meters_of_one_service_add_up() -> None:
    tariff = tariff_of(FREE + 'demand: [{item: Demand, price: "1", per: 1 kW, measure: {kind: block, minutes: 30}}]\n')
    at = "2026-06-08T10:00:00+02:00"
    usage = pl.concat([steps(at, 15, quarter_hours("40", "20")), steps(at, 15, quarter_hours("4", "6"))])
    assert total(bill_usage(tariff, usage, ["2026-06"])) == Decimal(35)


@pytest.mark.parametrize("element", ["export: {method: net_metering, item: Surplus}", 'losses: {line_percent: "1"}'])
def test_tiers_in_time_order_do_not_follow_monthly_quantities(element: str) -> None:
    prices_of = ", ".join(
        f'{{item: {item}, {window} per: 1 kWh, tiers: [{{from: 0 kWh, price: "1"}}, {{from: 9 kWh, price: "2"}}]}}'
        for item, window in (("Off", ""), ("Peak", "window: peak,"))
    )
    energy = f"energy: {{tier_scope: shared_chronological, prices: [{prices_of}]}}"
    with pytest.raises(AssertionError, match="tiers in time order with quantities of a whole month"):
        tariff_of(f'windows: {{peak: {{start: "17:00", end: "21:00"}}}}\n{energy}\n{element}\n')
