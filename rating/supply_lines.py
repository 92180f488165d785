"""Lines of metered supply as a bill names them, so that a tax on named lines finds those of tiers too."""

from __future__ import annotations

import polars as pl

from rating.language.tariff import TariffVersion
from rating.language.tier_text import tier_detail
from rating.language.utility_terms import AddOn, EnergyPrice
from rating.utility.demand import demand_detail

_DETAILED = ("energy", "demand", "credit")
_OF_CONTRACT = ("contract", "excess")
_OF_CREDITS = ("true-up", "carried", "expired")


def line_names(lines: pl.DataFrame) -> pl.Series:
    """The name of each line of `LINE_SCHEMA`: its item, with the tier or part where the item has several lines."""
    tier = pl.col("detail").str.starts_with("above ") | pl.col("detail").is_in([*_OF_CONTRACT, *_OF_CREDITS])
    named = pl.when(pl.col("kind").is_in(_DETAILED) & tier).then(pl.col("item") + pl.lit(" ") + pl.col("detail"))
    return lines.select(named.otherwise("item").alias("name")).to_series()


def names_of_item(version: TariffVersion, item: str) -> list[str]:
    """Every name that lines of an item can have."""
    found = [item]
    prices: list[EnergyPrice | AddOn] = [*version.energy, *version.supply.add_ons]
    for price in prices:
        if price.item == item:
            found += [f"{item} {detail}" for tier in price.tiers if (detail := tier_detail(version, price, tier))]
    for demand in version.demand:
        if demand.item == item:
            found += [f"{item} {demand_detail(demand, tier)}" for tier in demand.tiers if tier.from_usage]
            found += [f"{item} {part}" for part in _OF_CONTRACT if demand.contract is not None]
    if version.supply.export is not None and version.supply.export.item == item:
        found += [f"{item} {part}" for part in _OF_CREDITS]
    return list(dict.fromkeys(found))
