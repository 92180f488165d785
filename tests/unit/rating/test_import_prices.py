"""Imported tariffs price as the source says: thousands of random calls and hours against twins that read the source themselves."""

from __future__ import annotations

import csv
import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest

from rating.calls.first_pass import rate_calls
from rating.compiled.compiler import compile_book
from rating.importers.cgrates import PlanOptions, import_cgrates
from rating.importers.cgrates_rows import load_plan_folder
from rating.importers.findings import Imported
from rating.importers.rate_deck import DeckOptions, import_rate_deck, load_sheet_text
from rating.importers.urdb import RateOptions, import_urdb
from rating.language.tariff import Tariff
from rating.price_usage import price_usage
from rating.tariff_files import load_tariff
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import instant_us
from tests.reference.cgrates_twin import PlanFolder
from tests.reference.rate_sheet_twin import SheetRow, price_call

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "import"
AZ_DECK = Path(__file__).parents[3] / ".." / "shared" / "data" / "rate_decks" / "az_deck.csv"
SPAN = (instant_us(datetime(2025, 1, 1, tzinfo=UTC)), instant_us(datetime(2027, 1, 1, tzinfo=UTC)))
CALLS = 2_000
SEED = 20261124


def written(imported: Imported, folder: Path) -> Path:
    for name, text in imported.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def charges(tariff: Tariff, numbers: list[str], starts: list[datetime], seconds: list[int]) -> list[Fraction | None]:
    """The charge of each voice call in currency units, None where it is refused."""
    book = compile_book([tariff], span=SPAN)
    rated = rate_calls(
        book,
        np.zeros(len(numbers), dtype=np.int32),
        np.full(len(numbers), int(UsageKind.VOICE), dtype=np.uint8),
        np.array([packed_number(number) for number in numbers], dtype=np.uint64),
        np.array([instant_us(start) for start in starts]),
        np.array([each * 1_000 for each in seconds]),
    )
    fine = (Reason.OK, Reason.ZERO_USAGE)
    return [
        Fraction(charge, 10**9) if Reason(status) in fine else None
        for charge, status in zip(rated.charge_nano.tolist(), rated.status.tolist(), strict=True)
    ]


def random_sheet(seed: random.Random) -> list[SheetRow]:
    """Codes one under the other, with later, ended and removed rows; no (code, date) twice."""
    days = ["2026-01-01", "2026-02-10", "2026-03-29", "2026-05-01"]
    rows: list[SheetRow] = []
    taken: set[tuple[str, str]] = set()
    for _ in range(120):
        size = seed.randint(1, 4)
        codes = tuple({"".join(seed.choice("123") for _ in range(size)) for _ in range(seed.choice((1, 1, 2)))})
        day = seed.choice(days)
        if any((code, day) in taken for code in codes):
            continue
        taken |= {(code, day) for code in codes}
        first, following = seed.choice(((60, 60), (60, 1), (30, 6), (1, 1), (10, 10)))
        prices = [f"{seed.randint(0, 30_000) / 10**5:.5f}" for _ in range(3)]
        band = seed.random() < 0.5
        removed = seed.random() < 0.1
        rows.append(
            SheetRow(
                codes, day, seed.choice(("", "", "", "2026-03-31", "2026-06-30")), removed, "" if removed else prices[0],
                prices[1] if band and not removed else "", prices[2] if band and not removed else "",
                seed.choice(("", "0.05")), first, following,
            )
        )  # fmt: skip
    return [row for row in rows if not row.end or row.end >= row.effective]


def sheet_text(rows: list[SheetRow]) -> str:
    lines = ["Code;Off-peak;Peak;Weekend;Setup;Billing;Effective date;End date;Status"]
    for row in rows:
        status = "closed" if row.removed else ""
        billing = f"{row.first_s}/{row.next_s}"
        cells = [row.price, row.peak, row.weekend, row.fee, billing, row.effective, row.end, status]
        lines.append(";".join([",".join(row.codes), *cells]))
    return "\n".join(lines) + "\n"


