"""`meterline run`: take files from the drop folders through the line, once or for as long as it is left running."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import click

from meterline.cli.output import Output, number_text, shared_options
from meterline.cli.row_account import account_json, account_text
from meterline.config import load_config


@click.command("run", short_help="Take files from the drop folders through the line.")
@click.option("--until-idle", is_flag=True, help="Stop when all input is done, after rolling up.")
@shared_options
def command(until_idle: bool, home: Path, as_json: bool, quiet: bool) -> None:
    """Collect, preprocess, rate and commit what lies in the drop folders; nothing is lost or doubled, whenever it is stopped.

    Broken records go to suspense and broken files to HOME/refused with a text that says why; both are counted and the command
    still ends with 0. Stop it with Ctrl-C: the current batch is finished first. Run it again and it goes on where it was.
    """
    from meterline.runtime.engine import Progress, open_engine
    from meterline.runtime.publish import publish_finance

    output = Output(as_json, quiet)
    config = load_config(home)
    started = time.monotonic()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def report(progress: Progress) -> None:
        rate = progress.records / max(time.monotonic() - started, 1e-9)
        output.tick(
            f"{number_text(progress.records)} records  {rate:,.0f}/s  {progress.files} files  {progress.refused} refused  "
            f"now {progress.source} {progress.fraction:.0%}"
        )

    with open_engine(config, report) as engine:
        progress = engine.run(until_idle=until_idle, stop=stop.is_set, on_roll_up=lambda: publish_finance(config, engine.log))
        summary = {
            "files": progress.files,
            "records": progress.records,
            "refused_files": [{"name": name, "why": why} for name, why in engine.log.refusals()],
            "duplicate_files": [name for _, name in engine.log.duplicate_files()],
            "commits": progress.commits,
            "seconds": round(time.monotonic() - started, 3),
            "row_account": account_json(engine.log.row_account()),
        }
        text = (
            f"{number_text(progress.records)} records of {progress.files} files in {progress.commits} commits, "
            f"{summary['seconds']} s\n{account_text(engine.log.row_account())}"
        )
        if engine.log.refusals():
            text += f"\nrefused files: {len(engine.log.refusals())}, see {config.refused}"
        if engine.log.duplicate_files():
            text += f"\nduplicate files: {len(engine.log.duplicate_files())}, see {config.duplicate}"
        output.tick("", force=False)
        output.answer(summary, text)
    if stop.is_set() and until_idle:
        raise click.exceptions.Exit(130)
