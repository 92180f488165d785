"""Interval energy: TOU and chronological ladders with the figures of the utility reference (§4), statuses and line amounts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.shared_terms import Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.tariff_files import load_tariffs
from rating.utility.intervals import determine_intervals, line_amount_nano
from schemas.errors import MeterlineError
from schemas.reasons import Reason
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local, nano

KWH = 1_000_000
GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "tariffs"


def energy_tariff(*prices: EnergyPrice, windows: tuple[Window, ...] = (), to_at: int = 2**63 - 1) -> Tariff:
    version = TariffVersion("1", YEAR[0] - HOUR_US, to_at, Rounding("line", "half_up", 2), windows=windows, energy=prices)
    return Tariff("e", "e", "EUR", "Europe/Berlin", ServiceKind.UTILITY, (version,))


def price(item: str, *tiers: tuple[int, str], window: str | None = None) -> EnergyPrice:
    return EnergyPrice(item, window, 0, tuple(Tier(start * KWH, nano(amount), KWH, 1) for start, amount in tiers))


def bill(
    book: TariffBook, *runs: tuple[int, int, list[int]], group: list[int] | None = None
) -> tuple[dict[tuple[int, str], int], list[Reason]]:
    """(run, item) -> kWh, and statuses, of runs (start, step in hours, kWh)."""
    lengths = [len(values) for _, _, values in runs]
    found = determine_intervals(
        book,
        tariff_index=np.zeros(len(runs), dtype=np.int32),
        ladder_group=group or [0] * len(runs),
        start_at=[start for start, _, _ in runs],
        step_us=[step * HOUR_US for _, step, _ in runs],
        first_value=np.cumsum([0, *lengths])[:-1],
        count=lengths,
        values=[value * KWH for _, _, values in runs for value in values],
    )
    rows = zip(found.run_index.tolist(), found.item_index.tolist(), found.quantity_milliwh.tolist(), strict=True)
    return {(run, book.energy_items[item].item): milliwh // KWH for run, item, milliwh in rows}, [Reason(s) for s in found.status]


def amount(book: TariffBook, sums: dict[tuple[int, str], int]) -> int:
    by_item = {item.item: item for item in book.energy_items}
    parts = [(by_item[name], kwh * KWH) for (_, name), kwh in sums.items()]
    return sum(line_amount_nano(milliwh, item.price_nano, item.per, item.rounding) for item, milliwh in parts)


def test_shared_chronological_is_140_50() -> None:
    """Bound 400; off 0.15/0.20, peak 0.30/0.40; off 200, peak 150, off 160 (crosses), peak 90 (utility reference §4, Tiers)."""
    peak, off = price("Peak", (0, "0.30"), (400, "0.40"), window="peak"), price("Off", (0, "0.15"), (400, "0.20"))
    windows = (Window("peak", start_us=8 * HOUR_US, end_us=20 * HOUR_US),)
    book = compile_book([energy_tariff(peak, off, windows=windows)], span=YEAR)
    start = local("2026-10-06T07:00")
    sums, _ = bill(book, (start, 12, [200, 150]), (start + 24 * HOUR_US, 12, [160, 90]))
    assert sums == {
        (0, "Off"): 200,
        (0, "Peak"): 150,
        (1, "Off"): 50,
        (1, "Off above 400 kWh"): 110,
        (1, "Peak above 400 kWh"): 90,
    }
    assert amount(book, sums) == nano("140.50")


@pytest.mark.parametrize("cut", range(1, 24))
def test_how_runs_are_cut_does_not_matter(cut: int) -> None:
    book = compile_book([energy_tariff(price("Energy", (0, "0.10"), (30, "0.15"), (31, "0.20"), (60, "0.25")))], span=YEAR)
    values = [n % 7 for n in range(24)]
    start = local("2026-10-06T00:00")
    whole, _ = bill(book, (start, 1, values))
    parts, _ = bill(book, (start, 1, values[:cut]), (start + cut * HOUR_US, 1, values[cut:]))
    together: dict[str, int] = {}
    for (_, item), kwh in parts.items():
        together[item] = together.get(item, 0) + kwh
    assert {(0, item): kwh for item, kwh in together.items()} == whole
    assert sum(whole.values()) == sum(values)


def test_block_tariff_of_640_kwh_is_100() -> None:
    book = compile_book([energy_tariff(price("Energy", (0, "0.10"), (200, "0.15"), (500, "0.25")))], span=YEAR)
    sums, _ = bill(book, (local("2026-10-06T00:00"), 1, [640]))
    assert amount(book, sums) == nano("100.00")


@pytest.mark.parametrize("beyond", [-4, -3, 0, 1])
def test_a_bound_is_met_to_the_milliwatt_hour(beyond: int) -> None:
    book = compile_book([energy_tariff(price("Energy", (0, "0.10"), (10, "0.15")))], span=YEAR)
    found = determine_intervals(
        book,
        tariff_index=[0],
        ladder_group=[0],
        start_at=[local("2026-10-06T00:00")],
        step_us=[HOUR_US],
        first_value=[0],
        count=[3],
        values=[7 * KWH, 3 * KWH + beyond, 5],
    )
    assert dict(zip(found.item_index.tolist(), found.quantity_milliwh.tolist(), strict=True)) == {0: 10 * KWH, 1: beyond + 5}


def test_groups_and_refused_runs_start_no_new_total() -> None:
    of = energy_tariff(price("Energy", (0, "0.10"), (10, "0.15")), to_at=local("2026-10-07T00:00"))
    book = compile_book([of], span=YEAR)
    start = local("2026-10-06T00:00")
    runs = ((start, 1, [8]), (start + HOUR_US, 48, [5, 5]), (start, 1, [4]), (start, 1, [11]))
    sums, status = bill(book, *runs, group=[0, 0, 0, 1])
    assert status == [Reason.OK, Reason.NO_RATE_AT_INSTANT, Reason.OK, Reason.OK]
    assert sums == {
        (0, "Energy"): 8,
        (2, "Energy"): 2,
        (2, "Energy above 10 kWh"): 2,
        (3, "Energy"): 10,
        (3, "Energy above 10 kWh"): 1,
    }


def test_the_25_hour_day_is_priced_by_what_the_clock_shows() -> None:
    night = Window("night", end_us=int(2.5 * HOUR_US))
    of = energy_tariff(price("Night", (0, "0.1"), window="night"), price("Day", (0, "0.2")), windows=(night,))
    book = compile_book([of], span=YEAR)
    start = local("2026-10-25T00:00")
    lengths = [1] * 100
    found = determine_intervals(
        book, tariff_index=[0], ladder_group=[0], start_at=[start], step_us=[HOUR_US // 4], first_value=[0], count=[100],
        values=lengths,
    )  # fmt: skip
    sums = dict(zip([book.energy_items[i].item for i in found.item_index], found.quantity_milliwh.tolist(), strict=True))
    assert sums == {"Night": 12, "Day": 88}, "00:00-02:30, and 02:00-02:30 once more"


def test_statuses_and_refusals() -> None:
    book = compile_book(load_tariffs(GOLDEN), span=YEAR)
    start = local("2026-10-06T00:00")
    tou = book.tariff_index("power_tou")
    arguments = {"ladder_group": [0] * 5, "start_at": [start] * 5, "step_us": [HOUR_US] * 5, "first_value": [0, 1, 2, 3, 0]}
    found = determine_intervals(
        book, tariff_index=[-1, tou, tou, book.tariff_index("mobile_basic"), tou], count=[1, 1, 1, 1, 0],
        values=[5, -1, 2**50, 7], **arguments,
    )  # fmt: skip
    assert [Reason(status).label for status in found.status] == [
        "no_tariff_for_subject", "negative_quantity", "quantity_out_of_range", "no_rate_at_instant", "ok"
    ]  # fmt: skip
    assert len(found.run_index) == 0
    with pytest.raises(MeterlineError, match="first_value row 3: values missing, was 3"):
        determine_intervals(book, tariff_index=[tou] * 5, count=[1, 1, 1, 2, 1], values=[1, 1, 1, 1], **arguments)


@pytest.mark.parametrize(
    ("milliwh", "amount_text", "mode", "decimals", "expected"),
    [
        (120_500_000, "0.42", "half_up", 2, "50.61"),
        (310_250_000, "0.18", "half_up", 4, "55.8450"),
        (310_250_000, "0.18", "down", 2, "55.84"),
        (25_000, "0.10", "half_even", 2, "0.00"),
        (150_000, "-0.10", "up", 2, "-0.02"),
        (1, "0.10", "none", 9, "0.0000001"),
        (10**24, "0.10", "half_up", 2, "100000000000000000"),
    ],
)
def test_a_line_is_exact_and_rounded_once(milliwh: int, amount_text: str, mode: str, decimals: int, expected: str) -> None:
    assert line_amount_nano(milliwh, nano(amount_text), KWH, Rounding("line", mode, decimals)) == nano(expected)
