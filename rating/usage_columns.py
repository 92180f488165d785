"""Usage as people write it, read by columns: kinds, numbers, instants and quantities with units, exactly or refused by row.

What is written plainly is read by Polars over whole columns; a value in an uncommon form is read by Python, once for each
different text, so that both accept and refuse the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.language.written_values import UNITS, quantity_units
from rating.language.yaml_places import close_match
from schemas.errors import Fault, MeterlineError
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


@dataclass(frozen=True, slots=True)
class RowFaults:
    """What is wrong with the rows of a file: one fault for a row and a field, the first ones in words."""

    file: str = "usage"
    found: dict[tuple[int, int], Fault] = field(default_factory=dict)  # by row and place among the fields that were read
    fields: list[str] = field(default_factory=list)

    def where(self, row: int) -> str:
        return f"{self.file} row {row + 1}"

    def note(self, name: str, rows: pl.Series, fault: Callable[[int], Fault]) -> None:
        """Enter a fault for the rows where a mask holds; a field of a row keeps its first."""
        if name not in self.fields:
            self.fields.append(name)
        column = self.fields.index(name)
        for place, row in enumerate(rows.arg_true().to_list()):
            if (row, column) not in self.found:
                self.found[row, column] = fault(row) if place < FAULTS_SHOWN else Fault(self.file, "")

    def has(self, name: str) -> set[int]:
        """Rows with a fault in a field."""
        return {row for row, column in self.found if self.fields[column] == name}

    def refuse(self) -> None:
        """
        Raises:
            MeterlineError: there are faults: the first of them, and how many rows more have some.
        """
        if not self.found:
            return
        keys = sorted(self.found)[:FAULTS_SHOWN]
        more = len({row for row, _ in self.found} - {row for row, _ in keys})
        rest = f"{more} more row{'s' if more > 1 else ''} cannot be read"
        raise MeterlineError([*(self.found[key] for key in keys), *([Fault(self.file, rest)] if more else [])])


def usage_columns(usage: pl.DataFrame) -> UsageColumns:
    """The columns of usage records.

    Args:
        usage: kind (the label of a `UsageKind`), called_number (digits, with or without +; empty, null or left out for none),
            start_at (a datetime with zone, or ISO text with an offset), quantity (an integer, a decimal or its text) and,
            optionally, unit (s, min, MB, kWh, ...; without it the base unit: ms, messages, bytes, milliwh).
    Raises:
        MeterlineError: a missing column; all fields that cannot be read, the first 20 with their row.
    """
    faults = RowFaults()
    missing = missing_columns(usage, ("kind", "start_at", "quantity"), faults.file)
    if missing:
        raise MeterlineError(missing)
    found = read_columns(usage, faults)
    faults.refuse()
    return found


def missing_columns(usage: pl.DataFrame, names: tuple[str, ...], file: str) -> list[Fault]:
    """A fault for each column that is not there, with the one that may be meant."""
    missing = [name for name in names if name not in usage.columns]
    others = [name for name in usage.columns if name not in names]
    return [Fault(file, f"column {name} is missing", next_step=close_match(name, others)) for name in missing]


def read_columns(
    usage: pl.DataFrame, faults: RowFaults, *, quantity: str = "quantity", kinds: Mapping[str, UsageKind] = _KINDS
) -> UsageColumns:
    """As `usage_columns`, faults entered: `quantity` names the column that is measured, `kinds` are those that may occur."""
    kind = _kinds(usage["kind"], kinds, faults)
    packed = _numbers(texts_of(usage, "called_number"), faults)
    start_at = _instants(usage["start_at"], faults)
    used = read_quantities(texts_of(usage, quantity), texts_of(usage, "unit"), kind, faults, quantity)
    return UsageColumns(kind.to_numpy(), packed.to_numpy(), start_at.to_numpy(), used.to_numpy())


def texts_of(usage: pl.DataFrame, name: str) -> pl.Series:
    """A column as text; empty where it is null or not there at all."""
    if name not in usage.columns:
        return pl.Series(name, [""], dtype=pl.String).new_from_index(0, len(usage))
    return usage[name].cast(pl.String).fill_null("")


def _kinds(column: pl.Series, kinds: Mapping[str, UsageKind], faults: RowFaults) -> pl.Series:
    codes = {label: int(kind) for label, kind in kinds.items()}
    kind = column.cast(pl.String).replace_strict(codes, default=None, return_dtype=pl.UInt8)

    def fault(row: int) -> Fault:
        if not column[row]:
            return Fault(faults.where(row), "kind is missing", must_be=" or ".join(kinds))
        meant = close_match(str(column[row]), kinds)
        return Fault(
            faults.where(row), "no such kind", repr(column[row]), " or ".join(kinds), meant if meant.startswith("did") else ""
        )

    faults.note("kind", kind.is_null(), fault)
    return kind.fill_null(0)


def _numbers(column: pl.Series, faults: RowFaults) -> pl.Series:
    digits = column.str.strip_prefix("+")
    bad = ~digits.str.contains(_NUMBER)
    what = f"not a number of at most {DIGITS_MAX} digits: "
    faults.note("called_number", bad, lambda row: Fault(faults.where(row), f"{what}{digits[row]!r}"))
    return digits.set(bad, "").str.pad_end(16, "f").str.to_integer(base=16, dtype=pl.UInt64)


def _instants(column: pl.Series, faults: RowFaults) -> pl.Series:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        at = column.dt.cast_time_unit("us").cast(pl.Int64)
        faults.note("start_at", at.is_null(), lambda row: Fault(faults.where(row), "start_at is missing"))
        return at.fill_null(0)
    text = column.cast(pl.String).fill_null("")
    plain = text.str.replace("Z$", "+00:00").str.replace("^(.{10}) ", "${1}T")
    is_plain = plain.str.contains(_INSTANT)
    parsed = plain.set(~is_plain, None).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False)
    return _by_text(parsed.cast(pl.Int64), text, _instant, faults)


def _by_text(found: pl.Series, text: pl.Series, read: Callable[[str], int], faults: RowFaults) -> pl.Series:
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
    bad = text.is_in(list(complaints)) & open_rows
    faults.note("start_at", bad, lambda row: Fault(faults.where(row), complaints[text[row]]))
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


def read_quantities(text: pl.Series, units: pl.Series, kind: pl.Series, faults: RowFaults, name: str) -> pl.Series:
    """Exact base units: whole and fraction apart, in 128 bits, so that no product can leave its type.

    Rows without a kind are left out: what their unit must be is not known.
    """
    of_kind = units.replace_strict({name: int(of) for name, (of, _) in UNITS.items()}, default=None, return_dtype=pl.UInt8)
    no_kind = faults.has("kind")
    is_known = pl.Series([row not in no_kind for row in range(len(kind))], dtype=pl.Boolean) if no_kind else None
    wrong = (units != "") & (of_kind.is_null() | (of_kind != kind).fill_null(True))
    wrong = wrong if is_known is None else wrong & is_known
    labels = {int(of): of for of in UsageKind}

    def fault(row: int) -> Fault:
        of = labels[kind[row]]
        return Fault(faults.where(row), f"not a unit of {of.label}: {units[row]!r}", must_be=f"one of {quantity_units(of)}")

    faults.note("unit", wrong, fault)
    scale = units.replace_strict({name: of for name, (_, of) in UNITS.items()}, default=1, return_dtype=pl.Int128)
    plain = text.str.contains(_DECIMAL)
    whole = pl.col("text").str.extract(r"^([0-9]+)").cast(pl.Int128) * pl.col("scale")
    rest = pl.col("text").str.extract(r"\.([0-9]+)$").fill_null("0").str.pad_end(9, "0").cast(pl.Int128) * pl.col("scale")
    exact = whole + rest // _BILLION
    is_exact = (rest % _BILLION == 0) & (exact <= INT64_MAX)
    parts = pl.DataFrame({"text": text.set(~plain, None), "scale": scale})
    found = parts.select(pl.when(is_exact).then(exact).otherwise(None).cast(pl.Int64)).to_series()
    open_rows = found.is_null() & ~wrong
    open_rows = open_rows if is_known is None else open_rows & is_known
    if open_rows.any():
        found = _uncommon(found, open_rows, pl.DataFrame({"text": text, "unit": units, "kind": kind}), faults, name)
    return found.fill_null(0)


def _uncommon(found: pl.Series, open_rows: pl.Series, frame: pl.DataFrame, faults: RowFaults, name: str) -> pl.Series:
    """Quantities in forms such as `1e3`, and the words for what is none; once for each different (text, unit, kind)."""
    values: list[dict[str, Any]] = []
    for row in frame.filter(open_rows).unique(maintain_order=True).iter_rows(named=True):
        value, what = read_quantity(row["text"], row["unit"], UsageKind(row["kind"]), name)
        values.append({**row, "value": value, "what": what})
    schema: dict[str, pl.DataType | type[pl.DataType]] = {**frame.schema, "value": pl.Int64, "what": pl.String}
    read = frame.join(pl.DataFrame(values, schema=schema), on=frame.columns, how="left", maintain_order="left")
    reasons = read["what"].fill_null("")
    faults.note(name, open_rows & (reasons != ""), lambda row: Fault(faults.where(row), reasons[row]))
    return found.fill_null(read["value"].set(~open_rows, None))


def read_quantity(text: str, unit: str, kind: UsageKind, name: str = "quantity") -> tuple[int | None, str]:
    """(base units, "") or (None, why not); the unit is one of the kind, or empty."""
    try:
        number = Fraction(text) * (UNITS[unit][1] if unit else 1)
    except (ValueError, ZeroDivisionError):
        return None, f"{name} is no number: {text!r}" if text else f"{name} is missing"
    exact = exact_int(number)
    if exact is None:
        return None, f"not a whole number of {kind.unit}: {text} {unit}".rstrip()
    if not 0 <= exact <= INT64_MAX:
        return None, f"{name} out of range: {text} {unit}".rstrip()
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
    from schemas.hashing import record_id_of, text_words  # loads numba, which trials of few records do without

    texts = (
        usage["record_id"].cast(pl.String).to_list() if "record_id" in usage.columns else list(map(str, range(1, len(usage) + 1)))
    )
    ids = [record_id_of(text_words(str(text).encode())) for text in texts]
    return [hi for hi, _ in ids], [lo for _, lo in ids]
