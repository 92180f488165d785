"""Net metering, net billing and buy-all/sell-all: what is billed, what is carried, and that nothing is lost between."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest

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

SELL = 'prices: [{item: Feed-in, price: "0.08", per: 1 kWh}]'
ENERGY = 'energy: {prices: [{item: Energy, price: "0.30", per: 1 kWh}]}\n'
PV = channels(**{"import": "2", "export": "3"})
WHOLE = channels(**{"import": "4", "export": "5"})


@pytest.mark.parametrize(
    ("export",                                                          "bought", "sold", "used", "costs",  "kwh", "money"),
    [
        ("method: net_metering, carry: kwh",                            "2",      "3",    PV,     "0.00",   "1",   "0"),
        (f"method: net_metering, carry: money, {SELL}",                 "2",      "3",    PV,     "0.00",   "0",   "0.08"),
        (f"method: net_billing, {SELL}",                                "2",      "3",    PV,     "0.36",   "0",   "0"),
        (f"method: net_billing, credits: next_month, {SELL}",           "2",      "3",    PV,     "0.60",   "0",   "0.24"),
        (f"method: buy_all_sell_all, {SELL}",                           "4",      "5",    WHOLE,  "0.80",   "0",   "0"),
        (f"method: net_billing, {SELL}",                                "0.5",    "3",    PV,     "0.00",   "0",   "0.09"),
        (f"method: net_billing, excess: lapse, {SELL}",                 "0.5",    "3",    PV,     "0.00",   "0",   "0"),
        (f"method: net_billing, excess: pay, {SELL}",                   "0.5",    "3",    PV,     "-0.09",  "0",   "0"),
    ],
)  # fmt: skip
def test_the_worked_household(export: str, bought: str, sold: str, used: pl.DataFrame, costs: str, kwh: str, money: str) -> None:
    version = version_of(ENERGY + f"export: {{item: Credit, {export}}}\n")
    billed = bill(version, found_of(energy(bought), export=energy(sold), channels=used))
    assert total(billed) == Decimal(costs)
    assert carried(billed, "credit_quantity") == kilo(kwh)
    assert carried(billed, "credit_nano") == nano(money)


def test_credits_of_last_month_pay_now() -> None:
    version = version_of(ENERGY + f"export: {{method: net_billing, item: Credit, credits: next_month, {SELL}}}\n")
    state = state_of(("credit_nano", "", JUNE.number - 1, nano("0.50")))
    billed = bill(version, found_of(energy("2"), export=energy("3"), channels=PV), state=state)
    assert total(billed) == Decimal("0.10")
    assert billed.state.select("period", "value").rows() == [(JUNE.number, nano("0.24"))]


@pytest.mark.parametrize(
    ("within", "bought",      "sold",       "bills",                              "carries"),
    [
        ("true",   ("10", "10"),  ("4", "15"),  {"Peak": "6.00"},                     {"Energy": "5"}),
        ("false",  ("10", "10"),  ("4", "15"),  {"Peak": "1.00"},                     {}),
        ("false",  ("10", "10"),  ("30", "0"),  {},                                   {"": "10"}),
    ],
)  # fmt: skip
def test_netting_within_a_period_or_over_all(
    within: str, bought: tuple[str, str], sold: tuple[str, str], bills: dict[str, str], carries: dict[str, str]
) -> None:
    version = version_of(f"""
        windows: {{peak: {{start: "17:00", end: "21:00"}}}}
        energy:
          prices:
            - {{item: Peak, window: peak, price: "1", per: 1 kWh}}
            - {{item: Energy, price: "1", per: 1 kWh}}
        export: {{method: net_metering, item: Surplus, within_tou: {within}}}
    """)
    used = channels(**{"import": "20", "export": str(sum(map(int, sold)))})
    billed = bill(version, found_of(energy(*bought), export=energy(*sold), channels=used))
    assert {item: amount for item, amount in amounts(billed).items() if "Surplus" not in item} == bills
    credits = billed.state.filter(pl.col("topic") == "credit_quantity")
    assert dict(credits.select("name", "value").rows()) == {name: kilo(value) for name, value in carries.items()}


def test_true_up_pays_what_is_left() -> None:
    version = version_of(
        ENERGY + 'export: {method: net_metering, item: Surplus, true_up: {month: 6, price: "0.03", per: 1 kWh}}\n'
    )
    state = state_of(("credit_quantity", "", JUNE.number - 3, kilo("100")))
    billed = bill(
        version, found_of(energy("20"), export=energy("30"), channels=channels(**{"import": "20", "export": "30"})), state=state
    )
    assert amounts(billed) == {"Surplus true-up": "-3.30"}
    assert billed.state.is_empty()


def test_credits_expire_oldest_first() -> None:
    version = version_of(ENERGY + "export: {method: net_metering, item: Surplus, expires_months: 3}\n")
    state = state_of(*(("credit_quantity", "", JUNE.number - back, kilo("10")) for back in (4, 3, 1)))
    billed = bill(
        version, found_of(energy("12"), export=energy("0"), channels=channels(**{"import": "12", "export": "0"})), state=state
    )
    assert billed.lines.select("detail", "quantity").rows() == [("carried", kilo("8")), ("expired", kilo("10"))]
    assert billed.state.select("period", "value").rows() == [(JUNE.number - 1, kilo("8"))]


def test_what_credits_may_pay() -> None:
    elements = ENERGY + 'fees: [{name: Fee, amount: "5", prorate: false}]\n'
    for pays, costs in (("", "5.00"), (", pays: [Energy, Fee]", "3.60"), (", pays: [Fee]", "4.60")):
        version = version_of(elements + f"export: {{method: net_billing, item: Credit, {SELL}{pays}}}\n")
        found = found_of(energy("2"), export=energy("25"), channels=channels(**{"import": "2", "export": "25"}))
        billed = bill(version, found)
        assert total(billed) == Decimal(costs) - (Decimal("0.00") if pays != ", pays: [Fee]" else Decimal("1.00"))
        assert total(billed) == Decimal("5.60") - (Decimal("2.00") - Decimal(carried(billed, "credit_nano")) / 10**9)


def test_no_export_channel_is_refused() -> None:
    version = version_of(ENERGY + "export: {method: net_metering, item: Surplus}\n")
    assert bill(version, found_of(energy("2"))).refusals.rows() == [(0, "export Surplus", "no export channel")]


def test_months_in_a_row_conserve_kilowatt_hours() -> None:
    version = version_of(ENERGY + "export: {method: net_metering, item: Surplus}\n")
    state, billed_kwh = state_of(), 0
    months = [("10", "30"), ("25", "0"), ("7", "9"), ("50", "11")]
    for step, (bought, sold) in enumerate(months):
        found = found_of(energy(bought), export=energy(sold), channels=channels(**{"import": bought, "export": sold}))
        billed = bill(version, found, month=replace(JUNE, number=JUNE.number + step), state=state)
        billed_kwh += int(billed.lines.filter(pl.col("kind") == "energy")["quantity"].sum())
        state = billed.state
    bought_kwh, sold_kwh = (sum(kilo(month[side]) for month in months) for side in (0, 1))
    assert bought_kwh - sold_kwh == billed_kwh - carried(billed, "credit_quantity")
