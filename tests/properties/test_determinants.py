"""Determinants against their twin: any tariff, clock change, cut and gap; how runs are cut and which integers hold them never matters."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from rating.compiled.compiler import compile_book
from rating.compiled.demand_measures import demand_arrays
from rating.language.shared_terms import Rounding, ServiceKind, Tier
from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import DemandPrice, EnergyPrice, Ladder, Measure, MeasureKind, Pick, TierScope
from rating.utility.determinants import supply_determinants, supply_rows
from rating.utility.intervals import determine_intervals
from rating.utility.meter_runs import meter_runs
from rating.utility.run_ladders import run_ladders
from tests.properties.test_rating_calls import a_window
from tests.reference.determinants_twin import Step, energy_of, peaks_of
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local

MINUTE_US = 60_000_000
NIGHTS = {
    "Europe/Berlin": ("2026-10-24T20:00", "2026-03-28T20:00"),
    "Australia/Lord_Howe": ("2026-04-04T20:00", "2026-10-03T20:00"),  # half an hour back, and forth
    "Asia/Kathmandu": ("2026-05-31T20:00",),
}


def a_demand_price(rng: Random, number: int) -> DemandPrice:
    kind = rng.choice(tuple(MeasureKind))
    many = rng.random() < 0.5
    return DemandPrice(
        f"d{number}",
        (Tier(0, 1, 1, 1),),
        measure=Measure(kind, 0 if kind is MeasureKind.STEP else rng.choice((15, 30, 60))),
        window=rng.choice((None, "a", "b")),
        pick=Pick.MEAN_OF_HIGHEST if many else Pick.HIGHEST,
        count=rng.randint(1, 4) if many else 1,
        distinct_days=many and rng.random() < 0.6,
    )


def a_supply_tariff(rng: Random, zone: str, meet: int) -> Tariff:
    def version(label: str, from_at: int, to_at: int) -> TariffVersion:
        ladder = Ladder(rng.choice(tuple(TierScope)), rng.random() < 0.6, rng.random() < 0.2)
        bounds = sorted({0, *(rng.randint(1, 3_000) for _ in range(rng.randint(0, 3)))})
        prices = [
            EnergyPrice(f"p{n}", rng.choice(("a", "b")) if n else None, n, tuple(Tier(bound, n + 1, 1000, 1) for bound in bounds))
            for n in range(3)
        ]
        demand = tuple(a_demand_price(rng, number) for number in range(rng.randint(0, 3)))
        return TariffVersion(label, from_at, to_at, Rounding("line", "up", 2), windows=(a_window(rng, "a"), a_window(rng, "b")),
                             energy=tuple(prices), supply=Supply(ladder=ladder, demand=demand))  # fmt: skip

    return Tariff(
        "e", "e", "EUR", zone, ServiceKind.UTILITY, (version("1", YEAR[0] - HOUR_US, meet), version("2", meet, 2**63 - 1))
    )


@dataclass
class Case:
    """A tariff, the steps of one group and the parts in which they come."""

    tariff: Tariff
    step: int
    period: tuple[int, int]
    parts: list[tuple[int, list[int]]]  # (start, milliwh)

    @property
    def steps(self) -> list[Step]:
        return [(start + n * self.step, self.step, value) for start, values in self.parts for n, value in enumerate(values)]


def a_case(rng: Random, *, gaps: bool) -> Case:
    zone = rng.choice(tuple(NIGHTS))
    start = local(rng.choice(NIGHTS[zone]), zone) + rng.choice((0, 0, 5, 15, 30)) * MINUTE_US
    step = rng.choice((5, 15, 15, 30, 60)) * MINUTE_US
    count = rng.randint(30, 130)
    tariff = a_supply_tariff(rng, zone, start + rng.randint(0, 24) * HOUR_US)
    values = [rng.choice((0, 1, rng.randint(0, 40), rng.randint(0, 4_000))) for _ in range(count)]
    cuts = sorted({0, *(rng.randint(1, count - 1) for _ in range(rng.randint(0, 8)))})
    ends = [*cuts[1:], count]
    parts = [(start + step * low, values[low:high]) for low, high in zip(cuts, ends, strict=True)]
    if gaps:
        parts = [part for part in parts if rng.random() < 0.8] or parts[:1]
    return Case(tariff, step, (start, start + step * count), parts)


def determinants(
    case: Case, rng: Random, *, opening: int = 0, bounds: list[int] | None = None
) -> tuple[pl.DataFrame, pl.DataFrame, list[int]]:
    """By the kernels, in narrow or wide integers, with a group before and one after that must not be felt."""
    book = compile_book([case.tariff], span=YEAR)
    scale = rng.choice((1, 7))
    kind = rng.choice((np.int32, np.int64))
    runs = [(1, case.parts[0][0], [9] * 5), *((2, *part) for part in case.parts), (3, case.parts[-1][0], [11] * 3)]
    values = [value for _, _, part in runs for value in part]
    lengths = [len(part) for _, _, part in runs]
    found = meter_runs(
        book, group=[group for group, _, _ in runs], tariff_index=[0] * len(runs), start_at=[start for _, start, _ in runs],
        step_us=[case.step] * len(runs), first_value=np.cumsum([0, *lengths])[:-1], count=lengths,
        values=np.array(values, dtype=kind), base_per_tick=scale,
    )  # fmt: skip
    of_group = np.array([group == 2 for group, _, _ in runs], dtype=np.int32)
    own = run_ladders(
        book, len(runs), opening=[0, opening], opening_row=of_group,
        bounds=None if bounds is None else [book.energy_from.tolist(), bounds], bounds_row=None if bounds is None else of_group,
    )  # fmt: skip
    starts = [case.parts[0][0], case.period[0], case.parts[-1][0]]
    ends = [case.parts[0][0] + 5 * case.step, case.period[1], case.parts[-1][0] + 3 * case.step]
    energy, demand, refused = supply_determinants(book, found, measures=demand_arrays(book), ladders=own, period=(starts, ends))
    case.parts = [(start, [value * scale for value in part]) for start, part in case.parts]
    return energy.filter(pl.col("group") == 2), demand.filter(pl.col("group") == 2), refused[1:-1].tolist()


def peaks_by_price(demand: pl.DataFrame) -> dict[tuple[int, int], tuple[list[tuple[int, int]], int]]:
    found: dict[tuple[int, int], tuple[list[tuple[int, int]], int]] = {}
    for row in demand.iter_rows(named=True):
        if row["peak_milliw"] is None and not row["windows_missing"]:
            continue  # out of force
        peaks, _ = found.setdefault((row["version_index"], row["demand_index"]), ([], row["windows_missing"]))
        if row["peak_milliw"] is not None:
            assert row["rank"] == len(peaks) + 1
            peaks.append((row["peak_milliw"], row["peak_at"]))
    return found


@settings(max_examples=60, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_energy_is_twin(seed: int) -> None:
    rng = Random(seed)
    case = a_case(rng, gaps=rng.random() < 0.3)
    own = any(version.supply.ladder.scope is TierScope.PER_PERIOD for version in case.tariff.versions)
    opening = 0 if own else rng.choice((0, 0, rng.randint(1, 4_000)))
    energy, _, refused = determinants(case, rng, opening=opening)
    expected = energy_of(case.tariff, case.steps, opening=opening)
    assert expected is not None and not any(refused)
    columns = energy.select("version_index", "price_index", "tier", "quantity")
    assert {(v, p, t): q for v, p, t, q in columns.iter_rows()} == expected
    assert energy["quantity"].sum() == sum(milliwh for _, _, milliwh in case.steps)


@settings(max_examples=50, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_peaks_are_twin(seed: int) -> None:
    rng = Random(seed)
    case = a_case(rng, gaps=True)
    _, demand, _ = determinants(case, rng)
    assert peaks_by_price(demand) == peaks_of(case.tariff, case.steps, case.period)


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_how_runs_are_cut_does_not_matter(seed: int) -> None:
    rng = Random(seed)
    case = a_case(rng, gaps=False)
    values = [value for _, part in case.parts for value in part]
    whole = Case(case.tariff, case.step, case.period, [(case.period[0], values)])
    single = Case(
        case.tariff, case.step, case.period, [(case.period[0] + n * case.step, [value]) for n, value in enumerate(values)]
    )
    found = [determinants(one, Random(5))[:2] for one in (whole, single)]
    assert found[0][0].equals(found[1][0])
    assert found[0][1].equals(found[1][1])


@settings(max_examples=30, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_bounds_of_a_group_are_used_as_given(seed: int) -> None:
    """Scaled bounds (23 of 30 days) against the twin with the same bounds; a higher bound never moves energy into a higher tier."""
    rng = Random(seed)
    case = a_case(rng, gaps=False)
    bounds = [
        [tier.from_usage * 23 // 30 for tier in price.tiers] for version in case.tariff.versions for price in version.energy
    ]
    energy, _, _ = determinants(case, rng, bounds=[bound for of_price in bounds for bound in of_price])
    places = [(v, p) for v, version in enumerate(case.tariff.versions) for p in range(len(version.energy))]
    expected = energy_of(case.tariff, case.steps, bounds=dict(zip(places, bounds, strict=True)))
    columns = energy.select("version_index", "price_index", "tier", "quantity")
    assert {(v, p, t): q for v, p, t, q in columns.iter_rows()} == expected


@settings(max_examples=40, deadline=None, print_blob=True)
@given(st.integers(0, 2**32 - 1))
def test_runs_sum_to_what_their_group_is_billed(seed: int) -> None:
    """Also where only the whole period decides the tiers: each run keeps its energy, each item of the group its own."""
    rng = Random(seed)
    case = a_case(rng, gaps=True)
    book = compile_book([case.tariff], span=YEAR)
    lengths = [len(values) for _, values in case.parts]
    groups = [n >= len(lengths) // 2 for n in range(len(lengths))]
    columns = {
        "tariff_index": [0] * len(lengths), "start_at": [start for start, _ in case.parts], "step_us": [case.step] * len(lengths),
        "first_value": np.cumsum([0, *lengths])[:-1], "count": lengths, "values": [v for _, part in case.parts for v in part],
    }  # fmt: skip
    runs = determine_intervals(book, ladder_group=groups, **columns)
    found = supply_rows(book, meter_runs(book, group=groups, **columns)).energy
    whole = pl.DataFrame({"group": np.array(groups)[found.run], "item": found.item, "quantity": found.quantity})
    parts = pl.DataFrame({"group": np.array(groups)[runs.run_index], "item": runs.item_index, "quantity": runs.quantity_milliwh})
    assert parts.group_by("group", "item").agg(pl.col("quantity").sum()).sort("group", "item").equals(whole.sort("group", "item"))
    by_run = np.zeros(len(lengths), dtype=np.int64)
    np.add.at(by_run, runs.run_index, runs.quantity_milliwh)
    assert by_run.tolist() == [sum(values) for _, values in case.parts]
    assert (runs.quantity_milliwh > 0).all()
