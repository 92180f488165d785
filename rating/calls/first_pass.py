"""The first pass: the list price of each record by its own attributes, stateless.

Line-scoped rounding: the record is booked to the nearest nano-unit here and the line rounds later.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.calls.exact_price import exact_price
from rating.calls.first_pass_kernel import BLOCK, rate_rows
from rating.calls.increments import NEEDS_EXACT
from rating.compiled.book import TariffBook
from rating.compiled.columns import kernel_column, refuse_row
from rating.compiled.winners import CALL_KIND_COUNT
from schemas.errors import Fault, MeterlineError

_THREAD_ROWS = 65_536  # fewer rows than this are not worth a thread


@dataclass(slots=True)
class RatedCalls:
    """One row for each record. Where `status` is not 0, charge and charged quantity are 0 and the rule is -1."""

    charge_nano: npt.NDArray[np.int64]
    charged_quantity: npt.NDArray[np.int64]  # after increments, base units of the kind
    rule_index: npt.NDArray[np.int32]  # the rule at the start
    status: npt.NDArray[np.uint8]  # schemas.reasons.Reason

    @classmethod
    def empty(cls, rows: int) -> RatedCalls:
        return cls(
            np.empty(rows, dtype=np.int64),
            np.empty(rows, dtype=np.int64),
            np.empty(rows, dtype=np.int32),
            np.empty(rows, dtype=np.uint8),
        )

    def first(self, rows: int) -> RatedCalls:
        """A view of the first rows, so that one large buffer serves batches of any size."""
        return RatedCalls(self.charge_nano[:rows], self.charged_quantity[:rows], self.rule_index[:rows], self.status[:rows])


def rate_calls(
    book: TariffBook,
    tariff_index: npt.NDArray[np.int32],
    kind: npt.NDArray[np.uint8],
    called_number: npt.NDArray[np.uint64],
    start_at: npt.NDArray[np.int64],
    quantity: npt.NDArray[np.int64],
    *,
    out: RatedCalls | None = None,
    threads: int = 1,
) -> RatedCalls:
    """The list price of each record.

    Args:
        tariff_index: i4[n], position in `book.tariff_ids`, -1 for a record without a tariff.
        kind: u1[n], voice 0, message 1 or volume 2.
        called_number: u8[n], packed (`schemas.numbers`); EMPTY_NUMBER for usage without a number.
        start_at: i8[n], microseconds UTC.
        quantity: i8[n] >= 0, milliseconds, messages or bytes by kind.
        out: takes the result if given; exactly n rows.
        threads: how many threads may share the rows; the result does not depend on it.
    Returns:
        `RatedCalls`. Status: ZERO_USAGE (charge 0), NO_TARIFF_FOR_SUBJECT, NO_RATE_FOR_DESTINATION, NO_RATE_AT_INSTANT (also for
        instants outside `book.span`, and for a hole later in the call), CHARGE_OVERFLOW (the result itself leaves int64).
    Raises:
        MeterlineError: columns of different lengths, a kind or tariff that does not exist, a negative quantity; names the row.
    """
    columns = _equal_columns(tariff_index, kind, called_number, start_at, quantity)
    rows = len(columns[0])
    rated = RatedCalls.empty(rows) if out is None else out
    if len(rated.status) != rows:
        raise MeterlineError(Fault("rate_calls out", "wrong length", str(len(rated.status)), str(rows)))
    parts = _parts(rows, threads)
    if len(parts) == 1:
        exact = [_rate_part(book, columns, rated, parts[0])]
    else:
        with ThreadPoolExecutor(len(parts)) as pool:
            exact = list(pool.map(lambda part: _rate_part(book, columns, rated, part), parts))
    if min(exact) < 0:
        _refuse_rows(book, columns)
    if any(exact):
        _rate_exactly(book, columns, rated)
    return rated


def _parts(rows: int, threads: int) -> list[slice]:
    """Rows in equal parts of whole blocks, one for a thread."""
    count = max(min(threads, rows // _THREAD_ROWS), 1)
    size = -(-rows // (count * BLOCK)) * BLOCK
    return [slice(first, min(first + size, rows)) for first in range(0, max(rows, 1), max(size, 1))]


def _rate_part(book: TariffBook, columns: list[npt.NDArray[np.int64]], rated: RatedCalls, part: slice) -> int:
    """Rate some rows without the interpreter's lock; what `rate_rows` returns."""
    lines, prefixes = book.timelines, book.prefixes
    exact: int = rate_rows(
        *(column[part] for column in columns), *book.span, lines.index, lines.segment, prefixes.top, prefixes.sub,
        book.cell_of, book.choices, book.rule_rows, book.step_rows, book.scale_rows, book.rule_words,
        rated.charge_nano[part], rated.charged_quantity[part], rated.rule_index[part], rated.status[part],
        np.empty((4, BLOCK), dtype=np.int32), np.empty((0, 6), dtype=np.int64), len(book.tariff_ids),
    )  # fmt: skip
    return exact


def _equal_columns(
    tariff_index: npt.ArrayLike,
    kind: npt.ArrayLike,
    called_number: npt.ArrayLike,
    start_at: npt.ArrayLike,
    quantity: npt.ArrayLike,
) -> list[npt.NDArray[np.int64]]:
    kinds = (np.int32, np.uint8, np.uint64, np.int64, np.int64)
    given = (tariff_index, kind, called_number, start_at, quantity)
    columns = [kernel_column(values, of) for values, of in zip(given, kinds, strict=True)]
    lengths = {len(column) for column in columns}
    if len(lengths) != 1:
        raise MeterlineError(Fault("rate_calls", "columns of different lengths", str(sorted(lengths)), "one length"))
    return columns


def _refuse_rows(book: TariffBook, columns: list[npt.NDArray[np.int64]]) -> None:
    """Name the first row that the kernel stopped at."""
    tariffs, kinds, _, _, quantities = columns
    refuse_row("tariff_index", tariffs >= len(book.tariff_ids), "no such tariff", tariffs, "an index of the book or -1")
    refuse_row("kind", kinds >= CALL_KIND_COUNT, "not a kind of call", kinds, "0, 1 or 2")
    refuse_row("quantity", quantities < 0, "a negative quantity", quantities, "zero or more")


def _rate_exactly(book: TariffBook, columns: list[npt.NDArray[np.int64]], rated: RatedCalls) -> None:
    """The rows whose products could leave int64, in Python integers: few, and rejected only if the result itself is too large."""
    for row in np.flatnonzero(rated.status == NEEDS_EXACT).tolist():
        price = exact_price(book, *(int(column[row]) for column in columns))
        rated.status[row] = price.status
        if price.status == 0:
            rated.charge_nano[row] = price.charge_nano
            rated.charged_quantity[row] = price.charged_quantity
            rated.rule_index[row] = price.rule_index