def test_random_sheets_price_2000_calls_like_their_rows(tmp_path: Path) -> None:
    print("seed", SEED)
    seed = random.Random(SEED)
    rows = random_sheet(seed)
    options = DeckOptions("sheet", zone="Europe/Berlin", currency="EUR", per="60 s")
    imported = import_rate_deck(sheet_text(rows), "sheet.csv", options)
    assert imported.totals()[0] == len(rows)
    tariff = load_tariff(written(imported, tmp_path) / "sheet.yaml")
    numbers = [seed.choice("1112223334") + "".join(seed.choice("123") for _ in range(6)) for _ in range(CALLS)]
    borders = [
        datetime.fromisoformat(day).replace(tzinfo=ZoneInfo("Europe/Berlin"))
        for day in ("2026-02-10", "2026-04-01", "2026-05-01")
    ]
    starts = [
        (seed.choice(borders) - timedelta(seconds=seed.randint(0, 90)))
        if seed.random() < 0.2
        else datetime(2026, 1, 2, tzinfo=UTC) + timedelta(seconds=seed.randint(0, 200 * 86_400))
        for _ in range(CALLS)
    ]
    seconds = [seed.randint(0, 200) for _ in range(CALLS)]
    found = charges(tariff, numbers, starts, seconds)
    refused, fixed = 0, tuple(rows)
    for number, start, length, charge in zip(numbers, starts, seconds, found, strict=True):
        exact = price_call(fixed, number, start, length, "Europe/Berlin")
        if exact is None or charge is None:
            assert (exact is None) == (charge is None), (number, start, length, exact, charge)
            refused += 1
        else:
            assert abs(charge - exact) <= Fraction(1, 2 * 10**9), (number, start, length)
    assert 0 < refused < CALLS // 2


def test_a_cgrates_folder_prices_2000_calls_like_its_files(tmp_path: Path) -> None:
    print("seed", SEED)
    seed = random.Random(SEED)
    source = GOLDEN / "cgrates_retail" / "source"
    folder = written(import_cgrates(load_plan_folder(source), PlanOptions("EUR")), tmp_path)
    twin = PlanFolder(source)
    subjects = list(csv.DictReader((folder / "subjects.csv").read_text().splitlines()))
    prefixes = ["4930", "4915", "49172", "49900", "33", "1"]
    for row in (row for row in subjects if row["category"] == "call"):
        tariff = load_tariff(folder / f"{row['tariff']}.yaml")
        numbers = [seed.choice(prefixes) + f"{seed.randint(0, 9999):04d}" for _ in range(CALLS // 3)]
        starts = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seed.randint(0, 365 * 86_400)) for _ in numbers]
        for index in range(0, len(starts), 5):  # about the ends of windows and the change of plan
            border = seed.choice(
                (datetime(2026, 2, 28, 23, tzinfo=UTC), starts[index].replace(hour=seed.choice((8, 18)), minute=0, second=0))
            )
            starts[index] = border - timedelta(seconds=seed.randint(0, 100))
        seconds = [seed.choice((0, 1, 29, 30, 31, 59, 60, 61, seed.randint(0, 400))) for _ in numbers]
        found = charges(tariff, numbers, starts, seconds)
        for number, start, length, charge in zip(numbers, starts, seconds, found, strict=True):
            exact = twin.price("call", row["subject"], number, start, length)
            if exact is None or charge is None:
                assert exact == charge, (row, number, start, length, exact, charge)
            else:
                assert abs(charge - exact) <= Fraction(1, 2 * 10**9), (row, number, start, length, charge, exact)


