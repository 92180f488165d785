"""Determinants with the figures of the utility reference (§4): tier scopes, prorated and annual bounds, kinds of demand; gaps, refusals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.demand_measures import demand_arrays
from rating.language.shared_terms import Rounding, ServiceKind, Tier, Window
from rating.language.supply_terms import Supply
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import DemandPrice, EnergyPrice, Ladder, Measure, MeasureKind, Pick, TierScope
from rating.utility.determinants import channel_totals, supply_determinants, supply_rows
from rating.utility.intervals import line_amount_nano
from rating.utility.meter_runs import MeterRuns, meter_runs
from rating.utility.run_ladders import run_ladders
from schemas.errors import MeterlineError
from schemas.reasons import Reason
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local, nano

KWH = 1_000_000
QUARTER_US = HOUR_US // 4
PEAK = Window("peak", start_us=8 * HOUR_US, end_us=20 * HOUR_US)
STEP, BLOCK, SLIDING = MeasureKind.STEP, MeasureKind.BLOCK, MeasureKind.SLIDING


def book_of(
    *prices: EnergyPrice, ladder: Ladder | None = None, demand: Sequence[DemandPrice] = (), zone: str = "Europe/Berlin"
) -> TariffBook:
    supply = Supply(ladder=ladder or Ladder(), demand=tuple(demand))
    energy = prices or (price("Energy", (0, "0.10")),)
    version = TariffVersion(
        "1", YEAR[0] - HOUR_US, 2**63 - 1, Rounding("line", "half_up", 2), windows=(PEAK,), energy=energy, supply=supply
    )
    return compile_book([Tariff("e", "e", "EUR", zone, ServiceKind.UTILITY, (version,))], span=YEAR)


def price(item: str, *tiers: tuple[int, str], window: str | None = None) -> EnergyPrice:
    return EnergyPrice(item, window, 0, tuple(Tier(start * KWH, nano(amount), KWH, 1) for start, amount in tiers))


def demand_of(measure: Measure, window: str | None = None, count: int = 0, distinct_days: bool = False) -> DemandPrice:
    pick = Pick.MEAN_OF_HIGHEST if count else Pick.HIGHEST
    return DemandPrice(
        "Demand", (Tier(0, 1, KWH, 1),), measure=measure, window=window, pick=pick, count=count or 1, distinct_days=distinct_days
    )


def runs_of(book: TariffBook, *runs: tuple[int, int, list[int]], scale: int = KWH, group: list[int] | None = None) -> MeterRuns:
    """Runs (start, step, kWh or ticks of `scale`), of one group unless told."""
    lengths = [len(values) for _, _, values in runs]
    return meter_runs(
        book, group=group or [0] * len(runs), tariff_index=[0] * len(runs), start_at=[start for start, _, _ in runs],
        step_us=[step for _, step, _ in runs], first_value=np.cumsum([0, *lengths])[:-1], count=lengths,
        values=[value for _, _, values in runs for value in values], base_per_tick=scale,
    )  # fmt: skip


def bill(book: TariffBook, runs: MeterRuns, **ladders: object) -> int:
    found = supply_rows(book, runs, ladders=run_ladders(book, len(runs.group), **ladders)).energy  # type: ignore[arg-type]
    items = [book.energy_items[index] for index in found.item.tolist()]
    return sum(line_amount_nano(q, i.price_nano, i.per, i.rounding) for q, i in zip(found.quantity.tolist(), items, strict=True))


@pytest.mark.parametrize(
    ("ladder", "amount"),
    [
        (Ladder(TierScope.SHARED_PRORATED), "140.00"),
        (Ladder(TierScope.SHARED_CHRONOLOGICAL), "140.50"),
        (Ladder(TierScope.SHARED_CHRONOLOGICAL, split_at_bound=False), "135.00"),
        (Ladder(TierScope.PER_PERIOD), "126.00"),
        (Ladder(TierScope.PER_PERIOD, split_at_bound=False), "126.00"),
        (Ladder(TierScope.SHARED_PRORATED, whole_quantity=True), "168.00"),  # 600 > 400: 360 x 0.20 + 240 x 0.40
        (Ladder(TierScope.PER_PERIOD, whole_quantity=True), "126.00"),
    ],
)
def test_tier_scopes(ladder: Ladder, amount: str) -> None:
    """Bound 400; off 0.15/0.20, peak 0.30/0.40; in time order off 200, peak 150, off 160, peak 90."""
    peak, off = price("Peak", (0, "0.30"), (400, "0.40"), window="peak"), price("Off", (0, "0.15"), (400, "0.20"))
    book = book_of(peak, off, ladder=ladder)
    start, half_day = local("2026-10-06T07:00"), 12 * HOUR_US
    assert bill(book, runs_of(book, (start, half_day, [200, 150, 160, 90]))) == nano(amount)
    assert bill(book, runs_of(book, (start, half_day, [200]), (start + half_day, half_day, [150, 160, 90]))) == nano(amount)


def test_bounds_of_23_of_30_days_give_74() -> None:
    book = book_of(price("Energy", (0, "0.10"), (200, "0.15"), (500, "0.25")))
    runs = runs_of(book, (local("2026-10-06T00:00"), HOUR_US, [480]))
    bounds = [[0, 200 * KWH * 23 // 30, 500 * KWH * 23 // 30]]
    assert bill(book, runs, bounds=bounds, bounds_row=[0]) == nano("74.00")


@pytest.mark.parametrize(("prior_kwh", "amount"), [(2_000, "236.00"), (4_100, "319.00"), (0, "224.00"), (5_000, "344.00")])
def test_an_annual_ladder_goes_on_from_what_was_used(prior_kwh: int, amount: str) -> None:
    """2,160/4,200 kWh, base 0.56, add-ons 0.05 and 0.30; 400 kWh now."""
    for scope in (TierScope.SHARED_CHRONOLOGICAL, TierScope.SHARED_PRORATED):
        book = book_of(price("Energy", (0, "0.56"), (2_160, "0.61"), (4_200, "0.86")), ladder=Ladder(scope))
        runs = runs_of(book, (local("2026-10-06T00:00"), HOUR_US, [150, 250]))
        assert bill(book, runs, opening=[prior_kwh * KWH], opening_row=[0]) == nano(amount)


@pytest.mark.parametrize(
    ("measure", "kw", "at"),
    [
        (Measure(STEP), 100, 1),
        (Measure(BLOCK, 15), 100, 1),
        (Measure(BLOCK, 30), 70, 0),
        (Measure(SLIDING, 30), 90, 1),
        (Measure(BLOCK, 60), 60, 0),
        (Measure(SLIDING, 60), 60, 0),
    ],
)
def test_quarter_hours_of_40_100_80_20_kw(measure: Measure, kw: int, at: int) -> None:
    book = book_of(demand=[demand_of(measure)])
    start = local("2026-10-06T10:00")
    runs = runs_of(book, (start, QUARTER_US, [10, 25]), (start + 2 * QUARTER_US, QUARTER_US, [20, 5]))
    _, demand, _ = supply_determinants(book, runs, measures=demand_arrays(book))
    assert demand.select("group", "demand_index", "rank", "peak_milliw", "peak_at", "windows_missing").rows() == [
        (0, 0, 1, kw * KWH, start + at * QUARTER_US, 0)
    ]


def test_demand_counts_where_all_of_the_window_lies_in_the_period() -> None:
    """Peak 08:00-20:00: a 60-minute window from 07:30 is none; the highest quarter-hour of all lies outside."""
    demand = [demand_of(Measure(SLIDING, 60), "peak"), demand_of(Measure(STEP), "peak"), demand_of(Measure(STEP))]
    book = book_of(demand=demand)
    start = local("2026-10-06T07:00")
    runs = runs_of(book, (start, QUARTER_US, [0, 0, 90, 90, 10, 10, 10, 30]))
    found = supply_determinants(book, runs, measures=demand_arrays(book))[1]
    eight = start + 4 * QUARTER_US
    assert found.select("demand_index", "peak_milliw", "peak_at").rows() == [
        (0, 60 * KWH, eight), (1, 120 * KWH, eight + 3 * QUARTER_US), (2, 360 * KWH, start + 2 * QUARTER_US)
    ]  # fmt: skip


def test_the_highest_three_and_the_highest_of_three_days() -> None:
    demand = [demand_of(Measure(STEP), count=3), demand_of(Measure(STEP), count=3, distinct_days=True)]
    book = book_of(demand=demand)
    start = local("2026-10-06T22:00")
    runs = runs_of(book, (start, HOUR_US, [9, 8, 7, 3, 7]), (start + 26 * HOUR_US, HOUR_US, [5, 6]), scale=1_000)
    found = supply_determinants(book, runs, measures=demand_arrays(book))[1]
    at = [start + hour * HOUR_US for hour in range(28)]
    assert found.select("demand_index", "rank", "peak_milliw", "peak_at").rows() == [
        (0, 1, 9_000, at[0]), (0, 2, 8_000, at[1]), (0, 3, 7_000, at[2]),
        (1, 1, 9_000, at[0]), (1, 2, 7_000, at[2]), (1, 3, 6_000, at[27]),
    ]  # fmt: skip


def test_blocks_keep_to_the_wall_clock() -> None:
    """Kathmandu is UTC+05:45: an hour's block starts at :15 UTC. Lord Howe moves by half an hour: a cut block is none, and not missing."""
    kathmandu = book_of(demand=[demand_of(Measure(BLOCK, 60))], zone="Asia/Kathmandu")
    start = local("2026-06-01T00:00", "Asia/Kathmandu")
    found = supply_determinants(
        kathmandu,
        runs_of(kathmandu, (start - 3 * QUARTER_US, QUARTER_US, [9, 9, 9, 1, 1, 1, 2])),
        measures=demand_arrays(kathmandu),
    )[1]
    assert found.select("peak_milliw", "peak_at", "windows_missing").rows() == [(5 * KWH, start, 0)]
    howe = book_of(demand=[demand_of(Measure(BLOCK, 60))], zone="Australia/Lord_Howe")
    night = local("2026-04-05T01:00", "Australia/Lord_Howe")  # 02:00 becomes 01:30: six quarter-hours read 01
    runs = runs_of(howe, (night, QUARTER_US, [1, 1, 1, 1, 7, 7, 2, 2, 2, 2]))
    found = supply_determinants(howe, runs, measures=demand_arrays(howe))[1]
    assert found.select("peak_milliw", "peak_at", "windows_missing").rows() == [(8 * KWH, night + 6 * QUARTER_US, 0)]


