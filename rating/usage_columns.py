"""Usage as people write it in a file, read into columns: kinds, numbers, instants and quantities in base units."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from rating.language.written_values import UNITS, base_units
from schemas.errors import Fault, MeterlineError
from schemas.hashing import record_id_of, text_words
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.zones import instant_us, moment_of

_KINDS = {kind.label: kind for kind in UsageKind}


@dataclass(frozen=True, slots=True)
class UsageColumns:
    """One entry for each record."""

    kinds: list[UsageKind]
    numbers: list[int]  # packed
    starts: list[int]  # microseconds UTC
    quantities: list[int]  # base units

    @property
    def span(self) -> tuple[int, int]:
        """The whole UTC years that hold all starts."""
        first, last = (moment_of(at).year for at in (min(self.starts), max(self.starts)))
        return instant_us(datetime(first, 1, 1, tzinfo=UTC)), instant_us(datetime(last + 1, 1, 1, tzinfo=UTC))


def usage_columns(usage: pl.DataFrame) -> UsageColumns:
    """The columns of a frame of records (see `price_usage`).

    Raises:
        MeterlineError: a column is missing, or all records that cannot be read, each with its row.
    """
    missing = [name for name in ("kind", "start_at", "quantity") if name not in usage.columns]
    faults = [Fault("usage", f"column {name} is missing") for name in missing]
    if faults:
        raise MeterlineError(faults)
    found = UsageColumns([], [], [], [])
    for row, record in enumerate(usage.iter_rows(named=True), start=1):
        try:
            kind = _KINDS[str(record["kind"])]
            found.kinds.append(kind)
            found.numbers.append(packed_number(str(record.get("called_number") or "").removeprefix("+")))
            found.starts.append(instant_of(record["start_at"]))
            found.quantities.append(_quantity(record["quantity"], record.get("unit"), kind))
        except KeyError:
            faults.append(Fault(f"usage row {row}", "no such kind", repr(record["kind"]), " or ".join(_KINDS)))
        except ValueError as cause:
            faults.append(Fault(f"usage row {row}", str(cause)))
    if faults:
        raise MeterlineError(faults)
    return found


def instant_of(value: object, name: str = "start_at") -> int:
    """Microseconds UTC of a datetime with zone or of ISO text with an offset.

    Raises:
        ValueError: it is none.
    """
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"{name} without offset: {value}")
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


def record_ids(usage: pl.DataFrame) -> tuple[list[int], list[int]]:
    """(hi, lo) of each record: a hash of its `record_id`, or of its row number where there is no such column."""
    texts = (
        usage["record_id"].cast(pl.String).to_list() if "record_id" in usage.columns else list(map(str, range(1, len(usage) + 1)))
    )
    ids = [record_id_of(text_words(str(text).encode())) for text in texts]
    return [hi for hi, _ in ids], [lo for _, lo in ids]
