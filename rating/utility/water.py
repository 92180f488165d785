"""Sewage: a share of the water of the month, or of the average of the winter months, cut into tiers."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.tariff import TariffVersion
from rating.utility.bill_input import BilledMonth, by_group
from rating.utility.bill_lines import Label, lines_of, no_lines, percent_text, price_of
from rating.utility.energy import tier_parts
from rating.utility.exact import INT128, PPM, constant, rounded_products


def sewage_volume(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, water: pl.Series, used: pl.DataFrame
) -> pl.Series:
    """Milliliters of waste water: a share of this month's water, in the other months of the winter average where that is less.

    Args:
        used: [group, period, value] water of earlier months. In winter, and without any winter month in the last twelve, the
            month's own water counts.
    """
    rule = version.supply.sewage
    assert rule is not None
    if rule.winter_average and month.month not in rule.winter_months:
        recent = used.filter(pl.col("period").is_between(month.number - 12, month.number - 1))
        winter = recent.filter((pl.col("period") % 12 + 1).is_in(list(rule.winter_months)))
        means = winter.group_by("group").agg(total=pl.col("value").sum(), count=pl.len().cast(INT128))
        means = means.with_columns(mean=rounded_products([means["total"]], divisors=[means["count"]]))
        mean = by_group(groups, means, "mean")
        water = pl.DataFrame({"water": water, "mean": mean}).select(pl.min_horizontal("water", "mean").cast(INT128)).to_series()
    return rounded_products([water], Fraction(rule.share_ppm, PPM))


def sewage_lines(version: TariffVersion, groups: pl.DataFrame, volume: pl.Series) -> pl.DataFrame:
    rule = version.supply.sewage
    if rule is None:
        return no_lines()
    bounds = [constant(volume, tier.from_usage) for tier in rule.tiers]
    found = []
    for number, (tier, part) in enumerate(zip(rule.tiers, tier_parts(volume, constant(volume, 0), bounds), strict=True)):
        rows = pl.DataFrame({"group": groups["group"], "part": part}).filter(pl.col("part") != 0)
        detail = f"{percent_text(rule.share_ppm)} of {'winter average' if rule.winter_average else 'water'}"
        label = Label("energy", 800 + number, rule.item, detail, "m3", price_of(tier.price_nano, tier.per, "m3"))
        scalar = Fraction(tier.price_nano, tier.per)
        found.append(
            lines_of(
                label, rows["group"], factors=[rows["part"]], scalar=scalar, rounding=version.rounding, quantity=rows["part"]
            )
        )
    return pl.concat(found)
