"""What the kernels measure, billed by the elements."""

from __future__ import annotations

import polars as pl

from rating.utility.bill_input import groups_frame
from rating.utility.kernel_frames import kernel_determinants
from rating.utility.utility_bill import bill_services
from tests.unit.rating.utility_cases import JUNE, kilo, version_of

ELEMENTS = """
windows:
  peak: {start: "17:00", end: "21:00"}
  summer: {months: [7]}
energy:
  tier_scope: shared_chronological
  prices:
    - {item: Off, per: 1 kWh, tiers: [{from: 0 kWh, price: "1"}, {from: 10 kWh, price: "2"}]}
    - {item: Peak, window: peak, price: "5", per: 1 kWh}
demand:
  - {item: Demand, price: "1", per: 1 kW}
  - {item: Summer, window: summer, price: "1000", per: 1 kW}
"""


def test_tiers_in_time_order_are_taken_and_seasons_out_of_force_cost_nothing() -> None:
    version = version_of(ELEMENTS)
    energy = pl.DataFrame(
        {
            "group": [0, 0, 0, 1],
            "price_index": [0, 0, 1, 0],
            "tier": [0, 1, 0, 0],
            "quantity": [kilo("6"), kilo("2"), kilo("4"), kilo("1")],
        }
    )
    demand = pl.DataFrame(
        {
            "group": [0, 1], "demand_index": [0, 0], "rank": [1, 1], "peak_milliw": [kilo("7"), None], "peak_at": [1, None],
            "windows_missing": [0, 3],
        }
    )  # fmt: skip
    channels = pl.DataFrame({"group": [0, 1], "channel_role": ["import", "import"], "quantity": [kilo("12"), kilo("1")]})
    groups = groups_frame({"group": [0, 1], "days": [30, 30]})
    billed = bill_services(version, JUNE, groups, kernel_determinants(version, groups, energy, demand, channels))
    assert billed.lines.select("group", "item", "detail", "amount_nano").rows() == [
        (0, "Off", "", 6 * 10**9),
        (0, "Off", "above 10 kWh", 4 * 10**9),
        (0, "Peak", "", 20 * 10**9),
        (0, "Demand", "", 7 * 10**9),
    ]
    assert billed.refusals.rows() == [(1, "demand Demand", "no demand in kW could be measured")]
