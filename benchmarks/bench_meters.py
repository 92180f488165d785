"""Bills of dense meter columns: CPU of reading a Parquet column, of reading and billing it, and PySAM on the same tariff.

N meters x 2,976 quarter-hours (31 days) of one column `wh` in Parquet, a tariff with TOU, chronological tiers and a demand price.
Floor and bill are measured in turn, row group by row group, in one process; medians of CPU time. PySAM's Utilityrate5 bills a
year of the same load at the same prices, a twelfth of which is a monthly bill. Prints one line with a hash of all bills, which
depends on the block.
`python -m benchmarks.bench_meters --meters 1000000 --runs 1` bills a million, in chunks of a file that it writes first.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.demand_measures import DemandArrays, demand_arrays
from rating.language.shared_terms import Rounding, ServiceKind, Tier, Window
from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import DemandPrice, EnergyPrice
from rating.utility.determinants import supply_rows
from rating.utility.meter_runs import meter_runs
from schemas.zones import instant_us

SEED = 20261001
STEPS = 2_976
STEP_US = 900_000_000
HOUR_US = 3_600_000_000
MONTH_AT = instant_us(datetime(2018, 1, 1, tzinfo=UTC))  # starts on a Monday, as PySAM's year does
YEAR = (instant_us(datetime(2017, 12, 1, tzinfo=UTC)), instant_us(datetime(2019, 2, 1, tzinfo=UTC)))
KWH = 1_000_000
CENT = 10_000_000
DAY_PRICES, NIGHT_PRICES, BOUNDS_KWH = ("0.30", "0.36", "0.42"), ("0.20", "0.24", "0.28"), (0, 150, 400)
DEMAND_PRICE = "3.10"
DISTINCT_BLOCKS = 16
ENCODING = {"use_dictionary": False, "column_encoding": {"wh": "BYTE_STREAM_SPLIT"}, "compression": "lz4"}


def nano(amount: str) -> int:
    whole, _, digits = amount.partition(".")
    return int(whole + digits.ljust(9, "0"))


def bench_tariff() -> Tariff:
    """Day and night on weekdays, three tiers in time order, a price for the highest quarter-hour."""
    prices = [
        EnergyPrice(item, window, weight, tuple(Tier(kwh * KWH, nano(p), KWH, 1) for kwh, p in zip(BOUNDS_KWH, of, strict=True)))
        for item, window, weight, of in (("Day", "day", 1, DAY_PRICES), ("Night", None, 0, NIGHT_PRICES))
    ]
    windows = (Window("day", weekdays=frozenset({1, 2, 3, 4, 5}), start_us=8 * HOUR_US, end_us=20 * HOUR_US),)
    demand = DemandPrice("Demand", (Tier(0, nano(DEMAND_PRICE), KWH, 1),))
    version = TariffVersion(
        "1",
        YEAR[0],
        YEAR[1],
        Rounding("line", "half_up", 2),
        windows=windows,
        energy=tuple(prices),
        supply=Supply(demand=(demand,)),
    )
    return Tariff("bench", "Bench", "EUR", "UTC", ServiceKind.UTILITY, (version,))


def load_of(meters: int, rng: np.random.Generator) -> np.ndarray:
    """[meters * STEPS] watt-hours of homes: a base, a daily shape, appliances; int32."""
    hour = np.arange(STEPS) / 4 % 24
    shape = 60 + 90 * np.exp(-((hour - 7.5) ** 2) / 3) + 160 * np.exp(-((hour - 19) ** 2) / 6)
    size = rng.lognormal(0, 0.5, size=(meters, 1))
    noise = rng.gamma(2.0, 0.5, size=(meters, STEPS))
    appliance = np.where(rng.random((meters, STEPS)) < 0.03, rng.integers(200, 700, size=(meters, STEPS)), 0)
    return (shape * size * noise + appliance).astype(np.int32).ravel()


def write_column(path: Path, meters: int, block: int) -> None:
    """One row group for each `block` meters; the values of a million meters are those of a few distinct blocks in turn."""
    import pyarrow as pa

    schema = pa.schema([pa.field("wh", pa.int32(), nullable=False)])
    made: dict[int, np.ndarray] = {}
    with pq.ParquetWriter(path, schema, **ENCODING) as writer:
        for number, first in enumerate(range(0, meters, block)):
            seed = SEED + number % DISTINCT_BLOCKS
            if seed not in made:
                made[seed] = load_of(block, np.random.Generator(np.random.PCG64(seed)))
            values = made[seed][: (min(first + block, meters) - first) * STEPS]
            writer.write_table(pa.table([values], schema=schema), row_group_size=len(values))


def chunks_of(path: Path) -> Iterator[np.ndarray]:
    """The column, one row group at a time."""
    file = pq.ParquetFile(path, pre_buffer=False)
    for group in range(file.num_row_groups):
        yield file.read_row_group(group, use_threads=False).column(0).chunk(0).to_numpy()


@dataclass
class Billing:
    """What is worked out once for a tariff; `bill` gives the amounts of a chunk of meters, one run of the month each."""

    book: TariffBook
    measures: DemandArrays
    prices: np.ndarray  # [items] nano-units per kWh
    demand_nano: int

    @classmethod
    def of(cls, tariff: Tariff) -> Billing:
        book = compile_book([tariff], span=YEAR)
        prices = np.array([item.price_nano for item in book.energy_items], dtype=np.int64)
        return cls(book, demand_arrays(book), prices, nano(DEMAND_PRICE))

    def bill(self, values: np.ndarray) -> np.ndarray:
        """[meters] nano-units, each line rounded half up to the cent."""
        meters = len(values) // STEPS
        runs = meter_runs(
            self.book, group=np.arange(meters, dtype=np.int32), tariff_index=np.zeros(meters, dtype=np.int32),
            start_at=np.full(meters, MONTH_AT), step_us=np.full(meters, STEP_US), first_value=np.arange(meters) * STEPS,
            count=np.full(meters, STEPS, dtype=np.int32), values=values, base_per_tick=1_000,
        )  # fmt: skip
        found = supply_rows(self.book, runs, measures=self.measures)
        assert not found.refused.any()
        energy = found.energy  # a run is a group
        lines = cents_of(energy.quantity, self.prices[energy.item])
        first = np.searchsorted(energy.run, np.arange(meters))
        return np.add.reduceat(lines, first) + cents_of(found.demand.power, np.full(meters, self.demand_nano))


def cents_of(quantity: np.ndarray, price_nano: np.ndarray) -> np.ndarray:
    """quantity * price per kWh (or kW) half up to the cent, in nano-units; refused where the product may leave int64."""
    assert int(quantity.max()) * int(price_nano.max()) < 2**62
    return (quantity * price_nano + CENT // 2 * KWH) // (CENT * KWH) * CENT


def cpu_of(path: Path, billing: Billing | None) -> tuple[int, list[np.ndarray]]:
    """(CPU ns, bills) of reading the column and, with `billing`, of billing it."""
    bills = []
    before = time.process_time_ns()
    for values in chunks_of(path):
        if billing is not None:
            bills.append(billing.bill(values))
    return time.process_time_ns() - before, bills


def pysam_rates(tariff: Any, load: np.ndarray) -> Any:
    """Utilityrate5 with the bench tariff over a year of quarter-hours of kW."""
    import PySAM.Utilityrate5  # a test-only dependency

    model = PySAM.Utilityrate5.new()
    model.Lifetime.analysis_period, model.Lifetime.inflation_rate, model.Lifetime.system_use_lifetime_output = 1, 0, 0
    model.SystemOutput.gen, model.SystemOutput.degradation = [0.0] * len(load), [0.0]
    model.Load.load, model.Load.load_escalation = load.tolist(), [0.0]
    rates = model.ElectricityRates
    rates.rate_escalation, rates.ur_metering_option, rates.ur_en_ts_buy_rate, rates.ur_en_ts_sell_rate = [0.0], 2, 0, 0
    rates.ur_monthly_fixed_charge = rates.ur_monthly_min_charge = rates.ur_annual_min_charge = 0
    rates.ur_nm_yearend_sell_rate = rates.ur_nm_credit_month = rates.ur_nm_credit_rollover = 0
    rates.ur_ec_sched_weekday = [[1 if 8 <= hour < 20 else 2 for hour in range(24)]] * 12
    rates.ur_ec_sched_weekend = [[2] * 24] * 12
    bounds = [*BOUNDS_KWH[1:], 1e38]
    rates.ur_ec_tou_mat = [
        [period, tier + 1, bounds[tier], 0, float(price), 0]
        for period, of in ((1, DAY_PRICES), (2, NIGHT_PRICES))
        for tier, price in enumerate(of)
    ]
    rates.ur_dc_enable = 1
    rates.ur_dc_sched_weekday = rates.ur_dc_sched_weekend = [[1] * 24] * 12
    rates.ur_dc_tou_mat = [[1, 1, 1e38, 0.0]]
    rates.ur_dc_flat_mat = [[month, 1, 1e38, float(DEMAND_PRICE)] for month in range(12)]
    return model


def pysam_ns(month: np.ndarray, own_nano: int, runs: int) -> tuple[float, float]:
    """(CPU ns of a monthly bill, dollars by which January differs): set load, execute, read the twelve bills."""
    year = np.resize(month, 8760 * 4) * 4 / 1000
    model = pysam_rates(None, year)
    spent, bills = [], ()
    for _ in range(runs):
        before = time.process_time_ns()
        model.Load.load = year.tolist()
        model.execute(0)
        bills = model.Outputs.utility_bill_w_sys_ym[1]
        spent.append((time.process_time_ns() - before) / 12)
    return statistics.median(spent), abs(bills[0] - own_nano / 1e9)


def run(meters: int, runs: int, block: int, with_pysam: bool = True) -> str:
    """One line: ns per interval of reading and of reading and billing, their ratio, PySAM's ratio and a hash of the bills."""
    billing = Billing.of(bench_tariff())
    billing.bill(load_of(2, np.random.Generator(np.random.PCG64(SEED))))  # compiled
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wh.parquet"
        write_column(path, meters, block)
        size = path.stat().st_size
        cpu_of(path, None)
        read, whole, bills = [], [], []
        for _ in range(runs):
            read.append(cpu_of(path, None)[0])
            spent, bills = cpu_of(path, billing)
            whole.append(spent)
        first = next(chunks_of(path))[:STEPS].copy()
    amounts = np.concatenate(bills)
    intervals = meters * STEPS
    floor, spent = statistics.median(read) / intervals, statistics.median(whole) / intervals
    line = (
        f"meters: read {floor:.2f} ns/interval, read and bill {spent:.2f}, {spent / floor:.2f} x reading, "
        f"1 M meters {spent * 2.976:.1f} CPU s, {meters} meters, {size / intervals:.2f} B/interval (BYTE_STREAM_SPLIT, lz4), "
    )
    if with_pysam:
        slow, apart = pysam_ns(first, int(amounts[0]), max(runs, 3))
        line += f"PySAM {slow / 1000:.0f} us/bill = {slow / (spent * STEPS):.0f} x, apart {apart:.4f}, "
    return line + f"bills {hashlib.sha256(amounts.tobytes()).hexdigest()[:16]}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--meters", type=int, default=4_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--block", type=int, default=2_000, help="meters in a row group")
    parser.add_argument("--without-pysam", action="store_true")
    chosen = parser.parse_args()
    print(run(chosen.meters, chosen.runs, chosen.block, not chosen.without_pysam))


if __name__ == "__main__":
    main()
