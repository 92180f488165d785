"""Energy at the price of its UTC interval: the exact sum of milliwatt-hours times nano-units, in 128 bits."""

from __future__ import annotations

import numpy as np
import polars as pl

from rating.utility.meter_runs import MeterRuns
from rating.utility.wide_integers import add_product
from schemas.errors import Fault, MeterlineError
from schemas.kernels import kernel


@kernel()
def _sum_amounts(  # type: ignore[no-untyped-def]
    group, start_at, step_us, first_value, count, scale, values, price_from, price_to, price, quantity, high, low, missing
):
    """By group: milliwatt-hours, the words of the sum of milliwatt-hours x nano-units, steps without one price."""
    place = -1
    words = np.zeros(2, dtype=np.uint64)
    for run in range(len(group)):
        if run == 0 or group[run] != group[run - 1]:
            place += 1
            quantity[place], missing[place] = 0, 0
            words[0], words[1] = np.uint64(0), np.uint64(0)
        at, step = start_at[run], step_us[run]
        now = np.int64(np.searchsorted(price_from, at, side="right")) - 1
        held = np.int64(0)
        for n in range(count[run]):
            instant = at + n * step
            while now + 1 < len(price_from) and instant >= price_from[now + 1]:
                if held != 0:
                    add_product(words, held, price[now])
                    held = np.int64(0)
                now += 1
            taken = values[first_value[run] + n] * scale[run]
            quantity[place] += taken
            if now < 0 or instant + step > price_to[now]:
                missing[place] += 1
            else:
                held += taken
        if held != 0:
            add_product(words, held, price[now])
        high[place], low[place] = np.int64(words[1]), words[0]


def dynamic_amounts(runs: MeterRuns, refused: np.ndarray, prices: pl.DataFrame, dynamic_index: int) -> pl.DataFrame:
    """Amounts of one dynamic price by group.

    Args:
        runs: sorted by group, of values that `supply_rows` has checked; refused: u1[runs], its status.
        prices: [start_at i64, end_at i64 (microseconds UTC), price_nano i64] in order of time; negative ones too.
    Returns:
        [group i32, dynamic_index i32, quantity i64 milliwatt-hours, numerator Int128 (milliwatt-hours x nano-units),
        steps_missing i32]: steps that start where no price holds, or last beyond it; such a group has no amount. Groups of
        which a run is refused are left out.
    Raises:
        MeterlineError: prices that overlap or are out of order.
    """
    price_from, price_to, price = (
        np.ascontiguousarray(prices[name].to_numpy(), dtype=np.int64) for name in ("start_at", "end_at", "price_nano")
    )
    wrong = price_from[1:] < price_to[:-1]
    if wrong.any():
        row = int(np.argmax(wrong)) + 1
        raise MeterlineError(Fault(f"prices row {row}", "starts before the one before it ends", str(price_from[row])))
    of_group = np.repeat(np.arange(len(runs.group_start) - 1), np.diff(runs.group_start))
    groups = len(runs.group_start) - 1
    whole = np.ones(groups, dtype=np.bool_)
    whole[of_group[refused > 0]] = False
    kept = whole[of_group]
    columns = (runs.group, runs.start_at, runs.step_us, runs.first_value, runs.count, runs.scale)
    size = int(whole.sum())
    quantity, high, missing = np.empty(size, np.int64), np.empty(size, np.int64), np.empty(size, np.int32)
    low = np.empty(size, np.uint64)
    _sum_amounts(*(column[kept] for column in columns), runs.values, price_from, price_to, price, quantity, high, low, missing)
    numerator = pl.Series(high).cast(pl.Int128) * pl.Series([2**64], dtype=pl.Int128) + pl.Series(low).cast(pl.Int128)
    return pl.DataFrame(
        {
            "group": runs.group[runs.group_start[:-1][whole]],
            "dynamic_index": np.full(size, dynamic_index, dtype=np.int32),
            "quantity": quantity,
            "numerator": numerator,
            "steps_missing": missing,
        }
    )
