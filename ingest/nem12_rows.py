"""The rows that kernels fill while a NEM12 file is read, and how they mark what is wrong.

`DAY` has one row per 300 record, `RUN` one per 400 record, `CHANNEL` one per 200 record; rows point to each other by index, all
in file order. A kernel that finds a row wrong sets `fault` (a FaultCode), `fault_at` (byte) and `fault_count`, and goes on.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import numpy as np

from schemas.kernels import inline_kernel

_QUALITY_FIELDS = [
    ("flag", np.uint8),  # ASCII: A S F N E V
    ("method", np.uint8),
    ("code_from", np.int64),  # spans of reason code and reason description
    ("code_to", np.int64),
    ("text_from", np.int64),
    ("text_to", np.int64),
    ("fault", np.uint8),
    ("fault_at", np.int64),
    ("fault_count", np.int32),
]
DAY = np.dtype(
    [
        ("line", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("channel", np.int32),  # row in CHANNEL
        ("count", np.int32),  # values that the 200 announces; 0 when that 200 is wrong itself
        ("first_value", np.int64),
        ("first_run", np.int64),
        ("run_count", np.int32),
        ("day_on", np.int32),  # days since 1970-01-01
        ("values_from", np.int64),
        ("values_to", np.int64),
        ("updated_at", np.int64),
        ("traits", np.uint8),  # of all values together, as read_decimal says
        ("worst", np.uint8),  # Quality
        ("quantity", np.int64),
        ("quality_hash", np.uint64),
        ("content_hash", np.uint64),
        ("record_hi", np.uint64),
        ("record_lo", np.uint64),
        *_QUALITY_FIELDS,
    ],
    align=True,
)
RUN = np.dtype(
    [
        ("line", np.int64),
        ("start", np.int64),
        ("end", np.int64),
        ("day", np.int32),  # row in DAY
        ("first", np.int32),  # intervals from 1, both inclusive
        ("last", np.int32),
        *_QUALITY_FIELDS,
    ],
    align=True,
)
CHANNEL = np.dtype(
    [
        ("count", np.int32),
        ("step_s", np.int32),
        ("decimals", np.int8),  # of the base unit; -1 unknown unit
        ("kind", np.uint8),  # UsageKind
        ("role", np.uint8),  # ChannelRole
        ("hi", np.uint64),  # lanes of the record id before the day is absorbed
        ("lo", np.uint64),
        ("content", np.uint64),  # lane of the content hash before values are absorbed
    ],
    align=True,
)

FLAG_N = 78  # ASCII
FLAG_V = 86


class FaultCode(IntEnum):
    """What is wrong with one 300 or 400 record; `nem12_faults` has the words."""

    NONE = 0
    BAD_DATE = 1
    TOO_FEW_VALUES = 2
    TOO_MANY_VALUES = 3
    BAD_NUMBER = 4
    BAD_FLAG = 5
    BAD_UPDATE_TIME = 6
    BAD_LOAD_TIME = 7
    BAD_QUOTING = 8
    TOO_MANY_FIELDS = 9
    EMPTY_VALUE = 10
    NO_RUNS = 11
    RUNS_INCOMPLETE = 12
    RUN_GAP = 13
    RUN_UNEXPECTED = 14
    BAD_RANGE = 15
    RUN_FLAG_V = 16


@inline_kernel
def set_fault(row: Any, code: int, at: int, count: int) -> None:  # pragma: no cover
    """Mark a row as wrong."""
    row.fault = code
    row.fault_at = at
    row.fault_count = count
