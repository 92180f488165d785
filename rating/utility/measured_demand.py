"""Demand out of steps of energy: by step, in blocks, in a sliding window; the highest, several of them, or at given instants."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import polars as pl

from rating.language.utility_terms import DemandPrice, Measure, MeasureKind, Pick, PowerUnit
from rating.utility.bill_input import DEMAND_SCHEMA, REACTIVE_PEAK_SCHEMA
from rating.utility.exact import INT128, rounded_products, whole_roots
from rating.utility.steps import local_days, of_role

_HOUR_US = 3_600_000_000
_MINUTE_US = 60_000_000
_SLOTS = {"group": pl.Int32, "start_at": pl.Int64, "long_us": pl.Int64, "energy": INT128}


def measure_demand(
    price: DemandPrice, index: int, steps: pl.DataFrame, held: pl.Series, *, origin_at: int, zone: str,
    coincident_at: Sequence[int] = (),
) -> pl.DataFrame:  # fmt: skip
    """`DEMAND_SCHEMA` rows of one demand price.

    Args:
        steps: [group, role, start_at, step_us, quantity]; `held`: for each step whether the price's window holds at its start.
        origin_at: where blocks begin (the start of the period).
    Returns:
        For each group its `count` highest demands (1 unless a mean is asked). A block or window counts when all of its steps are
        there and lie in the price's window; incomplete ones give no demand and are counted. A group whose steps never lie in the
        price's window has a demand of zero; one whose windows are all incomplete, or whose channel is missing, has no row.
    """
    roles = {PowerUnit.KW: ("import",), PowerUnit.KVAR: ("reactive_import",), PowerUnit.KVA: ("import", "reactive_import")}
    marked = steps.with_columns(held=held)
    parts = [_windows(price.measure, _channel(marked, role), origin_at) for role in roles[price.unit]]
    slots = parts[0] if len(parts) == 1 else _apparent(*parts)
    whole = slots.filter(pl.col("complete") & pl.col("held"))
    if price.pick is Pick.COINCIDENT:
        asked = pl.DataFrame({"at": list(coincident_at)}, schema={"at": pl.Int64})
        inside = (pl.col("at") >= pl.col("start_at")) & (pl.col("at") < pl.col("start_at") + pl.col("long_us"))
        whole = whole.join(asked, how="cross").filter(inside).drop("at")
    power = rounded_products([whole["energy"]], Fraction(_HOUR_US), [whole["long_us"]])
    peaks = whole.with_columns(peak=power.cast(pl.Int64)).sort(
        "group", "peak", "start_at", descending=[False, True, False]
    )  # fmt: skip
    if price.distinct_days:
        days = pl.Series("day", local_days(zone, peaks["start_at"].to_numpy()))
        peaks = peaks.with_columns(days).unique(["group", "day"], keep="first", maintain_order=True)
    ranked = peaks.with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("group"))
    most = price.count if price.pick is Pick.MEAN_OF_HIGHEST else 1
    missing = slots.group_by("group").agg(
        windows_missing=(~pl.col("complete") & pl.col("touched")).sum().cast(pl.Int32), ever=pl.col("touched").any()
    )
    rows = ranked.filter(pl.col("rank") <= most).select("group", "rank", "peak", peak_at=pl.col("start_at"))
    none = missing.filter(~pl.col("ever")).select(
        "group", rank=pl.lit(1, dtype=pl.Int32), peak=pl.lit(0, dtype=pl.Int64), peak_at=pl.lit(None, dtype=pl.Int64)
    )
    found = pl.concat([rows, none] if price.pick is not Pick.COINCIDENT else [rows]).join(missing, on="group", how="left")
    return found.with_columns(demand_index=pl.lit(index, dtype=pl.Int32)).select(DEMAND_SCHEMA.keys()).sort("group", "rank")


def _channel(marked: pl.DataFrame, role: str) -> pl.DataFrame:
    """The steps of one role; several meters of a service at one time add up."""
    own = marked.filter(pl.col("role") == role)
    return own.group_by("group", "start_at", "step_us").agg(pl.col("quantity").sum(), pl.col("held").first())


def _windows(measure: Measure, steps: pl.DataFrame, origin_at: int) -> pl.DataFrame:
    """[group, start_at, long_us, energy, complete, held (all of it in the price's window), touched (some of it)]."""
    rows = steps.sort("group", "start_at").with_columns(energy=pl.col("quantity").cast(INT128))
    if measure.kind is MeasureKind.STEP:
        return rows.select(
            "group", "start_at", long_us="step_us", energy="energy", complete=pl.lit(True), held="held", touched="held"
        )
    long_us = measure.minutes * _MINUTE_US
    if measure.kind is MeasureKind.BLOCK:
        block = (pl.col("start_at") - origin_at) // long_us
        fits = (pl.col("start_at") - origin_at) % long_us + pl.col("step_us") <= long_us
        blocks = rows.with_columns(block=block, fits=fits).group_by("group", "block").agg(
            energy=pl.col("energy").sum(), there_us=pl.col("step_us").sum(), fits=pl.col("fits").all(),
            held=pl.col("held").all(), touched=pl.col("held").any(),
        )  # fmt: skip
        return blocks.select(
            "group", start_at=pl.col("block") * long_us + origin_at, long_us=pl.lit(long_us, dtype=pl.Int64), energy="energy",
            complete=(pl.col("there_us") == long_us) & pl.col("fits"), held="held", touched="touched",
        ).sort("group", "start_at")  # fmt: skip
    return _sliding(rows, long_us)


def _sliding(rows: pl.DataFrame, long_us: int) -> pl.DataFrame:
    """Windows that start at every step: complete where the steps that fill it follow each other without a gap."""
    count = pl.col("step_us").first().over("group")
    fill = (pl.lit(long_us) // count).alias("fill")
    rows = rows.with_columns(fill, even=(long_us % pl.col("step_us") == 0) & (pl.col("step_us") == count))
    parts = []
    for steps in rows["fill"].unique().sort().to_list():
        own = rows.filter(pl.col("fill") == steps)
        if steps < 1:
            parts.append(_slots(own.with_columns(complete=pl.lit(False), all_held="held"), long_us))
            continue
        last = pl.col("start_at").shift(1 - steps).over("group")
        filled = (last - pl.col("start_at") == pl.lit(long_us) - pl.col("step_us")).fill_null(False)
        energy = pl.col("energy").cum_sum().over("group")
        until = energy.shift(1 - steps).over("group")
        held = pl.col("held").cast(pl.Int32).cum_sum().over("group")
        held_until = held.shift(1 - steps).over("group")
        # a window that the end of the steps cuts off is no gap
        cut_off = last.is_null()
        own = own.with_columns(
            complete=filled & pl.col("even"),
            all_held=(held_until - held + pl.col("held").cast(pl.Int32) == steps).fill_null(False),
            energy=until - energy + pl.col("energy"),
            cut_off=cut_off,
        ).filter(~pl.col("cut_off"))
        parts.append(_slots(own, long_us))
    return pl.concat(parts) if parts else _slots(rows.with_columns(complete=pl.lit(False), all_held="held"), long_us)


def _slots(rows: pl.DataFrame, long_us: int) -> pl.DataFrame:
    return rows.select(
        "group", "start_at", long_us=pl.lit(long_us, dtype=pl.Int64), energy="energy", complete="complete", held="all_held",
        touched="held",
    )  # fmt: skip


def _apparent(active: pl.DataFrame, reactive: pl.DataFrame) -> pl.DataFrame:
    """kVA of windows: the root of the squares of kWh and kvarh; a window without its reactive part is incomplete."""
    key = ["group", "start_at", "long_us"]
    other = reactive.select(*key, other="energy", other_complete="complete")
    joined = active.join(other, on=key, how="left", maintain_order="left")
    measured = joined.join(reactive.select("group").unique(), on="group", how="semi", maintain_order="left")
    square = measured.select(pl.col("energy") * pl.col("energy") + pl.col("other").fill_null(0) * pl.col("other").fill_null(0))
    complete = pl.col("complete") & pl.col("other_complete").fill_null(False)
    return measured.with_columns(energy=whole_roots(square.to_series()), complete=complete).drop("other", "other_complete")


def reactive_peaks(steps: pl.DataFrame) -> pl.DataFrame:
    """[group, peak, active]: the highest kvar and the highest kW of a step, of groups with a reactive channel."""
    found = []
    for role, name in (("reactive_import", "peak"), ("import", "active")):
        own = of_role(steps, role)
        power = rounded_products([own["quantity"]], Fraction(_HOUR_US), [own["step_us"]]).cast(pl.Int64)
        found.append(own.with_columns(power.alias(name)).group_by("group").agg(pl.col(name).max()))
    joined = found[0].join(found[1], on="group", how="left")
    return joined.with_columns(pl.col("active").fill_null(0)).select(REACTIVE_PEAK_SCHEMA.keys()).sort("group")
