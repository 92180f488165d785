"""Price usage without any set-up: tariffs, a frame of records, and what each costs. For `tariff price`, trials and tests.

A few records are priced by the exact path in Python, so that no kernel has to be loaded or compiled for them; more go by columns
through the kernels. Both give the same (`tests/properties/test_price_usage.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.explain import CallExplanation, explain_exactly
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.winners import CALL_KIND_COUNT
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from rating.price_energy import energy_items, energy_lines, energy_segments
from rating.price_texts import amount_texts
from rating.priced_lines import LINES_SCHEMA, PricedItem, item_totals
from rating.subjects import compile_subjects, resolve_subjects
from rating.usage_columns import UsageColumns, usage_columns
from schemas.errors import Fault, MeterlineError
from schemas.reasons import Reason

PRICED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tariff_id": pl.String,  # the tariff of the record's subject; empty where it has none
    "charge": pl.String,  # exact decimal text in the tariff's currency; empty where rejected
    "currency": pl.String,
    "charge_nano": pl.Int64,
    "charged_quantity": pl.Int64,  # base units
    "rule": pl.String,  # item and version
    "reason": pl.String,  # ok, or why there is no charge
    "segments": pl.List(pl.String),  # of the first records only
}
EXPLAINED_DEFAULT = 20
EXACT_ROWS_MAX = 2_000  # so few are priced in Python sooner than the kernels are loaded
I32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PricedUsage:
    """`records`: the usage with the columns of `PRICED_SCHEMA`; `lines` and `items` say what each record consists of."""

    tariffs: tuple[Tariff, ...]
    records: pl.DataFrame
    lines: pl.DataFrame  # LINES_SCHEMA
    items: list[PricedItem]

    @property
    def totals(self) -> pl.DataFrame:
        """TOTALS_SCHEMA: what the records cost by item."""
        return item_totals(self.items, self.lines)

    @property
    def currency(self) -> str:
        """The one currency of the tariffs, empty where they have several."""
        found = {tariff.currency for tariff in self.tariffs}
        return found.pop() if len(found) == 1 else ""


def price_usage(
    tariffs: Tariff | Sequence[Tariff],
    usage: pl.DataFrame,
    *,
    explain: int = EXPLAINED_DEFAULT,
    subjects: pl.DataFrame | None = None,
    where: str = "subjects",
) -> pl.DataFrame:
    """The list price of each record.

    Args:
        tariffs: one tariff, or all that are needed: telecom prices voice, message and volume, utility prices energy. Fallbacks
            must be among them.
        usage: as for `usage_columns`. Which tariff prices a record: by its subject (tenant, category, subject), by its column
            tariff, or the first tariff. Energy records of a tariff share one ladder, in order of start_at.
        explain: so many records, from the first, get their segments.
        subjects: assignments as `compile_subjects` takes them; where: what faults in them are said to stand in.
    Returns:
        The usage with the columns of `PRICED_SCHEMA`, rows in the given order.
    Raises:
        MeterlineError: all records that cannot be read, each with its row. ConfigurationError: tariffs or subjects.
    """
    return price_usage_lines(tariffs, usage, explain=explain, subjects=subjects, where=where).records


def price_usage_lines(
    tariffs: Tariff | Sequence[Tariff],
    usage: pl.DataFrame,
    *,
    explain: int = EXPLAINED_DEFAULT,
    subjects: pl.DataFrame | None = None,
    where: str = "subjects",
) -> PricedUsage:
    """As `price_usage`, with the items that each record costs."""
    return price_columns(tariffs, usage, usage_columns(usage), explain=explain, subjects=subjects, where=where)


def price_columns(
    tariffs: Tariff | Sequence[Tariff],
    usage: pl.DataFrame,
    columns: UsageColumns,
    *,
    explain: int = EXPLAINED_DEFAULT,
    subjects: pl.DataFrame | None = None,
    where: str = "subjects",
) -> PricedUsage:
    """As `price_usage_lines` for usage that has been read already, so that several tariffs price what is read once."""
    every = (tariffs,) if isinstance(tariffs, Tariff) else tuple(tariffs)
    if not len(columns):
        return PricedUsage(every, usage.hstack(pl.DataFrame(schema=PRICED_SCHEMA)), pl.DataFrame(schema=LINES_SCHEMA), [])
    book = compile_book(every, span=columns.span)
    index = tariff_of_records(book, usage, columns, every[0].tariff_id, subjects, where)
    exactly, explain = len(columns) <= EXACT_ROWS_MAX, min(explain, len(columns))
    is_metered = np.array([*(tariff.service is ServiceKind.UTILITY for tariff in book.tariffs), False], dtype=np.bool_)[index]
    calls = np.where(is_metered | (columns.kind >= CALL_KIND_COUNT), -1, index).astype(np.int32)
    currency = {tariff.tariff_id: tariff.currency for tariff in every}
    items = [
        PricedItem(
            rule.item, rule.shown_version, rule.kind, rule.rounding, tariff_id=rule.tariff_id, currency=currency[rule.tariff_id]
        )
        for rule in book.rules
    ]
    status, lines, segments = (_calls_exactly if exactly else _calls_by_kernel)(book, columns, calls, explain)
    if is_metered.any():
        metered = energy_items(book)
        of_energy, energy = energy_lines(book, columns, np.where(is_metered, index, -1).astype(np.int32), exactly=exactly)
        status = np.where(is_metered, of_energy, status)
        first: dict[int, list[tuple[int, int, int]]] = {}
        for row, item, milliwh, nano in energy.filter(pl.col("row") < explain).iter_rows():
            first.setdefault(row, []).append((item, milliwh, nano))
        for row, of_row in first.items():
            segments[row] = energy_segments(metered, of_row)
        lines = pl.concat([lines, energy.with_columns(pl.col("item_index") + len(items))]).sort("row", maintain_order=True)
        items = [*items, *metered]
    return PricedUsage(every, usage.hstack(_priced(book, index, status, lines, items, segments)), lines, items)


def tariff_of_records(
    book: TariffBook, usage: pl.DataFrame, records: UsageColumns, otherwise: str, subjects: pl.DataFrame | None, where: str
) -> I32:
    """i4[n]: by the subject, by the column tariff, or one tariff for all.

    Raises:
        MeterlineError: a record names no tariff of the book. ConfigurationError: subjects.
    """
    if subjects is not None:
        return resolve_subjects(compile_subjects(subjects, book.tariffs, where=where), usage, records.start_at)
    if "tariff" not in usage.columns:
        return np.full(len(records.start_at), book.tariff_index(otherwise), dtype=np.int32)
    names = usage["tariff"].cast(pl.String).fill_null("").to_list()
    index = np.array([book.tariff_index(name) for name in names], dtype=np.int32)
    faults = [
        Fault(f"usage row {row + 1}", "no such tariff", repr(names[row]), next_step=close_match(names[row], book.tariff_ids))
        for row in np.flatnonzero(index < 0).tolist()
    ]
    if faults:
        raise MeterlineError(faults)
    return index


def _priced(
    book: TariffBook, index: I32, status: npt.NDArray[np.uint8], lines: pl.DataFrame, items: list[PricedItem],
    segments: list[list[str]],
) -> pl.DataFrame:  # fmt: skip
    """PRICED_SCHEMA from the lines of the records."""
    labels = pl.Series([item.label for item in items] or [""], dtype=pl.String)
    reasons = pl.Series([_REASONS.get(code, "") for code in range(256)], dtype=pl.String)
    sums = lines.with_columns(labels.gather(lines["item_index"]).alias("label"))
    if lines["row"].n_unique() < len(lines):  # energy over several items; a call has one
        by_record = sums.group_by("row", maintain_order=True)
        sums = by_record.agg(pl.col("charge_nano").sum(), pl.col("quantity").sum(), pl.col("label").str.join(", "))
    names, currencies = (
        pl.Series([*(getattr(tariff, name) for tariff in book.tariffs), ""]).gather(np.where(index < 0, len(book.tariffs), index))
        for name in ("tariff_id", "currency")
    )
    every = pl.DataFrame(
        {
            "row": np.arange(len(status), dtype=np.int64),
            "reason": reasons.gather(status),
            "tariff_id": names,
            "currency": currencies,
        }
    )
    charge = pl.col("charge_nano")
    return every.join(sums, on="row", how="left", maintain_order="left").select(
        "tariff_id",
        amount_texts(charge).fill_null("").alias("charge"),
        pl.when(charge.is_null()).then(pl.lit("")).otherwise("currency").alias("currency"),
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


def _calls_exactly(book: TariffBook, usage: UsageColumns, index: I32, explain: int) -> _Calls:
    """(status, lines, segments), each record priced and explained by the exact path."""
    found = [_explanation(book, usage, index, row) for row in range(len(usage))]
    ok = [(row, why.rule_index, why.charged_quantity, why.charge_nano) for row, why in enumerate(found) if not why.status]
    status = np.array([why.status for why in found], dtype=np.uint8)
    return status, pl.DataFrame(ok, schema=LINES_SCHEMA, orient="row"), [_segments(why) for why in found[:explain]]


def _calls_by_kernel(book: TariffBook, usage: UsageColumns, index: I32, explain: int) -> _Calls:
    from rating.calls.first_pass import rate_calls  # here, since few records do without kernels

    kind = np.where(usage.kind < CALL_KIND_COUNT, usage.kind, 0).astype(np.uint8)
    rated = rate_calls(book, index, kind, usage.called_number, usage.start_at, usage.quantity)
    ok = np.flatnonzero(rated.status == 0)
    columns = (ok, rated.rule_index[ok], rated.charged_quantity[ok], rated.charge_nano[ok])
    lines = pl.DataFrame(dict(zip(LINES_SCHEMA, columns, strict=True)), schema=LINES_SCHEMA)
    return rated.status, lines, [_segments(_explanation(book, usage, index, row)) for row in range(explain)]


def _explanation(book: TariffBook, usage: UsageColumns, index: I32, row: int) -> CallExplanation:
    kind, number, start_at, quantity = (
        int(column[row]) for column in (usage.kind, usage.called_number, usage.start_at, usage.quantity)
    )
    return explain_exactly(book, int(index[row]), kind if kind < CALL_KIND_COUNT else 0, number, start_at, quantity)


def _segments(why: CallExplanation) -> list[str]:
    return [] if why.status else [line.strip() for line in why.text().splitlines()[2:]]
