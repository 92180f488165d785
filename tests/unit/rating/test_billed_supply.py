"""A month billed out of runs by the kernels comes to what `bill_usage` makes of the same values step by step."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
import polars as pl
import pytest

from rating.bill_usage import bill_usage
from rating.billed_supply import CHAIN_STATE, PARTS_SCHEMA, SuppliedBills, bill_supply
from rating.compiled.compiler import compile_book
from rating.language.tariff import Tariff
from rating.utility.bill_input import groups_frame
from rating.utility.channel_steps import ChannelRuns
from rating.utility.supply_books import supply_books
from schemas.periods import period_of
from schemas.zones import instant_us
from tests.unit.rating.utility_cases import JUNE, tariff_of

ZONE = "Europe/Berlin"
QUARTER_US = 900_000_000
YEAR = (instant_us(datetime(2025, 12, 1, tzinfo=UTC)), instant_us(datetime(2027, 2, 1, tzinfo=UTC)))
TIMES = """
windows:
  peak: {weekdays: [mon, tue, wed, thu, fri], start: "17:00", end: "21:00"}
"""
FLAT = 'energy: {prices: [{item: Energy, price: "0.30", per: 1 kWh}]}\n'
BY_TIME = (
    TIMES
    + """
energy:
  prices:
    - {item: Energy, price: "0.30", per: 1 kWh}
    - {item: Peak, window: peak, weight: 10, price: "0.50", per: 1 kWh}
"""
)
EXPORT = """
export:
  method: net_billing
  item: Feed-in
  netting: %s
  excess: carry
  prices:
    - {item: Credit, price: "0.08", per: 1 kWh}
    - {item: Peak credit, window: peak, weight: 5, price: "0.05", per: 1 kWh}
"""
CASES = {
    "prices by time": BY_TIME,
    "tiers that prices share in time order": TIMES + """
energy:
  tier_scope: shared_chronological
  prices:
    - {item: Energy, per: 1 kWh, tiers: [{from: 0 kWh, price: "0.2"}, {from: 400 kWh, price: "0.3"}]}
    - {item: Peak, window: peak, weight: 10, per: 1 kWh, tiers: [{from: 0 kWh, price: "0.4"}, {from: 450 kWh, price: "0.6"}]}
""",
    "tiers in time order over two months": TIMES + """
energy:
  tier_scope: shared_chronological
  ladder_months: 2
  prices:
    - {item: Energy, per: 1 kWh, tiers: [{from: 0 kWh, price: "0.2"}, {from: 400 kWh, price: "0.3"}]}
    - {item: Peak, window: peak, weight: 10, per: 1 kWh, tiers: [{from: 0 kWh, price: "0.4"}, {from: 700 kWh, price: "0.6"}]}
""",
    "tiers by demand": """
energy:
  tier_scope: shared_prorated
  prices: [{item: Energy, per: 1 kWh, tiers: [{from: 0 kWh, price: "0.2"}, {from: 80 kWh/kW, price: "0.1"}]}]
demand: [{item: Demand, measure: {kind: block, minutes: 30}, price: "9", per: 1 kW}]
""",
    "demand by step, in a window, sliding, and as a mean": BY_TIME + """
demand:
  - {item: Demand, price: "9", per: 1 kW}
  - {item: Peak demand, window: peak, measure: {kind: block, minutes: 30}, price: "2", per: 1 kW}
  - {item: Sliding, measure: {kind: sliding, minutes: 60}, price: "2", per: 1 kW}
""",
    "demand in kVA and kvar": FLAT + """
demand:
  - {item: Apparent, unit: kVA, measure: {kind: block, minutes: 30}, price: "9", per: 1 kVA}
  - {item: Apparent by step, unit: kVA, price: "9", per: 1 kVA}
  - {item: Reactive, unit: kvar, measure: {kind: block, minutes: 60}, price: "1", per: 1 kvar}