@pytest.mark.parametrize(("name", "file"), [("Home TOU", "home_tou"), ("Night storage", "night_storage")])
def test_each_hour_of_a_year_has_the_price_of_the_schedule(name: str, file: str, tmp_path: Path) -> None:
    source = (GOLDEN / "urdb_home_tou" / "source.json").read_text()
    folder = written(import_urdb(source, "source.json", RateOptions("America/Denver")), tmp_path)
    tariff = load_tariff(folder / f"made_up_electric_co_{file}.yaml")
    rate = [each for each in json.loads(source, parse_float=Decimal)["items"] if each["name"] == name][-1]
    zone = ZoneInfo("America/Denver")
    starts = [datetime(2025, 1, 1, 7, tzinfo=UTC) + timedelta(hours=3 * hour) for hour in range(365 * 8)]
    frame = pl.DataFrame({"kind": "energy", "start_at": starts, "quantity": "1", "unit": "kWh"})
    priced = price_usage(tariff, frame, explain=len(frame))
    for start, charge, segments in zip(starts, priced["charge_nano"].to_list(), priced["segments"].to_list(), strict=True):
        local = start.astimezone(zone)
        grid = rate["energyweekendschedule" if local.isoweekday() >= 6 else "energyweekdayschedule"]
        tier = rate["energyratestructure"][grid[local.month - 1][local.hour]][0]
        fuel = rate.get("fueladjustmentsmonthly", [Decimal(0)] * 12)[local.month - 1]
        exact = Fraction(tier["rate"]) + Fraction(tier.get("adj", 0)) + Fraction(fuel)
        assert abs(Fraction(charge, 10**9) - exact) <= Fraction(5, 1000), (local, charge)
        assert f" at {exact_text(exact)} per " in segments[0]


def exact_text(value: Fraction) -> str:
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    whole, _, digits = text.partition(".")
    return f"{whole}.{digits.rstrip('0').ljust(2, '0')}"


def test_tiers_in_time_order_sum_like_a_ladder(tmp_path: Path) -> None:
    source = (GOLDEN / "urdb_home_tou" / "source.json").read_text()
    options = RateOptions("America/Denver", tier_scope="shared_chronological")
    folder = written(import_urdb(source, "source.json", options), tmp_path)
    tariff = load_tariff(folder / "made_up_electric_co_home_tiers.yaml")
    seed = random.Random(SEED)
    quantities = [seed.randint(1, 40_000) for _ in range(30)]
    starts = [datetime(2025, 3, day, 12, tzinfo=UTC) for day in range(1, 31)]
    frame = pl.DataFrame({"kind": "energy", "start_at": starts, "quantity": [str(each) for each in quantities], "unit": "Wh"})
    lines = [line for lines in price_usage(tariff, frame, explain=len(frame))["segments"].to_list() for line in lines]
    used: dict[str, Fraction] = {}
    for line in lines:
        quantity, unit, _, price = line.split()[:4]
        used[price] = used.get(price, Fraction(0)) + Fraction(Decimal(quantity)) * {"kWh": 1_000, "Wh": 1}[unit]
    total = sum(quantities)
    assert used["0.10"] == min(total, 200_000)
    assert used.get("0.15", 0) == max(0, min(total, 500_000) - 200_000)
    assert used.get("0.25", 0) == max(0, total - 500_000)


@pytest.mark.skipif(not AZ_DECK.exists(), reason=f"no rate deck at {AZ_DECK}")
def test_the_real_deck_of_36205_prefixes(tmp_path: Path) -> None:
    text, _ = load_sheet_text(AZ_DECK)
    imported = import_rate_deck(text, AZ_DECK.name, DeckOptions("az", currency="USD", effective_from="2026-01-01"))
    assert imported.totals() == (36_205, 36_205, 0)
    tariff = load_tariff(written(imported, tmp_path) / "az.yaml")
    rows = {row["prefix"]: row for row in csv.DictReader(AZ_DECK.read_text().splitlines())}
    seed = random.Random(SEED)
    prefixes = seed.sample(sorted(rows), 500)
    numbers = [(prefix + "0123456789")[: max(11, len(prefix))] for prefix in prefixes]
    seconds = [seed.randint(1, 500) for _ in numbers]
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for number, length, charge in zip(numbers, seconds, charges(tariff, numbers, [start] * 500, seconds), strict=True):
        row = next(rows[number[:size]] for size in range(len(number), 0, -1) if number[:size] in rows)
        step = int(row["increment_s"])
        exact = Fraction(Decimal(row["connect_cost"])) + Fraction(Decimal(row["rate_per_min"])) * -(-length // step) * step / 60
        assert charge is not None and abs(charge - exact) <= Fraction(1, 2 * 10**9)
