"""Net energy by interval, dynamic prices and coincident demand: the figures of the reference, exact sums, what is missing."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest

from rating.utility.coincident_demand import demand_at
from rating.utility.determinants import channel_totals, supply_determinants, supply_rows
from rating.utility.dynamic_amounts import dynamic_amounts
from rating.utility.meter_runs import MeterRuns
from rating.utility.net_energy import net_of
from schemas.errors import MeterlineError
from schemas.reasons import Reason
from tests.unit.rating.test_determinants import KWH, QUARTER_US, book_of, price, runs_of
from tests.unit.rating.worked_tariffs import HOUR_US, YEAR, local

START = local("2026-10-25T00:00")
NONE = np.zeros(1, dtype=np.uint8)


def prices_of(*euros: str, start: int = START, step: int = HOUR_US) -> pl.DataFrame:
    from tests.unit.rating.worked_tariffs import nano

    rows = [(start + n * step, start + (n + 1) * step, nano(euro)) for n, euro in enumerate(euros) if euro]
    return pl.DataFrame(rows, schema={"start_at": pl.Int64, "end_at": pl.Int64, "price_nano": pl.Int64}, orient="row")


def test_dynamic_prices_come_to_0_945() -> None:
    """2.0 x 0.12 + 1.5 x (-0.03) + 3.0 x 0.25; the middle hour in halves."""
    book = book_of()
    runs = runs_of(book, (START, HOUR_US // 2, [20, 0, 5, 10, 15, 15]), scale=KWH // 10)
    found = dynamic_amounts(runs, NONE, prices_of("0.12", "-0.03", "0.25"), 0)
    assert found.select("quantity", "numerator", "steps_missing").rows() == [(6_500_000, 945_000_000 * KWH, 0)]


@pytest.mark.parametrize(
    ("prices", "step", "missing"),
    [(("0.12", "", "0.25"), HOUR_US // 2, 2), (("0.12", "0.12"), HOUR_US // 2, 2), (("0.12",) * 9, 2 * HOUR_US, 6)],
)
def test_a_missing_price_is_counted_and_so_is_a_step_that_outlasts_it(prices: tuple[str, ...], step: int, missing: int) -> None:
    found = dynamic_amounts(runs_of(book_of(), (START, step, [1] * 6)), NONE, prices_of(*prices), 0)
    assert found["steps_missing"].to_list() == [missing]


@pytest.mark.parametrize("seed", range(20))
def test_amounts_are_exact_in_128_bits(seed: int) -> None:
    rng = Random(seed)
    sizes = [rng.randint(1, 30) for _ in range(3)]
    values = [[rng.choice((0, 5, rng.randint(0, 2**44))) for _ in range(size)] for size in sizes]
    prices = [rng.choice((0, -1, rng.randint(-(2**62), 2**62))) for _ in range(40)]
    frame = pl.DataFrame(
        {
            "start_at": [START + n * HOUR_US for n in range(40)],
            "end_at": [START + (n + 1) * HOUR_US for n in range(40)],
            "price_nano": prices,
        }
    )
    runs = runs_of(book_of(), *((START, HOUR_US, of_run) for of_run in values), scale=1, group=[4, 4, 7])
    found = dynamic_amounts(runs, np.zeros(3, dtype=np.uint8), frame, 2)
    exact = [sum(value * price for value, price in zip(of_run, prices, strict=False)) for of_run in values]
    assert found["numerator"].to_list() == [exact[0] + exact[1], exact[2]]
    assert found["group"].to_list() == [4, 7]


def test_a_group_with_a_refused_run_has_no_amount() -> None:
    runs = runs_of(book_of(), (START, HOUR_US, [1]), (START, HOUR_US, [-1]), group=[0, 1])
    found = dynamic_amounts(runs, supply_rows(book_of(), runs).status, prices_of("0.10"), 0)
    assert found["group"].to_list() == [0]
    with pytest.raises(MeterlineError, match="prices row 1: starts before the one before it ends"):
        dynamic_amounts(runs, np.zeros(2, dtype=np.uint8), prices_of("0.1", "0.2").with_columns(end_at=pl.col("end_at") + 1), 0)


def channels(*pairs: tuple[int, int], step: int = HOUR_US) -> tuple[MeterRuns, MeterRuns]:
    """Import and export in kWh, in runs of whatever places."""
    book = book_of()
    return tuple(runs_of(book, (START, step, [pair[side] for pair in pairs])) for side in (0, 1))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("netting_us", "net"),
    [(0, ([3, 0, 0, 0], [0, 4, 1, 0])), (2 * HOUR_US, ([0, 0, 0, 0], [1, 0, 1, 0]))],
)
def test_net_by_step_and_by_interval(netting_us: int, net: tuple[list[int], list[int]]) -> None:
    found = net_of(*channels((4, 1), (0, 4), (2, 3), (5, 5)), netting_us=netting_us)
    assert tuple(side.values.tolist() for side in found) == net
    book = book_of(price("Peak", (0, "0.1"), window="peak"), price("Off", (0, "0.1")))
    energy = supply_determinants(book, found[0])[0]
    assert energy["quantity"].sum() == sum(net[0]) * KWH, "goes through the same kernel"
    assert channel_totals(found[1], supply_rows(book, found[1]), "export")["quantity"].to_list() == [sum(net[1]) * KWH]


def test_net_refuses_what_it_cannot_net() -> None:
    taken, given = channels((4, 1), (0, 4), (2, 3))
    with pytest.raises(MeterlineError, match="net_of run 0: the run cuts a netting interval, was 3 steps"):
        net_of(taken, given, netting_us=2 * HOUR_US)
    with pytest.raises(MeterlineError, match="channels differ in step_us"):
        net_of(taken, channels((4, 1), (0, 4), (2, 3), step=QUARTER_US)[1])
    taken, _ = net_of(*channels((4, 1), (0, -4)))
    assert [Reason(code) for code in supply_rows(book_of(), taken).status] == [Reason.NEGATIVE_QUANTITY]


def test_coincident_demand_is_that_of_the_block_that_holds_the_instant() -> None:
    book = book_of()
    runs = runs_of(book, (START, QUARTER_US, [10, 25, 20]), (START + 3 * QUARTER_US, QUARTER_US, [5, 7]))
    asked = [START, START + QUARTER_US - 1, START + 3 * QUARTER_US, START + 4 * QUARTER_US, YEAR[0]]
    status = supply_rows(book, runs).status
    quarter = demand_at(runs, status, [0] * 5, asked, minutes=15, zone="Europe/Berlin")
    assert quarter["peak_milliw"].to_list() == [40 * KWH, 40 * KWH, 20 * KWH, 28 * KWH, None]
    half = demand_at(runs, status, [0] * 5, asked, minutes=30, zone="Europe/Berlin")
    assert half["peak_milliw"].to_list() == [70 * KWH, 70 * KWH, 50 * KWH, None, None]
    with pytest.raises(MeterlineError, match="the block does not divide the hour, was 7 minutes"):
        demand_at(runs, status, [0], [START], minutes=7, zone="Europe/Berlin")
