"""The row account of a batch: rows and quantities by period, kind and reason, exactly."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from schemas.kernels import kernel
from schemas.ports import RowCount
from schemas.reasons import Disposition, Reason

_KINDS, _REASONS = 8, 256
_SPAN = 64  # months next to each other are counted without sorting


@kernel()
def sum_by_code(codes, counted, quantity, rows, high, low):  # type: ignore[no-untyped-def]
    """Count and sum quantities per code, the sum in two limbs of 32 bits so that it cannot overflow."""
    for i in range(codes.shape[0]):
        code = codes[i]
        rows[code] += counted[i]
        high[code] += quantity[i] >> 32
        low[code] += quantity[i] & 0xFFFFFFFF


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

    A row with `counted` 0 is a further part of a record that is counted elsewhere: only its quantity counts.
    """
    if not len(period):
        return []
    first, last = int(period.min()), int(period.max())
    if last - first < _SPAN:
        periods, slot = np.arange(first, last + 1), period - first
    else:
        periods, slot = np.unique(period, return_inverse=True)
    codes = (slot * _KINDS + kind) * _REASONS + status
    size = len(periods) * _KINDS * _REASONS
    rows, high, low = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
    ones = np.ones(len(period), np.uint8) if counted is None else counted
    sum_by_code(codes.astype(np.int64), ones, quantity, rows, high, low)
    entries = []
    for code in np.flatnonzero(rows | high | low).tolist():
        slot_kind, reason_code = divmod(code, _REASONS)
        reason = Reason(reason_code)
        entries.append(
            RowCount(
                source_id,
                int(periods[slot_kind // _KINDS]),
                slot_kind % _KINDS,
                disposition or reason.disposition,
                reason,
                int(rows[code]),
                (int(high[code]) << 32) + int(low[code]),
            )
        )
    return entries
