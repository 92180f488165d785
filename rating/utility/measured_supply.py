"""The determinants of services out of the runs of their channels, by the kernels: what the elements of a bill are made from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.ladders import OWN_LADDER, price_rows
from rating.language.supply_terms import ExportMethod, PowerFactorMethod
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import (
    DYNAMIC_SCHEMA,
    ENERGY_SCHEMA,
    REFUSAL_SCHEMA,
    BilledMonth,
    Determinants,
    sums_by_group,
)
from rating.utility.carried_state import prior_ladders
from rating.utility.channel_steps import ChannelRuns, one_channel, paired, steps_of
from rating.utility.demand import billed_demands, billing_milliw
from rating.utility.determinants import channel_totals, supply_determinants, supply_rows
from rating.utility.dynamic import charged_prices
from rating.utility.dynamic_amounts import dynamic_amounts
from rating.utility.energy import bounds_of, needs_time_order
from rating.utility.exact import INT128
from rating.utility.kernel_frames import kernel_determinants
from rating.utility.measured_demand import reactive_peaks
from rating.utility.measured_peaks import measured_peaks
from rating.utility.meter_runs import MeterRuns
from rating.utility.net_energy import net_of
from rating.utility.run_ladders import RunLadders, run_ladders
from rating.utility.shares import split_by_shares
from rating.utility.supply_books import SupplyBooks
from schemas.errors import Fault
from schemas.invariants import require
from schemas.reasons import Reason

BILLED_ROLES = ("import", "volume")
_US_PER_MINUTE = 60_000_000
_WORDS = {
    Reason.NEGATIVE_QUANTITY: "a negative quantity",
    Reason.QUANTITY_OUT_OF_RANGE: "a quantity out of range",
    Reason.NO_RATE_AT_INSTANT: "usage at an instant without a price",
}


@dataclass(frozen=True)
class SuppliedVersion:
    """The version that groups are measured for, and where it stands in the books."""

    books: SupplyBooks
    tariff_index: int
    version_index: int

    @property
    def version(self) -> TariffVersion:
        return self.books.book.tariffs[self.tariff_index].versions[self.version_index]

    @property
    def tariff_id(self) -> str:
        return self.books.book.tariff_ids[self.tariff_index]


def measured_supply(
    place: SuppliedVersion, month: BilledMonth, groups: pl.DataFrame, channels: ChannelRuns, state: pl.DataFrame
) -> Determinants:
    """`Determinants` of groups, each a service's part of the month that one version is in force for.

    Args:
        groups: `GROUP_SCHEMA`, by group. channels: runs that lie in their group's part; roles as in `bill_input.ROLES`.
        state: `STATE_SCHEMA` of the groups, for ladders that run over months and peaks that bounds depend on.
    Returns:
        A group without any run has used nothing: zeros. What cannot be measured is in `refused`.
    Raises:
        ConservationError: prices that do not take all that was metered.
    """
    version, book = place.version, place.books.book
    single, overlap = one_channel(channels)
    refused = [_refusal(overlap, "usage", "channels with steps of different length")]
    single = ChannelRuns(single.runs.join(overlap, on="group", how="anti", maintain_order="left"), single.values)
    metered, sold = single.of(*BILLED_ROLES), single.of("export")
    bought, given, cut = _netted(place, metered, sold)
    refused.append(cut)
    demand = measured_peaks(place.books, place.tariff_index, place.version_index, groups, single)
    ladders = _ladders(place, month, groups, bought, demand, state)
    runs = bought.meter_runs(book, place.tariff_index)
    if version.energy:
        energy, _, status = supply_determinants(book, runs, ladders=ladders)
    else:
        checked = supply_rows(book, runs, with_energy=False)
        energy, status = pl.DataFrame(schema={**ENERGY_SCHEMA, "tier": pl.Int32}), checked.refused
    refused.append(_refused_runs(runs.group, status, "energy"))
    export, lost = _export(place, given)
    refused.append(lost)
    totals = _totals(place, single)
    if version.energy and bought.runs is metered.runs:
        _require_whole(energy, totals, pl.concat(refused))
    energy, export = _over_period(version, energy, export)
    idle = groups.join(channels.runs, on="group", how="anti", maintain_order="left")
    found = kernel_determinants(
        version, groups, energy, pl.concat([demand, _no_peaks(version, idle)]), pl.concat([totals, _none_of(version, idle)])
    )
    return replace(
        found,
        export=export,
        dynamic=pl.concat([_dynamic(place, runs, status), _no_dynamic(version, idle)]),
        reactive_peak=_reactive_peaks(version, single, idle),
        refused=pl.concat(refused),
    )


def _require_whole(energy: pl.DataFrame, totals: pl.DataFrame, refused: pl.DataFrame) -> None:
    """Every milliwatt-hour (milliliter) that a group was metered has a price, before losses and netting."""
    kept = totals.filter(pl.col("channel_role").is_in(BILLED_ROLES)).join(refused, on="group", how="anti")
    priced = energy.group_by("group").agg(priced=pl.col("quantity").cast(INT128).sum())
    both = kept.join(priced, on="group", how="left").with_columns(pl.col("priced").fill_null(0))
    wrong = both.filter(pl.col("priced") != pl.col("quantity").cast(INT128))
    require(
        Fault(
            f"group {group}", "the energy of its prices is not what was metered", str(priced), str(metered), code="conservation"
        )
        for group, metered, priced in wrong.select("group", "quantity", "priced").head(10).iter_rows()
    )


def _refusal(rows: pl.DataFrame, element: str, reason: str) -> pl.DataFrame:
    named = rows.select(pl.col("group").cast(pl.Int32), element=pl.lit(element), reason=pl.lit(reason))
    return named.unique(maintain_order=True).select(REFUSAL_SCHEMA.keys())


def _refused_runs(group: npt.NDArray[np.int32], status: npt.NDArray[np.uint8], element: str) -> pl.DataFrame:
    """A refusal for each group with a run that the kernels refuse."""
    frame = pl.DataFrame({"group": group, "status": status}, schema={"group": pl.Int32, "status": pl.UInt8})
    parts = [_refusal(frame.filter(pl.col("status") == int(reason)), element, words) for reason, words in _WORDS.items()]
    return pl.concat(parts)


def _netted(place: SuppliedVersion, metered: ChannelRuns, sold: ChannelRuns) -> tuple[ChannelRuns, ChannelRuns, pl.DataFrame]:
    """(import, export, refusals) after netting within the interval of net billing; as metered for everything else."""
    rule = place.version.supply.export
    nothing = pl.DataFrame(schema=REFUSAL_SCHEMA)
    if rule is None or rule.method is not ExportMethod.NET_BILLING or rule.netting_minutes < 0:
        return metered, sold, nothing
    both = metered.runs.select("group").unique().join(sold.runs.select("group").unique(), on="group", how="semi")
    alone = [
        ChannelRuns(own.runs.join(both, on="group", how="anti", maintain_order="left"), own.values) for own in (metered, sold)
    ]
    pair = [
        ChannelRuns(own.runs.join(both, on="group", how="semi", maintain_order="left"), own.values) for own in (metered, sold)
    ]
    left, right = paired(*pair)
    netting_us = rule.netting_minutes * _US_PER_MINUTE
    ragged = pl.lit(False)
    if netting_us:
        long = pl.max_horizontal("step_us", pl.lit(netting_us))
        ragged = (long % pl.col("step_us") != 0) | (pl.col("start_at") % netting_us != 0)
        ragged = ragged | (pl.col("count") % (long // pl.col("step_us")) != 0)
    bad = left.runs.filter(ragged).select("group").unique()
    refused = _refusal(bad, f"export {rule.item}", "a run of values cuts a netting interval")
    sides = [
        ChannelRuns(own.runs.join(bad, on="group", how="anti").sort("group", "start_at"), own.values) for own in (left, right)
    ]
    book = place.books.book
    imported, exported = net_of(*(side.meter_runs(book, place.tariff_index) for side in sides), netting_us=netting_us)
    netted = [
        ChannelRuns(side.runs.with_columns(pl.Series("first_value", net.first_value, dtype=pl.Int64)), net.values)
        for side, net in zip(sides, (imported, exported), strict=True)
    ]
    return _both(alone[0], netted[0]), _both(alone[1], netted[1]), refused


def _both(one: ChannelRuns, other: ChannelRuns) -> ChannelRuns:
    shifted = other.runs.with_columns(pl.col("first_value") + len(one.values))
    return ChannelRuns(pl.concat([one.runs, shifted.select(one.runs.columns)]), np.concatenate([one.values, other.values]))


def _ladders(
    place: SuppliedVersion,
    month: BilledMonth,
    groups: pl.DataFrame,
    bought: ChannelRuns,
    demand: pl.DataFrame,
    state: pl.DataFrame,
) -> RunLadders | None:
    """Bounds and openings of each group's ladder, where tiers depend on the order of time."""
    version, book = place.version, place.books.book
    if not needs_time_order(version):
        return None
    group = bought.runs.sort("group", "start_at", "channel")["group"].to_numpy()
    row = np.searchsorted(groups["group"].to_numpy(), group).astype(np.int32)
    rows = price_rows(book.tariffs)
    own = (rows.tariff_index == place.tariff_index) & (rows.version_index == place.version_index)
    measured = demand.filter(pl.col("peak_milliw").is_not_null()).rename({"peak_milliw": "peak"})
    billing = billing_milliw(groups, billed_demands(version, groups, month, measured, state)).fill_null(0)
    prior, ladder = prior_ladders(version, month, state), version.supply.ladder
    bounds = np.tile(book.energy_from, (groups.height, 1))
    is_own = bool(np.isin(book.energy_mode, OWN_LADDER).any())
    opening = np.zeros((groups.height, len(book.energy_mode) if is_own else 1), np.int64)
    price_of = np.repeat(np.arange(len(book.energy_mode)), np.diff(book.energy_first_item))
    for index, price in enumerate(version.energy):
        starts = bounds_of(
            price.tiers, price.basis, groups, month, prorate=ladder.prorate, months=ladder.months, billing_milliw=billing
        )
        items = np.flatnonzero(own & (rows.price_index == index))
        for item, start in zip(items, starts, strict=True):
            bounds[:, item] = start.cast(pl.Int64).to_numpy()
        name = price.item if book.energy_mode[price_of[items[0]]] in OWN_LADDER else ""
        ran = sums_by_group(groups, prior.filter(pl.col("name") == name), "value").cast(pl.Int64).to_numpy()
        opening[:, price_of[items[0]] if is_own else 0] = ran
    return run_ladders(book, len(row), bounds=bounds, bounds_row=row, opening=opening, opening_row=row)


