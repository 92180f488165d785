"""The second pass over one bucket's calls: rate them again with the pinned tariffs, then allowances and discounts in time order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from accounts.account_order import account_order
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.allowances import allowance_grants
from rating.book import TariffBook
from rating.first_pass import rate_calls
from rating.second_pass import DiscountedCalls, discount_calls
from schemas.periods import Period
from schemas.quantities import UsageKind
from schemas.raw_slices import number_texts
from schemas.reasons import Reason

_COLUMNS = ("record_hi", "record_lo", "kind", "served_number", "called_number", "start_at", "quantity", "rule_key", "charge_nano")
_I128 = pl.Int128


@dataclass
class CallFold:
    """Calls of one bucket and period, priced: `charges` one row per record, in account, time and id order."""

    charges: pl.DataFrame
    rated_again: int  # rows whose stored first pass differs from the pinned tariffs'
    unpriced: pl.DataFrame  # [record_hi, record_lo, account_id, reason]: rows that the pinned tariffs do not price


def fold_calls(snapshot: Snapshot, reference: Reference, period: Period, bucket: int, day_starts: npt.NDArray[np.int64]) -> CallFold:
    """Charges of a bucket: [account_id, service_id, record_hi, record_lo, start_at, kind, unit, tariff_id, version, item, quantity,
    charged_quantity, allowance, allowance_units, list_nano, allowance_nano, discount_nano, net_nano]."""
    rows = snapshot.read("rated_calls", periods=[period.number], bucket=bucket, columns=_COLUMNS)
    column = {name: rows[name].to_numpy() for name in _COLUMNS if name != "start_at"}
    column["start_at"] = rows["start_at"].cast("int64").to_numpy()
    directory = reference.directory
    assignment = directory.resolve_numbers(column["served_number"], column["start_at"])
    assert bool((assignment >= 0).all()), "committed usage has an account: reference loads that would take it away are refused"
    rank = directory.assigned_rank[assignment]
    group = directory.group_rank[rank]
    order = account_order(group, column["start_at"], column["record_hi"], column["record_lo"], ranks=directory.accounts)
    column = {name: values[order] for name, values in column.items()}
    rank, group, tariff = rank[order], group[order], directory.tariff_index[assignment[order]]
    book = reference.book(period.start_at, period.end_at)
    rated = rate_calls(book, tariff, column["kind"], column["called_number"], column["start_at"], column["quantity"])
    priced = rated.status == Reason.OK
    keys = reference.rule_keys(book)
    changed = (rated.charge_nano != column["charge_nano"]) | (keys[rated.rule_index] != column["rule_key"])
    discounted = _second_pass(book, reference, period, day_starts, column, rank, group, tariff, rated.charge_nano, rated.rule_index)
    charges = _charges(book, reference, column, rank, rated.charge_nano, rated.charged_quantity, rated.rule_index, discounted)
    unpriced = charges.filter(~priced).select("record_hi", "record_lo", "account_id").with_columns(reason=pl.Series(rated.status[~priced]))
    return CallFold(charges.filter(priced), int((changed & priced).sum()), unpriced)


def _second_pass(
    book: TariffBook, reference: Reference, period: Period, day_starts: npt.NDArray[np.int64], column: dict[str, npt.NDArray[np.int64]],
    rank: npt.NDArray[np.int32], group: npt.NDArray[np.int32], tariff: npt.NDArray[np.int32], charge: npt.NDArray[np.int64],
    rule: npt.NDArray[np.int32],
) -> DiscountedCalls:  # fmt: skip
    raise NotImplementedError
