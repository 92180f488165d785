"""Price usage without any set-up: one tariff, a frame of records, and what each costs. For `tariff price`, trials and tests.

A few records are priced by the exact path in Python, so that no kernel has to be loaded or compiled for them; more go by columns
through the kernels. Both give the same (`tests/properties/test_price_usage.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.explain import CallExplanation, explain_exactly
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.winners import CALL_KIND_COUNT
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff
from rating.price_energy import energy_items, energy_lines, energy_segments
from rating.price_texts import amount_texts
from rating.priced_lines import LINES_SCHEMA, PricedItem, item_totals
from rating.usage_columns import UsageColumns, usage_columns
from schemas.reasons import Reason
from schemas.zones import instant_us, moment_of

PRICED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "charge": pl.String,  # exact decimal text in the tariff's currency; empty where rejected
    "charge_nano": pl.Int64,
    "charged_quantity": pl.Int64,  # base units
    "rule": pl.String,  # item and version
    "reason": pl.String,  # ok, or why there is no charge
    "segments": pl.List(pl.String),  # of the first records only
}
EXPLAINED_DEFAULT = 20
EXACT_ROWS_MAX = 2_000  # so few are priced in Python sooner than the kernels are loaded


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """`records`: the usage with the columns of `PRICED_SCHEMA`; `lines` and `items` say what each record consists of."""

    tariff: Tariff
    records: pl.DataFrame
    lines: pl.DataFrame  # LINES_SCHEMA
    items: list[PricedItem]

    @property
    def totals(self) -> pl.DataFrame:
        """TOTALS_SCHEMA: what the records cost by item."""
        return item_totals(self.items, self.lines)


def price_usage(tariff: Tariff, usage: pl.DataFrame, *, explain: int = EXPLAINED_DEFAULT) -> pl.DataFrame:
    """The list price of each record.

    Args:
        tariff: any tariff; telecom prices voice, message and volume, utility prices energy.
        usage: as for `usage_columns`. Energy records share one ladder, in order of start_at.
        explain: so many records, from the first, get their segments.
    Returns:
        The usage with the columns of `PRICED_SCHEMA`, rows in the given order.
    Raises:
        MeterlineError: all records that cannot be read, each with its row.
    """
    return price_usage_lines(tariff, usage, explain=explain).records


def price_usage_lines(tariff: Tariff, usage: pl.DataFrame, *, explain: int = EXPLAINED_DEFAULT) -> PricedUsage:
    """As `price_usage`, with the items that each record costs."""
    return price_columns(tariff, usage, usage_columns(usage), explain=explain)


def price_columns(tariff: Tariff, usage: pl.DataFrame, columns: UsageColumns, *, explain: int = EXPLAINED_DEFAULT) -> PricedUsage:
    """As `price_usage_lines` for usage that has been read already, so that several tariffs price what is read once."""
    if not len(columns):
        return PricedUsage(tariff, usage.hstack(pl.DataFrame(schema=PRICED_SCHEMA)), pl.DataFrame(schema=LINES_SCHEMA), [])
    first, last = (moment_of(int(at)).year for at in (columns.start_at.min(), columns.start_at.max()))
    span = (instant_us(datetime(first, 1, 1, tzinfo=UTC)), instant_us(datetime(last + 1, 1, 1, tzinfo=UTC)))
    book = compile_book([tariff], span=span)
    exactly, explain = len(columns) <= EXACT_ROWS_MAX, min(explain, len(columns))
    if tariff.service is ServiceKind.UTILITY:
        items = energy_items(book)
        status, lines = energy_lines(book, columns, exactly=exactly)
        segments = energy_segments(items, lines, explain)
    else:
        items = [PricedItem(rule.item, rule.version, rule.kind, rule.rounding) for rule in book.rules]
        status, lines, segments = (_calls_exactly if exactly else _calls_by_kernel)(book, columns, explain)
    return PricedUsage(tariff, usage.hstack(_priced(status, lines, items, segments)), lines, items)


def _priced(
    status: npt.NDArray[np.uint8], lines: pl.DataFrame, items: list[PricedItem], segments: list[list[str]]
) -> pl.DataFrame:
    """PRICED_SCHEMA from the lines of the records."""
    labels = pl.Series([item.label for item in items] or [""], dtype=pl.String)
    reasons = pl.Series([_REASONS.get(code, "") for code in range(256)], dtype=pl.String)
    sums = lines.with_columns(labels.gather(lines["item_index"]).alias("label"))
    if lines["row"].n_unique() < len(lines):  # energy over several items; a call has one
        by_record = sums.group_by("row", maintain_order=True)
        sums = by_record.agg(pl.col("charge_nano").sum(), pl.col("quantity").sum(), pl.col("label").str.join(", "))
    every = pl.DataFrame({"row": np.arange(len(status), dtype=np.int64), "reason": reasons.gather(status)})
    charge = pl.col("charge_nano")
    return every.join(sums, on="row", how="left", maintain_order="left").select(
        amount_texts(charge).fill_null("").alias("charge"),
        charge.fill_null(0),
        pl.col("quantity").fill_null(0).alias("charged_quantity"),
        pl.col("label").fill_null("").alias("rule"),
        "reason",
        _texts_of_first(segments, len(status)),
    )


def _texts_of_first(segments: list[list[str]], rows: int) -> pl.Series:
    """A list column of which only the first rows are filled."""
    kind = pl.List(pl.String)
    rest = pl.Series("segments", [[]], dtype=kind).new_from_index(0, rows - len(segments))
    return pl.concat([pl.Series("segments", segments, dtype=kind), rest])


_REASONS = {int(reason): reason.label for reason in Reason}
_Calls = tuple[npt.NDArray[np.uint8], pl.DataFrame, list[list[str]]]


def _calls_exactly(book: TariffBook, usage: UsageColumns, explain: int) -> _Calls:
    """(status, lines, segments), each record priced and explained by the exact path."""
    found = [_explanation(book, usage, row) for row in range(len(usage))]
    ok = [(row, why.rule_index, why.charged_quantity, why.charge_nano) for row, why in enumerate(found) if not why.status]
    status = np.array([why.status for why in found], dtype=np.uint8)
    return status, pl.DataFrame(ok, schema=LINES_SCHEMA, orient="row"), [_segments(why) for why in found[:explain]]


def _calls_by_kernel(book: TariffBook, usage: UsageColumns, explain: int) -> _Calls:
    from rating.calls.first_pass import rate_calls  # here, since few records do without kernels

    is_call = usage.kind < CALL_KIND_COUNT
    kind = np.where(is_call, usage.kind, 0).astype(np.uint8)
    tariff_index = np.where(is_call, 0, -1).astype(np.int32)
    rated = rate_calls(book, tariff_index, kind, usage.called_number, usage.start_at, usage.quantity)
    ok = np.flatnonzero(rated.status == 0)
    columns = (ok, rated.rule_index[ok], rated.charged_quantity[ok], rated.charge_nano[ok])
    lines = pl.DataFrame(dict(zip(LINES_SCHEMA, columns, strict=True)), schema=LINES_SCHEMA)
    return rated.status, lines, [_segments(_explanation(book, usage, row)) for row in range(explain)]


def _explanation(book: TariffBook, usage: UsageColumns, row: int) -> CallExplanation:
    kind, number, start_at, quantity = (
        int(column[row]) for column in (usage.kind, usage.called_number, usage.start_at, usage.quantity)
    )
    is_call = kind < CALL_KIND_COUNT
    return explain_exactly(book, 0 if is_call else -1, kind if is_call else 0, number, start_at, quantity)


def _segments(why: CallExplanation) -> list[str]:
    return [] if why.status else [line.strip() for line in why.text().splitlines()[2:]]
