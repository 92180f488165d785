"""Energy records for trials: each is one interval, all share one ladder in order of start. Few of them need no kernel."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.compiled.book import TariffBook
from rating.language.rates_text import quantity_text
from rating.price_texts import rounded_ratios
from rating.priced_lines import LINES_SCHEMA, PricedItem
from rating.usage_columns import UsageColumns
from schemas.money import amount_text
from schemas.quantities import UsageKind
from schemas.reasons import Reason

INTERVAL_MAX = 2**44  # as in utility.intervals


def energy_lines(
    book: TariffBook, usage: UsageColumns, tariff_index: npt.NDArray[np.int32], *, exactly: bool
) -> tuple[npt.NDArray[np.uint8], pl.DataFrame]:
    """(status of each record, lines in order of row and item) of the energy records that have a tariff (index >= 0).

    Records of a tariff share one ladder, in order of start; `exactly` walks it in Python.
    """
    asked = np.flatnonzero((tariff_index >= 0) & (usage.kind == UsageKind.ENERGY))
    order = asked[np.lexsort((usage.start_at[asked], tariff_index[asked]))]
    status_in_order, run, item, milliwh = (_walk if exactly else _by_kernel)(book, usage, order, tariff_index)
    status = np.full(len(usage), Reason.NO_TARIFF_FOR_SUBJECT, dtype=np.uint8)
    status[order] = status_in_order
    without = np.zeros(len(usage), dtype=np.bool_)
    without[order] = True
    without[order[run]] = False
    status[without & (status == 0)] = Reason.ZERO_USAGE
    price = np.array([each.price_nano for each in book.energy_items] or [0], dtype=np.int64)
    per = np.array([each.per for each in book.energy_items] or [1], dtype=np.int64)
    found = pl.DataFrame(
        {"row": order[run], "item_index": item, "quantity": milliwh, "price": price[item], "per": per[item]},
        schema={"row": pl.Int64, "item_index": pl.Int64, "quantity": pl.Int64, "price": pl.Int64, "per": pl.Int64},
    )
    exact = pl.col("quantity").cast(pl.Int128) * pl.col("price").cast(pl.Int128)
    nearest = rounded_ratios(exact, pl.col("per").cast(pl.Int128), "half_up").cast(
        pl.Int64, strict=False
    )  # the line rounds, not the record
    lines = found.sort("row", "item_index").with_columns(charge_nano=nearest)
    beyond = lines.filter(pl.col("charge_nano").is_null())["row"].unique()
    status[beyond.to_numpy()] = Reason.CHARGE_OVERFLOW
    lines = lines.filter(~pl.col("row").is_in(beyond.implode()))
    return status, lines.select(list(LINES_SCHEMA))


Found = tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]


def _by_kernel(book: TariffBook, usage: UsageColumns, order: npt.NDArray[np.int64], tariff_index: npt.NDArray[np.int32]) -> Found:
    from rating.utility.intervals import determine_intervals  # loads a kernel, which few records do without

    ones = np.ones(len(order), dtype=np.int64)
    found = determine_intervals(
        book,
        tariff_index=tariff_index[order],
        ladder_group=tariff_index[order],
        start_at=usage.start_at[order],
        step_us=ones,
        first_value=np.arange(len(order)),
        count=ones,
        values=usage.quantity[order],
    )
    return found.status, found.run_index.astype(np.int64), found.item_index.astype(np.int64), found.quantity_milliwh


def _walk(book: TariffBook, usage: UsageColumns, order: npt.NDArray[np.int64], tariff_index: npt.NDArray[np.int32]) -> Found:
    """The loop of `utility.intervals` for runs of one interval."""
    status = np.zeros(len(order), dtype=np.uint8)
    parts: list[tuple[int, int, int]] = []
    total, before = 0, -1
    for run, row in enumerate(order.tolist()):
        left, tariff = int(usage.quantity[row]), int(tariff_index[row])
        total, before = (total if tariff == before else 0), tariff
        place = book.timelines.place_of(tariff, int(usage.start_at[row]))
        price = int(book.energy_winner[book.energy_cell[tariff] + book.timelines.segment[place, 1]]) if place >= 0 else -1
        if price < 0 or left > INTERVAL_MAX:
            status[run] = Reason.NO_RATE_AT_INSTANT if price < 0 else Reason.QUANTITY_OUT_OF_RANGE
            continue
        first, last = int(book.energy_first_item[price]), int(book.energy_first_item[price + 1]) - 1
        for item in range(first, last + 1):
            end = int(book.energy_from[item + 1]) if item < last else total + left
            taken = min(left, max(end - total, 0))
            if taken:
                parts.append((run, item, taken))
            total, left = total + taken, left - taken
    columns = np.array(parts, dtype=np.int64).reshape(-1, 3)
    return status, columns[:, 0], columns[:, 1], columns[:, 2]


def energy_items(book: TariffBook) -> list[PricedItem]:
    """The items of the book in order of their index."""
    currency = {tariff.tariff_id: tariff.currency for tariff in book.tariffs}
    return [
        PricedItem(
            each.item,
            each.version,
            UsageKind.ENERGY,
            each.rounding,
            each.price_nano,
            each.per,
            each.tariff_id,
            currency[each.tariff_id],
        )
        for each in book.energy_items
    ]


def energy_segments(items: list[PricedItem], row_lines: list[tuple[int, int, int]]) -> list[str]:
    """(item index, milliwatt-hours, nano-units) of one record in words."""
    found = []
    for index, milliwh, nano in row_lines:
        item = items[index]
        price = f"{amount_text(item.price_nano)} per {quantity_text(item.per, UsageKind.ENERGY)}"
        found.append(f"{quantity_text(milliwh, UsageKind.ENERGY)} at {price}: {amount_text(nano)}  [{item.item}]")
    return found
