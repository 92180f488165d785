"""The bench tariff as one vectorized Polars expression: what one would write without an engine.

What it does: longest prefix by a search in disjoint ranges of numbers, windows by the wall clock, rates by a join, integer
amounts, one rounding. What it does not do: cut a call at a window (the start prices all of it), know versions, caps, minimums or
more than two tiers, give a reason for what has no price, or test for overflow.
"""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from benchmarks.rating_input import DECKS, HOLIDAY
from rating.language.tariff import Tariff
from schemas.numbers import packed_number


class PolarsTariff:
    """The tables of the expression: range starts -> deck row -> rate columns of each window."""

    def __init__(self, tariff: Tariff) -> None:
        version = tariff.versions[0]
        prefixes = version.destinations[0].prefixes
        self.zone = tariff.zone
        starts, rows = _ranges(prefixes)
        self.starts = pl.Series("start", starts, dtype=pl.UInt64)
        rows_of = np.array(rows, dtype=np.int64)
        columns: dict[str, np.ndarray] = {}
        fields = ("fee", "price", "next_price")
        found = [
            [(rate.connect_fee_nano, rate.tiers[0].price_nano, rate.tiers[1].price_nano) for rate in deck.deck_rates]
            for deck in version.destinations
        ]
        of_range = np.array([[*of_deck, (-1, -1, -1)] for of_deck in found], dtype=np.int64)[:, rows_of]
        for number, field in enumerate(fields):
            columns[field] = of_range[:, :, number].ravel()
        self.rates = pl.DataFrame(columns)  # row: deck * ranges + range
        self.ranges = len(starts)

    def charges(self, batch: pa.RecordBatch) -> pl.Series:
        """Nano-units of each record, null where no prefix matches."""
        frame = pl.DataFrame(pl.from_arrow(batch))
        local = pl.col("start_at").cast(pl.Datetime("us", "UTC")).dt.convert_time_zone(self.zone)
        is_day = local.dt.hour().is_between(8, 19) & (local.dt.weekday() <= 5) & (local.dt.date() != HOLIDAY)
        is_night = (local.dt.hour() >= 22) | (local.dt.hour() < 6)
        deck = pl.when(is_night).then(DECKS.index("night")).when(is_day).then(DECKS.index("peak")).otherwise(0)
        at = self.starts.search_sorted(frame["called_number"], side="right").cast(pl.Int64) - 1
        placed = frame.with_columns(at=at).select("kind", "quantity", place=deck.cast(pl.Int64) * self.ranges + pl.col("at"))
        rated = placed.select("kind", "quantity", self.rates["fee"].gather(placed["place"]).alias("fee"),
                              self.rates["price"].gather(placed["place"]).alias("price"),
                              self.rates["next_price"].gather(placed["place"]).alias("next_price"))  # fmt: skip
        used = pl.col("quantity")
        more = pl.max_horizontal(used - 60_000, 0)
        seconds = (more + 999) // 1000
        voice = _rounded(pl.col("fee") * 60_000 + pl.col("price") * 60_000 + seconds * 1_000 * pl.col("next_price"), 60_000)
        voice = pl.when(pl.col("price") >= 0).then(voice)
        volume = _rounded((used + 99_999) // 100_000 * 200_000, 1)
        charge = pl.when(pl.col("kind") == 0).then(voice).when(pl.col("kind") == 1).then(used * 70_000_000).otherwise(volume)
        return rated.select(charge.alias("charge"))["charge"]


def _rounded(total: pl.Expr, common: int) -> pl.Expr:
    """Half up at four decimals of a total that is not negative."""
    q = 100_000 * common
    return (2 * total + q) // (2 * q) * 100_000


def _ranges(prefixes: tuple[str, ...]) -> tuple[list[int], list[int]]:
    """(first number, row of the deck) of disjoint ranges that cover all packed numbers; a row of -1 has no prefix."""
    starts: list[int] = [0]
    rows: list[int] = [-1]
    open_: list[tuple[int, int]] = []  # (end, row) of the prefixes around, outermost first
    for prefix, row in sorted((prefix, row) for row, prefix in enumerate(prefixes)):
        first = int(prefix.ljust(16, "0"), 16)
        _close(open_, first, starts, rows)
        _enter(first, row, starts, rows)
        open_.append((packed_number(prefix) + 1 if len(prefix) < 16 else first + 1, row))
    _close(open_, 2**64, starts, rows)
    return starts, rows


def _close(open_: list[tuple[int, int]], until: int, starts: list[int], rows: list[int]) -> None:
    """End the prefixes whose numbers are all below `until`."""
    while open_ and open_[-1][0] <= until:
        end, _ = open_.pop()
        if end < 2**64:
            _enter(end, open_[-1][1] if open_ else -1, starts, rows)


def _enter(first: int, row: int, starts: list[int], rows: list[int]) -> None:
    if starts[-1] == first:
        rows[-1] = row
    else:
        starts.append(first)
        rows.append(row)
