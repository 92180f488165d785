"""Surcharges: per kWh or m3, per kW, per kVA, or a percentage of named lines; often collected for a third party."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.supply_terms import Surcharge, SurchargeBasis
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import BilledMonth
from rating.utility.bill_lines import Label, lines_of, named, no_lines, number_text, percent_text, price_of, sum_of
from rating.utility.exact import INT128, PPM, constant

_DAY_US = 86_400_000_000


def surcharge_lines(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, *, in_pf_base: bool, lines: pl.DataFrame,
    energy: pl.Series, self_generation: pl.Series, billing_milliw: pl.Series, unit: str,
) -> pl.DataFrame:  # fmt: skip
    """Lines of the surcharges that are (or are not) in the base of the power factor; `lines` are all before them.

    A surcharge dated within the part in force is charged for its share of that time (in whole microseconds).
    """
    found = []
    so_far = lines
    for place, one in enumerate(version.supply.surcharges):
        if one.in_pf_base is not in_pf_base:
            continue
        time = _time_in_force(one, groups)
        rows = groups.select("group").with_columns(
            energy=energy + self_generation if one.on_self_generation else energy,
            demand=billing_milliw,
            installed=groups["installed_milliva"].cast(INT128),
            base=sum_of(so_far, groups["group"], named(one.of)),
            time=time[0],
            of_time=time[1],
        )
        made = _lines(version, one, rows.filter(pl.col("time") > 0), place, unit)
        found.append(made)
        so_far = pl.concat([so_far, made])
    return pl.concat(found) if found else no_lines()


def _lines(version: TariffVersion, one: Surcharge, rows: pl.DataFrame, place: int, unit: str) -> pl.DataFrame:
    detail = f"for {one.third_party}" if one.third_party else ""
    if one.basis is SurchargeBasis.LINES:
        rows = rows.filter(pl.col("base") != 0)
        label = Label("surcharge", place, one.item, detail, "", percent_text(one.percent_ppm))
        said = rows.select(
            pl.lit(f"{label.price_text} of ") + number_text(pl.col("base"), 9, least=2) + pl.lit(f" ({', '.join(one.of)})")
        ).to_series()
        return lines_of(
            label, rows["group"], factors=[rows["base"], rows["time"]], scalar=Fraction(one.percent_ppm, PPM),
            divisors=[rows["of_time"]], rounding=version.rounding, base=rows["base"], explanation=said,
        )  # fmt: skip
    column, own_unit = {
        SurchargeBasis.ENERGY: ("energy", unit),
        SurchargeBasis.DEMAND: ("demand", "kW"),
        SurchargeBasis.INSTALLED: ("installed", "kVA"),
    }[one.basis]
    rows = rows.filter(pl.col(column).is_not_null() & (pl.col(column) != 0))
    label = Label("surcharge", place, one.item, detail, own_unit, price_of(one.price_nano, one.per, own_unit))
    return lines_of(
        label, rows["group"], factors=[rows[column], rows["time"]], scalar=Fraction(one.price_nano, one.per),
        divisors=[rows["of_time"]], rounding=version.rounding, quantity=rows[column],
    )  # fmt: skip


def _time_in_force(one: Surcharge, groups: pl.DataFrame) -> tuple[pl.Series, pl.Series]:
    """(time in force, of time) in microseconds, (1, 1) where the surcharge is not dated."""
    if one.effective_from_at is None and one.effective_to_at is None:
        whole = constant(groups["group"], 1)
        return whole, whole
    low = pl.max_horizontal(pl.col("from_at"), pl.lit(one.effective_from_at, dtype=pl.Int64))
    high = pl.min_horizontal(pl.col("to_at"), pl.lit(one.effective_to_at, dtype=pl.Int64))
    frame = groups.select(
        time=pl.max_horizontal(high - low, pl.lit(0, dtype=pl.Int64)).cast(INT128),
        of_time=pl.max_horizontal(pl.col("to_at") - pl.col("from_at"), pl.lit(1, dtype=pl.Int64)).cast(INT128),
    )
    return frame["time"], frame["of_time"]
