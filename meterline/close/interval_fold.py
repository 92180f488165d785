"""Interval energy of one bucket and period: billing determinants per meter day and price, then amounts rounded once per item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from meterline.close.supply_fold import SupplyFold, fold_supply, tariffs_by_elements
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.billed_roles import billed_roles
from rating.utility.intervals import determine_intervals, line_amount_nano
from schemas.channels import ChannelRole
from schemas.money import NANO, amount_text
from schemas.periods import Period
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from settlement.frames import USAGE_ITEMS

_US_PER_S = 1_000_000
_COLUMNS = ("record_hi", "record_lo", "metering_point_id", "channel", "start_at", "step_s", "values", "kind", "role")
_SERVICE = ["account_id", "service_id", "item_index"]


@dataclass
class IntervalFold:
    """`determinants`: [account_id, service_id, channel, record_hi, record_lo, start_at, item_index, tariff_id, version, item,
    quantity] per meter day and price; `items`: usage items of settlement; `unpriced`: days with an interval without a price."""

    determinants: pl.DataFrame
    items: pl.DataFrame
    unpriced: pl.DataFrame
    service_charges: pl.DataFrame  # settlement.frames.SERVICE_CHARGES
    service_state: pl.DataFrame  # settlement.frames.SERVICE_STATE, to carry on
    refused: pl.DataFrame  # [account_id, service_id, tariff_id, element, reason] of services that cannot be billed

    def refused_services(self) -> list[str]:
        """`service NEM1: demand Peak: no demand in kW could be measured`, one text for each reason."""
        return [f"service {service}: {element}: {reason}" for _, service, _, element, reason in self.refused.iter_rows()]


def fold_intervals(
    snapshot: Snapshot, reference: Reference, period: Period, bucket: int, contracts: pl.DataFrame, state: pl.DataFrame,
    day_starts: npt.NDArray[np.int64],
) -> IntervalFold:  # fmt: skip
    """What each stored part of a meter day costs; tiers run in time order over all channels of a service.

    Args:
        contracts: settlement.frames.CONTRACTS of the bucket. state: settlement.frames.SERVICE_STATE of the period before.
        day_starts: local midnights of the period and its end.
    Raises:
        ConfigurationError: a tariff with an element that a close cannot bill.
    """
    rows = snapshot.read("interval_days", periods=[period.number], bucket=bucket, columns=_COLUMNS)
    start_at = rows["start_at"].cast(pa.int64()).to_numpy()
    values = rows["values"].combine_chunks()
    offsets = values.offsets.to_numpy().astype(np.int64)
    services = rows["metering_point_id"].to_pylist()
    directory = reference.directory
    assignment = directory.resolve_names(services, start_at)
    assert bool((assignment >= 0).all()), "committed usage has an account: reference loads that would take it away are refused"
    # one ladder per account, service and tariff; time order decides which energy lies in which tier
    ladder = ["rank", "service_id", "tariff_index"]
    frame = pl.DataFrame(
        {
            "record_hi": rows["record_hi"].to_numpy(),
            "record_lo": rows["record_lo"].to_numpy(),
            "service_id": services,
            "channel": rows["channel"].to_pylist(),
            "rank": directory.assigned_rank[assignment],
            "tariff_index": directory.tariff_index[assignment],
            "start_at": start_at,
            "step_us": rows["step_s"].to_numpy().astype(np.int64) * _US_PER_S,
            "first_value": offsets[:-1] - offsets[0],
            "count": np.diff(offsets).astype(np.int32),
            "role": rows["role"].to_numpy(),
            "kind": rows["kind"].to_numpy(),
        },
        schema_overrides={"service_id": pl.String, "channel": pl.String},
    ).sort(*ladder, "start_at", "channel", "record_hi")
    named = frame.with_columns(account_id=pl.Series(directory.account_id[frame["rank"].to_numpy()].tolist(), dtype=pl.String))
    held = values.values.to_numpy(zero_copy_only=False)[offsets[0] : offsets[-1]]
    billed = _billed(named, reference)
    by_elements = pl.Series(tariffs_by_elements(reference)[billed["tariff_index"].to_numpy()], dtype=pl.Boolean)
    supply = fold_supply(billed.filter(by_elements), held, reference, period, contracts, state, day_starts)
    priced = billed.filter((pl.col("role") == int(ChannelRole.IMPORT)) & pl.col("by_price"))
    return _priced(priced.with_columns(ladder_group=(pl.struct(ladder).rle_id()).cast(pl.Int32)), held, reference, period, supply)


def _billed(rows: pl.DataFrame, reference: Reference) -> pl.DataFrame:
    """The rows whose role and kind their tariff bills, with `by_price`; what a changed tariff no longer bills adds nothing."""
    roles, kind, by_price = billed_roles(reference.tariffs, rows["tariff_index"].to_numpy(), rows["start_at"].to_numpy())
    role = rows["role"].to_numpy()
    is_import = role == int(ChannelRole.IMPORT)
    billed = ((roles >> role) & 1).astype(np.bool_) & (~is_import | (kind == rows["kind"].to_numpy()))
    return rows.with_columns(pl.Series("by_price", by_price, dtype=pl.Boolean)).filter(pl.Series(billed, dtype=pl.Boolean))


def _priced(
    frame: pl.DataFrame, values: npt.NDArray[np.int64], reference: Reference, period: Period, supply: SupplyFold
) -> IntervalFold:
    book = reference.book(period.start_at, period.end_at)
    found = determine_intervals(
        book,
        **{
            name: frame[name].to_numpy()
            for name in ("tariff_index", "ladder_group", "start_at", "step_us", "first_value", "count")
        },
        values=values,
    )
    wrong = found.status != Reason.OK
    unpriced = (
        frame.filter(wrong)
        .select("record_hi", "record_lo", "account_id")
        .with_columns(reason=pl.Series(found.status[wrong], dtype=pl.UInt8))
    )
    labels = pl.DataFrame(
        {
            "item_index": np.arange(len(book.energy_items), dtype=np.int32),
            "tariff_id": [item.tariff_id for item in book.energy_items],
            "version": [item.version for item in book.energy_items],
            "item": [item.item for item in book.energy_items],
        },
        schema={"item_index": pl.Int32, "tariff_id": pl.String, "version": pl.String, "item": pl.String},
    )
    determinants = (
        frame[found.run_index].select("account_id", "service_id", "channel", "record_hi", "record_lo", "start_at")
        .with_columns(
            item_index=pl.Series(found.item_index, dtype=pl.Int32), quantity=pl.Series(found.quantity_milliwh, dtype=pl.Int64)
        )
        .join(labels, on="item_index", how="left")
    )  # fmt: skip
    plain = [tariff.tariff_id for tariff, own in zip(reference.tariffs, tariffs_by_elements(reference), strict=True) if not own]
    items = _usage_items(determinants.filter(pl.col("tariff_id").is_in(plain)), reference, period)
    every = pl.concat([determinants, supply.beside.select(determinants.columns)])
    return IntervalFold(
        every, pl.concat([items.select(list(USAGE_ITEMS)), supply.items]), unpriced, supply.charges, supply.state, supply.refused
    )


def _usage_items(determinants: pl.DataFrame, reference: Reference, period: Period) -> pl.DataFrame:
    """One item per account, service and price: energy summed exactly, the amount rounded once as the tariff says."""
    book = reference.book(period.start_at, period.end_at)
    sums = determinants.group_by([*_SERVICE, "tariff_id", "version", "item"]).agg(
        record_count=pl.struct("record_hi", "record_lo").n_unique().cast(pl.Int64),
        quantity=pl.col("quantity").cast(pl.Int128).sum(),
    )
    sums = sums.sort(_SERVICE)
    amounts = [
        line_amount_nano(
            quantity, book.energy_items[index].price_nano, book.energy_items[index].per, book.energy_items[index].rounding
        )
        for quantity, index in sums.select("quantity", "item_index").iter_rows()
    ]
    currency = {tariff.tariff_id: tariff.currency for tariff in reference.tariffs}
    prices = {
        index: f"{amount_text(item.price_nano)} {currency[item.tariff_id]} per {_per_text(item.per)}"
        for index, item in enumerate(book.energy_items)
    }
    nil = pl.lit(0, dtype=pl.Int128)
    return sums.with_columns(
        pl.lit(UsageKind.ENERGY.label).alias("kind"),
        pl.lit(UsageKind.ENERGY.unit).alias("unit"),
        pl.col("quantity").alias("charged_quantity"),
        pl.Series("list_nano", amounts, dtype=pl.Int128),
        nil.alias("allowance_nano"),
        nil.alias("discount_nano"),
        pl.Series("net_nano", amounts, dtype=pl.Int128),
        pl.col("item_index").replace_strict(prices, return_dtype=pl.String, default="").alias("price_text"),
    ).drop("item_index")


def _per_text(milliwh: int) -> str:
    for scale, unit in ((NANO, "MWh"), (1_000_000, "kWh"), (1_000, "Wh")):
        if milliwh % scale == 0:
            return f"{milliwh // scale} {unit}" if milliwh != scale else unit
    return f"{milliwh} mWh"
