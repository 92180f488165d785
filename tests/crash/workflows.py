"""What a workflow under the crash matrix is, and which ones there are."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable


class Workflow(Protocol):
    """One thing that the product does, run straight and crashed.

    `folder` is the armed root and always the same path within one run of the matrix. Whatever lies
    beside it (`folder.parent`) belongs to the workflow too, is put back for every point, and is
    neither counted nor faulted: the place for inputs, brokers and printers. Every method runs in a
    forked child of its own, so nothing is passed on but what lies on disk.
    """

    @property
    def name(self) -> str:
        """The name under which it is registered."""

    def prepare(self, folder: Path) -> None:
        """Makes `folder` and its inputs, once, before anything is armed."""

    def workload(self, folder: Path) -> None:
        """What the operator's command does; may raise, may be killed; run again, it resumes.

        Calls `shim.mark(text)` right after each acknowledgement to the outside. Two clean runs must
        do the same operations in the same order: one thread, no clock or randomness in names.
        """

    def check_wreck(self, folder: Path) -> None:
        """Raises if a reader would see a wrong state now; must not repair anything."""

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """Raises if the restarted folder breaks a law or lacks what `marks` acknowledged."""

    def digest(self, folder: Path) -> str:
        """Names the results that must be identical after any crash: bills, charges, journal."""


@runtime_checkable
class RemembersOutside(Protocol):
    """A workflow whose sources forget what they were acknowledged, as a broker or an inbox does.

    A power cut is played from the log, which holds the folder alone. Without this, the restart
    finds its inputs as they were at first, does everything anew and hides what was lost.
    """

    def replay_outside(self, folder: Path, marks: list[str]) -> None:
        """Brings what lies beside `folder` to where it stood when `marks` had been acknowledged."""


# By name: the module and its factory, called with the seed. Imported only by the process that runs
# it, since a workflow's imports are what every fork has to carry.
WORKFLOWS: dict[str, tuple[str, str]] = {
    "toy": ("tests.crash.toy", "correct"),
    "toy-sql-first": ("tests.crash.toy", "sql_first"),
    "toy-ack-first": ("tests.crash.toy", "ack_first"),
    "toy-twice": ("tests.crash.toy", "twice"),
    "toy-manifest-in-place": ("tests.crash.toy", "manifest_in_place"),
    "toy-no-file-sync": ("tests.crash.toy", "no_file_sync"),
    "toy-no-folder-sync": ("tests.crash.toy", "no_folder_sync"),
    "toy-sync-again": ("tests.crash.toy", "sync_again"),
    "toy-sql-unsynced": ("tests.crash.toy", "sql_unsynced"),
    "toy-wanders": ("tests.crash.toy", "wanders"),
    "toy-hangs": ("tests.crash.toy", "hangs"),
    "calls": ("tests.crash.calls", "every_call"),
    "calls-unseen": ("tests.crash.calls", "unseen"),
    "libraries": ("tests.crash.libraries", "all_writers"),
    "product-run": ("tests.crash.product", "first_drop"),
    "product-late": ("tests.crash.product", "late_drop"),
    "product-close": ("tests.crash.product", "period_close"),
    "product-publish": ("tests.crash.product", "finance_file"),
    "product-sql-first": ("tests.crash.product_mutants", "sql_first"),
    "product-no-file-sync": ("tests.crash.product_mutants", "no_file_sync"),
    "product-no-folder-sync": ("tests.crash.product_mutants", "no_folder_sync"),
    "product-positions-apart": ("tests.crash.product_mutants", "positions_apart"),
    "product-sql-unsynced": ("tests.crash.product_mutants", "sql_unsynced"),
    "product-move-first": ("tests.crash.product_mutants", "move_first"),
    "product-claims-left-open": ("tests.crash.product_mutants", "claims_left_open"),
    "product-folders-believed": ("tests.crash.product_mutants", "folders_believed"),
}


def load(name: str, seed: int) -> Workflow:
    """The workflow of this name with inputs made from `seed`."""
    if name not in WORKFLOWS:
        known = ", ".join(WORKFLOWS)
        raise LookupError(f"workflow: is not registered, was {name!r}, must be one of {known}")
    module, factory = WORKFLOWS[name]
    make: Callable[[int], Workflow] = getattr(importlib.import_module(module), factory)
    return make(seed)
