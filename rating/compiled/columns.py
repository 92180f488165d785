"""Batch columns as kernels want them: the right type, contiguous, one compiled kernel for writable and read-only memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schemas.errors import Fault, MeterlineError


class _Writable:
    """A view that claims to be writable, so that read-only Arrow memory does not compile every kernel a second time."""

    def __init__(self, owner: npt.NDArray[Any]) -> None:
        interface = dict(owner.__array_interface__)
        interface["data"] = (interface["data"][0], False)
        self.__array_interface__ = interface
        self.owner = owner


def kernel_column(values: npt.ArrayLike, kind: Any) -> npt.NDArray[Any]:
    """A column for kernels that only read it; no copy where type and layout fit."""
    column = np.ascontiguousarray(values, dtype=kind)
    return column if column.flags.writeable else np.asarray(_Writable(column))


def refuse_row(where: str, bad: npt.NDArray[np.bool_], what: str, values: npt.NDArray[Any], must_be: str) -> None:
    """A batch that no stage before may send: raise with the first row.

    Raises:
        MeterlineError: if any row is bad.
    """
    if bad.any():
        row = int(np.argmax(bad))
        raise MeterlineError(Fault(f"{where} row {row}", what, str(values[row]), must_be, code="bad_batch"))
