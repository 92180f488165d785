"""Discounts of fees: a share of a tariff's fees for the days on which an account also holds another tariff."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.eligibility import held_at
from rating.language.discount_terms import FeeDiscount
from rating.language.shared_terms import Fee
from rating.language.tariff import Tariff, TariffVersion
from schemas.money import round_ratio
from schemas.periods import Period

_MILLION = 1_000_000
Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
FEE_DISCOUNT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_index": pl.Int32,
    "tariff_id": pl.String,
    "version": pl.String,
    "fee": pl.String,
    "name": pl.String,
    "day_count": pl.Int64,  # local days of the contract on which the discount holds
    "amount_nano": pl.Int64,  # given back; its sign is that of the fee
}


def fee_discounts(
    tariffs: Sequence[Tariff], contracts: pl.DataFrame, *, period: Period, day_starts: npt.NDArray[np.int64]
) -> pl.DataFrame:
    """What discounts give back of fees in a period, one row for each contract, version, fee and discount, `FEE_DISCOUNT_SCHEMA`.

    A local day belongs to what is in force at its first instant, as for the fees themselves. The discount of a prorated fee is
    fee * share * days / days of the whole period, rounded once half up to the nano-unit; that of another fee is the whole share
    if the discount holds on the first day on which the fee is due.

    Args:
        contracts: [account_index, tariff_id, effective_from_at, effective_to_at], microseconds UTC.
        day_starts: i8[period.days + 1], the first instant of each local day of the period and of the day after it.
    """
    parts = [pl.DataFrame(schema=FEE_DISCOUNT_SCHEMA)]
    for tariff in tariffs:
        own = contracts.filter(pl.col("tariff_id") == tariff.tariff_id)
        for version in tariff.versions:
            from_at = np.maximum(own["effective_from_at"].to_numpy(), version.effective_from_at)[:, None]
            to_at = np.minimum(own["effective_to_at"].to_numpy(), version.effective_to_at)[:, None]
            in_force = (day_starts[:-1] >= from_at) & (day_starts[:-1] < to_at)
            for of in version.fee_discounts:
                accounts = own["account_index"].cast(pl.Int32).to_numpy()
                holds = in_force & _days_held(of, contracts, accounts, day_starts[:-1])
                parts += [_of_fee(tariff, version, of, fee, accounts, in_force, holds) for fee in _fees(of, version)]
    return pl.concat(parts).sort(*list(FEE_DISCOUNT_SCHEMA)[:5])


def _fees(of: FeeDiscount, version: TariffVersion) -> list[Fee]:
    return [fee for fee in version.fees if of.fees is None or fee.name in of.fees]


def _days_held(of: FeeDiscount, contracts: pl.DataFrame, accounts: npt.NDArray[np.int32], starts: Ints) -> Flags:
    """[contracts, days]: whether the discount is in force and the account holds what it asks for."""
    days = (starts >= of.effective_from_at) & (starts < of.effective_to_at)
    if of.with_tariffs is None:
        return np.tile(days, (len(accounts), 1))
    held = held_at(contracts, of.with_tariffs, np.repeat(accounts, len(starts)), np.tile(starts, len(accounts)))
    holds: Flags = held.reshape(len(accounts), len(starts)) & days
    return holds


def _of_fee(
    tariff: Tariff,
    version: TariffVersion,
    of: FeeDiscount,
    fee: Fee,
    accounts: npt.NDArray[np.int32],
    in_force: Flags,
    holds: Flags,
) -> pl.DataFrame:
    """One fee of each contract: there are as many amounts as days of a period can be held."""
    count, period_days = holds.sum(axis=1), holds.shape[1]
    prorated = [
        round_ratio(fee.amount_nano * of.ppm * days, _MILLION * period_days, "half_up") for days in range(period_days + 1)
    ]
    whole = round_ratio(fee.amount_nano * of.ppm, _MILLION, "half_up")
    on_first_day = np.take_along_axis(holds, in_force.argmax(axis=1)[:, None], axis=1)[:, 0]
    amounts = np.array(prorated, dtype=np.int64)[count] if fee.prorate else np.where(on_first_day, whole, 0)
    return pl.DataFrame(
        {"account_index": accounts, "day_count": count.astype(np.int64), "amount_nano": amounts.astype(np.int64)}
    ).with_columns(
        tariff_id=pl.lit(tariff.tariff_id), version=pl.lit(version.label), fee=pl.lit(fee.name), name=pl.lit(of.item)
    ).filter(pl.col("amount_nano") != 0).select(*FEE_DISCOUNT_SCHEMA)  # fmt: skip
