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

from ingest import call_stamps
from meterline import reference
from meterline.close.apply import apply_plan
from meterline.close.plan import make_plan
from meterline.config import Config
from meterline.config import load_config as really_load_config
from meterline.pipeline import calendar
from meterline.runtime.drops import DropWatch
from meterline.runtime.engine import open_engine
from meterline.runtime.publish import publish_finance
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.periods import period_number, period_of
from schemas.ports import CommitDraft, Source
from schemas.zones import zone_table
from tests.crash import shim
from tests.crash.product_checks import final_state, require_kept, require_whole
from tests.crash.product_home import PERIOD, ZONE, drop, make_inputs, write_home
from tests.crash.ready import Memory, content_of, get_ready

# Reading these files is part of what is proved, and each child does it; parsing and compiling the same bytes again is not.
_MEMORY = Memory()
load_config = _MEMORY.of(really_load_config, lambda home: (home, content_of(home / "meterline.yaml")))
reference.load_tariffs = _MEMORY.of(reference.load_tariffs, content_of)
reference.load_call_layout = _MEMORY.of(reference.load_call_layout, content_of)
reference.compile_book = _MEMORY.of(reference.compile_book, lambda tariffs, span: ([one.content_hash for one in tariffs], span))
calendar.period_starts = _MEMORY.of(calendar.period_starts, str)


def run(config: Config) -> None:
    """`meterline run --until-idle`, without its finance file."""
    with open_engine(config) as engine:
        engine.run(until_idle=True)


def close(config: Config) -> None:
    """`meterline period close`, without its finance file."""
    period = period_of(period_number(PERIOD), config.zone)
    with open_engine(config) as engine:
        if engine.log.period_states().get(period.number) != "closed":
            apply_plan(config, engine.log, make_plan(config, engine.log, period, period.end_on))
        shim.mark(f"closed {PERIOD}")


def publish(config: Config) -> None:
    """The finance file, the last act of both commands: apart, because DuckDB takes longer for it than all the rest takes."""
    with contextlib.closing(SqliteCommitLog(config.commit_log, config.data, create=False)) as log:
        publish_finance(config, log)
        shim.mark(f"published {log.head()}")


_COMMANDS: dict[str, Callable[[Config], None]] = {"first": run, "second": run, "close": close, "publish": publish}


@dataclass(frozen=True)
class Product:
    """One step of the operator's work. The steps `before` are done when the armed run begins."""

    name: str
    seed: int
    before: tuple[str, ...]
    step: str
    planted: Callable[[], contextlib.AbstractContextManager[None]] = field(default=contextlib.nullcontext)

    def prepare(self, folder: Path) -> None:
        """A home that has gone through `before`, with the drop that `step` will find."""
        write_home(folder)
        for step in self.before:
            self._drop_for(step, folder)
            _COMMANDS[step](load_config(folder))
        self._drop_for(self.step, folder)

    def _drop_for(self, step: str, folder: Path) -> None:
        inputs = make_inputs(self.seed)
        drop(folder, {"first": inputs.first, "second": inputs.second}.get(step, {}))

    def workload(self, folder: Path) -> None:
        """The operator's command; run again, it goes on where it was."""
        with _acknowledging(), self.planted():
            _COMMANDS[self.step](load_config(folder))

    def check_wreck(self, folder: Path) -> None:
        """What a reader sees at the head of the log is whole and agrees with itself."""
        require_whole(load_config(folder), judged=_judged(folder))

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """The deep audit holds, nothing waits, and all that was acknowledged is there."""
        config = load_config(folder)
        final_state(config, judged=_judged(folder))
        require_kept(config, marks)

    def digest(self, folder: Path) -> str:
        """Stored records, row account and sealed tables, read back."""
        return final_state(load_config(folder), judged=_judged(folder))


def _judged(folder: Path) -> Path:
    """Beside everything that is put back for each point."""
    return folder.parents[1] / "judged"


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
        home = folder / "case" / "data"
        Product("scout", product.seed, ("first", "second", "close", "publish"), "publish").prepare(home)
        require_whole(load_config(home))
        final_state(load_config(home))

    get_ready(everything, _MEMORY)
    zone_table(ZONE)
    zone_table("UTC", call_stamps.FIRST_YEAR - 1, call_stamps.LAST_YEAR + 2)
    return product


def first_drop(seed: int) -> Product:
    """A new home takes its first drop: calls, meter days, a file dropped twice, a file refused; then rolls up."""
    return _ready(Product("product-run", seed, (), "first"))


def late_drop(seed: int) -> Product:
    """Copies, conflicts and better meter days for what is stored and rolled up: withdrawals and rows set aside anew."""
    return _ready(Product("product-late", seed, ("first",), "second"))


def period_close(seed: int) -> Product:
    """Plan, apply, seal: the period is closed."""
    return _ready(Product("product-close", seed, ("first", "second"), "close"))


def finance_file(seed: int) -> Product:
    """The finance file of a closed period replaces the one before."""
    return _ready(Product("product-publish", seed, ("first", "second", "publish", "close"), "publish"))
