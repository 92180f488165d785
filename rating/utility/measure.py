"""From steps and register totals to the determinants of a tariff version: energy by price, export, demand, dynamic sums."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from rating.compiled.timeline import Timeline
from rating.language.supply_terms import Export, ExportMethod, PowerFactorMethod
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.utility.bill_input import (
    CHANNEL_SCHEMA,
    DEMAND_SCHEMA,
    DYNAMIC_SCHEMA,
    ENERGY_SCHEMA,
    REACTIVE_PEAK_SCHEMA,
    REFUSAL_SCHEMA,
    STEP_SCHEMA,
    Determinants,
)
from rating.utility.dynamic import PRICE_SCHEMA, dynamic_sums
from rating.utility.measured_demand import measure_demand, reactive_peaks
from rating.utility.netting import netted_steps
from rating.utility.steps import in_window, of_role, price_indices, timeline_of

TOTAL_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "group": pl.Int32,
    "role": pl.String,  # a role of a channel, or demand
    "item": pl.String,  # the price, credit price or demand price it belongs to; empty where there is only one
    "quantity": pl.Int64,
}
_BILLED = ("import", "volume")


@dataclass(frozen=True)
class _Place:
    """Where steps are placed: a tariff's version, its timeline, and the part of the period."""

    tariff: Tariff
    version: TariffVersion
    timeline: Timeline
    span: tuple[int, int]

    def prices_of(self, prices: tuple[EnergyPrice, ...], steps: pl.DataFrame) -> pl.DataFrame:
        index = price_indices(self.version, prices, self.timeline, steps["start_at"].to_numpy())
        return steps.with_columns(pl.Series("price_index", index, dtype=pl.Int32))


def determinants_of(
    tariff: Tariff, version: TariffVersion, span: tuple[int, int], steps: pl.DataFrame, totals: pl.DataFrame, *,
    prices: Mapping[str, pl.DataFrame] | None = None, coincident_at: Sequence[int] = (),
) -> Determinants:  # fmt: skip
    """The determinants of one version over `[span[0], span[1])`, UTC microseconds.

    Args:
        steps: [group, role, start_at, step_us, quantity] that start in the span; a step belongs to what holds where it starts.
        totals: `TOTAL_SCHEMA`, for channels without steps.
        prices: `PRICE_SCHEMA` by the file that a dynamic price names.
    Returns:
        Frames of `Determinants`; what cannot be placed (no price at an instant, a total without its price) is in `refused`.
    """
    place = _Place(tariff, version, timeline_of(tariff, version, span), span)
    rule = version.supply.export
    bought, sold = of_role(steps, *_BILLED), of_role(steps, "export")
    if rule is not None and rule.method is ExportMethod.NET_BILLING:
        bought, sold = netted_steps(bought, sold, rule.netting_minutes, span[0])
    placed = place.prices_of(version.energy, bought)
    credited = place.prices_of(_credit_prices(version, rule), sold)
    by_total, refused = _totals(version, rule, totals)
    refused += [_holes(placed, "energy") if version.energy else _nothing(REFUSAL_SCHEMA)]
    refused += [_holes(credited, "export") if rule is not None and _credit_prices(version, rule) else _nothing(REFUSAL_SCHEMA)]
    energy = pl.concat([placed.select(ENERGY_SCHEMA.keys()), by_total["energy"]])
    return Determinants(
        energy=_summed(energy) if version.energy else _nothing(ENERGY_SCHEMA),
        steps=placed.select(STEP_SCHEMA.keys()) if not placed.is_empty() and by_total["energy"].is_empty() else None,
        export=_summed(pl.concat([credited.select(ENERGY_SCHEMA.keys()), by_total["export"]])),
        demand=pl.concat([_demand(place, steps, coincident_at), by_total["demand"]]).sort("group", "demand_index", "rank"),
        channels=_channels(steps, totals),
        dynamic=_dynamic(version, bought, prices or {}),
        reactive_peak=_reactive(version, steps),
        refused=pl.concat([*refused, _negative(steps)]),
    )


def _credit_prices(version: TariffVersion, rule: Export | None) -> tuple[EnergyPrice, ...]:
    """Net metering places export in the energy prices, other methods in credit prices."""
    if rule is None:
        return ()
    return version.energy if rule.method is ExportMethod.NET_METERING else rule.prices


