"""`meterline reconcile`: the ten invariants, from files and the commit log alone."""

from __future__ import annotations

from pathlib import Path

import click

from meterline.cli.output import Output, shared_options
from meterline.cli.row_account import account_json, account_text
from meterline.config import load_config
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.errors import ExitCode


@click.command("reconcile", short_help="Check every invariant from the files alone.")
@click.option(
    "--fast", is_flag=True, help="Do not read raw files and hashes again: compare what is stored with what was counted."
)
@click.option("--period", help="Recompute the bills of this closed period only (YYYY-MM; default: all).")
@shared_options
def command(fast: bool, period: str | None, home: Path, as_json: bool, quiet: bool) -> None:
    """Recount raw files, stored rows and money, recompute closed periods, verify the hash chain; exit 1 if anything is off."""
    from meterline.runtime.audit import audit

    config = load_config(home)
    log = SqliteCommitLog(config.commit_log, config.data, create=False)
    output = Output(as_json, quiet)
    results = audit(config, log, deep=not fast, period=period, report=lambda text: output.tick(text))
    broken = [fault for result in results for fault in result.faults]
    value = {
        "holds": not broken,
        "row_account": account_json(log.row_account()),
        "invariants": [
            {
                "id": r.code,
                "name": r.name,
                "verdict": "FAIL" if r.faults else r.verdict,
                "figure": r.figure,
                "seconds": round(r.seconds, 3),
                "faults": [fault.as_json() for fault in r.faults],
            }
            for r in results
        ],
    }

    def text() -> str:
        lines = [
            f"{'FAIL' if r.faults else r.verdict:<4}  {r.code:<3} {r.name:<18} {r.figure}  ({r.seconds:.2f} s)"
            + "".join(f"\n      {fault}" for fault in r.faults)
            for r in results
        ]
        return account_text(log.row_account()) + "\n\n" + "\n".join(lines)

    output.answer(value, text)
    if broken:
        raise click.exceptions.Exit(ExitCode.FAILED)