def _export(place: SuppliedVersion, given: ChannelRuns) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(`ENERGY_SCHEMA` by the price that export takes, refusals)."""
    rule, books = place.version.supply.export, place.books
    nothing = pl.DataFrame(schema=ENERGY_SCHEMA), pl.DataFrame(schema=REFUSAL_SCHEMA)
    if rule is None:
        return nothing
    book, index = books.book, place.tariff_index
    if rule.method is not ExportMethod.NET_METERING:
        if not rule.prices or books.credits is None:
            return nothing
        book, index = books.credits, books.credits.index_of[place.tariff_id]
    runs = given.meter_runs(book, index)
    energy, _, status = supply_determinants(book, runs)
    sums = energy.group_by("group", "price_index").agg(pl.col("quantity").sum()).sort("group", "price_index")
    return sums.select(pl.col(name).cast(kind) for name, kind in ENERGY_SCHEMA.items()), _refused_runs(
        runs.group, status, f"export {rule.item}"
    )


def _over_period(version: TariffVersion, energy: pl.DataFrame, export: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Import less export over the whole part, shared by what each price measured, where net billing nets over the period."""
    rule = version.supply.export
    if rule is None or rule.method is not ExportMethod.NET_BILLING or rule.netting_minutes >= 0:
        return energy, export
    sums = [frame.group_by("group").agg(pl.col("quantity").sum()) for frame in (energy, export)]
    net = sums[0].join(sums[1], on="group", how="full", coalesce=True, suffix="_sold").fill_null(0)
    over = pl.col("quantity") - pl.col("quantity_sold")
    kept = []
    for frame, left in ((energy, over), (export, pl.lit(0) - over)):
        share = split_by_shares(frame, net.select("group", whole=pl.max_horizontal(left, pl.lit(0))), weight="quantity")
        kept.append(frame.with_columns(share.cast(pl.Int64).alias("quantity")))
    return kept[0], kept[1]


