"""The product itself under the crash matrix: landing and rating a drop, a late drop that corrects it, the close of the period.

The armed root is the home, so inboxes and data folder are both under it. A clean run is the operator's command without its
output; marks are set where the operator is told that something is done: a file has left the inbox, a commit has returned, the
period is closed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import settlement.adapters.finance_views  # noqa: F401  # imported late by the product; here every child has it from the start
from meterline import reference
from meterline.close.apply import apply_plan
from meterline.close.plan import make_plan
from meterline.config import Config, load_config
from meterline.runtime.drops import DropWatch
from meterline.runtime.engine import open_engine
from meterline.runtime.publish import publish_finance
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.periods import period_number, period_of
from schemas.ports import CommitDraft, Source
from tests.crash import shim
from tests.crash.product_checks import final_state, require_kept, require_whole
from tests.crash.product_home import PERIOD, Inputs, drop, make_inputs, write_home
from tests.crash.ready import load_kernels_used_by, remembered_by_content

reference.load_tariffs = remembered_by_content(reference.load_tariffs)

Step = Callable[[Config], None]


def run(config: Config) -> None:
    """`meterline run --until-idle`, without its finance file."""
    with open_engine(config) as engine:
        engine.run(until_idle=True)


def close(config: Config) -> None:
    """`meterline period close`, finance file included."""
    period = period_of(period_number(PERIOD), config.zone)
    with open_engine(config) as engine:
        if engine.log.period_states().get(period.number) != "closed":
            apply_plan(config, engine.log, make_plan(config, engine.log, period, period.end_on))
        shim.mark(f"closed {PERIOD}")
        publish_finance(config, engine.log)
        shim.mark(f"published {engine.log.head()}")


@dataclass(frozen=True)
class Product:
    """One stretch of the operator's work. What `before` does is done when the armed run begins."""

    name: str
    seed: int
    before: tuple[str, ...]
    steps: tuple[str, ...]
    planted: Callable[[], contextlib.AbstractContextManager[Any]] = field(default=contextlib.nullcontext)

    def prepare(self, folder: Path) -> None:
        """A home that has gone through `before`, with the drops that `steps` will find."""
        write_home(folder)
        for step in self.before:
            self._do(step, folder)
        if self.steps[0] in ("first", "second"):
            drop(folder, self._files(self.steps[0]))

    def workload(self, folder: Path) -> None:
        """The operator's commands; run again, each goes on where it was."""
        with _acknowledging(), self.planted():
            for step in self.steps:
                if step == "close":
                    close(load_config(folder))
                else:
                    run(load_config(folder))

    def _do(self, step: str, folder: Path) -> None:
        if step == "close":
            close(load_config(folder))
        else:
            drop(folder, self._files(step))
            run(load_config(folder))

    def _files(self, step: str) -> dict[str, str]:
        inputs: Inputs = make_inputs(self.seed)
        return inputs.first if step == "first" else inputs.second

    def check_wreck(self, folder: Path) -> None:
        """What a reader sees at the head of the log is whole and agrees with itself."""
        require_whole(load_config(folder))

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """The deep audit holds, nothing waits, and all that was acknowledged is there."""
        config = load_config(folder)
        final_state(config)
        require_kept(config, marks)

    def digest(self, folder: Path) -> str:
        """Stored records, row account and sealed tables, read back."""
        return final_state(load_config(folder))


@contextlib.contextmanager
def _acknowledging() -> Iterator[None]:
    """Marks each commit that has returned and each file that has left its inbox."""
    commit, claim = SqliteCommitLog.commit, DropWatch.claim

    def marked_commit(log: SqliteCommitLog, draft: CommitDraft) -> int:
        seq = commit(log, draft)
        shim.mark(f"committed {seq} {log.chain_head()}")
        return seq

    def marked_claim(watch: DropWatch, target: Any, path: Path) -> Source | None:
        source = claim(watch, target, path)
        shim.mark(f"taken {path.name}" if source is None else f"landed {source.sha256}")
        return source

    with patch.object(SqliteCommitLog, "commit", marked_commit), patch.object(DropWatch, "claim", marked_claim):
        yield


# ---- the workflows -----------------------------------------------------------------------------


def _ready(product: Product) -> Product:
    """The parent loads what every child needs; see `ready`."""

    def everything(folder: Path) -> None:
        whole = Product("scout", product.seed, ("first", "second", "close"), ("close",))
        home = folder / "home"
        home.mkdir()
        whole.prepare(home)
        require_whole(load_config(home))
        final_state(load_config(home))

    load_kernels_used_by(everything)
    return product


def first_drop(seed: int) -> Product:
    """A new home takes its first drop: calls, meter days, a file dropped twice, a file refused; then rolls up."""
    return _ready(Product("product-run", seed, (), ("first",)))


def late_drop(seed: int) -> Product:
    """Copies, conflicts and better meter days for what is stored and rolled up: withdrawals and rows set aside anew."""
    return _ready(Product("product-late", seed, ("first",), ("second",)))


def period_close(seed: int) -> Product:
    """Plan, apply, seal, publish."""
    return _ready(Product("product-close", seed, ("first", "second"), ("close",)))
