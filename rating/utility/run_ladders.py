"""What is particular to a group's ladder: the bounds of its tiers, and what it used before the period."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.compiled.book import I32, I64, TariffBook
from rating.compiled.ladders import OWN_LADDER
from schemas.errors import Fault, MeterlineError


@dataclass(frozen=True, slots=True)
class RunLadders:
    """Bounds and openings of runs, in milliwatt-hours.

    `bounds[bounds_row[r]]` are the lower bounds of all items of the book for run r (day-prorated, per kW ...);
    `opening[opening_row[r]]` is the running total at the start of its group: one number, or one for each price of the book.
    """

    bounds_row: I32
    bounds: I64
    opening_row: I32
    opening: I64


def run_ladders(
    book: TariffBook,
    runs: int,
    *,
    bounds: npt.ArrayLike | None = None,
    bounds_row: npt.ArrayLike | None = None,
    opening: npt.ArrayLike | None = None,
    opening_row: npt.ArrayLike | None = None,
) -> RunLadders:
    """Ladders of a number of runs; what is left out is as the tariffs say, and from zero.

    Args:
        bounds: i8[n, items of the book], ascending within a price and 0 for its first tier; bounds_row: i4[runs].
        opening: i8[n] milliwatt-hours >= 0, or i8[n, prices of the book] for `per_period`; opening_row: i4[runs].
    Raises:
        MeterlineError: rows, bounds or openings that cannot be.
    """
    nothing = np.zeros(runs, dtype=np.int32)
    given = book.energy_from[None, :] if bounds is None else np.asarray(bounds, dtype=np.int64)
    before = np.zeros((1, 1), dtype=np.int64) if opening is None else np.asarray(opening, dtype=np.int64)
    before = before[:, None] if before.ndim == 1 else before
    found = RunLadders(
        nothing if bounds_row is None else np.ascontiguousarray(bounds_row, dtype=np.int32),
        np.ascontiguousarray(given),
        nothing if opening_row is None else np.ascontiguousarray(opening_row, dtype=np.int32),
        np.ascontiguousarray(before),
    )
    if bounds is not None or bounds_row is not None:
        _refuse_bounds(book, runs, found)
    if opening is not None or opening_row is not None:
        _refuse_openings(book, runs, found)
    return found


def _refuse_bounds(book: TariffBook, runs: int, found: RunLadders) -> None:
    if found.bounds.ndim != 2 or found.bounds.shape[1] != len(book.energy_items):
        raise MeterlineError(Fault("bounds", "another width", str(found.bounds.shape), f"[n, {len(book.energy_items)}]"))
    first = np.zeros(len(book.energy_items), dtype=np.bool_)
    first[book.energy_first_item[:-1]] = True
    falls = (found.bounds[:, first] != 0).any() or (np.diff(found.bounds, axis=1)[:, ~first[1:]] < 0).any()
    if falls:
        raise MeterlineError(Fault("bounds", "tiers out of order", must_be="0 for the first tier of a price, then ascending"))
    _refuse_rows("bounds_row", found.bounds_row, runs, len(found.bounds))


def _refuse_openings(book: TariffBook, runs: int, found: RunLadders) -> None:
    prices = len(book.energy_first_item) - 1
    width = found.opening.shape[1]
    if width not in (1, prices):
        raise MeterlineError(Fault("opening", "another width", str(width), f"1 or {prices}"))
    if (found.opening < 0).any() or (found.opening > 2**62).any():
        raise MeterlineError(Fault("opening", "a running total out of range", must_be="0 to 2**62 milliwatt-hours"))
    if width == 1 and prices > 1 and found.opening.any() and np.isin(book.energy_mode, OWN_LADDER).any():
        raise MeterlineError(Fault("opening", "one for prices with ladders of their own", must_be=f"[n, {prices}]"))
    _refuse_rows("opening_row", found.opening_row, runs, len(found.opening))


def _refuse_rows(where: str, rows: I32, runs: int, size: int) -> None:
    if len(rows) != runs:
        raise MeterlineError(Fault(where, "another length", str(len(rows)), f"{runs} runs"))
    if runs and (int(rows.min()) < 0 or int(rows.max()) >= size):
        raise MeterlineError(Fault(where, "no such row", f"{int(rows.min())} to {int(rows.max())}", f"0 to {size - 1}"))
