"""`meterline status`: where every source, period and count stands."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from meterline.cli.output import Output, shared_options, table_text
from meterline.cli.row_account import account_json, account_text
from meterline.config import load_config
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.periods import Period, period_of
from schemas.ports import Source
from schemas.reasons import Disposition


@click.command("status", short_help="Sources, periods and the row account.")
@shared_options
def command(home: Path, as_json: bool, quiet: bool) -> None:
    """Show what was collected, what is still to be read, which periods are open and closed, and the row account."""
    config = load_config(home)
    log = SqliteCommitLog(config.commit_log, config.data, create=False)
    account, sources = log.row_account(), log.sources()
    states = Counter(source.state for source in sources)
    waiting = [source for source in sources if source.state in ("claimed", "landed")]
    closed = log.period_states()
    billed: Counter[int] = Counter()
    for entry in account:
        if entry.disposition == Disposition.BILLED and entry.period >= 0:
            billed[entry.period] += entry.rows
    periods = [
        (_period(number, config.zone), closed.get(number, "open"), billed[number])
        for number in sorted({*(n for n, rows in billed.items() if rows), *closed})
    ]
    value = {
        "commit": log.head(),
        "chain_head": log.chain_head(),
        "sources": dict(states),
        "unfinished": [source.name for source in waiting],
        "periods": [{"period": period.label, "state": state, "billed_records": rows} for period, state, rows in periods],
        "row_account": account_json(account),
        "refused_files": [name for name, _ in log.refusals()],
        "duplicate_files": [name for _, name in log.duplicate_files()],
    }

    def text() -> str:
        listed = [(period.label, state, rows) for period, state, rows in periods]
        return "\n\n".join(
            [
                f"commit {log.head()}, sources: " + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "none"),
                table_text(("period", "state", "billed records"), listed, right=("billed records",)),
                account_text(account),
                *([_waiting_text(waiting)] if waiting else []),
            ]
        )

    Output(as_json, quiet).answer(value, text)


def _period(number: int, zone: str) -> Period:
    return period_of(number, zone)


def _waiting_text(waiting: list[Source]) -> str:
    rows = [(source.name, source.state, source.position, source.size_bytes) for source in waiting]
    return table_text(("unfinished source", "state", "bytes done", "bytes"), rows, right=("bytes done", "bytes"))
