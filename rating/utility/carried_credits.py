"""Lots of credit, in kWh or money, that are carried from month to month, spent oldest first, and expire."""

from __future__ import annotations

import polars as pl

from rating.utility.bill_input import STATE_SCHEMA
from rating.utility.exact import INT128

_LOT = ["group", "name", "period"]


def lots_of(state: pl.DataFrame, topic: str) -> pl.DataFrame:
    """[group, name, period, value] of a topic, one row for each pool and month that earned it."""
    return state.filter(pl.col("topic") == topic).group_by(_LOT).agg(pl.col("value").cast(INT128).sum()).sort(_LOT)


def expired(lots: pl.DataFrame, period: int, months: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(valid lots, expired lots): a lot earned in a month may be used in the `months` that follow it; 0 is for ever."""
    if months == 0:
        return lots, lots.clear()
    ends = period - pl.col("period") > months
    return lots.filter(~ends), lots.filter(ends)


def spend(lots: pl.DataFrame, spent: pl.DataFrame) -> pl.DataFrame:
    """What is left of each lot when `spent` [group, name, used] is taken from each pool, oldest lot first."""
    running = lots.sort(_LOT).join(spent, on=["group", "name"], how="left").with_columns(pl.col("used").fill_null(0).cast(INT128))
    until = pl.col("value").cum_sum().over("group", "name")
    nil = pl.lit(0, dtype=INT128)
    left = pl.min_horizontal(pl.max_horizontal(until - pl.col("used"), nil), pl.col("value"))
    return running.with_columns(value=left).select(*_LOT, "value").filter(pl.col("value") != 0)


def as_state(lots: pl.DataFrame, topic: str) -> pl.DataFrame:
    return lots.select(
        pl.col("group").cast(pl.Int32), topic=pl.lit(topic), name="name", period=pl.col("period").cast(pl.Int32), value="value"
    ).select(STATE_SCHEMA.keys())
