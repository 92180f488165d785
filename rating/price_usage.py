"""Price usage without any set-up: tariffs, a frame of records, and what each costs. For `tariff price`, trials and tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from rating.subjects import compile_subjects, resolve_subjects
from rating.usage_columns import UsageColumns, usage_columns
from rating.utility.intervals import determine_intervals, line_amount_nano
from schemas.errors import Fault, MeterlineError
from schemas.money import amount_text
from schemas.quantities import UsageKind
from schemas.reasons import Reason

PRICED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "tariff_id": pl.String,  # the tariff of the record's subject; empty where it has none
    "charge": pl.String,  # exact decimal text in the tariff's currency; empty where rejected
    "currency": pl.String,
    "charge_nano": pl.Int64,
    "charged_quantity": pl.Int64,  # base units
    "rule": pl.String,  # item and version
    "reason": pl.String,  # ok, or why there is no charge
    "segments": pl.List(pl.String),
}
CALL_KINDS = (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)
I32 = npt.NDArray[np.int32]
_Row = tuple[object, ...]


def price_usage(
    tariffs: Tariff | Sequence[Tariff], usage: pl.DataFrame, *, subjects: pl.DataFrame | None = None, where: str = "subjects"
) -> pl.DataFrame:
    """The list price of each record.

    Args:
        tariffs: one tariff, or all that are needed: telecom prices voice, message and volume, utility prices energy. Fallbacks
            must be among them.
        usage: kind (voice, message, volume or energy), called_number (digits, empty or null for none; may be left out), start_at
            (a datetime with zone, or ISO text with an offset), quantity (an integer or a decimal text) and, optionally, unit
            (s, min, MB, kWh, ...; without it the base unit: ms, messages, bytes, milliwh). Which tariff prices a record: by its
            subject (tenant, category, subject), by its column tariff, or the first tariff. Energy records of a tariff share one
            ladder, in order of start_at.
        subjects: assignments as `compile_subjects` takes them; where: what faults in them are said to stand in.
    Returns:
        The usage with the columns of `PRICED_SCHEMA`, rows in the given order.
    Raises:
        MeterlineError: all records that cannot be read, each with its row. ConfigurationError: tariffs or subjects.
    """
    every = [tariffs] if isinstance(tariffs, Tariff) else list(tariffs)
    records = usage_columns(usage)
    if not records.kinds:
        return usage.hstack(pl.DataFrame(schema=PRICED_SCHEMA))
    book = compile_book(every, span=records.span)
    index = tariff_of_records(book, usage, records, every[0].tariff_id, subjects, where)
    rows = _price_calls(book, records, index)
    for row, priced in _price_energy(book, records, index).items():
        rows[row] = priced
    named = [_named(book, int(tariff), row) for tariff, row in zip(index.tolist(), rows, strict=True)]
    return usage.hstack(pl.DataFrame(named, schema=PRICED_SCHEMA, orient="row"))


def tariff_of_records(
    book: TariffBook, usage: pl.DataFrame, records: UsageColumns, otherwise: str, subjects: pl.DataFrame | None, where: str
) -> I32:
    """i4[n]: by the subject, by the column tariff, or one tariff for all.

    Raises:
        MeterlineError: a record names no tariff of the book. ConfigurationError: subjects.
    """
    if subjects is not None:
        return resolve_subjects(compile_subjects(subjects, book.tariffs, where=where), usage, records.starts)
    if "tariff" not in usage.columns:
        return np.full(len(records.kinds), book.tariff_index(otherwise), dtype=np.int32)
    names = usage["tariff"].cast(pl.String).fill_null("").to_list()
    index = np.array([book.tariff_index(name) for name in names], dtype=np.int32)
    faults = [
        Fault(f"usage row {row + 1}", "no such tariff", repr(names[row]), next_step=close_match(names[row], book.tariff_ids))
        for row in np.flatnonzero(index < 0).tolist()
    ]
    if faults:
        raise MeterlineError(faults)
    return index


def _of_service(book: TariffBook, index: I32, service: ServiceKind) -> npt.NDArray[np.bool_]:
    """[n]: whether a record has a tariff, and one of this service."""
    of_tariff = np.array([*(tariff.service is service for tariff in book.tariffs), False], dtype=np.bool_)
    found: npt.NDArray[np.bool_] = of_tariff[index]
    return found


def _named(book: TariffBook, tariff: int, row: _Row) -> _Row:
    tariff_id = book.tariff_ids[tariff] if tariff >= 0 else ""
    currency = book.tariffs[tariff].currency if row[0] else ""
    return (tariff_id, row[0], currency, *row[1:])


def _refused(status: int) -> _Row:
    return ("", 0, 0, "", Reason(status).label, [])


def _price_calls(book: TariffBook, records: UsageColumns, index: I32) -> list[_Row]:
    telecom = _of_service(book, index, ServiceKind.TELECOM)
    is_call = telecom & np.array([kind in CALL_KINDS for kind in records.kinds])
    codes = np.array([int(kind) if of else 0 for kind, of in zip(records.kinds, is_call, strict=True)], dtype=np.uint8)
    tariffs = np.where(is_call, index, -1).astype(np.int32)
    packed = np.array(records.numbers, dtype=np.uint64)
    rated = rate_calls(book, tariffs, codes, packed, np.array(records.starts), np.array(records.quantities))
    rows: list[_Row] = []
    for row, status in enumerate(rated.status.tolist()):
        if status:
            rows.append(_refused(status))
            continue
        charged = (int(rated.charge_nano[row]), int(rated.charged_quantity[row]))
        rows.append(call_row(book, int(tariffs[row]), records, row, *charged))
    return rows


def call_row(book: TariffBook, tariff: int, records: UsageColumns, row: int, charge: int, charged_quantity: int) -> _Row:
    """(charge, charge_nano, charged quantity, rule, reason, segments) of a record that was priced."""
    record = (int(records.kinds[row]), records.numbers[row], records.starts[row], records.quantities[row])
    why = explain_call(book, tariff, *record)
    rule = book.rules[why.rule_index]
    lines = [line.strip() for line in why.text().splitlines()[2:]]
    return amount_text(charge), charge, charged_quantity, f"{rule.item} ({rule.shown_version})", "ok", lines


def _price_energy(book: TariffBook, records: UsageColumns, index: I32) -> dict[int, _Row]:
    """Row -> price of each energy record: a run of one interval; those of a tariff share one ladder in order of start."""
    utility = _of_service(book, index, ServiceKind.UTILITY)
    energy = [row for row, kind in enumerate(records.kinds) if kind is UsageKind.ENERGY and utility[row]]
    if not energy:
        return {}
    order = sorted(energy, key=lambda row: (index[row], records.starts[row], row))
    count = len(order)
    found = determine_intervals(
        book,
        tariff_index=index[order],
        ladder_group=index[order],
        start_at=[records.starts[row] for row in order],
        step_us=np.ones(count, dtype=np.int64),
        first_value=np.arange(count),
        count=np.ones(count, dtype=np.int32),
        values=[records.quantities[row] for row in order],
    )
    parts: dict[int, list[tuple[int, int]]] = {}
    columns = (found.run_index.tolist(), found.item_index.tolist(), found.quantity_milliwh.tolist())
    for run, item, milliwh in zip(*columns, strict=True):
        parts.setdefault(run, []).append((item, milliwh))
    rows: dict[int, _Row] = {}
    for run, row in enumerate(order):
        status = int(found.status[run]) or (int(Reason.ZERO_USAGE) if run not in parts else 0)
        rows[row] = _refused(status) if status else _energy_row(book, parts[run])
    return rows


def _energy_row(book: TariffBook, parts: list[tuple[int, int]]) -> _Row:
    total, lines, names = 0, [], []
    for index, milliwh in parts:
        item = book.energy_items[index]
        amount = line_amount_nano(milliwh, item.price_nano, item.per, item.rounding)
        price = f"{amount_text(item.price_nano)} per {quantity_text(item.per, UsageKind.ENERGY)}"
        lines.append(f"{quantity_text(milliwh, UsageKind.ENERGY)} at {price}: {amount_text(amount)}  [{item.item}]")
        names.append(f"{item.item} ({item.version})")
        total += amount
    return amount_text(total), total, sum(milliwh for _, milliwh in parts), ", ".join(names), "ok", lines