def _nothing(schema: dict[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    return pl.DataFrame(schema=schema)


def _holes(placed: pl.DataFrame, element: str) -> pl.DataFrame:
    lost = placed.filter(pl.col("price_index") < 0)["group"].unique().sort()
    return pl.DataFrame({"group": lost}).select(
        "group", element=pl.lit(element), reason=pl.lit("usage at an instant without a price")
    )  # fmt: skip


def _negative(steps: pl.DataFrame) -> pl.DataFrame:
    lost = steps.filter(pl.col("quantity") < 0)["group"].unique().sort()
    return pl.DataFrame({"group": lost}).select("group", element=pl.lit("usage"), reason=pl.lit("a negative quantity"))


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    kept = rows.filter(pl.col("price_index") >= 0)
    return kept.group_by("group", "price_index").agg(pl.col("quantity").sum()).sort("group", "price_index")


def _channels(steps: pl.DataFrame, totals: pl.DataFrame) -> pl.DataFrame:
    rows = pl.concat([steps.select(CHANNEL_SCHEMA.keys()), totals.select(CHANNEL_SCHEMA.keys())])
    kept = rows.filter(pl.col("role") != "demand")
    return kept.group_by("group", "role").agg(pl.col("quantity").sum()).sort("group", "role")


def _totals(
    version: TariffVersion, rule: Export | None, totals: pl.DataFrame
) -> tuple[dict[str, pl.DataFrame], list[pl.DataFrame]]:
    """Register totals by the price that they name; one without a name belongs to the only price."""
    found, refused = {}, []
    roles = (
        ("energy", _BILLED, tuple(price.item for price in version.energy)),
        ("export", ("export",), tuple(price.item for price in _credit_prices(version, rule))),
        ("demand", ("demand",), tuple(price.item for price in version.demand)),
    )
    for element, of, items in roles:
        rows = totals.filter(pl.col("role").is_in(list(of)))
        named = {item: index for index, item in enumerate(items)}
        named |= {"": 0} if len(items) == 1 else {}
        index = rows["item"].replace_strict(named, default=-1, return_dtype=pl.Int32)
        rows = rows.with_columns(index.alias("index"))
        if items:
            lost = rows.filter(pl.col("index") < 0)["group"].unique().sort()
            reason = f"a total that names none of {', '.join(items)}"
            refused.append(pl.DataFrame({"group": lost}).select("group", element=pl.lit(element), reason=pl.lit(reason)))
        kept = rows.filter(pl.col("index") >= 0)
        if element == "demand":
            found[element] = kept.select(
                "group", demand_index="index", rank=pl.lit(1, dtype=pl.Int32), peak="quantity",
                peak_at=pl.lit(None, dtype=pl.Int64), windows_missing=pl.lit(0, dtype=pl.Int32),
            ).select(DEMAND_SCHEMA.keys())  # fmt: skip
        else:
            found[element] = kept.select("group", price_index="index", quantity="quantity")
    return found, refused


def _demand(place: _Place, steps: pl.DataFrame, coincident_at: Sequence[int]) -> pl.DataFrame:
    found = [_nothing(DEMAND_SCHEMA)]
    if steps.is_empty():
        return found[0]
    at = steps["start_at"].to_numpy()
    for index, price in enumerate(place.version.demand):
        holds = pl.Series("held", in_window(place.version, price.window, place.timeline, at), dtype=pl.Boolean)
        found.append(
            measure_demand(
                price, index, steps, holds, origin_at=place.span[0], zone=place.tariff.zone, coincident_at=coincident_at
            )
        )
    return pl.concat(found)


def _dynamic(version: TariffVersion, bought: pl.DataFrame, prices: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    found = [_nothing(DYNAMIC_SCHEMA)]
    for index, rule in enumerate(version.supply.dynamic):
        found.append(dynamic_sums(rule, index, bought, prices.get(rule.file, _nothing(PRICE_SCHEMA))))
    return pl.concat(found)


def _reactive(version: TariffVersion, steps: pl.DataFrame) -> pl.DataFrame:
    rule = version.supply.power_factor
    if rule is None or rule.method is not PowerFactorMethod.EXCESS_KVAR:
        return _nothing(REACTIVE_PEAK_SCHEMA)
    return reactive_peaks(steps)
