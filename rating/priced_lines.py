"""What priced usage consists of: a line for each record and item, the items, and their totals as a bill would round them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from rating.language.shared_terms import Rounding
from rating.price_texts import amount_texts
from schemas.money import round_ratio
from schemas.quantities import UsageKind

LINES_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "row": pl.Int64,  # of the record, from 0
    "item_index": pl.Int64,  # in the items of the same result
    "quantity": pl.Int64,  # charged, base units
    "charge_nano": pl.Int64,
}
TOTALS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "item": pl.String,
    "version": pl.String,
    "kind": pl.String,
    "records": pl.Int64,
    "quantity": pl.Int128,  # charged, base units of the kind
    "charge": pl.String,
    "charge_nano": pl.Int128,  # rounded as the item's lines are
    "tariff_id": pl.String,
    "currency": pl.String,
}


@dataclass(frozen=True, slots=True)
class PricedItem:
    """What a line is priced by. Energy names its price, so that a sum is priced once; calls have `per` 0 and add up."""

    item: str
    version: str
    kind: UsageKind
    rounding: Rounding
    price_nano: int = 0
    per: int = 0
    tariff_id: str = ""
    currency: str = ""

    @property
    def label(self) -> str:
        return f"{self.item} ({self.version})"

    def total_nano(self, charge_nano: int, quantity: int) -> int:
        """The amount of all lines together, rounded where the tariff rounds lines."""
        rounding = self.rounding
        if rounding.scope == "record":
            return charge_nano
        grid, mode = (1, "half_up") if rounding.mode == "none" else (rounding.grid_nano, rounding.mode)
        if self.per:
            return grid * round_ratio(quantity * self.price_nano, self.per * grid, mode)
        return grid * round_ratio(charge_nano, grid, mode)


def item_totals(items: list[PricedItem], lines: pl.DataFrame) -> pl.DataFrame:
    """TOTALS_SCHEMA, one row for each different item of a tariff, in order of version, kind, item and tariff."""
    distinct = {item: number for number, item in enumerate(dict.fromkeys(items))}
    number = pl.Series([distinct[item] for item in items], dtype=pl.Int64)
    sums = (
        lines.with_columns(number.gather(lines["item_index"]).alias("item_index"))
        .group_by("item_index")
        .agg(pl.col("row").n_unique().alias("records"), pl.col("quantity", "charge_nano").cast(pl.Int128).sum())
    )
    in_order = list(distinct)
    rows: list[tuple[Any, ...]] = [
        (item.item, item.version, item.kind.label, records, quantity, "", item.total_nano(charge, quantity),
         item.tariff_id, item.currency)
        for index, records, quantity, charge in sums.iter_rows()
        for item in (in_order[index],)
    ]  # fmt: skip
    rows.sort(key=lambda row: (row[1], row[2], row[0], row[7]))
    return pl.DataFrame(rows, schema=TOTALS_SCHEMA, orient="row").with_columns(charge=amount_texts(pl.col("charge_nano")))
