"""The whole of one bucket and period: calls and intervals folded, accounts settled. A pure function of what it pins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from meterline.close.call_fold import CallFold, fold_calls
from meterline.close.interval_fold import IntervalFold, fold_intervals
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.terms import commercial_terms
from schemas.periods import Period
from schemas.zones import local_midnight_us
from settlement.account_settlement import Settlement, settle_accounts
from settlement.charges import charges_of
from settlement.frames import ACCOUNTS, CARRIED, CONTRACTS
from settlement.money_check import check_money
from settlement.service_charges import charged_services

USAGE_KEY = ["account_id", "service_id", "tariff_id", "version", "item", "kind", "unit"]
_SUMS = ("quantity", "charged_quantity", "list_nano", "allowance_nano", "discount_nano", "net_nano")


@dataclass
class BucketFold:
    """Everything that one bucket gives in one period."""

    calls: CallFold
    intervals: IntervalFold
    usage_items: pl.DataFrame
    settlement: Settlement
    charges: pl.DataFrame
    service_charges: pl.DataFrame  # settlement.service_charges.CHARGED_SERVICES

    @property
    def unpriced(self) -> pl.DataFrame:
        return pl.concat([self.calls.unpriced, self.intervals.unpriced])


def day_starts_of(period: Period, zone: str) -> npt.NDArray[np.int64]:
    """Every local midnight of the period and its end, us UTC."""
    days: list[date] = [period.first_on + timedelta(days=n) for n in range(period.days + 1)]
    return np.array([local_midnight_us(day, zone) for day in days], np.int64)


def fold_bucket(
    snapshot: Snapshot,
    reference: Reference,
    period: Period,
    bucket: int,
    *,
    zone: str,
    tenant: str,
    issue_on: date,
    carried: pl.DataFrame,
    service_state: pl.DataFrame,
) -> BucketFold:
    """Fold and settle; raises ConservationError if money does not add up to the nano-unit."""
    day_starts = day_starts_of(period, zone)
    calls = fold_calls(snapshot, reference, period, bucket, day_starts)
    accounts, contracts = bucket_frames(reference, bucket)
    state_in = service_state.join(accounts, on="account_id", how="semi")
    intervals = fold_intervals(snapshot, reference, period, bucket, contracts, state_in, day_starts)
    items = pl.concat([_call_items(calls.charges), intervals.items.select(_item_columns())])
    fees, taxes = account_terms(reference)
    taken_in = carried.join(accounts, on="account_id", how="semi").select(list(CARRIED))
    settlement = settle_accounts(
        items, contracts, accounts, fees, taxes, taken_in, intervals.service_charges,
        period=period, issue_on=issue_on, day_starts=day_starts, tenant=tenant,
    )  # fmt: skip
    check_money(items, settlement, service_charges=intervals.service_charges, carried_in=taken_in)
    return BucketFold(
        calls, intervals, items, settlement, charges_of(items, settlement),
        charged_services(intervals.service_charges, settlement),
    )  # fmt: skip


def account_terms(reference: Reference) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fees (with the label of their tariff version) and taxes of all tariffs."""
    fees, taxes = commercial_terms(reference.tariffs)
    labels = [
        (tariff.tariff_id, version.effective_from_at, version.label)
        for tariff in reference.tariffs
        for version in tariff.versions
    ]
    versions = pl.DataFrame(
        labels, schema={"tariff_id": pl.String, "version_from_at": pl.Int64, "version": pl.String}, orient="row"
    )
    return fees.join(versions, on=["tariff_id", "version_from_at"], how="left"), taxes


def bucket_frames(reference: Reference, bucket: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Accounts and contracts of a bucket, as settlement takes them."""
    directory = reference.directory
    first, last = int(directory.bucket_starts[bucket]), int(directory.bucket_starts[bucket + 1])
    names = pl.DataFrame({"account_id": directory.account_id[first:last].tolist()}, schema={"account_id": pl.String})
    accounts = reference.accounts.join(names, on="account_id", how="semi").select(list(ACCOUNTS))
    contracts = reference.services.join(names, on="account_id", how="semi").select(list(CONTRACTS))
    return accounts, contracts


def _item_columns() -> list[str]:
    return [*USAGE_KEY, "record_count", *_SUMS, "price_text"]


def _call_items(charges: pl.DataFrame) -> pl.DataFrame:
    return (
        charges.group_by(USAGE_KEY)
        .agg(record_count=pl.len().cast(pl.Int64), **{name: pl.col(name).cast(pl.Int128).sum() for name in _SUMS})
        .with_columns(price_text=pl.lit(""))
        .select(_item_columns())
    )
