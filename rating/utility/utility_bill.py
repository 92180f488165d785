"""The bill of metered supply: all elements of a tariff version in their order, over many services at once.

Order (reference: utility §4): quantities, energy, demand, fixed, adjustments on named lines, surcharges, credits, minimums,
taxes, rounding. Surcharges that belong to the base of the power factor are computed before it and stand among the surcharges.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Rounding, Tier
from rating.language.supply_terms import ExportMethod
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import Commodity
from rating.utility.bill_input import BilledMonth, Determinants, channel_sums, no_state, sums_by_group
from rating.utility.bill_lines import LINE_SCHEMA, Label, lines_of, no_lines
from rating.utility.carried_state import prior_ladders, state_out
from rating.utility.demand import BilledDemand, billed_demands, billing_milliw, demand_lines
from rating.utility.dynamic import dynamic_lines
from rating.utility.energy import add_on_cells, energy_cells, energy_lines, needs_time_order
from rating.utility.exact import rounded_products, times
from rating.utility.export import export_lines
from rating.utility.fixed import fixed_lines
from rating.utility.gas import energy_of_gas
from rating.utility.losses import losses_of, with_losses
from rating.utility.minimum import minimum_lines
from rating.utility.net_metering import Netted, net_metered
from rating.utility.power_factor import power_factor_lines
from rating.utility.refusals import refused_groups
from rating.utility.surcharges import surcharge_lines
from rating.utility.tax import tax_lines
from rating.utility.time_order import tiers_in_time_order
from rating.utility.water import sewage_lines, sewage_volume

_BOOKED_MAX = 2**63 - 1


@dataclass(frozen=True)
class UtilityBill:
    """`lines` (LINE_SCHEMA, by group and line), `refusals` (REFUSAL_SCHEMA) of groups without lines, `state` to carry on."""

    lines: pl.DataFrame
    refusals: pl.DataFrame
    state: pl.DataFrame


@dataclass(frozen=True)
class _Quantities:
    """What is billed: energy by price, the sums that other elements use (in the order of groups), and what netting did."""

    energy: pl.DataFrame
    total: pl.Series  # billed energy or water
    metered: pl.Series  # with losses, before netting: what the power factor and high use see
    reactive: pl.Series
    netted: Netted | None


def bill_services(
    version: TariffVersion, month: BilledMonth, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame | None = None,
    *, add_on_tiers: Mapping[str, tuple[Tier, ...]] | None = None,
) -> UtilityBill:  # fmt: skip
    """Bill the groups of one tariff version and period.

    Args:
        groups: `GROUP_SCHEMA`, each group once: a service's part of the period that this version is in force for.
        found: the groups' determinants.
        state: `STATE_SCHEMA` of these groups, as an earlier part or period gave it; None at the beginning.
        add_on_tiers: tiers of add-ons whose bounds changed within the months of their ladder.
    Returns:
        Lines and state of the groups that could be billed; the others have refusals (what an element lacks, a quantity that is
        negative or out of range, a charge beyond int64 nano-units) and keep their state.
    """
    state = no_state() if state is None else state
    refusals = refused_groups(version, groups, found)
    bill = _bill(version, month, *_without(refusals, groups, found, state), add_on_tiers or {})
    beyond = bill.lines.filter(pl.col("amount_nano").abs() > _BOOKED_MAX)
    if not beyond.is_empty():
        refusals = pl.concat(
            [refusals, beyond.select("group", element="item", reason=pl.lit("charge_overflow"))], how="vertical"
        ).unique(maintain_order=True)
        bill = _bill(version, month, *_without(refusals, groups, found, state), add_on_tiers or {})
    kept = state.filter(pl.col("group").is_in(refusals["group"].implode()))
    return UtilityBill(bill.lines, refusals, pl.concat([bill.state, kept]).sort("group", "topic", "name", "period"))


def _without(
    refusals: pl.DataFrame, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame
) -> tuple[pl.DataFrame, Determinants, pl.DataFrame]:
    """The groups that are not refused, in order, with their determinants and state."""

    def kept(frame: pl.DataFrame) -> pl.DataFrame:
        of_batch = frame.join(groups.select("group"), on="group", how="semi", maintain_order="left")
        return of_batch.join(refusals, on="group", how="anti", maintain_order="left")

    frames = {name: kept(getattr(found, name)) for name in ("energy", "export", "demand", "channels", "dynamic", "reactive_peak")}
    steps = None if found.steps is None else kept(found.steps)
    tiered = None if found.tiered is None else kept(found.tiered)
    return kept(groups), replace(found, steps=steps, tiered=tiered, **frames), kept(state)


def _bill(
    version: TariffVersion, month: BilledMonth, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame,
    add_on_tiers: Mapping[str, tuple[Tier, ...]],
) -> UtilityBill:  # fmt: skip
    if groups.is_empty():
        return UtilityBill(no_lines(), found.refused, state)
    demands = billed_demands(version, groups, month, found.demand, state)
    billing = billing_milliw(groups, demands)
    amounts = _quantities(version, month, groups, found, state)
    used = _used_lines(version, month, groups, found, state, amounts, demands, billing, add_on_tiers)
    lines, carried = _charged_lines(version, month, groups, found, state, amounts, billing, used)
    lines = pl.concat([lines, _rounding_lines(version.rounding, lines)]).sort("group", "line", maintain_order=True)
    carried += state_out(version, groups, month, state, amounts.energy, amounts.total, demands)
    return UtilityBill(lines.select(LINE_SCHEMA.keys()), found.refused, pl.concat(carried))


def _quantities(
    version: TariffVersion, month: BilledMonth, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame
) -> _Quantities:
    """Conversion, then losses, then netting of export."""
    supply, energy = version.supply, found.energy
    reactive = channel_sums(groups, found.channels, "reactive_import", "reactive_export")
    if supply.gas is not None:
        of_row = energy.select("group").join(groups, on="group", how="left", maintain_order="left")
        energy = energy.with_columns(quantity=energy_of_gas(supply.gas, of_row, energy["quantity"]).cast(pl.Int64))
    # a tariff of dynamic prices has no energy prices of its own: its energy is that of the channel
    total = (
        sums_by_group(groups, energy, "quantity") if version.energy else channel_sums(groups, found.channels, "import", "volume")
    )
    if supply.losses is not None and version.energy:
        parts = losses_of(supply.losses, groups, total, reactive)
        energy = with_losses(version, groups, energy, parts)
        total, reactive = total + parts.transformer + parts.line, reactive + parts.reactive
    metered = total
    netted = None
    if supply.export is not None and supply.export.method is ExportMethod.NET_METERING:
        netted = net_metered(version, supply.export, month, energy, found.export, state)
        energy = netted.energy
        total = sums_by_group(groups, energy, "quantity")
    return _Quantities(energy, total, metered, reactive, netted)


def _used_lines(
    version: TariffVersion, month: BilledMonth, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame,
    amounts: _Quantities, demands: list[BilledDemand], billing: pl.Series, add_on_tiers: Mapping[str, tuple[Tier, ...]],
) -> pl.DataFrame:  # fmt: skip
    """Energy, demand and fixed lines."""
    unit = "m3" if version.supply.commodity is Commodity.WATER else "kWh"
    prior = prior_ladders(version, month, state)
    tiered = found.tiered
    if tiered is None and found.steps is not None and needs_time_order(version):
        tiered = tiers_in_time_order(version, groups, month, found.steps, prior, billing)
    cells = energy_cells(version, groups, month, amounts.energy, tiered if needs_time_order(version) else None, prior, billing)
    more = add_on_cells(version, groups, month, amounts.total, prior, dict(add_on_tiers), billing)
    sewage = no_lines()
    if version.supply.sewage is not None:
        used = state.filter(pl.col("topic") == "use").select("group", "period", "value")
        sewage = sewage_lines(version, groups, sewage_volume(version, groups, month, amounts.total, used))
    energy_of = groups.select("group").with_columns(energy=amounts.metered)
    return pl.concat(
        [
            energy_lines(cells, version, unit),
            energy_lines(more, version, unit, first_place=600),
            dynamic_lines(version, found.dynamic),
            sewage,
            demand_lines(version, demands, month, energy_of),
            fixed_lines(version, groups, month, amounts.metered),
        ]
    )


def _charged_lines(
    version: TariffVersion, month: BilledMonth, groups: pl.DataFrame, found: Determinants, state: pl.DataFrame,
    amounts: _Quantities, billing: pl.Series, lines: pl.DataFrame,
) -> tuple[pl.DataFrame, list[pl.DataFrame]]:  # fmt: skip
    """What is charged on lines: adjustments, surcharges, credits, minimums, taxes. (All lines so far, state that changed)."""
    unit = "m3" if version.supply.commodity is Commodity.WATER else "kWh"
    own = channel_sums(groups, found.channels, "self_generation")

    def surcharges(*, in_pf_base: bool) -> pl.DataFrame:
        return surcharge_lines(
            version, groups, month, in_pf_base=in_pf_base, lines=lines, energy=amounts.total, self_generation=own,
            billing_milliw=billing, unit=unit,
        )  # fmt: skip

    lines = pl.concat([lines, surcharges(in_pf_base=True)])
    adjusted = power_factor_lines(version, groups, amounts.metered, amounts.reactive, found.reactive_peak, lines)
    lines = pl.concat([lines, adjusted])
    lines = pl.concat([lines, surcharges(in_pf_base=False)])
    credits, of_credits = export_lines(version, groups, month, found.export, amounts.netted, lines, state)
    lines = pl.concat([lines, credits])
    least, of_year = minimum_lines(version, groups, month, lines, state, billing, after_tax=False)
    lines = pl.concat([lines, least])
    lines = pl.concat([lines, tax_lines(version, lines)])
    last, of_taxed_year = minimum_lines(version, groups, month, lines, state, billing, after_tax=True)
    return pl.concat([lines, last]), [of_credits, of_year, of_taxed_year]


def _rounding_lines(rounding: Rounding, lines: pl.DataFrame) -> pl.DataFrame:
    """With scope `total` lines are exact to the nano-unit, and one line rounds their sum."""
    if rounding.scope != "total" or rounding.mode == "none" or lines.is_empty():
        return no_lines()
    sums = lines.group_by("group").agg(pl.col("amount_nano").sum()).sort("group")
    total = sums["amount_nano"]
    rounded = times(rounded_products([total], Fraction(1, rounding.grid_nano), (), rounding.mode), rounding.grid_nano)
    sums = sums.with_columns(change=rounded - total).filter(pl.col("change") != 0)
    said = (
        sums.select(pl.lit("the total is rounded")).to_series().new_from_index(0, sums.height)
        if sums.height
        else pl.Series([], dtype=pl.String)
    )
    exact = replace(rounding, mode="none")
    return lines_of(
        Label("rounding", 0, "Rounding"), sums["group"], factors=[sums["change"]], scalar=Fraction(1), rounding=exact,
        base=sums["amount_nano"], explanation=said,
    )  # fmt: skip
