"""The same usage by two tariffs, or by two versions of one: what each record, each item and the whole would cost more or less."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rating.language.tariff import Tariff
from rating.price_texts import amount_texts
from rating.price_usage import EXPLAINED_DEFAULT, PricedUsage, price_columns
from rating.usage_columns import usage_columns
from schemas.errors import Fault, MeterlineError

COMPARED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "against_charge": pl.String,  # empty where the other tariff gives no price
    "charge": pl.String,
    "change": pl.String,  # charge - against_charge; empty where one of them is missing
    "change_nano": pl.Int128,
    "against_rule": pl.String,
    "rule": pl.String,
    "against_reason": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class PriceComparison:
    """`records`: the usage with the columns of `COMPARED_SCHEMA`. Totals of each side hold what only that side prices, too."""

    priced: PricedUsage
    against: PricedUsage
    records: pl.DataFrame

    @property
    def counts(self) -> dict[str, int]:
        """Records by what happens to them: dearer, cheaper, same, only priced by one, priced by neither."""
        change, new, old = (self.records[name] for name in ("change_nano", "reason", "against_reason"))
        sign = pl.select(pl.lit(change).sign().cast(pl.Int8)).to_series()
        return {
            "dearer": int((sign > 0).sum()),
            "cheaper": int((sign < 0).sum()),
            "same": int((sign == 0).sum()),
            "only_by_this": int(((new == "ok") & (old != "ok")).sum()),
            "only_by_other": int(((new != "ok") & (old == "ok")).sum()),
            "by_neither": int(((new != "ok") & (old != "ok")).sum()),
        }

    def largest_changes(self, count: int) -> pl.DataFrame:
        """The records that change most, with their `row` from 0; ties in order of the file."""
        return (
            self.records.with_row_index("row")
            .filter(pl.col("change_nano").is_not_null() & (pl.col("change_nano") != 0))
            .sort(pl.col("change_nano").abs(), descending=True, maintain_order=True)
            .head(count)
        )


def compare_prices(tariff: Tariff, against: Tariff, usage: pl.DataFrame, *, explain: int = EXPLAINED_DEFAULT) -> PriceComparison:
    """Price usage by a tariff and by another one.

    Args:
        usage, explain: as for `price_usage`.
    Raises:
        MeterlineError: tariffs of two currencies; records that cannot be read.
    """
    if tariff.currency != against.currency:
        raise MeterlineError(
            Fault(
                against.where or against.tariff_id,
                "a tariff in another currency",
                against.currency,
                tariff.currency,
                code="currency",
            )
        )
    columns = usage_columns(usage)
    new, old = (price_columns(one, usage, columns, explain=explain) for one in (tariff, against))
    names = ("charge", "charge_nano", "rule", "reason")
    both = pl.concat(
        [new.records.select(names), old.records.select(pl.col(name).alias(f"against_{name}") for name in names)], how="horizontal"
    )
    is_priced = (pl.col("reason") == "ok") & (pl.col("against_reason") == "ok")
    difference = pl.col("charge_nano").cast(pl.Int128) - pl.col("against_charge_nano").cast(pl.Int128)
    compared = both.with_columns(change_nano=pl.when(is_priced).then(difference)).with_columns(
        change=amount_texts(pl.col("change_nano")).fill_null("")
    )
    return PriceComparison(new, old, usage.hstack(compared.select(list(COMPARED_SCHEMA))))
