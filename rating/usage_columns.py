"""Usage as people write it, read by columns: kinds, numbers, instants and quantities with units, exactly or refused by row.

What is written plainly is read by Polars over whole columns; a value in an uncommon form is read by Python, once for each
different text, so that both accept and refuse the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.language.written_values import UNITS
from schemas.errors import Fault, MeterlineError
from schemas.hashing import record_id_of, text_words
from schemas.numbers import DIGITS_MAX
from schemas.quantities import INT64_MAX, UsageKind, exact_int
from schemas.zones import instant_us, moment_of

FAULTS_SHOWN = 20
_KINDS = {kind.label: kind for kind in UsageKind}
_NUMBER = rf"^[0-9]{{0,{DIGITS_MAX}}}$"
_INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-5][0-9](\.[0-9]{1,6})?[+-][0-9]{2}:[0-9]{2}$"
_DECIMAL = r"^[0-9]{1,18}(\.[0-9]{1,9})?$"
_BILLION = 1_000_000_000


@dataclass(frozen=True, slots=True)
class UsageColumns:
    """One row for each record, in the given order."""

    kind: npt.NDArray[np.uint8]  # UsageKind
    called_number: npt.NDArray[np.uint64]  # packed (schemas.numbers), all F for none
    start_at: npt.NDArray[np.int64]  # microseconds UTC
    quantity: npt.NDArray[np.int64]  # base units of the kind, zero or more

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def span(self) -> tuple[int, int]:
        """The whole UTC years that hold all starts."""
        first, last = (moment_of(int(at)).year for at in (self.start_at.min(), self.start_at.max()))
        return instant_us(datetime(first, 1, 1, tzinfo=UTC)), instant_us(datetime(last + 1, 1, 1, tzinfo=UTC))


def usage_columns(usage: pl.DataFrame) -> UsageColumns:
    """The columns of usage records.

    Args:
        usage: kind (the label of a `UsageKind`), called_number (digits, with or without +; empty, null or left out for none),
            start_at (a datetime with zone, or ISO text with an offset), quantity (an integer, a decimal or its text) and,
            optionally, unit (s, min, MB, kWh, ...; without it the base unit: ms, messages, bytes, milliwh).
    Raises:
        MeterlineError: a missing column; all records that cannot be read, the first 20 with their row.
    """
    missing = [name for name in ("kind", "start_at", "quantity") if name not in usage.columns]
    if missing:
        raise MeterlineError([Fault("usage", f"column {name} is missing") for name in missing])
    faults: dict[int, Fault] = {}
    kind = _kinds(usage["kind"], faults)
    packed = _numbers(_texts(usage, "called_number"), faults)
    start_at = _instants(usage["start_at"], faults)
    quantity = _quantities(_texts(usage, "quantity"), _texts(usage, "unit"), kind, faults)
    if faults:
        shown = [faults[row] for row in sorted(faults)[:FAULTS_SHOWN]]
        more = len(faults) - len(shown)
        raise MeterlineError([*shown, *([Fault("usage", f"{more} more rows cannot be read")] if more else [])])
    return UsageColumns(kind.to_numpy(), packed.to_numpy(), start_at.to_numpy(), quantity.to_numpy())


def _texts(usage: pl.DataFrame, name: str) -> pl.Series:
    """A column as text; empty where it is null or not there at all."""
    if name not in usage.columns:
        return pl.Series(name, [""], dtype=pl.String).new_from_index(0, len(usage))
    return usage[name].cast(pl.String).fill_null("")


def _note(faults: dict[int, Fault], rows: pl.Series, fault: Callable[[int], Fault]) -> None:
    """Enter a fault for the rows where a mask holds, the first ones in words; a row keeps its first fault."""
    for place, row in enumerate(rows.arg_true().to_list()):
        if row not in faults:
            faults[row] = fault(row) if place < FAULTS_SHOWN else Fault("usage", "")


def _where(row: int) -> str:
    return f"usage row {row + 1}"


def _kinds(column: pl.Series, faults: dict[int, Fault]) -> pl.Series:
    codes = {label: int(kind) for label, kind in _KINDS.items()}
    kind = column.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.UInt8)
    must_be = " or ".join(_KINDS)
    _note(faults, kind.is_null(), lambda row: Fault(_where(row), "no such kind", repr(column[row]), must_be))
    return kind.fill_null(0)


def _numbers(column: pl.Series, faults: dict[int, Fault]) -> pl.Series:
    digits = column.str.strip_prefix("+")
    bad = ~digits.str.contains(_NUMBER)
    what = f"not a number of at most {DIGITS_MAX} digits: "
    _note(faults, bad, lambda row: Fault(_where(row), f"{what}{digits[row]!r}"))
    return digits.set(bad, "").str.pad_end(16, "f").str.to_integer(base=16, dtype=pl.UInt64)


def _instants(column: pl.Series, faults: dict[int, Fault]) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        at = column.dt.cast_time_unit("us").cast(pl.Int64)
        _note(faults, at.is_null(), lambda row: Fault(_where(row), "start_at is missing"))
        return at.fill_null(0)
    text = column.cast(pl.String).fill_null("")
    plain = text.str.replace("Z$", "+00:00").str.replace("^(.{10}) ", "${1}T")
    is_plain = plain.str.contains(_INSTANT)
    parsed = plain.set(~is_plain, None).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
    return _by_text(parsed.cast(pl.Int64), text, _instant, faults)


def _by_text(found: pl.Series, text: pl.Series, read: Callable[[str], int], faults: dict[int, Fault]) -> pl.Series:
    """Fill what is null by reading each different text once."""
    open_rows = found.is_null()
    if not open_rows.any():
        return found
    values: dict[str, int] = {}
    complaints: dict[str, str] = {}
    for one in text.filter(open_rows).unique(maintain_order=True).to_list():
        try:
            values[one] = read(one)
        except ValueError as cause:
            complaints[one] = str(cause)
    _note(faults, text.is_in(list(complaints)) & open_rows, lambda row: Fault(_where(row), complaints[text[row]]))
    return found.fill_null(text.replace_strict(values, default=0, return_dtype=pl.Int64)) if values else found.fill_null(0)


def _instant(text: str) -> int:
    if not text:
        raise ValueError("start_at is missing")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as cause:
        raise ValueError(f"start_at is no instant: {text}, must be such as 2026-10-05T10:00:00+02:00") from cause
    if moment.tzinfo is None:
        raise ValueError(f"start_at without offset: {text}")
    return instant_us(moment.astimezone(UTC))


def _quantities(text: pl.Series, units: pl.Series, kind: pl.Series, faults: dict[int, Fault]) -> pl.Series:
    """Exact base units: whole and fraction apart, in 128 bits, so that no product can leave its type."""
    of_kind = units.replace_strict({name: int(of) for name, (of, _) in UNITS.items()}, default=None, return_dtype=pl.UInt8)
    wrong = (units != "") & (of_kind.is_null() | (of_kind != kind).fill_null(True))
    labels = {int(of): of.label for of in UsageKind}
    _note(faults, wrong, lambda row: Fault(_where(row), f"not a unit of {labels[kind[row]]}: {units[row]!r}"))
    scale = units.replace_strict({name: of for name, (_, of) in UNITS.items()}, default=1, return_dtype=pl.Int128)
    plain = text.str.contains(_DECIMAL)
    whole = pl.col("text").str.extract(r"^([0-9]+)").cast(pl.Int128) * pl.col("scale")
    rest = pl.col("text").str.extract(r"\.([0-9]+)$").fill_null("0").str.pad_end(9, "0").cast(pl.Int128) * pl.col("scale")
    exact = whole + rest // _BILLION
    is_exact = (rest % _BILLION == 0) & (exact <= INT64_MAX)
    parts = pl.DataFrame({"text": text.set(~plain, None), "scale": scale})
    found = parts.select(pl.when(is_exact).then(exact).otherwise(None).cast(pl.Int64)).to_series()
    open_rows = found.is_null() & ~wrong
    if open_rows.any():
        found = _uncommon(found, open_rows, text, units, kind, faults)
    return found.fill_null(0)


def _uncommon(
    found: pl.Series, open_rows: pl.Series, text: pl.Series, units: pl.Series, kind: pl.Series, faults: dict[int, Fault]
) -> pl.Series:
    """Quantities in forms such as `1e3`, and the words for what is none; once for each different (text, unit, kind)."""
    frame = pl.DataFrame({"text": text, "unit": units, "kind": kind})
    values: list[dict[str, Any]] = []
    for row in frame.filter(open_rows).unique(maintain_order=True).iter_rows(named=True):
        value, what = _quantity(row["text"], row["unit"], UsageKind(row["kind"]))
        values.append({**row, "value": value, "what": what})
    schema: dict[str, pl.DataType | type[pl.DataType]] = {**frame.schema, "value": pl.Int64, "what": pl.String}
    read = frame.join(pl.DataFrame(values, schema=schema), on=frame.columns, how="left", maintain_order="left")
    reasons = read["what"].fill_null("")
    _note(faults, open_rows & (reasons != ""), lambda row: Fault(_where(row), reasons[row]))
    return found.fill_null(read["value"].set(~open_rows, None))


def _quantity(text: str, unit: str, kind: UsageKind) -> tuple[int | None, str]:
    """(base units, "") or (None, why not)."""
    try:
        number = Fraction(text) * (UNITS[unit][1] if unit else 1)
    except (ValueError, ZeroDivisionError):
        return None, f"quantity is no number: {text!r}" if text else "quantity is missing"
    exact = exact_int(number)
    if exact is None:
        return None, f"not a whole number of {kind.unit}: {text} {unit}".rstrip()
    if not 0 <= exact <= INT64_MAX:
        return None, f"quantity out of range: {text} {unit}".rstrip()
    return exact, ""


def instant_of(value: object, name: str = "start_at") -> int:
    """Microseconds UTC of a datetime with zone or of ISO text with an offset.

    Raises:
        ValueError: it is none.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{name} without offset: {value}")
    return instant_us(moment)


def record_ids(usage: pl.DataFrame) -> tuple[list[int], list[int]]:
    """(hi, lo) of each record: a hash of its `record_id`, or of its row number where there is no such column."""
    texts = (
        usage["record_id"].cast(pl.String).to_list() if "record_id" in usage.columns else list(map(str, range(1, len(usage) + 1)))
    )
    ids = [record_id_of(text_words(str(text).encode())) for text in texts]
    return [hi for hi, _ in ids], [lo for _, lo in ids]
