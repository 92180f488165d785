"""What the elements of a utility bill cost: a business tariff over many services, from determinants to explained lines.

    python -m benchmarks.bench_utility [--services 100000]

Prints CPU seconds, microseconds per service and line, and a hash of all amounts.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from pathlib import Path

import numpy as np
import polars as pl

from rating.tariff_files import load_tariff
from rating.utility.bill_input import BilledMonth, Determinants, groups_frame
from rating.utility.utility_bill import UtilityBill, bill_services

TARIFF = Path(__file__).parents[1] / "tests" / "golden" / "rating" / "tariffs" / "utility" / "power_business.yaml"
JULY = BilledMonth(2026 * 12 + 6, 31, 365)
_SEED = 1


def determinants(services: int) -> tuple[pl.DataFrame, Determinants, pl.DataFrame]:
    """(groups, determinants, state) of services with energy and demand by two prices, reactive energy and one earlier peak."""
    rng = np.random.default_rng(_SEED)
    group = np.arange(services, dtype=np.int32)
    groups = groups_frame({"group": group.tolist(), "days": [31] * services})
    energy, demand = [], []
    for index in (0, 1):
        keys = {"group": group, "index": np.full(services, index, dtype=np.int32)}
        energy.append(pl.DataFrame(keys | {"quantity": rng.integers(0, 10**10, services)}).rename({"index": "price_index"}))
        peaks = pl.DataFrame(keys | {"peak": rng.integers(0, 10**8, services)}).rename({"index": "demand_index"})
        demand.append(
            peaks.with_columns(
                rank=pl.lit(1, dtype=pl.Int32), peak_at=pl.lit(None, dtype=pl.Int64), windows_missing=pl.lit(0, dtype=pl.Int32)
            )
        )
    channels = [
        pl.DataFrame({"group": group, "quantity": rng.integers(0, 10**10, services)}).with_columns(role=pl.lit(role))
        for role in ("import", "reactive_import")
    ]
    state = pl.DataFrame({"group": group, "value": rng.integers(0, 10**8, services)}).select(
        "group", topic=pl.lit("peak"), name=pl.lit("Demand"), period=pl.lit(JULY.number - 2, dtype=pl.Int32),
        value=pl.col("value").cast(pl.Int128),
    )  # fmt: skip
    found = Determinants(energy=pl.concat(energy), demand=pl.concat(demand), channels=pl.concat(channels))
    return groups, found, state


def run(services: int) -> tuple[UtilityBill, float]:
    """(the bill, CPU seconds)."""
    version = load_tariff(TARIFF).versions[0]
    groups, found, state = determinants(services)
    start = time.process_time()
    billed = bill_services(version, JULY, groups, found, state)
    return billed, time.process_time() - start


def amounts_hash(billed: UtilityBill) -> str:
    text = "\n".join(str(value) for value in billed.lines["amount_nano"].to_list())
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=20_000)
    services = parser.parse_args().services
    billed, cpu_s = run(services)
    lines = billed.lines.height
    each = f"{cpu_s / services * 1e6:.1f} us a service, {cpu_s / lines * 1e6:.2f} us a line"
    print(f"{services} services, {lines} lines: {cpu_s:.2f} CPU s, {each}")
    print(f"hash {amounts_hash(billed)}")


if __name__ == "__main__":
    main()
