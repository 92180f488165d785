"""Power-factor adjustment: a percentage of named lines by the month's power factor, or a price for excess kvarh or kvar."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.supply_terms import PowerFactor, PowerFactorMethod
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import by_group
from rating.utility.bill_lines import Label, lines_of, named, no_lines, number_text, percent_text, price_of, sum_of
from rating.utility.exact import INT128, PPM, rounded_products


def power_factor_hundredths(active: pl.Series, reactive: pl.Series) -> pl.Series:
    """A / sqrt(A^2 + R^2) in hundredths, half up, without a root: the largest k with (2k-1)^2 (A^2 + R^2) <= (200 A)^2.

    No energy at all is a power factor of 1.00. Both series are below 2**50 base units.
    """
    frame = pl.DataFrame({"a": active.cast(INT128), "r": reactive.cast(INT128)}).with_columns(
        square=pl.col("a") * pl.col("a") + pl.col("r") * pl.col("r"), found=pl.lit(0, dtype=INT128)
    )
    most = pl.col("a") * pl.col("a") * 40_000
    for step in (64, 32, 16, 8, 4, 2, 1):
        tried = pl.col("found") + step
        odd = tried * 2 - 1
        holds = (tried <= 100) & (odd * odd * pl.col("square") <= most)
        frame = frame.with_columns(found=pl.when(holds).then(tried).otherwise("found"))
    return frame.select(pl.when(pl.col("square") == 0).then(pl.lit(100, dtype=INT128)).otherwise("found")).to_series()


def power_factor_lines(
    version: TariffVersion, groups: pl.DataFrame, active: pl.Series, reactive: pl.Series, reactive_peak: pl.DataFrame,
    lines: pl.DataFrame,
) -> pl.DataFrame:  # fmt: skip
    """One adjustment line for each group that has one; `lines` are those before it, `reactive` is |forward| + |reverse| kvarh."""
    rule = version.supply.power_factor
    if rule is None:
        return no_lines()
    if rule.method is PowerFactorMethod.TABLE:
        return _by_table(version, rule, groups, power_factor_hundredths(active, reactive), lines)
    if rule.method is PowerFactorMethod.EXCESS_KVAR:
        active = by_group(groups, reactive_peak, "active").fill_null(0).cast(INT128)
        reactive = by_group(groups, reactive_peak, "peak").fill_null(0).cast(INT128)
    unit = "kvarh" if rule.method is PowerFactorMethod.EXCESS_KVARH else "kvar"
    allowed = rounded_products([active], Fraction(rule.share_ppm, PPM))
    frame = pl.DataFrame({"group": groups["group"], "allowed": allowed, "used": reactive.cast(INT128)})
    over = frame.with_columns(excess=pl.col("used") - pl.col("allowed")).filter(pl.col("excess") > 0)
    label = Label(
        "adjustment", 0, rule.item, f"over {percent_text(rule.share_ppm)}", unit, price_of(rule.price_nano, rule.per, unit)
    )
    return lines_of(
        label, over["group"], factors=[over["excess"]], scalar=Fraction(rule.price_nano, rule.per), rounding=version.rounding,
        quantity=over["excess"],
    )  # fmt: skip


def _by_table(
    version: TariffVersion, rule: PowerFactor, groups: pl.DataFrame, hundredths: pl.Series, lines: pl.DataFrame
) -> pl.DataFrame:
    tables = pl.DataFrame(
        [(name, at, ppm) for name, table in rule.tables for at, ppm in enumerate(table)],
        schema={"standard": pl.String, "factor": INT128, "ppm": INT128},
        orient="row",
    )
    base = sum_of(lines, groups["group"], named(rule.of))
    frame = groups.select("group", standard=pl.col("power_factor_standard").fill_null(rule.standard)).with_columns(
        factor=hundredths, base=base
    )
    rows = frame.join(tables, on=["standard", "factor"], how="left", maintain_order="left").filter(pl.col("ppm") != 0)
    percent = number_text(pl.col("ppm") * 100, 6)
    said = (
        pl.lit("power factor ") + number_text(pl.col("factor"), 2, least=2) + pl.lit(" against ") + pl.col("standard")
        + pl.lit(": ") + percent + pl.lit(" % of ") + number_text(pl.col("base"), 9, least=2)
    )  # fmt: skip
    label = Label("adjustment", 0, rule.item)
    return lines_of(
        label, rows["group"], factors=[rows["base"], rows["ppm"]], scalar=Fraction(1, PPM), rounding=version.rounding,
        base=rows["base"], explanation=rows.select(said).to_series(),
    )  # fmt: skip
