"""`meterline demo`: a small operator, generated, run, closed and explained, so that everything can be looked at."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, number_text
from schemas.errors import Fault, MeterlineError

_MARK = "operator.json"


@click.command("demo", short_help="Generate a small operator, run it, close a month, explain a bill.")
@click.argument("folder", type=click.Path(path_type=Path), default=Path("demo-home"))
@click.option("--seed", default=2026, show_default=True, help="Same seed, same bytes.")
@click.option("--subscribers", default=3_000, show_default=True)
@click.option("--calls", default=1_000_000, show_default=True)
@click.option("--meters", default=300, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
def command(folder: Path, seed: int, subscribers: int, calls: int, meters: int, as_json: bool, quiet: bool) -> None:
    """Make a small operator in FOLDER (a telecom and a utility), run it, close its month, show one bill and its explanation.

    Run again, it replaces the folder it made before; it never touches a folder that it did not make.
    """
    from meterline.demo import build_operator

    output = Output(as_json, quiet)
    if folder.exists():
        if any(folder.iterdir()) and not (folder / _MARK).exists():
            raise MeterlineError(Fault(str(folder), "is not a folder that the demo made", next_step="give another folder"))
        shutil.rmtree(folder)
    started = time.monotonic()
    output.note(f"generating {number_text(calls)} call records and {number_text(meters)} meters into {folder} ...")
    summary = build_operator(folder, seed=seed, subscribers=subscribers, calls=calls, meters=meters)
    (folder / _MARK).write_text(json.dumps(summary.as_json(), indent=1) + "\n", encoding="utf-8")
    _settle_files(folder)
    value, text = _run_and_close(folder, summary.period, output)
    value["seconds"] = round(time.monotonic() - started, 1)
    output.answer(value, f"{text}\n\nall of it took {value['seconds']} s")


def _settle_files(folder: Path) -> None:
    """The files are whole: date them a minute back, so that the drop watch need not wait for them."""
    past = time.time() - 60
    for path in (folder / "inbox").rglob("*"):
        os.utime(path, (past, past))


def _run_and_close(folder: Path, label: str, output: Output) -> tuple[dict[str, Any], str]:
    from meterline.cli.period import plan_text
    from meterline.cli.row_account import account_json, account_text
    from meterline.close.apply import apply_plan
    from meterline.close.bill_view import list_bills, read_bill
    from meterline.close.explanation import explain_line
    from meterline.close.plan import make_plan
    from meterline.config import load_config
    from meterline.runtime.engine import Progress, open_engine
    from meterline.runtime.publish import publish_finance
    from schemas.periods import period_number, period_of
    from settlement.bill_text import render_bill_text

    config = load_config(folder)
    output.note("compiling kernels if this is their first use, then running ...")

    def report(progress: Progress) -> None:
        output.tick(f"run: {number_text(progress.records)} records, {progress.files} files, {progress.refused} refused")

    with open_engine(config, report) as engine:
        engine.run(until_idle=True)
        target = period_number(label)
        plan: dict[str, Any] = {}
        # meter days are cut at local midnight, so the first one reaches back into the month before: that closes first
        earlier = sorted({e.period for e in engine.log.row_account() if 0 <= e.period < target and e.disposition == "billed"})
        for number in [*earlier, target]:
            period = period_of(number, config.zone)
            plan = make_plan(
                config, engine.log, period, period.end_on, lambda done, total: output.tick(f"plan: bucket {done} of {total}")
            )
            apply_plan(config, engine.log, plan, report=lambda done, total: output.tick(f"close: bucket {done} of {total}"))
        publish_finance(config, engine.log)
        account = engine.log.row_account()
        bill = next(bill for bill in list_bills(config, engine.log, label) if bill["line_count"] >= 6)
        view = read_bill(config, engine.log, bill["bill_number"])
        line = next(line["line_no"] for line in view.lines if line["kind"] == "usage")
        explained = explain_line(config, engine.log, view, line, records_max=2)
    places = {
        "bills, journal, charges (Parquet)": config.data / f"sealed/period={label}/v1",
        "views for DuckDB": config.finance / "finance.duckdb",
        "refused files, each with its reason": config.refused,
        "files dropped twice": config.duplicate,
    }
    text = "\n\n".join(
        [
            plan_text(plan),
            render_bill_text(view.bill, view.lines).rstrip(),
            "WHY? " + explained.text,
            account_text(account),
            "\n".join(f"{what:<36} {path}" for what, path in places.items()),
            f"next: meterline bill list {label} --home {folder}; meterline suspense list --home {folder}; "
            f"meterline reconcile --home {folder}",
        ]
    )
    return {"plan": plan, "bill": view.bill["bill_number"], "row_account": account_json(account), "home": str(folder)}, text