""",
    "kvarh over a share": FLAT
    + 'power_factor: {item: Reactive, method: excess_kvarh, share_percent: "20", price: "0.01", per: 1 kvarh}\n',
    "kvar over a share": FLAT
    + 'power_factor: {item: Reactive, method: excess_kvar, share_percent: "20", price: "0.5", per: 1 kvar}\n',
    "net billing by step": BY_TIME + EXPORT % "step",
    "net billing by the hour": BY_TIME + EXPORT % "60 min",
    "spot prices": """
dynamic: [{item: Spot, file: spot.csv, per: 1 kWh, markup: "0.02", floor: "0", cap: "0.25"}]
fees: [{name: Line, amount: "3", per: day}]
""",
    "net metering": BY_TIME + "export: {method: net_metering, item: Carried, carry: kwh}\n",
    "all that is fed in is bought": BY_TIME
    + 'export: {method: buy_all_sell_all, item: Bought, excess: pay, prices: [{item: Credit, price: "0.08", per: 1 kWh}]}\n',
}  # fmt: skip


def _values(seed: str) -> dict[tuple[int, str, str], list[int]]:
    """Quarter hours of June by (service, role, channel); two import channels of the second service add up."""
    rng = random.Random(seed)
    wanted = [(0, "import", "E1"), (0, "export", "B1"), (0, "reactive_import", "Q1")]
    wanted += [(1, "import", "E1"), (1, "import", "E2"), (1, "export", "B1"), (1, "reactive_import", "Q1")]
    return {key: [rng.randrange(0, 900) * rng.randrange(0, 2) * 1000 for _ in range(30 * 96)] for key in wanted}


def _runs(values: dict[tuple[int, str, str], list[int]], start: int) -> ChannelRuns:
    rows = []
    for place, (service, role, channel) in enumerate(values):
        rows += [
            (service, role, channel, start + day * 96 * QUARTER_US, QUARTER_US, (place * 30 + day) * 96, 96) for day in range(30)
        ]
    schema = {"group": pl.Int32, "role": pl.String, "channel": pl.String, "start_at": pl.Int64, "step_us": pl.Int64,
              "first_value": pl.Int64, "count": pl.Int32}  # fmt: skip
    return ChannelRuns(pl.DataFrame(rows, schema=schema, orient="row"), np.concatenate([np.array(v) for v in values.values()]))


def _billed(tariff: Tariff, channels: ChannelRuns, services: int, state: pl.DataFrame) -> SuppliedBills:
    month = period_of(JUNE.number, ZONE)
    books = supply_books(compile_book([tariff], span=YEAR), {(tariff.tariff_id, "spot.csv"): _spot()})
    groups = groups_frame({"group": list(range(services)), "days": [30] * services, "from_at": [month.start_at] * services,
                           "to_at": [month.end_at] * services})  # fmt: skip
    parts = groups.with_columns(chain="group", tariff_index=pl.lit(0), version_index=pl.lit(0))
    return bill_supply(books, JUNE, parts.select(pl.col(name).cast(kind) for name, kind in PARTS_SCHEMA.items()), channels, state)


def _spot() -> pl.DataFrame:
    """A price for each hour around June, below zero at times."""
    starts = [YEAR[0] + hour * 3_600_000_000 for hour in range(24 * 300)]
    prices = [(start, start + 3_600_000_000, (hour * 7919 % 301 - 30) * 10**6) for hour, start in enumerate(starts)]
    return pl.DataFrame(prices, schema=["start_at", "end_at", "price_nano"], orient="row")


def _plain(frame: pl.DataFrame, key: str) -> Sequence[tuple[object, ...]]:
    shown = frame.filter(pl.col("kind") != "tax")
    return shown.select(pl.col(key).cast(pl.String), "line", "item", "detail", "quantity", "amount_nano").sort(key, "line").rows()


@pytest.mark.parametrize("name", CASES)
def test_kernels_bill_what_steps_bill(name: str) -> None:
    print(f"seed {name}")
    tariff, month, values = tariff_of(CASES[name]), period_of(JUNE.number, ZONE), _values(name)
    carried = [(0, "ladder", "", 2026 * 12 + 4, 100_000_000)] if "two months" in name else []
    state = pl.DataFrame(carried, schema=CHAIN_STATE, orient="row")
    steps = [
        (str(service), role, datetime.fromtimestamp((month.start_at + place * QUARTER_US) // 10**6, UTC), 900, value // 1000)
        for (service, role, _), column in values.items()
        for place, value in enumerate(column)
    ]
    usage = pl.DataFrame(steps, schema=["service", "role", "start_at", "step_s", "quantity"], orient="row").with_columns(
        unit=pl.when(pl.col("role") == "reactive_import").then(pl.lit("varh")).otherwise(pl.lit("Wh"))
    )
    before = state.with_columns(service=pl.col("chain").cast(pl.String)).drop("chain")
    before = before.select("service", "topic", "name", "period", "value")
    twin = bill_usage(tariff, usage, ["2026-06"], state=before, prices={"spot.csv": _spot()})
    found = _billed(tariff, _runs(values, month.start_at), 2, state)
    assert found.refusals.is_empty() and twin.refusals.is_empty(), (found.refusals, twin.refusals)
    assert found.lines.height >= 2
    assert _plain(found.lines, "group") == _plain(twin.lines, "service")
    kept = found.state.with_columns(service=pl.col("chain").cast(pl.String)).select(twin.state.columns)
    assert kept.sort(kept.columns).rows() == twin.state.sort(kept.columns).rows()


def test_netting_over_the_period_shares_what_is_left_by_the_energy_of_each_price() -> None:
    """Each price is rounded once here, and step by step in `bill_usage`."""
    values, start = _values("period"), period_of(JUNE.number, ZONE).start_at
    gross = _billed(tariff_of(BY_TIME), _runs(values, start), 2, pl.DataFrame(schema=CHAIN_STATE))
    net = _billed(tariff_of(BY_TIME + EXPORT % "period"), _runs(values, start), 2, pl.DataFrame(schema=CHAIN_STATE))
    for service in (0, 1):
        taken = sum(sum(column) for (of, role, _), column in values.items() if of == service and role == "import")
        left = max(taken - sum(values[service, "export", "B1"]), 0)
        prices = [
            dict(
                of.lines.filter((pl.col("group") == service) & (pl.col("kind") == "energy"))
                .select("item", "quantity")
                .iter_rows()
            )
            for of in (gross, net)
        ]
        assert sum(prices[0].values()) == taken and sum(prices[1].values()) == left
        for item, quantity in prices[1].items():
            assert abs(quantity * taken - prices[0][item] * left) <= taken


def test_a_service_without_a_channel_that_its_tariff_needs_is_refused_and_keeps_its_state() -> None:
    tariff, values = tariff_of(CASES["kvarh over a share"]), _values("lacking")
    del values[1, "reactive_import", "Q1"]
    state = pl.DataFrame([(1, "peak", "Demand", 24_300, 5)], schema=CHAIN_STATE, orient="row")
    found = _billed(tariff, _runs(values, period_of(JUNE.number, ZONE).start_at), 2, state)
    assert found.refusals.rows() == [(1, "power factor Reactive", "no reactive_import channel")]
    assert found.lines["group"].unique().to_list() == [0]
    assert found.state.rows() == state.rows()


def test_a_service_without_any_usage_has_used_nothing() -> None:
    tariff, values = tariff_of(CASES["demand by step, in a window, sliding, and as a mean"]), _values("idle")
    found = _billed(tariff, _runs(values, period_of(JUNE.number, ZONE).start_at), 3, pl.DataFrame(schema=CHAIN_STATE))
    assert found.refusals.is_empty() and found.lines["group"].unique().sort().to_list() == [0, 1]
