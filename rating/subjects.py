"""Which tariff a record's subject has at its instant: assignments of (tenant, category, subject), as of event time.

The exact subject counts if it has any assignment at all; only if it has none, the subject `any` of the tenant and category does
(reference: rating §2). What a tariff does not price its fallbacks may; that is the tariff's affair.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from rating.language.clocks import first_instant_of_day
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.language.yaml_places import close_match
from schemas.errors import ConfigurationError, Fault, MeterlineError
from schemas.zones import instant_us

ANY_SUBJECT = "any"
KEY = ("tenant", "category", "subject")
_REQUIRED = (*KEY, "tariff", "effective_from")
_FAULTS_SHOWN = 50
I64 = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SubjectTable:
    """Assignments sorted by (key, start); a key is a row of `keys` [tenant, category, subject, key]."""

    keys: pl.DataFrame
    instants: I64  # distinct starts, ascending
    place_of: I64  # [assignments] key * (instants + 1) + rank of the start
    key_of: I64
    to_at: I64
    tariff_index: npt.NDArray[np.int32]


def load_subjects(path: Path) -> pl.DataFrame:
    """The assignments of a CSV file as text, with `line`, the line of each.

    Raises:
        ConfigurationError: the file cannot be read or lacks a column.
    """
    try:
        frame = pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as cause:
        what = f"the file cannot be read: {str(cause).splitlines()[0]}"
        raise ConfigurationError(Fault(str(path), what, next_step="check the path", code="not_readable")) from cause
    missing = [name for name in _REQUIRED if name not in frame.columns]
    if missing:
        have = ", ".join(frame.columns)
        raise ConfigurationError([Fault(f"{path}:1", "no such column", repr(name), f"one of {have}") for name in missing])
    return frame.with_row_index("line", offset=2)


def compile_subjects(assignments: pl.DataFrame, tariffs: Sequence[Tariff], *, where: str = "subjects") -> SubjectTable:
    """The table of assignments to the tariffs of a book.

    Args:
        assignments: [tenant, category, subject, tariff, effective_from] and perhaps effective_to and line, all text: local dates
            of the tariff's clock, or instants with an offset. Without effective_to an assignment ends where the next of its key
            starts.
        tariffs: in the order of the book (`book.tariffs`).
    Raises:
        ConfigurationError: the assignments that cannot be used, each with its line: unknown tariff, no date, end before start,
            overlap.
    """
    by_id = {tariff.tariff_id: (number, tariff) for number, tariff in enumerate(tariffs)}
    keyed = assignments.with_columns(pl.col(name).cast(pl.String).fill_null("") for name in (*KEY, "tariff", "effective_from"))
    if "effective_to" not in keyed.columns:
        keyed = keyed.with_columns(effective_to=pl.lit("", pl.String))
    keyed = keyed.with_columns(pl.col("effective_to").fill_null(""))
    row_number = "line" if "line" in keyed.columns else "row"
    keyed = keyed if row_number == "line" else keyed.with_row_index("row", offset=1)
    keyed = keyed.join(_instants(keyed, "effective_from", by_id, "from"), on=("tariff", "effective_from"), how="left")
    keyed = keyed.join(_instants(keyed, "effective_to", by_id, "to"), on=("tariff", "effective_to"), how="left")
    at = f"{where}:" if row_number == "line" else f"{where} row "
    frame = keyed.with_columns(where=pl.lit(at) + pl.col(row_number).cast(pl.String)).sort(*KEY, "from_at", row_number)
    faults = _row_faults(frame, row_number, by_id)
    next_from = _next_starts(frame)
    if not faults:
        faults = _overlaps(frame, next_from)
    if faults:
        raise ConfigurationError(faults[:_FAULTS_SHOWN])
    index = pl.DataFrame(
        {"tariff": list(by_id), "tariff_index": [number for number, _ in by_id.values()]},
        schema={"tariff": pl.String, "tariff_index": pl.Int32},
    )
    return _table(frame.join(index, on="tariff", how="left", maintain_order="left"), next_from)


def _instants(frame: pl.DataFrame, column: str, by_id: Mapping[str, tuple[int, Tariff]], name: str) -> pl.DataFrame:
    """[tariff, `column`, from_at or to_at, fault] of each distinct pair: there are few, however many assignments there are."""
    rows = []
    for tariff, text in frame.select("tariff", column).unique().iter_rows():
        at, fault = FOREVER_AT, ""
        if tariff in by_id and (text or name == "from"):
            try:
                at = _instant(text, by_id[tariff][1])
            except ValueError as cause:
                fault = str(cause)
        rows.append((tariff, text, at, fault))
    schema = {"tariff": pl.String, column: pl.String, f"{name}_at": pl.Int64, f"{name}_fault": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _row_faults(frame: pl.DataFrame, row_number: str, by_id: Mapping[str, tuple[int, Tariff]]) -> list[Fault]:
    """Unknown tariffs, texts that are no instants and ends before starts, in order of the rows."""
    unknown = ~pl.col("tariff").is_in(list(by_id))
    ends_early = (pl.col("to_at") <= pl.col("from_at")) & (pl.col("effective_to") != "")
    wrong = frame.filter(unknown | (pl.col("from_fault") != "") | (pl.col("to_fault") != "") | ends_early).sort(row_number)
    faults = []
    for row in wrong.head(_FAULTS_SHOWN).iter_rows(named=True):
        if row["tariff"] not in by_id:
            hint = close_match(row["tariff"], by_id)
            faults.append(Fault(row["where"], "no such tariff", repr(row["tariff"]), next_step=hint, code="unknown_name"))
            continue
        said = [row[name] for name in ("from_fault", "to_fault") if row[name]]
        faults += [Fault(row["where"], what, must_be="YYYY-MM-DD or an instant with an offset") for what in said]
        if not said:
            faults.append(Fault(row["where"], "it ends before it starts", row["effective_to"], "later than effective_from"))
    return faults


def _instant(text: str, tariff: Tariff) -> int:
    try:
        if len(text) == 10:
            return first_instant_of_day(date.fromisoformat(text), tariff.zone, tariff.clock)
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"neither date nor instant: {text!r}") from None
    if moment.tzinfo is None:
        raise ValueError(f"an instant without offset: {text!r}")
    return instant_us(moment)


def _next_starts(frame: pl.DataFrame) -> I64:
    """The start of the next assignment of the same key, FOREVER_AT for the last."""
    found = frame.select(pl.col("from_at").shift(-1).over(*KEY).fill_null(FOREVER_AT))
    return found["from_at"].to_numpy()


def _overlaps(frame: pl.DataFrame, next_from: I64) -> list[Fault]:
    to_at, from_at = frame["to_at"].to_numpy(), frame["from_at"].to_numpy()
    clash = (next_from != FOREVER_AT) & ((from_at == next_from) | ((to_at != FOREVER_AT) & (to_at > next_from)))
    faults = []
    for row in np.flatnonzero(clash).tolist():
        key = "/".join(frame[name][row] for name in KEY)
        where, other = frame["where"][row + 1], frame["where"][row]
        faults.append(Fault(where, f"two assignments of {key} overlap", must_be=f"after the end of {other}", code="overlap"))
    return faults


def _table(frame: pl.DataFrame, next_from: I64) -> SubjectTable:
    keys = frame.select(*KEY).unique(maintain_order=True).with_row_index("key").with_columns(pl.col("key").cast(pl.Int64))
    key_of = frame.join(keys, on=KEY, how="left", maintain_order="left")["key"].to_numpy()
    from_at = frame["from_at"].to_numpy()
    instants = np.unique(from_at)
    place_of = key_of * (len(instants) + 1) + np.searchsorted(instants, from_at, side="right")
    to_at = np.minimum(frame["to_at"].to_numpy(), next_from)
    return SubjectTable(keys, instants, place_of, key_of, to_at, frame["tariff_index"].to_numpy())


def resolve_subjects(table: SubjectTable, usage: pl.DataFrame, start_at: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """i4[n]: the index of each record's tariff, -1 where its subject has none at the instant (`no_tariff_for_subject`).

    Args:
        usage: [tenant, category, subject] text, n rows; null is the empty text.
        start_at: i8[n], microseconds UTC.
    Raises:
        MeterlineError: a column is missing.
    """
    missing = [name for name in KEY if name not in usage.columns]
    if missing:
        raise MeterlineError([Fault("usage", f"column {name} is missing", must_be="there with subjects") for name in missing])
    asked = usage.select(pl.col(name).cast(pl.String).fill_null("") for name in KEY)
    key = asked.join(table.keys, on=KEY, how="left", maintain_order="left")["key"].fill_null(-1).to_numpy().copy()
    without = np.flatnonzero(key < 0)
    if len(without):
        of_any = table.keys.filter(pl.col("subject") == ANY_SUBJECT).drop("subject")
        others = asked.select(*KEY[:2])[without].join(of_any, on=KEY[:2], how="left", maintain_order="left")
        key[without] = others["key"].fill_null(-1).to_numpy()
    starts = np.asarray(start_at, dtype=np.int64)
    wanted = key * (len(table.instants) + 1) + np.searchsorted(table.instants, starts, side="right")
    place = np.searchsorted(table.place_of, wanted, side="right") - 1
    row = np.maximum(place, 0)
    if not len(table.to_at):
        return np.full(len(asked), -1, dtype=np.int32)
    holds = (key >= 0) & (place >= 0) & (table.key_of[row] == key) & (starts < table.to_at[row])
    return np.where(holds, table.tariff_index[row], -1).astype(np.int32)
