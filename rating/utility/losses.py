"""Transformer and line losses: what is added to a meter's quantity before it is billed (reference: utility §4)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from rating.language.supply_terms import Losses, LossRow, Transformer, TransformerLoss
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import sums_by_group
from rating.utility.exact import INT128, PPM, constant, rounded_products, to_step
from rating.utility.shares import split_by_shares

_HOURS_A_DAY = 24
_FACTOR = 10**9


@dataclass(frozen=True)
class LossParts:
    """Per group, in order: active and reactive loss of the transformer, active loss of the line; base units."""

    transformer: pl.Series
    reactive: pl.Series
    line: pl.Series


def transformer_loss(
    rule: TransformerLoss, groups: pl.DataFrame, active: pl.Series, reactive: pl.Series
) -> tuple[pl.Series, pl.Series]:
    """(milliwatt-hours, millivar-hours) lost in each group's transformer over its days.

    kWh = P0 h + K Pk (A^2 + R^2) / (h Sn^2); kvarh = I0 % Sn h + K Uk % (A^2 + R^2) / (h Sn); h = 24 days. Each term is rounded
    by itself. Without a kvarh meter (A / power factor)^2 stands for A^2 + R^2.
    """
    frame = groups.select("group", "transformer", "shifts", "days", "installed_milliva").with_columns(
        active=active.cast(INT128), reactive=reactive.cast(INT128)
    )
    frame = frame.with_columns(hours=pl.col("days").cast(INT128) * _HOURS_A_DAY)
    if rule.method == "table":
        return _by_table(rule.table, frame)
    if rule.method == "no_kvarh_meter":
        apparent = rounded_products([frame["active"]], Fraction(PPM, rule.assumed_power_factor_ppm))
        frame = frame.with_columns(active=apparent, reactive=pl.lit(0, dtype=INT128))
    square = frame["active"] * frame["active"] + frame["reactive"] * frame["reactive"]
    frame = frame.with_columns(square=square).with_row_index("row")
    parts = [
        _one(rule, one, Fraction(factor, _FACTOR), frame.filter((pl.col("transformer") == one.name) & _of_shifts(shifts)))
        for one in rule.transformers
        for shifts, factor in rule.factors_nano
    ]
    found = frame.select("row").join(pl.concat(parts), on="row", how="left").sort("row")
    return found["loss"].fill_null(0).cast(INT128), found["reactive_loss"].fill_null(0).cast(INT128)


def _of_shifts(shifts: int) -> pl.Expr:
    return pl.lit(True) if shifts == 0 else pl.col("shifts").fill_null(1) == shifts


def _one(rule: TransformerLoss, one: Transformer, factor: Fraction, rows: pl.DataFrame) -> pl.DataFrame:
    """[row, loss, reactive_loss] of the groups behind one kind of transformer; days of none lose nothing."""
    rows = rows.filter(pl.col("hours") > 0)
    square, hours = [rows["square"]], [rows["hours"]]
    load = rounded_products(square, factor * one.load_milliw / Fraction(one.capacity_milliva) ** 2, hours)
    idle = rounded_products(hours, Fraction(one.no_load_milliw))
    reactive_idle = rounded_products(hours, Fraction(one.no_load_current_ppm * one.capacity_milliva, PPM))
    reactive_load = rounded_products(square, factor * Fraction(one.impedance_ppm, PPM * one.capacity_milliva), hours)
    return pl.DataFrame(
        {
            "row": rows["row"],
            "loss": to_step(idle, rule.rounding) + to_step(load, rule.rounding),
            "reactive_loss": to_step(reactive_idle, rule.rounding) + to_step(reactive_load, rule.rounding),
        }
    )


def _by_table(table: tuple[LossRow, ...], frame: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """The first row, by capacity then load, that capacity and average load A / (Sn h) do not exceed; else the last."""
    capacity = pl.max_horizontal(pl.col("installed_milliva").fill_null(0).cast(INT128), pl.lit(1, dtype=INT128))
    kept = frame.with_row_index("row").with_columns(full=capacity * pl.col("hours"), found=pl.lit(None, dtype=pl.Int32))
    ordered = sorted(table, key=lambda row: (row.capacity_milliva, row.load_ppm))
    for number, row in enumerate(ordered):
        of_size = [other.load_ppm for other in ordered if other.capacity_milliva == row.capacity_milliva]
        under = pl.col("active") * PPM <= pl.col("full") * row.load_ppm
        fits = (capacity <= row.capacity_milliva) & (under | pl.lit(row.load_ppm == max(of_size)))
        kept = kept.with_columns(found=pl.when(pl.col("found").is_null() & fits).then(number).otherwise("found").cast(pl.Int32))
    kept = kept.with_columns(pl.col("found").fill_null(len(ordered) - 1))
    active = kept["found"].replace_strict(dict(enumerate(row.milliwh for row in ordered)), return_dtype=pl.Int64)
    reactive = kept["found"].replace_strict(dict(enumerate(row.millivarh for row in ordered)), return_dtype=pl.Int64)
    return active.cast(INT128), reactive.cast(INT128)


def losses_of(rule: Losses, groups: pl.DataFrame, active: pl.Series, reactive: pl.Series) -> LossParts:
    """The losses in the order of the bill chain: a later one is taken of what the earlier ones have added to."""
    nil = constant(active, 0)
    found = {"transformer": nil, "reactive": nil, "line": nil}
    running = active.cast(INT128)
    for step in rule.order:
        if step == "line":
            found["line"] = rounded_products([running], Fraction(rule.line_ppm, PPM))
            running = running + found["line"]
        elif rule.transformer is not None:
            lost, reactive_lost = transformer_loss(rule.transformer, groups, running, reactive)
            found["transformer"], found["reactive"] = lost, reactive_lost
            running = running + lost
    return LossParts(found["transformer"], found["reactive"], found["line"])


def with_losses(version: TariffVersion, groups: pl.DataFrame, energy: pl.DataFrame, parts: LossParts) -> pl.DataFrame:
    """The energy of each price with its share of the losses, or with all of them on the price that takes them.

    A group without any energy has its losses on the first price (or the one that takes them).
    """
    rule = version.supply.losses
    names = [price.item for price in version.energy]
    taker = names.index(rule.to) if rule is not None and rule.to is not None else None
    rows = groups.select("group").join(
        pl.DataFrame({"price_index": range(len(names))}, schema={"price_index": pl.Int32}), how="cross"
    )
    quantity = pl.concat(
        [
            rows.filter(pl.col("price_index") == index).with_columns(
                quantity=sums_by_group(groups, energy.filter(pl.col("price_index") == index), "quantity")
            )
            for index in range(len(names))
        ]
    ).sort("group", "price_index")
    whole = groups.select("group").with_columns(whole=parts.transformer + parts.line)
    weights = quantity if taker is None else quantity.with_columns(quantity=(pl.col("price_index") == taker).cast(INT128))
    share = split_by_shares(weights, whole, weight="quantity")
    return quantity.with_columns(quantity=(quantity["quantity"] + share).cast(pl.Int64)).filter(pl.col("quantity") != 0)