def _totals(place: SuppliedVersion, single: ChannelRuns) -> pl.DataFrame:
    """[group, channel_role, quantity] of every role, as metered."""
    found = [pl.DataFrame(schema={"group": pl.Int32, "channel_role": pl.String, "quantity": pl.Int64})]
    for role in single.runs["role"].unique().sort().to_list():
        runs = single.of(role).meter_runs(place.books.book, place.tariff_index)
        found.append(channel_totals(runs, supply_rows(place.books.book, runs, with_energy=False), role))
    return pl.concat(found)


def _dynamic(place: SuppliedVersion, runs: MeterRuns, status: npt.NDArray[np.uint8]) -> pl.DataFrame:
    """`DYNAMIC_SCHEMA` of every dynamic price."""
    found = [pl.DataFrame(schema=DYNAMIC_SCHEMA)]
    for index, rule in enumerate(place.version.supply.dynamic):
        prices = charged_prices(rule, place.books.prices[place.tariff_id, rule.file])
        found.append(dynamic_amounts(runs, status, prices, index).select(DYNAMIC_SCHEMA.keys()))
    return pl.concat(found)


def _reactive_peaks(version: TariffVersion, single: ChannelRuns, idle: pl.DataFrame) -> pl.DataFrame:
    rule = version.supply.power_factor
    if rule is None or rule.method is not PowerFactorMethod.EXCESS_KVAR:
        return Determinants().reactive_peak
    none = idle.select("group", peak=pl.lit(0, dtype=pl.Int64), active=pl.lit(0, dtype=pl.Int64))
    return pl.concat([reactive_peaks(steps_of(single.of("import", "reactive_import"))), none])


