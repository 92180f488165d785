"""Energy lines: the quantity of each TOU period cut into tiers by the ladder's scope, then priced (reference: utility §4)."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Tier
from rating.language.tariff import TariffVersion
from rating.language.tier_text import tier_detail
from rating.language.utility_terms import AddOn, BoundBasis, EnergyPrice, TierScope
from rating.utility.bill_input import BilledMonth, sums_by_group
from rating.utility.bill_lines import Label, lines_of, no_lines, price_of
from rating.utility.exact import INT128, constant, rounded_products, to_step

_KW = 1_000_000
Cells = list[tuple[pl.DataFrame, EnergyPrice | AddOn, int]]  # ([group, quantity, over], price, tier)


def bounds_of(
    tiers: tuple[Tier, ...], basis: BoundBasis, groups: pl.DataFrame, month: BilledMonth, *, prorate: bool, months: int,
    billing_milliw: pl.Series,
) -> list[pl.Series]:  # fmt: skip
    """The start of each tier for each group, to the nearest base unit: scaled by days or demand as the basis says.

    `prorate` scales bounds for one month by its days in force; ladders of several months keep theirs and add `bound_extra`.
    """
    days = groups["days"]
    found = []
    for tier in tiers:
        factors, scalar = [days], Fraction(tier.from_usage)
        if basis is BoundBasis.PERIOD:
            factors, scalar = ([days], scalar / month.days) if prorate and months == 1 else ([constant(days, 1)], scalar)
        elif basis is BoundBasis.PER_KW:
            factors, scalar = [billing_milliw], scalar / _KW
        elif basis is BoundBasis.PER_KW_DAY:
            factors, scalar = [billing_milliw, days], scalar / _KW
        start = rounded_products(factors, scalar)
        found.append(start + groups["bound_extra"].fill_null(0).cast(INT128) if months > 1 and tier.from_usage else start)
    return found


def tier_parts(total: pl.Series, before: pl.Series, bounds: list[pl.Series], *, whole_quantity: bool = False) -> list[pl.Series]:
    """What of `total` lies in each tier when `before` has been used already; the parts sum to the total."""
    frame = pl.DataFrame(
        {"low": before.cast(INT128), "total": total.cast(INT128), **{f"b{tier}": bound for tier, bound in enumerate(bounds)}}
    ).with_columns(high=pl.col("low") + pl.col("total"))
    never = pl.lit(2**100, dtype=INT128)
    last = len(bounds) - 1
    parts = []
    for tier in range(len(bounds)):
        start = pl.col(f"b{tier}") if tier else pl.lit(0, dtype=INT128)
        end = pl.col(f"b{tier + 1}") if tier < last else never
        if whole_quantity:
            part = pl.when((pl.col("high") >= start) & (pl.col("high") < end)).then("total").otherwise(pl.lit(0, dtype=INT128))
        else:
            part = pl.min_horizontal(pl.max_horizontal("high", start), end) - pl.min_horizontal(
                pl.max_horizontal("low", start), end
            )
        parts.append(frame.select(part.cast(INT128).alias("part")).to_series())
    return parts


def energy_cells(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, energy: pl.DataFrame, tiered: pl.DataFrame | None,
    prior: pl.DataFrame, billing_milliw: pl.Series,
) -> Cells:  # fmt: skip
    """The quantity of each price and tier: `quantity / over` base units, exactly.

    Args:
        energy: [group, price_index, quantity]; tiered: [group, price_index, tier, quantity] in time order, where the scope is
            chronological, several prices share the ladder and any of them has tiers (`needs_time_order`).
        prior: [group, name, value] what ladders of several months have seen before this part; the shared one has an empty name.
    """
    ladder = version.supply.ladder
    cells: Cells = []
    shares = {
        index: sums_by_group(groups, energy.filter(pl.col("price_index") == index), "quantity")
        for index in range(len(version.energy))
    }
    if tiered is not None:
        for index, price in enumerate(version.energy):
            for tier in range(len(price.tiers)):
                chosen = tiered.filter((pl.col("price_index") == index) & (pl.col("tier") == tier))
                cells.append((_cell(groups, sums_by_group(groups, chosen, "quantity"), None), price, tier))
        return cells
    total = sums_by_group(groups, energy, "quantity")
    for index, price in enumerate(version.energy):
        bounds = bounds_of(
            price.tiers, price.basis, groups, month,
            prorate=ladder.prorate, months=ladder.months, billing_milliw=billing_milliw,
        )  # fmt: skip
        own = ladder.scope is TierScope.PER_PERIOD or len(version.energy) == 1
        ran = sums_by_group(groups, prior.filter(pl.col("name") == (price.item if own else "")), "value")
        parts = tier_parts(shares[index] if own else total, ran, bounds, whole_quantity=ladder.whole_quantity)
        for tier, part in enumerate(parts):
            if own or len(parts) == 1:
                cells.append((_cell(groups, part if own else shares[index], None), price, tier))
            else:
                cells.append((_cell(groups, part * shares[index], total), price, tier))
    return cells


def needs_time_order(version: TariffVersion) -> bool:
    """Whether the tiers of a version depend on when energy was used, and not only on how much."""
    shared = version.supply.ladder.scope is TierScope.SHARED_CHRONOLOGICAL and len(version.energy) > 1
    return (shared or not version.supply.ladder.split_at_bound) and any(len(price.tiers) > 1 for price in version.energy)


def _cell(groups: pl.DataFrame, quantity: pl.Series, over: pl.Series | None) -> pl.DataFrame:
    divisor = pl.lit(1, dtype=INT128) if over is None else pl.max_horizontal(over.alias("over"), pl.lit(1, dtype=INT128))
    frame = pl.DataFrame({"group": groups["group"], "quantity": quantity})
    return frame.with_columns(divisor.alias("over")).filter(pl.col("quantity") != 0)


def add_on_cells(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, total: pl.Series, prior: pl.DataFrame,
    bounds: dict[str, tuple[Tier, ...]], billing_milliw: pl.Series,
) -> Cells:  # fmt: skip
    """Add-ons over all energy; `bounds` holds the tiers of an add-on whose bounds changed within its ladder's months."""
    cells: Cells = []
    for add_on in version.supply.add_ons:
        tiers = bounds.get(add_on.item, add_on.tiers)
        starts = bounds_of(tiers, add_on.basis, groups, month, prorate=False, months=add_on.months, billing_milliw=billing_milliw)
        ran = sums_by_group(groups, prior.filter(pl.col("name") == add_on.item), "value")
        cells += [(_cell(groups, part, None), add_on, tier) for tier, part in enumerate(tier_parts(total, ran, starts))]
    return cells


def energy_lines(cells: Cells, version: TariffVersion, unit: str, *, first_place: int = 0) -> pl.DataFrame:
    """One line for each group, price and tier with a quantity and a price; tiers at a price of zero are left out."""
    found = []
    for place, (cell, price, number) in enumerate(cells):
        tier = price.tiers[number]
        if cell.is_empty() or (isinstance(price, AddOn) and tier.price_nano == 0):
            continue
        label = Label(
            "energy",
            first_place + place,
            price.item,
            tier_detail(version, price, tier),
            unit,
            price_of(tier.price_nano, tier.per, unit),
        )
        shown = rounded_products([cell["quantity"]], divisors=[cell["over"]])
        step = version.supply.ladder.quantity_rounding
        if step is not None:
            shown = to_step(shown, step)
            quantity, over = [shown], []
        else:
            quantity, over = [cell["quantity"]], [cell["over"]]
        found.append(
            lines_of(
                label, cell["group"], factors=quantity, scalar=Fraction(tier.price_nano, tier.per), divisors=over,
                rounding=version.rounding, quantity=shown,
            )
        )  # fmt: skip
    return pl.concat(found) if found else no_lines()
