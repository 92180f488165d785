"""Whole bills of an imported URDB rate against an evaluation of its JSON that knows nothing of tariffs."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from rating.bill_usage import bill_usage
from rating.importers.urdb import RateOptions, import_urdb
from rating.tariff_files import load_tariff

ZONE = ZoneInfo("America/Denver")
SEED = 611
SUMMER = range(6, 10)
PEAK = [[(1 if 12 <= hour < 18 and month in SUMMER else 0) for hour in range(24)] for month in range(1, 13)]
NONE = [[0] * 24 for _ in range(12)]
RATE: dict[str, Any] = {
    "label": "made-up",
    "name": "Made up",
    "startdate": 1735689600,
    "energyratestructure": [
        [{"max": 20_000, "rate": 0.11, "adj": 0.004}, {"rate": 0.09}],
        [{"max": 20_000, "rate": 0.21}, {"rate": 0.17}],
    ],
    "energyweekdayschedule": PEAK,
    "energyweekendschedule": NONE,
    "demandratestructure": [[{"rate": 0}], [{"rate": 6.25}]],
    "demandweekdayschedule": PEAK,
    "demandweekendschedule": NONE,
    "flatdemandstructure": [[{"max": 50, "rate": 2}, {"rate": 3, "adj": 0.5}]],
    "flatdemandmonths": [0] * 12,
    "demandwindow": 60,
    "lookbackpercent": 0.8,
    "lookbackrange": 11,
    "lookbackmonths": [0] * 5 + [1] * 4 + [0] * 3,
    "fixedchargefirstmeter": 1.5,
    "fixedchargeunits": "$/day",
    "mincharge": 9_000,
    "minchargeunits": "$/month",
}
MONTHS = (7, 8, 9, 10, 11)


def number(value: object) -> Fraction:
    return Fraction(str(value))


def price_of(tier: dict[str, Any]) -> Fraction:
    return number(tier["rate"]) + number(tier.get("adj", 0))


def ladder(quantity: Fraction, tiers: list[dict[str, Any]]) -> list[Fraction]:
    """The part of a quantity in each tier."""
    parts, low = [], Fraction(0)
    for tier in tiers:
        high = number(tier["max"]) if "max" in tier else max(quantity, low)
        parts.append(max(Fraction(0), min(quantity, high) - low))
        low = high
    return parts


def bills(hours: dict[datetime, int]) -> dict[str, Fraction]:
    """Month -> total, straight from the fields of the rate."""
    kwh: dict[int, list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 2)
    peak: dict[int, list[Fraction]] = defaultdict(lambda: [Fraction(0)] * 2)
    for start, use in hours.items():
        local = start.astimezone(ZONE)
        grid = RATE["energyweekendschedule" if local.isoweekday() >= 6 else "energyweekdayschedule"]
        period = grid[local.month - 1][local.hour]
        kwh[local.month][period] += use
        peak[local.month][period] = max(peak[local.month][period], Fraction(use))
    found: dict[str, Fraction] = {}
    for month in MONTHS:
        total = sum(kwh[month])
        energy = Fraction(0)
        for period, tiers in enumerate(RATE["energyratestructure"]):
            for part, tier in zip(ladder(total, tiers), tiers, strict=True):
                energy += part * kwh[month][period] / total * price_of(tier)
        share = number(RATE["lookbackpercent"])
        highest = {each: max(peak[each]) for each in MONTHS}
        flat = max(
            [highest[month], *(share * highest[each] for each in MONTHS if each < month and RATE["lookbackmonths"][each - 1])]
        )
        tou = max(
            [peak[month][1], *(share * peak[each][1] for each in MONTHS if each < month and RATE["lookbackmonths"][each - 1])]
        )
        tiers = RATE["flatdemandstructure"][0]
        demand = sum(part * price_of(tier) for part, tier in zip(ladder(flat, tiers), tiers, strict=True))
        if month in SUMMER:
            demand += tou * price_of(RATE["demandratestructure"][1][0])
        days = 30 if month in (9, 11) else 31
        bill = energy + demand + number(RATE["fixedchargefirstmeter"]) * days
        found[f"2025-{month:02d}"] = max(bill, number(RATE["mincharge"]))
    return found


def test_bills_of_five_months_with_tiers_demand_ratchet_fixed_and_minimum(tmp_path: Path) -> None:
    print("seed", SEED)
    seed = random.Random(SEED)
    start, end = datetime(2025, 7, 1, tzinfo=ZONE), datetime(2025, 12, 1, tzinfo=ZONE)
    hours = {}
    at = start.astimezone(UTC)
    while at < end:
        hours[at] = seed.randint(40, 140) if at.astimezone(ZONE).month < 10 else seed.randint(10, 60)
        at += timedelta(hours=1)
    imported = import_urdb(json.dumps(RATE), "rate.json", RateOptions("America/Denver", rounding_decimals=9))
    rows_in, represented, named = imported.totals()
    assert (rows_in, represented, named) == (len(RATE), len(RATE), 0)
    (tmp_path / "made_up.yaml").write_text(imported.files["made_up.yaml"])
    tariff = load_tariff(tmp_path / "made_up.yaml")
    usage = pl.DataFrame(
        {"role": "import", "start_at": list(hours), "step_s": 3600, "quantity": list(hours.values()), "unit": "kWh"}
    )
    billed = bill_usage(tariff, usage, [f"2025-{month:02d}" for month in MONTHS])
    assert billed.refusals.is_empty(), billed.refusals
    found = {period: Fraction(int(total), 10**9) for _, period, total in billed.totals().iter_rows()}
    expected = bills(hours)
    assert found.keys() == expected.keys()
    for period, exact in expected.items():
        assert abs(found[period] - exact) <= Fraction(20, 10**9), (
            period,
            found[period],
            exact,
            billed.lines.filter(period=period),
        )
    assert expected["2025-10"] == 9_000 or expected["2025-11"] == 9_000, "the minimum binds once"
