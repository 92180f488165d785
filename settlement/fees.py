"""Fee lines: recurring charges of contracts, prorated by local days across joins, leaves and tariff versions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.money import amount_text
from schemas.periods import Period
from settlement.bill_lines import as_parts
from settlement.exact import INT128, int128, rounded_ratio
from settlement.line_kinds import LineKind

# The instants that a calendar can write: 0001-01-01 to 9999-12-31.
_FIRST_WRITABLE_AT, _LAST_WRITABLE_AT = -62_135_596_800_000_000, 253_402_300_799_999_999


def fees_in_force(contracts: pl.DataFrame, fees: pl.DataFrame, period: Period, day_starts: npt.NDArray[np.int64]) -> pl.DataFrame:
    """Contracts joined with the fees of each tariff version in force during them, within the period.

    A local day belongs to whatever is in force at its first instant. So days tile: contracts or versions that follow each other
    never charge a day twice and never drop one, wherever in the day they meet.

    Returns:
        [service_id, account_id, tariff_id, version, name, amount_nano, prorate, from_at, to_at, day_count]: one row per contract,
        version and fee; `[from_at, to_at)` is the part in force, day_count the local days that begin in it.
    """
    joined = (
        contracts.filter((pl.col("effective_from_at") < period.end_at) & (pl.col("effective_to_at") > period.start_at))
        .join(_with_version(fees), on="tariff_id", how="inner")
        .with_columns(
            from_at=pl.max_horizontal("effective_from_at", "version_from_at", pl.lit(period.start_at)),
            to_at=pl.min_horizontal("effective_to_at", "version_to_at", pl.lit(period.end_at)),
        )
        .filter(pl.col("from_at") < pl.col("to_at"))
    )
    midnights = day_starts[:-1]
    begun_before_end = np.searchsorted(midnights, joined["to_at"].to_numpy(), side="left")
    begun_before_start = np.searchsorted(midnights, joined["from_at"].to_numpy(), side="left")
    day_count = pl.Series("day_count", (begun_before_end - begun_before_start).astype(np.int64))
    columns = ["service_id", "account_id", "tariff_id", "version", "name", "amount_nano", "prorate", "from_at", "to_at"]
    return joined.select(*columns, day_count)


def fee_lines(
    contracts: pl.DataFrame,
    accounts: pl.DataFrame,
    fees: pl.DataFrame,
    *,
    period: Period,
    day_starts: npt.NDArray[np.int64],
) -> pl.DataFrame:
    """Fee lines, one per account, tariff version and fee over all services.

    A prorated fee is amount * (service-days in force) / (days of the whole period), to the nearest nano-unit. One that is not
    prorated is due once per service, account and tariff: by the first version that was in force for it in the period.

    Returns:
        line parts (`settlement.bill_lines.PARTS`); the quantity is service-days, or the count of services charged in full.
    """
    in_force = fees_in_force(contracts, fees, period, day_starts)
    key = ["account_id", "tariff_id", "version", "name", "amount_nano", "prorate"]
    prorated = (
        in_force.filter(pl.col("prorate") & (pl.col("day_count") > 0))
        .group_by(key)
        .agg(quantity=pl.col("day_count").sum().cast(INT128), service_count=pl.col("service_id").n_unique())
        .with_columns(
            unit=pl.lit("days"),
            exact_nano=rounded_ratio(pl.col("amount_nano").cast(INT128) * pl.col("quantity"), int128(period.days)),
        )
    )
    once = ["service_id", "account_id", "tariff_id"]
    whole = (
        in_force.filter(~pl.col("prorate") & (pl.col("from_at") == pl.col("from_at").min().over([*once, "prorate"])))
        .group_by(key)
        .agg(quantity=pl.len().cast(INT128), service_count=pl.col("service_id").n_unique())
        .with_columns(unit=pl.lit("count"), exact_nano=pl.col("amount_nano").cast(INT128) * pl.col("quantity"))
    )
    lines = pl.concat([prorated, whole]).join(accounts.select("account_id", "currency"), on="account_id", how="inner")
    priced = lines.join(_price_texts(lines, period), on=["amount_nano", "prorate", "currency"], how="left")
    return as_parts(priced.rename({"name": "item"}), LineKind.FEE)


def _with_version(fees: pl.DataFrame) -> pl.DataFrame:
    """The fees with a `version` label: the caller's, else the instant at which the version starts."""
    if "version" in fees.columns:
        return fees
    at = pl.col("version_from_at")
    writable = pl.when(at.is_between(_FIRST_WRITABLE_AT, _LAST_WRITABLE_AT)).then(at)
    return fees.with_columns(version=pl.from_epoch(writable, time_unit="us").dt.strftime("%Y-%m-%dT%H:%M:%SZ").fill_null(""))


def _price_texts(lines: pl.DataFrame, period: Period) -> pl.DataFrame:
    """The prices as people read them; one row per distinct price, of which tariffs have few."""
    prices = lines.select("amount_nano", "prorate", "currency").unique()
    texts = [
        f"{amount_text(amount)} {currency} per {f'{period.days} days' if prorate else 'period'}"
        for amount, prorate, currency in prices.iter_rows()
    ]
    return prices.with_columns(price_text=pl.Series(texts, dtype=pl.String))