def test_a_gap_takes_windows_away_and_says_so() -> None:
    book = book_of(demand=[demand_of(Measure(BLOCK, 60)), demand_of(Measure(SLIDING, 30))])
    start = local("2026-10-06T10:00")
    runs = runs_of(book, (start, QUARTER_US, [9, 9, 9]), (start + 4 * QUARTER_US, QUARTER_US, [1, 1, 1, 1]))
    period = (start, start + 12 * QUARTER_US)
    found = supply_determinants(book, runs, measures=demand_arrays(book), period=period)[1]
    assert found.select("demand_index", "peak_milliw", "windows_missing").rows() == [(0, 4 * KWH, 2), (1, 36 * KWH, 6)]
    alone = supply_determinants(book, runs_of(book, (start, QUARTER_US, [9])), measures=demand_arrays(book), period=period)[1]
    assert alone.select("demand_index", "rank", "peak_milliw", "peak_at", "windows_missing").rows() == [
        (0, 1, None, None, 3), (1, 1, None, None, 11)
    ]  # fmt: skip
    coarse = supply_determinants(book, runs_of(book, (start, 2 * HOUR_US, [9])), measures=demand_arrays(book))[1]
    assert coarse["peak_milliw"].null_count() == 2, "two hours hold no hour"
    mixed = runs_of(book, (start, QUARTER_US, [9] * 4), (start + HOUR_US, QUARTER_US // 3, [1] * 12))
    assert supply_determinants(book, mixed, measures=demand_arrays(book))[1]["windows_missing"].to_list() == [1, 1]


def test_a_step_that_does_not_divide_the_hour_is_rounded_once() -> None:
    book = book_of(demand=[demand_of(Measure(STEP))])
    runs = runs_of(book, (local("2026-10-06T10:00"), 7 * 60_000_000, [5, 4]), scale=1)
    assert supply_determinants(book, runs, measures=demand_arrays(book))[1]["peak_milliw"].to_list() == [43]  # 5 x 60 / 7 = 42.86


def test_refused_runs_add_nothing_and_have_a_reason() -> None:
    book = book_of(demand=[demand_of(Measure(STEP))])
    start = local("2026-10-06T00:00")
    runs = meter_runs(
        book, group=[0, 0, 0, 1, 2, 3], tariff_index=[0, 0, 0, -1, 0, 0], step_us=[HOUR_US] * 6, count=[1] * 6,
        start_at=[start, start + HOUR_US, start + 2 * HOUR_US, start, YEAR[0] - 9 * HOUR_US, start],
        first_value=range(6), values=[3, -1, 2, 5, 5, 2**44 // KWH + 1], base_per_tick=KWH,
    )  # fmt: skip
    energy, demand, refused = supply_determinants(book, runs, measures=demand_arrays(book))
    assert [Reason(code).label for code in refused] == [
        "ok", "negative_quantity", "ok", "no_tariff_for_subject", "no_rate_at_instant", "quantity_out_of_range"
    ]  # fmt: skip
    assert energy.select("group", "quantity").rows() == [(0, 5 * KWH)]
    assert demand.select("group", "peak_milliw", "windows_missing").rows() == [
        (0, 3 * KWH, 1),
        (1, None, 0),
        (2, None, 0),
        (3, None, 1),
    ]
    totals = channel_totals(runs, supply_rows(book, runs), "import")
    assert totals.rows() == [(0, "import", 5 * KWH), (1, "import", 0), (2, "import", 5 * KWH), (3, "import", 0)]


def test_a_running_total_never_wraps() -> None:
    book = book_of(price("Energy", (0, "0.10"), (200, "0.15")))
    runs = runs_of(book, (local("2026-10-06T00:00"), HOUR_US, [1]), (local("2026-10-06T01:00"), HOUR_US, [1, 1]), scale=2**40)
    ladders = run_ladders(book, 2, opening=[2**62 - 2**41], opening_row=[0, 0])
    found = supply_rows(book, runs, ladders=ladders)
    assert [Reason(code) for code in found.refused] == [Reason.OK, Reason.QUANTITY_OUT_OF_RANGE]
    assert found.energy.quantity.tolist() == [2**40]


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ({"start_at": [0, 5 * QUARTER_US]}, "start_at row 1: overlaps the run before it"),
        (
            {"step_us": [QUARTER_US, 1_500_000], "start_at": [0, 99 * QUARTER_US]},
            "step_us row 1: no step for demand, was 1500000",
        ),
    ],
)
def test_demand_is_not_read_from_any_runs(broken: dict[str, list[int]], text: str) -> None:
    book = book_of(demand=[demand_of(Measure(STEP))])
    start = local("2026-10-06T00:00")
    columns = {"start_at": [0, 10 * QUARTER_US], "step_us": [QUARTER_US] * 2} | broken
    columns["start_at"] = [start + at for at in columns["start_at"]]
    runs = meter_runs(book, group=[0, 0], tariff_index=[0, 0], first_value=[0, 0], count=[10, 10], values=[1] * 10, **columns)
    with pytest.raises(MeterlineError, match=text):
        supply_rows(book, runs, measures=demand_arrays(book))


@pytest.mark.parametrize(
    ("ladders", "text"),
    [
        ({"bounds": [[0]]}, "bounds: another width"),
        ({"bounds": [[0, 5, 0, 4], [1, 5, 0, 4]]}, "bounds: tiers out of order"),
        ({"bounds": [[0, 5, 0, 4]], "bounds_row": [1]}, "bounds_row: no such row, was 1 to 1, must be 0 to 0"),
        ({"opening": [5]}, "opening: one for prices with ladders of their own"),
        ({"opening": [[-1, 0]]}, "opening: a running total out of range"),
        ({"opening": [[1, 0]], "opening_row": [0, 0]}, "opening_row: another length, was 2"),
    ],
)
def test_ladders_that_cannot_be(ladders: dict[str, object], text: str) -> None:
    two = [price(item, (0, "0.10"), (4, "0.15"), window=window) for item, window in (("Peak", "peak"), ("Off", None))]
    book = book_of(*two, ladder=Ladder(TierScope.PER_PERIOD))
    with pytest.raises(MeterlineError, match=text):
        run_ladders(book, 1, **ladders)  # type: ignore[arg-type]


def test_frames_have_the_columns_that_the_elements_read() -> None:
    book = book_of(demand=[demand_of(Measure(STEP))])
    energy, demand, _ = supply_determinants(
        book, runs_of(book, (local("2026-10-06T00:00"), HOUR_US, [1])), measures=demand_arrays(book)
    )
    ints = dict.fromkeys(("group", "tariff_index", "version_index"), pl.Int32)
    assert energy.schema == ints | {"price_index": pl.Int32, "tier": pl.Int32, "quantity": pl.Int64}
    assert demand.schema == ints | {
        "demand_index": pl.Int32, "rank": pl.Int32, "peak_milliw": pl.Int64, "peak_at": pl.Int64, "windows_missing": pl.Int64
    }  # fmt: skip
