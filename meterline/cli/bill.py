"""`meterline bill`: list, show and explain bills, down to the raw record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, shared_options, table_text
from meterline.config import Config, load_config


@click.group("bill", short_help="List, show and explain bills.")
def command() -> None:
    """List, show and explain bills. For an open period the answer is a draft: what the bill would be now."""


@command.command("list")
@click.argument("period")
@click.option("--limit", default=50, show_default=True, help="Bills shown (0: all).")
@shared_options
def list_command(period: str, limit: int, home: Path, as_json: bool, quiet: bool) -> None:
    """List the bills of PERIOD (YYYY-MM)."""
    from meterline.close.bill_view import list_bills
    from schemas.money import amount_text, minor_digits
    from schemas.periods import period_number

    config, log = _open(home)
    draft = log.period_states().get(period_number(period)) != "closed"
    bills = list(list_bills(config, log, period))
    shown = bills if not limit else bills[:limit]
    rows = [
        {"bill_number": b["bill_number"], "account_id": b["account_id"], "name": b["name"], "lines": b["line_count"],
         "total": amount_text(b["total_nano"], minor_digits(b["currency"])), "currency": b["currency"]}
        for b in shown
    ]  # fmt: skip

    def text() -> str:
        body = table_text(
            ("bill", "name", "lines", "total", ""),
            [(r["bill_number"], r["name"], r["lines"], r["total"], r["currency"]) for r in rows],
            right=("lines", "total"),
        )
        note = "drafts of an open period" if draft else "bills"
        return f"{body}\n\n{len(bills)} {note}" + (
            f", {len(bills) - len(shown)} more; --limit 0 shows all" if len(shown) < len(bills) else ""
        )

    Output(as_json, quiet).answer({"period": period, "draft": draft, "count": len(bills), "bills": rows}, text)


@command.command("show")
@click.argument("bill")
@shared_options
def show_command(bill: str, home: Path, as_json: bool, quiet: bool) -> None:
    """Show BILL (its number, PERIOD-ACCOUNT) as the customer reads it."""
    from meterline.close.bill_view import read_bill
    from settlement.bill_document import bill_json
    from settlement.bill_text import render_bill_text

    view = read_bill(*_open(home), bill)
    heading = "DRAFT of an open period\n" if view.is_draft else ""
    Output(as_json, quiet).answer(
        {"draft": view.is_draft, **bill_json(view.bill, view.lines)}, lambda: heading + render_bill_text(view.bill, view.lines)
    )


@command.command("explain")
@click.argument("bill")
@click.argument("line", type=int)
@click.option("--records", default=5, show_default=True, help="How many of the records behind the line are explained.")
@shared_options
def explain_command(bill: str, line: int, records: int, home: Path, as_json: bool, quiet: bool) -> None:
    """Explain LINE (its number) of BILL: the sum, the services, the rated records, and the raw record of each."""
    from meterline.close.bill_view import read_bill
    from meterline.close.explanation import explain_line

    config, log = _open(home)
    explained = explain_line(config, log, read_bill(config, log, bill), line, records_max=records)
    Output(as_json, quiet).answer(explained.value, explained.text)


def _open(home: Path) -> tuple[Config, Any]:
    from meterline.store.adapters.sqlite_log import SqliteCommitLog

    config = load_config(home)
    return config, SqliteCommitLog(config.commit_log, config.data, create=False)