def _none_of(version: TariffVersion, idle: pl.DataFrame) -> pl.DataFrame:
    """Channels of zero for services that used nothing at all."""
    roles = pl.DataFrame({"channel_role": ["export", "import", "reactive_import", "volume"]})
    return idle.select("group").join(roles, how="cross").with_columns(quantity=pl.lit(0, dtype=pl.Int64))


def _no_peaks(version: TariffVersion, idle: pl.DataFrame) -> pl.DataFrame:
    prices = pl.DataFrame({"demand_index": range(len(version.demand))}, schema={"demand_index": pl.Int32})
    return idle.select("group").join(prices, how="cross").with_columns(
        rank=pl.lit(1, dtype=pl.Int32), peak_milliw=pl.lit(0, dtype=pl.Int64), peak_at=pl.lit(None, dtype=pl.Int64),
        windows_missing=pl.lit(0, dtype=pl.Int64),
    )  # fmt: skip


def _no_dynamic(version: TariffVersion, idle: pl.DataFrame) -> pl.DataFrame:
    prices = pl.DataFrame({"dynamic_index": range(len(version.supply.dynamic))}, schema={"dynamic_index": pl.Int32})
    rows = idle.select("group").join(prices, how="cross")
    nil = [pl.lit(0).cast(kind).alias(name) for name, kind in DYNAMIC_SCHEMA.items() if name not in ("group", "dynamic_index")]
    return rows.with_columns(nil).select(DYNAMIC_SCHEMA.keys())
