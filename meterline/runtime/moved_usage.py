"""A reference set that would move committed usage to another bucket, or leave it without an account, is refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from schemas.errors import BlockedError, Fault

_NAMED = 10


def refuse_moved_usage(new: Reference, snapshot: Snapshot) -> None:
    """Compare where every committed row lies with where the new set would put it. Raises BlockedError naming the accounts."""
    moved: set[str] = set()
    names = {key: name for name, key in zip(new.directory.account_id, new.directory.account_key, strict=True)}
    for table, column in (("rated_calls", "served_number"), ("interval_days", "metering_point_id")):
        for bucket in sorted({bucket for _, bucket in snapshot.parts(table)}):
            rows = snapshot.read(table, bucket=bucket, columns=[column, "start_at", "account_key"])
            instants = rows["start_at"].cast("int64").to_numpy()
            assignment = _assignments(new, rows[column], instants)
            found = np.where(assignment >= 0, new.directory.bucket[new.directory.assigned_rank[assignment]], -1)
            for key in np.unique(rows["account_key"].to_numpy()[found != bucket]).tolist():
                moved.add(str(names.get(key, f"account key {key} (gone)")))
    if moved:
        shown = ", ".join(sorted(moved)[:_NAMED]) + (f" and {len(moved) - _NAMED} more" if len(moved) > _NAMED else "")
        raise BlockedError(
            Fault(
                "reference data",
                "the changed accounts or services would move usage that is already committed",
                was=shown,
                must_be="the same settlement group for committed usage",
                next_step="keep these accounts in their groups until their period is closed, or date the change after it",
                code="moves_usage",
            )
        )


def _assignments(reference: Reference, services: Any, instants: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    if services.type == "uint64":
        return reference.directory.resolve_numbers(services.to_numpy(), instants)
    return reference.directory.resolve_names(services.to_pylist(), instants)
