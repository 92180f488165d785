"""`meterline period`: where a period stands, its sealed plan, and its close."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, number_text, shared_options, table_text
from meterline.config import Config, load_config
from schemas.periods import Period, period_number, period_of


@click.group("period", short_help="Plan and close a billing period.")
def command() -> None:
    """Plan, apply and close a billing period. A plan moves no money; applying it must arrive at exactly what it promised."""


@command.command("status")
@click.argument("period")
@shared_options
def status(period: str, home: Path, as_json: bool, quiet: bool) -> None:
    """Show whether PERIOD (YYYY-MM) is open or closed, and by which plan."""
    config, log = _open(home)
    number = period_number(period)
    closes = [notes for _, notes in log.notes("close") if notes["period"] == period]
    state = log.period_states().get(number, "open")
    value = {
        "period": period,
        "state": state,
        **({"plan_seal": closes[-1]["plan_seal"], "promise": closes[-1]["promise"]} if closes else {}),
    }
    Output(as_json, quiet).answer(value, "\n".join(f"{name:<10} {text}" for name, text in value.items()))


@command.command("plan")
@click.argument("period")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the plan (default: HOME/plan-PERIOD.json).",
)
@click.option("--issue-on", type=click.DateTime(["%Y-%m-%d"]), help="Date on the bills (default: the day after the period).")
@shared_options
def plan(period: str, out: Path | None, issue_on: datetime | None, home: Path, as_json: bool, quiet: bool) -> None:
    """Compute every bill of PERIOD (YYYY-MM) without moving money, and write one sealed plan to review and apply."""
    config, log = _open(home)
    output = Output(as_json, quiet)
    sealed = _plan(config, log, _period(period, config), issue_on, output)
    path = out or config.home / f"plan-{period}.json"
    path.write_text(json.dumps(sealed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    output.answer(
        {"plan_file": str(path), **sealed},
        lambda: f"{plan_text(sealed)}\n\nplan written to {path}\napply it: meterline period apply {path}",
    )


@command.command("apply")
@click.argument("plan_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@shared_options
def apply(plan_file: Path, home: Path, as_json: bool, quiet: bool) -> None:
    """Close the period of PLAN_FILE: recompute, compare with the promise, seal bills and journal. Safe to repeat."""
    from meterline.close.plan import read_plan

    output = Output(as_json, quiet)
    sealed = read_plan(plan_file)
    config = load_config(home)
    output.answer(*_apply(config, sealed, output))


@command.command("close")
@click.argument("period")
@click.option("--issue-on", type=click.DateTime(["%Y-%m-%d"]), help="Date on the bills (default: the day after the period).")
@shared_options
def close(period: str, issue_on: datetime | None, home: Path, as_json: bool, quiet: bool) -> None:
    """Plan and apply in one step, for one person on a test system. Closing a closed period again changes nothing."""
    from meterline.runtime.publish import publish_finance

    config, log = _open(home)
    output = Output(as_json, quiet)
    if log.period_states().get(period_number(period)) == "closed":
        notes = next(notes for _, notes in reversed(log.notes("close")) if notes["period"] == period)
        publish_finance(config, log)  # the first close may have been killed before it did
        output.answer({"period": period, "state": "closed", "promise": notes["promise"]}, f"period {period} is closed already")
        return
    sealed = _plan(config, log, _period(period, config), issue_on, output)
    log.close()
    value, text = _apply(config, sealed, output)
    output.answer({**sealed, **value}, lambda: f"{plan_text(sealed)}\n\n{text}")


def _open(home: Path) -> tuple[Config, Any]:
    from meterline.store.adapters.sqlite_log import SqliteCommitLog

    config = load_config(home)
    return config, SqliteCommitLog(config.commit_log, config.data, create=False)


def _period(label: str, config: Config) -> Period:
    return period_of(period_number(label), config.zone)


def _plan(config: Config, log: Any, period: Period, issue_on: datetime | None, output: Output) -> dict[str, Any]:
    from meterline.close.plan import make_plan

    issued: date = issue_on.replace(tzinfo=UTC).date() if issue_on else period.end_on
    return make_plan(config, log, period, issued, _bar(output, "plan"))


def _apply(config: Config, sealed: dict[str, Any], output: Output) -> tuple[dict[str, Any], str]:
    from meterline.close.apply import apply_plan
    from meterline.runtime.engine import open_engine
    from meterline.runtime.publish import publish_finance

    with open_engine(config) as engine:
        seq = apply_plan(config, engine.log, sealed, report=_bar(output, "apply"))
        finance = publish_finance(config, engine.log)
    value = {
        "state": "closed",
        "commit": seq,
        "sealed": str(config.data / f"sealed/period={sealed['period']}/v1"),
        "finance": str(finance),
    }
    text = (
        f"period {sealed['period']} closed in commit {seq}: {number_text(sealed['totals']['bills'])} bills\n"
        f"sealed   {value['sealed']}\nfinance  {finance}"
    )
    return value, text


def _bar(output: Output, step: str) -> Callable[[int, int], None]:
    def report(done: int, total: int) -> None:
        output.tick(f"{step}: bucket {done} of {total}", force=done == total)

    return report


def plan_text(plan: dict[str, Any]) -> str:
    """A plan as the clerk reads it."""
    account = plan["row_account"]
    terms = " + ".join(f"{number_text(count)} {place}" for place, count in account.items() if place != "collected")
    totals = plan["totals"]
    money = [
        (label, f"{totals[name]} {plan['currency']}")
        for label, name in (
            ("usage at list price", "list"), ("allowances", "allowance"), ("discounts", "discount"), ("usage charges", "net"),
            ("bills, net", "bills_net"), ("tax", "bills_tax"), ("bills, total", "bills_total"),
            ("rounding carried on", "bills_carried_out"),
        )
    ]  # fmt: skip
    checks = [(c["verdict"], c["check"], c["figure"], c["next"]) for c in plan["checklist"]]
    return "\n\n".join(
        [
            f"PLAN {plan['period']}  tenant {plan['tenant']}  zone {plan['zone']}  issue date {plan['issue_on']}  "
            f"commit {plan['pins']['commit']}",
            table_text(("", "check", "figure", "next"), checks),
            f"{number_text(account['collected'])} collected in the period = {terms}",
            f"{number_text(totals['bills'])} bills, {number_text(totals['bill_lines'])} lines, "
            f"{number_text(totals['billed_records'])} billed records\n" + table_text(("", "amount"), money, right=("amount",)),
            f"promise {plan['promise']}\nseal    {plan['seal']}",
        ]
    )
