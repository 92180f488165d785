"""Services on tariffs with more than energy prices: their parts of a period, billed by the elements of the tariff."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from meterline.close.supply_charges import service_charges_of, usage_items_of
from meterline.reference import Reference
from rating.agreed_terms import with_terms
from rating.billed_roles import import_kind
from rating.billed_supply import CHAIN_STATE, PARTS_SCHEMA, bill_supply
from rating.terms import bills_by_elements
from rating.utility.bill_input import BilledMonth
from rating.utility.channel_steps import ChannelRuns
from rating.utility.measured_supply import BILLED_ROLES
from schemas.channels import ChannelRole
from schemas.errors import Fault
from schemas.invariants import require
from schemas.periods import Period
from schemas.quantities import UsageKind
from settlement.frames import SERVICE_CHARGES, SERVICE_STATE, USAGE_ITEMS

CHAIN = ["account_id", "service_id", "tariff_id"]
_REFUSED = dict.fromkeys([*CHAIN, "element", "reason"], pl.String)
_BESIDE: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.String,
    "service_id": pl.String,
    "channel": pl.String,
    "record_hi": pl.UInt64,
    "record_lo": pl.UInt64,
    "start_at": pl.Int64,
    "item_index": pl.Int32,
    "quantity": pl.Int64,
    "tariff_id": pl.String,
    "version": pl.String,
    "item": pl.String,
}
_UNSPLIT = {ChannelRole.EXPORT, ChannelRole.REACTIVE_IMPORT, ChannelRole.REACTIVE_EXPORT}


@dataclass(frozen=True)
class SupplyFold:
    """`items`: usage items; `charges`: settlement.frames.SERVICE_CHARGES; `state`: SERVICE_STATE; `refused`: [account_id,
    service_id, tariff_id, element, reason]; `beside`: days of channels beside import, as determinants."""

    items: pl.DataFrame
    charges: pl.DataFrame
    state: pl.DataFrame
    refused: pl.DataFrame
    beside: pl.DataFrame


def tariffs_by_elements(reference: Reference) -> npt.NDArray[np.bool_]:
    """[tariffs], in the order of a book: whether the close bills them here."""
    return np.array([bills_by_elements(tariff) for tariff in reference.tariffs], np.bool_)


def fold_supply(
    rows: pl.DataFrame, values: npt.NDArray[np.int64], reference: Reference, period: Period, contracts: pl.DataFrame,
    state: pl.DataFrame, day_starts: npt.NDArray[np.int64],
) -> SupplyFold:  # fmt: skip
    """Bill the services of a bucket.

    Args:
        rows: parts of meter days that their tariffs bill: [account_id, service_id, tariff_index, record_hi, record_lo, channel,
            role, start_at, step_us, first_value, count]; `values`: their base units.
        contracts: settlement.frames.CONTRACTS of the bucket; a service without usage is billed too.
        state: settlement.frames.SERVICE_STATE that the period before left to the accounts of the bucket.
    Raises:
        ConservationError: values of import that no part bills, or lines whose money did not reach items and charges.
    """
    if not tariffs_by_elements(reference).any():
        items, charges, refused, beside = (
            pl.DataFrame(schema=dict(columns)) for columns in (USAGE_ITEMS, SERVICE_CHARGES, _REFUSED, _BESIDE)
        )
        return SupplyFold(items, charges, state.select(list(SERVICE_STATE)), refused, beside)
    parts = _parts(reference, period, contracts, day_starts)
    chains = parts.select(*CHAIN, "chain").unique("chain")
    runs = _cut(rows, parts, reference)
    own_state = state.join(chains, on=CHAIN, how="inner").select(pl.col(name).cast(kind) for name, kind in CHAIN_STATE.items())
    books = reference.supply_books(period.start_at, period.end_at)
    year = period.number // 12
    month = BilledMonth(period.number, period.days, (date(year + 1, 1, 1) - date(year, 1, 1)).days)
    channels = ChannelRuns(runs.select("group", "role", "channel", "start_at", "step_us", "first_value", "count"), values)
    billed = bill_supply(
        books, month, parts.select(pl.col(name).cast(kind) for name, kind in PARTS_SCHEMA.items()), channels, own_state
    )
    named = parts.select("group", *CHAIN, "version", "tariff_index", "version_index")
    taken = runs.filter(pl.col("role").is_in(BILLED_ROLES)).join(named, on="group")
    records = taken.group_by(*CHAIN, "version").agg(record_count=pl.struct("record_hi", "record_lo").n_unique().cast(pl.Int64))
    lines = billed.lines.join(named, on="group", how="left", maintain_order="left")
    left = billed.state.join(chains, on="chain", how="left").select(
        pl.col(name).cast(kind) for name, kind in SERVICE_STATE.items()
    )
    kept = state.join(chains, on=CHAIN, how="anti").select(list(SERVICE_STATE))
    items, charges = usage_items_of(lines, records, reference.tariffs), service_charges_of(lines, reference.tariffs)
    require(_lost(rows.filter(pl.col("by_price")), runs.filter(pl.col("by_price")), lines, items, charges))
    return SupplyFold(
        items,
        charges,
        pl.concat([left, kept]).sort(list(SERVICE_STATE)),
        billed.refusals.join(named, on="group", how="left")
        .select(*CHAIN, "element", "reason")
        .unique()
        .sort(*CHAIN, "element", "reason"),
        _beside(runs.join(named, on="group"), values, reference),
    )


def _lost(rows: pl.DataFrame, runs: pl.DataFrame, lines: pl.DataFrame, items: pl.DataFrame, charges: pl.DataFrame) -> list[Fault]:
    """Metered values that are in no part, and money of lines (taxes are settlement's) that is in no item or charge."""
    metered, cut = (int(frame["count"].cast(pl.Int64).sum()) for frame in (rows, runs))
    money = int(lines.filter(pl.col("kind") != "tax")["amount_nano"].sum() or 0)
    taken = int(items["net_nano"].sum() or 0) + int(charges["exact_nano"].sum() or 0)
    found = [
        Fault("metered supply", "values are in no service's part of the period", str(cut), str(metered), code="conservation")
    ]
    spent = [
        Fault("metered supply", "money of lines is lost on the way to settlement", str(taken), str(money), code="conservation")
    ]
    return found * (metered != cut) + spent * (money != taken)


def _versions(reference: Reference, period: Period) -> pl.DataFrame:
    rows = [
        (tariff.tariff_id, index, place, version.label, max(version.effective_from_at, period.start_at),
         min(version.effective_to_at, period.end_at))
        for index, tariff in enumerate(reference.tariffs)
        if bills_by_elements(tariff)
        for place, version in enumerate(tariff.versions)
        if version.effective_from_at < period.end_at and version.effective_to_at > period.start_at
    ]  # fmt: skip
    schema = {"tariff_id": pl.String, "tariff_index": pl.Int32, "version_index": pl.Int32, "version": pl.String,
              "version_from_at": pl.Int64, "version_to_at": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row")


def _parts(reference: Reference, period: Period, contracts: pl.DataFrame, day_starts: npt.NDArray[np.int64]) -> pl.DataFrame:
    """`PARTS_SCHEMA` with the names of account, service, tariff and version: what versions and contracts cut a period into."""
    spans = contracts.join(_versions(reference, period), on="tariff_id", how="inner").with_columns(
        from_at=pl.max_horizontal("version_from_at", "effective_from_at"),
        to_at=pl.min_horizontal("version_to_at", "effective_to_at"),
    )
    spans = spans.filter(pl.col("from_at") < pl.col("to_at")).sort(*CHAIN, "from_at")
    midnights = day_starts[:-1]
    begun = [np.searchsorted(midnights, spans[name].to_numpy(), side="left") for name in ("from_at", "to_at")]
    spans = spans.with_columns(
        group=pl.int_range(pl.len(), dtype=pl.Int32), chain=(pl.struct(CHAIN).rle_id()).cast(pl.Int32),
        days=pl.Series(begun[1] - begun[0], dtype=pl.Int32), is_first=pl.lit(True), is_last=pl.lit(True),
    )  # fmt: skip
    agreed = with_terms(spans, reference.agreed)
    return _with_calorific(agreed, reference, period.label)


def _with_calorific(parts: pl.DataFrame, reference: Reference, label: str) -> pl.DataFrame:
    """The calorific value of the period out of the tariff's file, for services without one of their own."""
    found = []
    for index, place in parts.select("tariff_index", "version_index").unique().sort("tariff_index", "version_index").iter_rows():
        tariff = reference.tariffs[index]
        gas = tariff.versions[place].supply.gas
        value = reference.calorific.get((tariff.tariff_id, gas.calorific_file), {}).get(label) if gas is not None else None
        if value is not None:
            found.append((index, place, value))
    values = pl.DataFrame(
        found, schema={"tariff_index": pl.Int32, "version_index": pl.Int32, "of_period": pl.Int64}, orient="row"
    )
    joined = parts.join(values, on=["tariff_index", "version_index"], how="left", maintain_order="left")
    return joined.with_columns(pl.col("calorific_nano").fill_null(pl.col("of_period"))).drop("of_period")


def _cut(rows: pl.DataFrame, parts: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """Runs in the part that each of their steps starts in; a run over a border of parts is cut there."""
    ids = {index: tariff.tariff_id for index, tariff in enumerate(reference.tariffs)}
    named = rows.with_columns(tariff_id=pl.col("tariff_index").replace_strict(ids, return_dtype=pl.String))
    spans = named.join(parts.select("group", *CHAIN, "from_at", "to_at"), on=CHAIN, how="inner", maintain_order="left")
    low, high = ((pl.col(at) - pl.col("start_at") + pl.col("step_us") - 1) // pl.col("step_us") for at in ("from_at", "to_at"))
    spans = spans.with_columns(
        low=pl.max_horizontal(low, pl.lit(0)), high=pl.min_horizontal(high, pl.col("count").cast(pl.Int64))
    )
    inside = spans.filter(pl.col("low") < pl.col("high"))
    return inside.with_columns(
        pl.col("start_at") + pl.col("low") * pl.col("step_us"),
        pl.col("first_value") + pl.col("low"),
        (pl.col("high") - pl.col("low")).cast(pl.Int32).alias("count"),
        role=_role_names(inside, reference),
    ).drop("low", "high", "from_at", "to_at", *CHAIN, "tariff_index")


def _role_names(rows: pl.DataFrame, reference: Reference) -> pl.Series:
    """Roles as the elements call them: import of a volume is `volume`."""
    kinds = [import_kind(tariff.versions[-1].supply) for tariff in reference.tariffs]
    volumes = [index for index, kind in enumerate(kinds) if kind is UsageKind.LIQUID]
    labels = pl.col("role").replace_strict({int(role): role.label for role in ChannelRole}, return_dtype=pl.String)
    is_volume = (pl.col("role") == int(ChannelRole.IMPORT)) & pl.col("tariff_index").is_in(volumes)
    return rows.select(pl.when(is_volume).then(pl.lit("volume")).otherwise(labels).alias("role")).to_series()


def _beside(runs: pl.DataFrame, values: npt.NDArray[np.int64], reference: Reference) -> pl.DataFrame:
    """Days of export and reactive energy under the item that they are billed by, as determinants of the interval fold."""
    rows = runs.filter(pl.col("role").is_in([role.label for role in _UNSPLIT])).sort(*CHAIN, "start_at", "channel")
    sums = np.concatenate([[0], np.cumsum(values, dtype=np.int64)])
    first, count = rows["first_value"].to_numpy(), rows["count"].to_numpy()
    items: Mapping[tuple[int, int, str], str] = {
        key: _item_of(reference, *key) for key in rows.select("tariff_index", "version_index", "role").unique().iter_rows()
    }
    names: Sequence[str] = [items[key] for key in rows.select("tariff_index", "version_index", "role").iter_rows()]
    return rows.select(*CHAIN[:2], "channel", "record_hi", "record_lo", "start_at", "tariff_id", "version").with_columns(
        item_index=pl.lit(-1, dtype=pl.Int32), item=pl.Series(names, dtype=pl.String),
        quantity=pl.Series(sums[first + count] - sums[first], dtype=pl.Int64),
    )  # fmt: skip


def _item_of(reference: Reference, tariff_index: int, version_index: int, role: str) -> str:
    supply = reference.tariffs[tariff_index].versions[version_index].supply
    if role == ChannelRole.EXPORT.label and supply.export is not None:
        return supply.export.item
    demand = next((price.item for price in supply.demand if price.unit != "kW"), "Reactive energy")
    return supply.power_factor.item if supply.power_factor is not None else demand
