"""Price usage without any set-up: one tariff, a frame of records, and what each costs. For `tariff price`, trials and tests."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import polars as pl

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff
from rating.language.written_values import UNITS, base_units
from rating.utility.intervals import determine_intervals, line_amount_nano
from schemas.errors import Fault, MeterlineError
from schemas.money import amount_text
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import instant_us, moment_of

PRICED_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "charge": pl.String,  # exact decimal text in the tariff's currency; empty where rejected
    "charge_nano": pl.Int64,
    "charged_quantity": pl.Int64,  # base units
    "rule": pl.String,  # item and version
    "reason": pl.String,  # ok, or why there is no charge
    "segments": pl.List(pl.String),
}
_KINDS = {kind.label: kind for kind in UsageKind}


def price_usage(tariff: Tariff, usage: pl.DataFrame) -> pl.DataFrame:
    """The list price of each record.

    Args:
        tariff: any tariff; telecom prices voice, message and volume, utility prices energy.
        usage: kind (voice, message, volume or energy), called_number (digits, empty or null for none; may be left out), start_at
            (a datetime with zone, or ISO text with an offset), quantity (an integer or a decimal text) and, optionally, unit
            (s, min, MB, kWh, ...; without it the base unit: ms, messages, bytes, milliwh). Energy records share one ladder, in
            order of start_at.
    Returns:
        The usage with the columns of `PRICED_SCHEMA`, rows in the given order.
    Raises:
        MeterlineError: all records that cannot be read, each with its row.
    """
    kinds, numbers, starts, quantities = _read(usage)
    if not kinds:
        return usage.hstack(pl.DataFrame(schema=PRICED_SCHEMA))
    first, last = (moment_of(at).year for at in (min(starts), max(starts)))
    span = (instant_us(datetime(first, 1, 1, tzinfo=UTC)), instant_us(datetime(last + 1, 1, 1, tzinfo=UTC)))
    book = compile_book([tariff], span=span)
    if tariff.service is ServiceKind.UTILITY:
        rows = _price_energy(book, kinds, starts, quantities)
    else:
        rows = _price_calls(book, kinds, numbers, starts, quantities)
    return usage.hstack(pl.DataFrame(rows, schema=PRICED_SCHEMA, orient="row"))


def _read(usage: pl.DataFrame) -> tuple[list[UsageKind], list[int], list[int], list[int]]:
    missing = [name for name in ("kind", "start_at", "quantity") if name not in usage.columns]
    faults = [Fault("usage", f"column {name} is missing") for name in missing]
    if faults:
        raise MeterlineError(faults)
    kinds: list[UsageKind] = []
    numbers: list[int] = []
    starts: list[int] = []
    quantities: list[int] = []
    for row, record in enumerate(usage.iter_rows(named=True), start=1):
        try:
            kind = _KINDS[str(record["kind"])]
            kinds.append(kind)
            numbers.append(packed_number(str(record.get("called_number") or "").removeprefix("+")))
            starts.append(_instant(record["start_at"]))
            quantities.append(_quantity(record["quantity"], record.get("unit"), kind))
        except KeyError:
            faults.append(Fault(f"usage row {row}", "no such kind", repr(record["kind"]), " or ".join(_KINDS)))
        except ValueError as cause:
            faults.append(Fault(f"usage row {row}", str(cause)))
    if faults:
        raise MeterlineError(faults)
    return kinds, numbers, starts, quantities


def _instant(value: object) -> int:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"start_at without offset: {value}")
    return instant_us(moment)


def _quantity(value: object, unit: object, kind: UsageKind) -> int:
    if unit is None or unit == "":
        number = int(str(value))
    else:
        if UNITS.get(str(unit), (None, 0))[0] != kind:
            raise ValueError(f"not a unit of {kind.label}: {unit!r}")
        exact = base_units(str(value), str(unit))
        if exact is None:
            raise ValueError(f"not a whole number of {kind.unit}: {value} {unit}")
        number = exact
    if not 0 <= number < 2**63:
        raise ValueError(f"quantity out of range: {value}")
    return number


def _price_calls(
    book: TariffBook, kinds: list[UsageKind], numbers: list[int], starts: list[int], quantities: list[int]
) -> list[tuple[object, ...]]:
    is_call = [kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME) for kind in kinds]
    codes = np.array([int(kind) if of else 0 for kind, of in zip(kinds, is_call, strict=True)], dtype=np.uint8)
    tariffs = np.where(is_call, 0, -1).astype(np.int32)
    packed = np.array(numbers, dtype=np.uint64)
    rated = rate_calls(book, tariffs, codes, packed, np.array(starts), np.array(quantities))
    rows: list[tuple[object, ...]] = []
    for row, status in enumerate(rated.status.tolist()):
        if status:
            rows.append(("", 0, 0, "", Reason(status).label, []))
            continue
        why = explain_call(book, 0, int(kinds[row]), numbers[row], starts[row], quantities[row])
        rule = book.rules[why.rule_index]
        lines = [line.strip() for line in why.text().splitlines()[2:]]
        charge = int(rated.charge_nano[row])
        rows.append((amount_text(charge), charge, int(rated.charged_quantity[row]), f"{rule.item} ({rule.version})", "ok", lines))
    return rows


def _price_energy(book: TariffBook, kinds: list[UsageKind], starts: list[int], quantities: list[int]) -> list[tuple[object, ...]]:
    """Each record is a run of one interval; all share one ladder in order of start."""
    order = sorted(range(len(starts)), key=lambda row: (starts[row], row))
    tariffs = [0 if kinds[row] is UsageKind.ENERGY else -1 for row in order]
    count = len(order)
    found = determine_intervals(
        book,
        tariff_index=tariffs,
        ladder_group=np.zeros(count, dtype=np.int32),
        start_at=[starts[row] for row in order],
        step_us=np.ones(count, dtype=np.int64),
        first_value=np.arange(count),
        count=np.ones(count, dtype=np.int32),
        values=[quantities[row] for row in order],
    )
    parts: dict[int, list[tuple[int, int]]] = {}
    columns = (found.run_index.tolist(), found.item_index.tolist(), found.quantity_milliwh.tolist())
    for run, item, milliwh in zip(*columns, strict=True):
        parts.setdefault(run, []).append((item, milliwh))
    rows: list[tuple[object, ...]] = [()] * count
    for run, row in enumerate(order):
        status = int(found.status[run]) or (int(Reason.ZERO_USAGE) if run not in parts else 0)
        rows[row] = ("", 0, 0, "", Reason(status).label, []) if status else _energy_row(book, parts[run])
    return rows


def _energy_row(book: TariffBook, parts: list[tuple[int, int]]) -> tuple[object, ...]:
    total, lines, names = 0, [], []
    for index, milliwh in parts:
        item = book.energy_items[index]
        amount = line_amount_nano(milliwh, item.price_nano, item.per, item.rounding)
        price = f"{amount_text(item.price_nano)} per {quantity_text(item.per, UsageKind.ENERGY)}"
        lines.append(f"{quantity_text(milliwh, UsageKind.ENERGY)} at {price}: {amount_text(amount)}  [{item.item}]")
        names.append(f"{item.item} ({item.version})")
        total += amount
    return amount_text(total), total, sum(milliwh for _, milliwh in parts), ", ".join(names), "ok", lines
