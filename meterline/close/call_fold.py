"""The second pass over one bucket's calls: rate them again with the pinned tariffs, allowances and discounts in time order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from accounts.account_order import arrange_by_account
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.calls.allowances import allowance_grants
from rating.calls.first_pass import rate_calls
from rating.calls.second_pass import DiscountedCalls, discount_calls, end_of_period
from rating.compiled.book import TariffBook
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


def fold_calls(
    snapshot: Snapshot, reference: Reference, period: Period, bucket: int, day_starts: npt.NDArray[np.int64]
) -> CallFold:
    """Charges of a bucket: [account_id, service_id, record_hi, record_lo, start_at, kind, unit, tariff_id, version, item,
    quantity, charged_quantity, allowance, allowance_units, list_nano, allowance_nano, discount_nano, net_nano]."""
    column = _ordered_usage(snapshot, reference, period, bucket)
    book = reference.book(period.start_at, period.end_at)
    rated = rate_calls(book, column["tariff"], column["kind"], column["called_number"], column["start_at"], column["quantity"])
    priced = rated.status == Reason.OK
    unpriced = pl.DataFrame(
        {name: column[name][~priced] for name in ("record_hi", "record_lo")}
        | {"account_id": reference.directory.account_id[column["rank"][~priced]].tolist(), "reason": rated.status[~priced]},
        schema={"record_hi": pl.UInt64, "record_lo": pl.UInt64, "account_id": pl.String, "reason": pl.UInt8},
    )
    column |= {"list_nano": rated.charge_nano, "charged_quantity": rated.charged_quantity, "rule": rated.rule_index}
    column = {name: values[priced] for name, values in column.items()}
    changed = (column["list_nano"] != column["charge_nano"]) | (reference.rule_keys(book)[column["rule"]] != column["rule_key"])
    discounted = _second_pass(book, reference, period, bucket, day_starts, column)
    charges = _charges(book, reference, column, discounted)
    refused = discounted.status != Reason.OK  # a blocker that cannot pay, a hole in a bundle's tariff: nobody's charge
    if refused.any():
        rows = charges.filter(pl.Series(refused)).select("record_hi", "record_lo", "account_id")
        unpriced = pl.concat([unpriced, rows.with_columns(reason=pl.Series(discounted.status[refused]))])
        charges = charges.filter(pl.Series(~refused))
    return CallFold(charges, int(changed.sum()), unpriced)


def _ordered_usage(snapshot: Snapshot, reference: Reference, period: Period, bucket: int) -> dict[str, npt.NDArray[Any]]:
    """Stored usage with rank, group and tariff as of event time, in (settlement group, start, record id) order."""
    rows = snapshot.read("rated_calls", periods=[period.number], bucket=bucket, columns=_COLUMNS)
    column = {name: rows[name].to_numpy() for name in _COLUMNS if name != "start_at"}
    column["start_at"] = rows["start_at"].cast(pa.int64()).to_numpy()
    directory = reference.directory
    assignment = directory.resolve_numbers(column["served_number"], column["start_at"])
    assert bool((assignment >= 0).all()), "committed usage has an account: reference loads that would take it away are refused"
    column["rank"] = directory.assigned_rank[assignment]
    column["group"] = directory.group_rank[column["rank"]]
    column["tariff"] = directory.tariff_index[assignment]
    column["activation"] = _activations(directory.service_id, directory.from_at)[assignment]
    ids = (column["record_hi"], column["record_lo"])
    order = arrange_by_account(column["group"], column["start_at"], *ids, ranks=directory.accounts)
    return {name: order.take(values) for name, values in column.items()}


def _activations(service_id: npt.NDArray[Any], from_at: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The start of the first contract of each assignment's service; assignments are in order of (service, start)."""
    is_first = np.ones(len(service_id), dtype=np.bool_)
    is_first[1:] = service_id[1:] != service_id[:-1]
    starts: npt.NDArray[np.int64] = from_at[is_first][np.cumsum(is_first) - 1]
    return starts


