"""Runs of meter channels as frames beside a column of values: cut into steps, put together again, several channels as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import TariffBook
from rating.utility.meter_runs import MeterRuns, meter_runs

_KEYS = ("group", "role")
_RUN = ("group", "role", "channel", "start_at", "step_us", "first_value", "count")


@dataclass(frozen=True)
class ChannelRuns:
    """`runs`: [group i32, role, channel, start_at i64, step_us i64, first_value i64, count i32]; `values`: i64 base units."""

    runs: pl.DataFrame
    values: npt.NDArray[np.int64]

    def of(self, *roles: str) -> ChannelRuns:
        """The runs of some roles."""
        return ChannelRuns(self.runs.filter(pl.col("role").is_in(list(roles))), self.values)

    def meter_runs(self, book: TariffBook, tariff_index: int) -> MeterRuns:
        """The runs for the kernels, all of one tariff, by (group, start)."""
        rows = self.runs.sort("group", "start_at", "channel")
        columns = {name: rows[name].to_numpy() for name in ("group", "start_at", "step_us", "first_value", "count")}
        return meter_runs(book, tariff_index=np.full(rows.height, tariff_index), values=self.values, **columns)


def steps_of(channels: ChannelRuns) -> pl.DataFrame:
    """[group, role, start_at, step_us, quantity] of every value."""
    runs = channels.runs
    count = runs["count"].to_numpy().astype(np.int64)
    row = np.repeat(np.arange(runs.height), count)
    place = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    step = runs["step_us"].to_numpy()[row]
    return runs.select(_KEYS)[row].with_columns(
        pl.Series("start_at", runs["start_at"].to_numpy()[row] + place * step, dtype=pl.Int64),
        pl.Series("step_us", step, dtype=pl.Int64),
        pl.Series("quantity", channels.values[runs["first_value"].to_numpy()[row] + place], dtype=pl.Int64),
    )


def runs_of(steps: pl.DataFrame) -> ChannelRuns:
    """Steps [group, role, start_at, step_us, quantity], each once, as runs without a gap."""
    rows = steps.sort(*_KEYS, "start_at", "step_us")
    follows = (
        (pl.col("start_at") == pl.col("start_at").shift(1) + pl.col("step_us"))
        & (pl.col("step_us") == pl.col("step_us").shift(1))
        & (pl.col("group") == pl.col("group").shift(1))
        & (pl.col("role") == pl.col("role").shift(1))
    )
    run = (~follows.fill_null(False)).cast(pl.Int64).cum_sum()
    grouped = rows.with_row_index("first_value").group_by(run.alias("run"), maintain_order=True)
    runs = grouped.agg(pl.col("group", "role", "start_at", "step_us", "first_value").first(), pl.len().alias("count"))
    runs = runs.with_columns(pl.col("first_value").cast(pl.Int64), pl.col("count").cast(pl.Int32), channel=pl.lit(""))
    return ChannelRuns(runs.select(_RUN), rows["quantity"].to_numpy())


def joined(parts: list[ChannelRuns]) -> ChannelRuns:
    """Several sets of runs as one."""
    offsets = np.cumsum([0, *(len(part.values) for part in parts)]).tolist()
    runs = [part.runs.with_columns(pl.col("first_value") + offset) for part, offset in zip(parts, offsets, strict=False)]
    return ChannelRuns(pl.concat(runs), np.concatenate([part.values for part in parts]))


def one_channel(channels: ChannelRuns) -> tuple[ChannelRuns, pl.DataFrame]:
    """Several channels of a role added up step by step, as what a service takes is their sum.

    Returns:
        (runs with one channel for each group and role, [group, role] whose runs still overlap: steps of different length).
    """
    several = channels.runs.group_by(_KEYS).agg(pl.col("channel").n_unique()).filter(pl.col("channel") > 1).select(_KEYS)
    found = channels
    if not several.is_empty():
        apart = channels.runs.join(several, on=_KEYS, how="semi", maintain_order="left")
        steps = steps_of(ChannelRuns(apart, channels.values))
        summed = runs_of(steps.group_by(*_KEYS, "start_at", "step_us").agg(pl.col("quantity").sum()))
        found = joined(
            [ChannelRuns(channels.runs.join(several, on=_KEYS, how="anti", maintain_order="left"), channels.values), summed]
        )
    rows = found.runs.sort(*_KEYS, "start_at")
    end = pl.col("start_at") + pl.col("step_us") * pl.col("count")
    overlap = rows.filter(pl.col("start_at") < end.shift(1).over(_KEYS)).select(_KEYS).unique()
    return found, overlap


def paired(left: ChannelRuns, right: ChannelRuns) -> tuple[ChannelRuns, ChannelRuns]:
    """Two channels of the same groups with equal runs; where only one has a step the other has zero there."""
    key = ["group", "start_at", "step_us", "count"]
    odd = pl.concat(
        [
            left.runs.join(right.runs, on=key, how="anti").select("group"),
            right.runs.join(left.runs, on=key, how="anti").select("group"),
        ]
    ).unique()
    if odd.is_empty():
        return left, right
    parts: list[list[ChannelRuns]] = [[], []]
    grid = []
    for side, own in enumerate((left, right)):
        parts[side].append(ChannelRuns(own.runs.join(odd, on="group", how="anti", maintain_order="left"), own.values))
        grid.append(steps_of(ChannelRuns(own.runs.join(odd, on="group", how="semi", maintain_order="left"), own.values)))
    at = ["group", "start_at", "step_us"]
    every = pl.concat([steps.select(at) for steps in grid]).unique()
    for side, (own, steps) in enumerate(zip((left, right), grid, strict=True)):
        role = own.runs["role"].first() if own.runs.height else ""
        filled = every.join(steps.select(*at, "quantity"), on=at, how="left").with_columns(pl.col("quantity").fill_null(0))
        parts[side].append(runs_of(filled.with_columns(role=pl.lit(role, dtype=pl.String))))
    return joined(parts[0]), joined(parts[1])
