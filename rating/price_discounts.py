"""What discounts make of priced usage, without any set-up: the records of accounts in one period, in event-time order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.calls.eligibility import NO_ACTIVATION_AT
from rating.calls.first_pass import rate_calls
from rating.calls.given_discounts import DiscountInput, GivenDiscounts, apply_discounts, apply_retroactive, empty_counters
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.winners import CALL_KIND_COUNT
from rating.language.clocks import first_instant_of_day
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.price_usage import tariff_of_records
from rating.usage_columns import instant_of, record_ids, usage_columns
from schemas.errors import Fault, MeterlineError
from schemas.money import amount_text

NET_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "net": pl.String,  # charge less discounts; empty where there is no charge
    "discount": pl.String,
    "discounts": pl.List(pl.Struct({"name": pl.String, "amount": pl.String})),
}
I64 = npt.NDArray[np.int64]


def price_discounts(
    tariffs: Sequence[Tariff],
    usage: pl.DataFrame,
    *,
    contracts: pl.DataFrame | None = None,
    subjects: pl.DataFrame | None = None,
    where: str = "subjects",
) -> pl.DataFrame:
    """[`NET_SCHEMA`], one row for each record of the usage: all of it is one period, and no allowance pays.

    Args:
        tariffs, usage, subjects: as in `price_usage`. Columns that discounts may need: account (one account without it) and
            activation_at (ISO text with an offset, empty for unknown).
        contracts: [account, tariff, effective_from, effective_to] text: what else accounts hold; dates or instants.
    Raises:
        MeterlineError: records that cannot be read. ConfigurationError: tariffs, subjects.
    """
    records = usage_columns(usage)
    if not len(records):
        return pl.DataFrame(schema=NET_SCHEMA)
    book = compile_book(tariffs, span=records.span)
    index = tariff_of_records(book, usage, records, tariffs[0].tariff_id, subjects, where)
    calls = records.kind < CALL_KIND_COUNT
    kinds = np.where(calls, records.kind, 0).astype(np.uint8)
    numbers, starts, quantities = records.called_number, records.start_at, records.quantity
    rated = rate_calls(book, np.where(calls, index, -1), kinds, numbers, starts, quantities)
    accounts = _texts(usage, "account")
    names = {name: number for number, name in enumerate(sorted({*accounts, *_texts_of(contracts, "account")}))}
    account = np.array([names[name] for name in accounts], dtype=np.int32)
    hi, lo = (np.array(ids, dtype=np.uint64) for ids in record_ids(usage))
    order = np.lexsort((lo, hi, starts, account))
    order = order[rated.status[order] == 0]
    net = rated.charge_nano[order].copy()
    taken = DiscountInput(
        account[order], starts[order], numbers[order], quantities[order], np.zeros(len(order), dtype=np.int64),
        rated.rule_index[order], index[order],
    )  # fmt: skip
    counters = empty_counters(book, len(names))
    held = None if contracts is None else _held(contracts, names, book)
    discount, given = apply_discounts(book, taken, net, counters, held, _activations(usage)[order])
    net, discount, given = apply_retroactive(book, taken.account_index, counters, given, net, discount)
    return _rows(book, len(usage), order, net, discount, given)


def _rows(book: TariffBook, count: int, order: I64, net: I64, discount: I64, given: GivenDiscounts) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = [("", "", [])] * count
    parts: dict[int, list[dict[str, str]]] = {}
    for record, name, amount in given.frame(book).select("record", "name", "amount_nano").iter_rows():
        if amount:
            parts.setdefault(record, []).append({"name": name, "amount": amount_text(amount)})
    for place, row in enumerate(order.tolist()):
        rows[row] = (amount_text(int(net[place])), amount_text(int(discount[place])), parts.get(place, []))
    return pl.DataFrame(rows, schema=NET_SCHEMA, orient="row")


def _texts(frame: pl.DataFrame, name: str) -> list[str]:
    return frame[name].cast(pl.String).fill_null("").to_list() if name in frame.columns else [""] * len(frame)


def _texts_of(frame: pl.DataFrame | None, name: str) -> list[str]:
    return [] if frame is None else _texts(frame, name)


def _activations(usage: pl.DataFrame) -> I64:
    found, faults = [], []
    for row, text in enumerate(_texts(usage, "activation_at"), start=1):
        try:
            found.append(instant_of(text, "activation_at") if text else NO_ACTIVATION_AT)
        except ValueError as cause:
            faults.append(Fault(f"usage row {row}", str(cause)))
    if faults:
        raise MeterlineError(faults)
    return np.array(found, dtype=np.int64)


def _held(contracts: pl.DataFrame, names: dict[str, int], book: TariffBook) -> pl.DataFrame:
    """[account_index, tariff_id, effective_from_at, effective_to_at]; a date begins on the clock of its tariff, else in UTC."""
    missing = [name for name in ("tariff", "effective_from") if name not in contracts.columns]
    if missing:
        raise MeterlineError([Fault("contracts", f"column {name} is missing") for name in missing])
    clocks = {tariff.tariff_id: (tariff.zone, tariff.clock) for tariff in book.tariffs}
    rows, faults = [], []
    columns = (_texts(contracts, name) for name in ("account", "tariff", "effective_from", "effective_to"))
    for number, (account, tariff, start, end) in enumerate(zip(*columns, strict=True), start=1):
        clock = clocks.get(tariff, ("UTC", "wall"))
        try:
            rows.append((names[account], tariff, _at(start, clock), _at(end, clock) if end else FOREVER_AT))
        except ValueError as cause:
            faults.append(Fault(f"contracts row {number}", str(cause), must_be="YYYY-MM-DD or an instant with an offset"))
    if faults:
        raise MeterlineError(faults)
    schema = {"account_index": pl.Int32, "tariff_id": pl.String, "effective_from_at": pl.Int64, "effective_to_at": pl.Int64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _at(text: str, clock: tuple[str, str]) -> int:
    return first_instant_of_day(date.fromisoformat(text), *clock) if len(text) == 10 else instant_of(text, "effective_from")
