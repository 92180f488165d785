"""A book with what measuring needs beside it: its demand measures, and the credit prices of export as a book of their own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.demand_measures import DemandArrays, demand_arrays
from rating.language.supply_terms import ExportMethod, Supply


@dataclass(frozen=True)
class SupplyBooks:
    """`credits`: the same tariffs' export prices in the place of energy prices; None where no tariff has any.

    `prices`: by tariff id and the file that a dynamic price names, [start_at, end_at, price_nano].
    """

    book: TariffBook
    measures: DemandArrays
    credits: TariffBook | None
    prices: Mapping[tuple[str, str], pl.DataFrame]

    @property
    def index_of(self) -> Mapping[str, int]:
        return self.book.index_of


def supply_books(book: TariffBook, prices: Mapping[tuple[str, str], pl.DataFrame]) -> SupplyBooks:
    """Compile what metered supply needs of the tariffs of a book."""
    credited = []
    for tariff in book.tariffs:
        versions = []
        for version in tariff.versions:
            rule = version.supply.export
            own = rule.prices if rule is not None and rule.method is not ExportMethod.NET_METERING else ()
            versions.append(dataclasses.replace(version, energy=own, supply=Supply()))
        if any(version.energy for version in versions):
            credited.append(dataclasses.replace(tariff, versions=tuple(versions)))
    return SupplyBooks(book, demand_arrays(book), compile_book(credited, span=book.span) if credited else None, prices)
