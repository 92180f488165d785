"""The row account of a batch: rows and quantities by period, kind and reason, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.kernels import kernel
from schemas.ports import NO_PERIOD, RowCount
from schemas.reasons import Disposition, Reason

_KINDS, _REASONS = 8, 256


@kernel()
def sum_places(period, kind, status, quantity, counted, first_period, rows, high, low):  # type: ignore[no-untyped-def]
    """Count rows and sum quantities per (period, kind, status), the sum in two limbs of 32 bits so that it cannot overflow.

    `rows`, `high`, `low` i8[1 + periods, 8, 256], the first place for rows without a period; a row with `counted` 0 adds only its
    quantity, one with 255 adds nothing.
    """
    for i in range(period.shape[0]):
        if counted[i] == 255:
            continue
        at = period[i] - first_period + 1 if period[i] >= 0 else 0
        rows[at, kind[i], status[i]] += counted[i]
        high[at, kind[i], status[i]] += quantity[i] >> 32
        low[at, kind[i], status[i]] += quantity[i] & 0xFFFFFFFF


def count_rows(
    source_id: int,
    period: npt.NDArray[np.int64],
    kind: npt.NDArray[np.uint8],
    status: npt.NDArray[np.uint8],
    quantity: npt.NDArray[np.int64],
    *,
    counted: npt.NDArray[np.uint8] | None = None,
    disposition: Disposition | None = None,
) -> list[RowCount]:
    """Entries of one source for equal-length arrays; `disposition` overrides what the reason implies (duplicate, superseded).

    A row with `counted` 0 is a further part of a record counted elsewhere: only its quantity counts; 255 leaves a row out.
    """
    if not len(period):
        return []
    last = int(period.max())
    first = int(period[period >= 0].min()) if last >= 0 else 0
    shape = (max(last - first + 2, 1), _KINDS, _REASONS)
    rows, high, low = np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    sum_places(
        period, kind, status, quantity, np.ones(len(period), np.uint8) if counted is None else counted, first, rows, high, low
    )
    entries = []
    for at, kind_code, reason_code in np.argwhere(rows | high | low).tolist():
        reason = Reason(reason_code)
        entries.append(
            RowCount(
                source_id,
                first + at - 1 if at else NO_PERIOD,
                kind_code,
                disposition or reason.disposition,
                reason,
                int(rows[at, kind_code, reason_code]),
                (int(high[at, kind_code, reason_code]) << 32) + int(low[at, kind_code, reason_code]),
            )
        )
    return entries
