"""Dynamic prices: energy at the price of the UTC interval in which it was used; exact, and a missing price refuses it."""

from __future__ import annotations

import math
from fractions import Fraction

import polars as pl

from rating.language.supply_terms import DynamicPrice
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import DYNAMIC_SCHEMA
from rating.utility.bill_lines import Label, lines_of, no_lines, price_of
from rating.utility.exact import INT128, PPM, constant, rounded_products, to_step
from schemas.errors import Fault, MeterlineError
from schemas.money import amount_text

PRICE_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {"start_at": pl.Int64, "end_at": pl.Int64, "price_nano": pl.Int64}


def charged_prices(rule: DynamicPrice, prices: pl.DataFrame) -> pl.DataFrame:
    """The prices that are charged: market price plus percentage plus markup, held between floor and cap, then rounded.

    Floor and cap that include tax bind the price times (1 + rate): they are divided by it, the floor up and the cap down.

    Args:
        prices: `PRICE_SCHEMA` in order of time, which do not overlap.
    """
    base = prices["price_nano"].cast(INT128)
    price = base + rounded_products([base.abs()], Fraction(rule.percent_ppm, PPM)) + constant(base, rule.markup_nano)
    frame = prices.with_columns(price_nano=price)
    net = Fraction(PPM, PPM + rule.cap_tax_ppm)
    if rule.floor_nano is not None:
        least = pl.lit(math.ceil(rule.floor_nano * net), dtype=INT128)
        frame = frame.with_columns(price_nano=pl.max_horizontal("price_nano", least))
    if rule.cap_nano is not None:
        most = pl.lit(math.floor(rule.cap_nano * net), dtype=INT128)
        frame = frame.with_columns(price_nano=pl.min_horizontal("price_nano", most))
    return frame.with_columns(to_step(frame["price_nano"], rule.price_rounding).cast(pl.Int64).alias("price_nano"))


def dynamic_sums(rule: DynamicPrice, index: int, steps: pl.DataFrame, prices: pl.DataFrame) -> pl.DataFrame:
    """`DYNAMIC_SCHEMA` of one dynamic price.

    Args:
        steps: [group, start_at, step_us, quantity] of import; a step takes the price that holds where it starts, and must end
            before that price does.
        prices: `PRICE_SCHEMA`.
    Raises:
        MeterlineError: a step longer than the interval of its price.
    """
    charged = charged_prices(rule, prices).sort("start_at").rename({"start_at": "priced_from"})
    joined = steps.sort("start_at").join_asof(charged, left_on="start_at", right_on="priced_from", strategy="backward")
    absent = pl.col("end_at").is_null() | (pl.col("start_at") >= pl.col("end_at"))
    long = joined.filter(~absent & (pl.col("start_at") + pl.col("step_us") > pl.col("end_at")))
    if not long.is_empty():
        where = f"dynamic {rule.item}, step at {long['start_at'][0]}"
        raise MeterlineError(Fault(where, "a step longer than the interval of its price", must_be="steps within one price"))
    value = pl.when(absent).then(pl.lit(0, dtype=INT128)).otherwise(
        pl.col("quantity").cast(INT128) * pl.col("price_nano").cast(INT128)
    )  # fmt: skip
    sums = joined.group_by("group").agg(
        quantity=pl.col("quantity").sum(), numerator=value.sum(), steps_missing=absent.sum().cast(pl.Int32)
    )
    return sums.sort("group").with_columns(dynamic_index=pl.lit(index, dtype=pl.Int32)).select(DYNAMIC_SCHEMA.keys())


def dynamic_lines(version: TariffVersion, dynamic: pl.DataFrame) -> pl.DataFrame:
    """One line for each group and dynamic price: sum of energy times price, rounded once."""
    found = [no_lines()]
    for index, rule in enumerate(version.supply.dynamic):
        rows = dynamic.filter(pl.col("dynamic_index") == index)
        markup = f" + {amount_text(rule.markup_nano)}" if rule.markup_nano else ""
        label = Label("energy", 500 + index, rule.item, rule.file, "kWh", f"price of the interval{markup} {_per(rule.per)}")
        found.append(
            lines_of(
                label, rows["group"], factors=[rows["numerator"]], scalar=Fraction(1, rule.per), rounding=version.rounding,
                quantity=rows["quantity"],
            )
        )  # fmt: skip
    return pl.concat(found)


def _per(per: int) -> str:
    return price_of(0, per, "kWh").removeprefix(amount_text(0)).strip()


def missing_prices(version: TariffVersion, dynamic: pl.DataFrame) -> pl.DataFrame:
    """[group, element, reason] of groups with steps that no price covers."""
    names = {index: rule.item for index, rule in enumerate(version.supply.dynamic)}
    lacking = dynamic.filter(pl.col("steps_missing") > 0)
    return lacking.select(
        "group",
        element=pl.lit("dynamic ") + pl.col("dynamic_index").replace_strict(names, return_dtype=pl.String, default=""),
        reason=pl.col("steps_missing").cast(pl.String) + pl.lit(" steps without a price"),
    )