def _second_pass(
    book: TariffBook, reference: Reference, period: Period, bucket: int, day_starts: npt.NDArray[np.int64],
    column: dict[str, npt.NDArray[Any]],
) -> DiscountedCalls:  # fmt: skip
    directory = reference.directory
    first, last = int(directory.bucket_starts[bucket]), int(directory.bucket_starts[bucket + 1])
    of_bucket = (directory.assigned_rank >= first) & (directory.assigned_rank < last)
    ranks = directory.assigned_rank[of_bucket]
    contracts = pl.DataFrame(
        {
            "account_index": (ranks - first).astype(np.int32),
            "group_index": (directory.group_rank[ranks] - first).astype(np.int32),
            "tariff_id": [directory.tariff_ids[index] for index in directory.tariff_index[of_bucket].tolist()],
            "effective_from_at": directory.from_at[of_bucket],
            "effective_to_at": directory.to_at[of_bucket],
        },
        schema={"account_index": pl.Int32, "group_index": pl.Int32, "tariff_id": pl.String,
                "effective_from_at": pl.Int64, "effective_to_at": pl.Int64},
    )  # fmt: skip
    grants = allowance_grants(book, contracts, period=period, day_starts=day_starts)
    groups = column["group"]
    group_start = np.concatenate([[0], np.flatnonzero(np.diff(groups)) + 1, [len(groups)]] if len(groups) else [[0, 0]])
    account_index = (column["rank"] - first).astype(np.int32)
    discounted = discount_calls(
        book,
        group_start=group_start.astype(np.int64),
        account_index=account_index,
        start_at=column["start_at"],
        kind=column["kind"],
        called_number=column["called_number"],
        quantity=column["quantity"],
        charge_nano=column["list_nano"],
        rule_index=column["rule"],
        tariff_index=column["tariff"],
        grants=grants,
        contracts=contracts,
        activation_at=column["activation"],
    )
    return end_of_period(book, account_index, discounted)


def _charges(
    book: TariffBook, reference: Reference, column: dict[str, npt.NDArray[Any]], discounted: DiscountedCalls
) -> pl.DataFrame:
    rules = book.rules_frame().select(pl.col("rule_index").cast(pl.Int32), "tariff_id", "version", "item")
    allowances = {index: entry.allowance.name for index, entry in enumerate(book.allowances)}
    frame = pl.DataFrame(
        {
            "rank": column["rank"],
            "service_id": pl.Series(number_texts(column["served_number"])),
            "record_hi": column["record_hi"],
            "record_lo": column["record_lo"],
            "start_at": column["start_at"],
            "kind_code": column["kind"],
            "rule_index": column["rule"],
            "quantity": column["quantity"],
            "charged_quantity": np.maximum(column["charged_quantity"] - discounted.allowance_units, 0),
            "allowance_index": discounted.allowance_index,
            "allowance_units": discounted.allowance_units,
            "list_nano": column["list_nano"],
            "allowance_nano": discounted.allowance_nano,
            "discount_nano": discounted.discount_nano,
            "net_nano": discounted.net_nano,
        }
    )
    accounts = pl.DataFrame({"account_id": reference.directory.account_id.tolist()}, schema={"account_id": pl.String})
    kinds = {int(kind): kind.label for kind in UsageKind}
    units = {int(kind): kind.unit for kind in UsageKind}
    return frame.join(rules, on="rule_index", how="left", maintain_order="left").with_columns(
        account_id=accounts["account_id"].gather(frame["rank"]),
        kind=pl.col("kind_code").replace_strict(kinds, return_dtype=pl.String),
        unit=pl.col("kind_code").replace_strict(units, return_dtype=pl.String),
        allowance=pl.col("allowance_index").replace_strict(allowances, return_dtype=pl.String, default=""),
    ).select(
        "account_id", "service_id", "record_hi", "record_lo", "start_at", "kind", "unit", "tariff_id", "version", "item",
        "quantity", "charged_quantity", "allowance", "allowance_units",
        "list_nano", "allowance_nano", "discount_nano", "net_nano",
    )  # fmt: skip
