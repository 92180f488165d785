"""Which services a tariff version cannot be billed for with what was given: refused whole, with the element and the reason."""

from __future__ import annotations

import polars as pl

from rating.language.supply_terms import ExportMethod, PowerFactorMethod, SurchargeBasis
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import CapacityBasis, Commodity, DemandPrice
from rating.utility.bill_input import REFUSAL_SCHEMA, Determinants
from rating.utility.dynamic import missing_prices
from rating.utility.energy import needs_time_order
from rating.utility.gas import missing_values

QUANTITY_MAX = 2**50  # 1.1 TWh or 1.1 million m3 x 1,000 in a month: squares and products with prices fit 128 bits

_CAPACITY_COLUMNS = {
    CapacityBasis.INSTALLED: "installed_milliva",
    CapacityBasis.CONTRACT: "contract_milliw",
    CapacityBasis.AREA: "area",
}


def refused_groups(version: TariffVersion, groups: pl.DataFrame, found: Determinants) -> pl.DataFrame:
    """`REFUSAL_SCHEMA`: every reason of every group; a group with any reason gets no lines and no total."""
    supply = version.supply
    rows = [
        *_metered(version, groups, found),
        *_of_demand(version, groups, found.demand),
        *_of_terms(version, groups),
        missing_prices(version, found.dynamic),
        found.refused.join(groups, on="group", how="semi"),
    ]
    for index, rule in enumerate(supply.dynamic):
        priced = found.dynamic.filter(pl.col("dynamic_index") == index)
        rows.append(_lacking(groups, priced, f"dynamic {rule.item}", "no import by interval"))
    if supply.gas is not None:
        rows.append(missing_values(supply.gas, groups))
    kept = [frame.select(REFUSAL_SCHEMA.keys()) for frame in rows if not frame.is_empty()]
    every = pl.concat(kept) if kept else pl.DataFrame(schema=REFUSAL_SCHEMA)
    return every.unique(maintain_order=True).sort("group", "element", "reason")


def _refusal(rows: pl.DataFrame, element: str, reason: str) -> pl.DataFrame:
    return rows.select("group", element=pl.lit(element), reason=pl.lit(reason))


def _lacking(groups: pl.DataFrame, given: pl.DataFrame, element: str, reason: str) -> pl.DataFrame:
    return _refusal(groups.join(given, on="group", how="anti", maintain_order="left"), element, reason)


def _metered(version: TariffVersion, groups: pl.DataFrame, found: Determinants) -> list[pl.DataFrame]:
    """Channels that elements need, and quantities that cannot be."""
    supply, channels = version.supply, found.channels
    role = "import" if supply.commodity in (Commodity.ELECTRICITY, Commodity.HEAT) else "volume"
    needed = [("energy", role)]
    rule = supply.power_factor
    if rule is not None and rule.method is not PowerFactorMethod.EXCESS_KVAR:
        needed.append((f"power factor {rule.item}", "reactive_import"))
    losses = supply.losses
    if losses is not None and losses.transformer is not None and losses.transformer.method == "formula":
        needed.append(("transformer losses", "reactive_import"))
    if supply.export is not None:
        needed.append((f"export {supply.export.item}", "export"))
    rows = [_lacking(groups, channels.filter(pl.col("role") == one), element, f"no {one} channel") for element, one in needed]
    if rule is not None and rule.method is PowerFactorMethod.EXCESS_KVAR:
        rows.append(_lacking(groups, found.reactive_peak, f"power factor {rule.item}", "no reactive_import channel by interval"))
    for frame in (channels, found.energy, found.export):
        rows.append(_refusal(frame.filter(pl.col("quantity") < 0), "usage", "a negative quantity"))
        rows.append(_refusal(frame.filter(pl.col("quantity") > QUANTITY_MAX), "usage", "a quantity out of range"))
    if needs_time_order(version):
        if found.steps is None and found.tiered is None:
            rows.append(_refusal(groups, "energy tiers in time order", "no import by interval"))
        netted = supply.export is not None and supply.export.method is ExportMethod.NET_METERING
        if netted or losses is not None or supply.gas is not None:
            rows.append(_refusal(groups, "energy tiers in time order", "no order in time after losses, netting or conversion"))
    return rows


def _of_demand(version: TariffVersion, groups: pl.DataFrame, demand: pl.DataFrame) -> list[pl.DataFrame]:
    rows = []
    for index, price in enumerate(version.demand):
        asked = _with_option(groups, price)
        measured = demand.filter(pl.col("demand_index") == index)
        rows.append(_lacking(asked, measured, f"demand {price.item}", f"no demand in {price.unit} could be measured"))
        if price.contract is not None:
            rows.append(_refusal(asked.filter(pl.col("contract_milliw").is_null()), f"demand {price.item}", "no contract demand"))
    return rows


def _with_option(groups: pl.DataFrame, price: DemandPrice) -> pl.DataFrame:
    return groups.filter(pl.col("option") == price.option) if price.option else groups


def _of_terms(version: TariffVersion, groups: pl.DataFrame) -> list[pl.DataFrame]:
    """Terms of the service that an element needs."""
    supply = version.supply
    rows = []
    for capacity in supply.capacity:
        column = _CAPACITY_COLUMNS[capacity.basis]
        asked = groups.filter(pl.col("option") == capacity.option) if capacity.option else groups
        rows.append(_refusal(asked.filter(pl.col(column).is_null()), f"capacity {capacity.item}", f"no {capacity.basis} value"))
    for charge in supply.meter_size:
        unknown = ~pl.col("meter_size").is_in([size for size, _ in charge.sizes]).fill_null(False)
        rows.append(_refusal(groups.filter(unknown), f"meter size {charge.item}", "no such meter size"))
    for surcharge in supply.surcharges:
        if surcharge.basis is SurchargeBasis.INSTALLED:
            lacks = groups.filter(pl.col("installed_milliva").is_null())
            rows.append(_refusal(lacks, f"surcharge {surcharge.item}", "no installed value"))
        if surcharge.basis is SurchargeBasis.DEMAND and not version.demand:
            rows.append(_refusal(groups, f"surcharge {surcharge.item}", "no billed demand"))
    if supply.power_factor is not None and supply.power_factor.method is PowerFactorMethod.TABLE:
        names = [name for name, _ in supply.power_factor.tables]
        unknown = ~pl.col("power_factor_standard").fill_null(supply.power_factor.standard).is_in(names)
        rows.append(_refusal(groups.filter(unknown), f"power factor {supply.power_factor.item}", "no table of this standard"))
    if supply.losses is not None and supply.losses.transformer is not None:
        rule = supply.losses.transformer
        known = [one.name for one in rule.transformers]
        unknown = ~pl.col("transformer").is_in(known).fill_null(False)
        if rule.method == "table":
            unknown = pl.col("installed_milliva").is_null()
        rows.append(_refusal(groups.filter(unknown), "transformer losses", "no transformer that the tariff knows"))
        shifts = [shift for shift, _ in rule.factors_nano]
        if 0 not in shifts:
            rows.append(
                _refusal(
                    groups.filter(~pl.col("shifts").fill_null(1).is_in(shifts)),
                    "transformer losses",
                    "no factor for these shifts",
                )
            )
    return rows
