"""Our bills of a year against PySAM's, on eight real load profiles and a synthetic roof: each component of each month to half a cent."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from rating.tariff_files import load_tariff
from tests.oracle.our_year import bill_year
from tests.oracle.pysam_year import is_flat, pysam_year
from tests.tools.load_profiles import hourly_wh, read_shares

PROFILES = Path(__file__).parents[2] / ".." / "shared" / "data" / "load_profiles"
TARIFFS = sorted((Path(__file__).parent / "tariffs").glob("*.yaml"))
ANNUAL_WH = 60_000_000
HALF_A_CENT = 0.005


@pytest.fixture(scope="module")
def loads() -> np.ndarray:
    """[profiles, 8760] watt-hours, 60 MWh a year each."""
    files = sorted(PROFILES.glob("*.dat"))
    if not files:
        pytest.skip(f"no load profiles in {PROFILES}: nothing was compared with PySAM")
    return np.array([hourly_wh(read_shares(path), ANNUAL_WH) for path in files], dtype=np.int64)


def roof(loads: np.ndarray) -> np.ndarray:
    """Watt-hours of a roof in proportion to each load: daylight by season, clouds by a fixed pattern; more than the load at noon."""
    hour, day = np.arange(8760) % 24, np.arange(8760) // 24
    length = 12 + 3.5 * np.sin((day - 80) / 365 * 2 * np.pi)
    height = np.sin(np.clip((hour + 0.5 - 12 + length / 2) / length, 0, 1) * np.pi)
    clouds = np.array([1.0, 0.9, 0.35, 0.8, 0.15, 0.7, 0.95])[day % 7]
    return (loads.mean(axis=1)[:, None] * 4 * height * clouds).astype(np.int64)


@pytest.mark.parametrize("path", TARIFFS, ids=lambda path: path.stem)
def test_each_component_of_each_month(path: Path, loads: np.ndarray) -> None:
    tariff = load_tariff(path)
    version = tariff.versions[0]
    pv = roof(loads) if version.supply.export else None
    ours = bill_year(tariff, loads, pv)
    flat = {price.item for price in version.demand if is_flat(version, price)}
    apart = []
    for service in range(len(loads)):
        oracle = pysam_year(tariff, loads[service], None if pv is None else pv[service])
        by_item = {price.item: ours.monthly(service, "demand", item=price.item) for price in version.demand}
        zero = np.zeros(12)
        pairs = {
            "energy": (np.array(ours.monthly(service, "energy", "credit")), oracle.energy),
            "demand": (sum((np.array(row) for item, row in by_item.items() if item in flat), zero), oracle.demand_flat),
            "demand in a window": (
                sum((np.array(row) for item, row in by_item.items() if item not in flat), zero), oracle.demand_window,
            ),
            "fixed": (np.array(ours.monthly(service, "fixed")), oracle.fixed),
            "minimum": (np.array(ours.monthly(service, "minimum")), oracle.minimum),
            "bill": (np.array(ours.monthly(service, "energy", "demand", "fixed", "credit", "minimum")), oracle.bill),
        }  # fmt: skip
        for name, (own, theirs) in pairs.items():
            for month, (left, right) in enumerate(zip(own, theirs, strict=True), start=1):
                if abs(left - right) > HALF_A_CENT:
                    apart.append(f"service {service} month {month} {name}: {left:.4f}, PySAM {right:.4f}")
    assert not apart, f"{len(apart)} apart\n" + "\n".join(apart[:40])
    assert sum(oracle.bill) > 0
    assert "PySAM" in sys.modules
