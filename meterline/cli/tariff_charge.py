"""`meterline tariff charge`: usage against the balances of an account, without any other set-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, table_text
from schemas.errors import Fault, MeterlineError

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("charge")
@click.argument("tariff_file", metavar="TARIFF", type=_FILE)
@click.argument("account_file", metavar="ACCOUNT", type=_FILE)
@click.argument("usage_file", metavar="USAGE", type=_FILE)
@click.option(
    "--as", "task", type=click.Choice(("book", "grant", "take")), default="book", show_default=True, help="What is asked."
)
@click.option("--refund", "is_refund", is_flag=True, help="USAGE names balances and what goes back to them.")
@click.option("--rerate", "is_rerate", is_flag=True, help="Book in the order given, then refund all and debit in order of time.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def command(
    tariff_file: Path, account_file: Path, usage_file: Path, task: str, is_refund: bool, is_rerate: bool, as_json: bool
) -> None:
    """Charge USAGE (CSV, Parquet or JSON lines) by TARIFF to the balances in ACCOUNT (YAML): who pays what, and what is left.

    \b
    book   usage that happened: the rest goes below zero on the default money balance
    take   as much of it as the balances can pay
    grant  how much that is; nothing is taken
    \b
    Columns of USAGE: kind (voice, message, volume), called_number, start_at (ISO with offset), quantity and unit; perhaps
    record_id, account and category. With a column reservation its rows are steps: used, requested, perhaps sequence and close.
    With --refund: balance, and amount (money) or quantity and unit.
    """
    from meterline.cli.usage_files import read_usage
    from rating.balances.account_file import load_account
    from rating.charge_account import charge_rows, prepare_trial, refund_rows, rerate_rows, run_steps
    from rating.tariff_files import load_tariff
    from rating.usage_rows import read_refund_rows, read_usage_rows

    if is_refund and is_rerate:
        raise MeterlineError(Fault("tariff charge", "--refund and --rerate at once", must_be="one of the two"))
    tariff = load_tariff(tariff_file)
    account = load_account(account_file, tariff)
    bundles = [load_tariff(path) for path in account.tariff_files]
    frame = read_usage(usage_file)
    if is_refund:
        kinds = {balance.balance_id: balance.kind for balance in account.balances}
        found = refund_rows(
            prepare_trial(tariff, bundles, account, []), read_refund_rows(frame, file=str(usage_file), kinds=kinds)
        )
    else:
        known = dict.fromkeys([account.account, *account.shares, *(one.owner for one in account.balances if one.owner)])
        usage = read_usage_rows(frame, file=str(usage_file), account=account.account, known=known)
        trial = prepare_trial(tariff, bundles, account, [row.start_at for row in usage])
        if "reservation" in frame.columns:
            found = run_steps(trial, usage)
        else:
            found = rerate_rows(trial, usage) if is_rerate else charge_rows(trial, usage, task)
    value: dict[str, Any] = {
        "tariff_id": tariff.tariff_id,
        "content_hash": tariff.content_hash,
        "currency": tariff.currency,
        "records": found.records,
        "balances": found.balances,
    }
    value |= {"first_charges": found.first_charges} if is_rerate else {}
    value |= {"unallocated_refund": found.unallocated} if is_refund else {}
    Output(as_json).answer(value, lambda: _text(value))


def _text(value: dict[str, Any]) -> str:
    """Records with their postings below, then the balances."""
    lines = []
    for row in value["records"]:
        shown = {name: cell for name, cell in row.items() if name not in ("postings", "balances") and not name.endswith("_units")}
        lines.append("  ".join(f"{name} {cell}" for name, cell in shown.items()))
        lines += [f"    {_posting_text(post)}" for post in row.get("postings", ())]
    for row in value.get("unallocated_refund", ()):
        lines.append(f"no balance {row['balance']}: {row['unallocated_refund']} not given back")
    if value.get("first_charges"):
        lines.append(f"when they arrived: {', '.join(value['first_charges'])} {value['currency']}")
    cells = [(row["account"], row["balance"], row["value"]) for row in value["balances"]]
    return "\n".join([*lines, "", table_text(("account", "balance", "left"), cells, right=("left",))])


def _posting_text(post: dict[str, Any]) -> str:
    what = f"{post['from']} to {post['to']}" if post["count"] else "connect fee"
    units = f"{post['balance']} {post['taken']}" if "balance" in post else ""
    money = f"{post['money_balance']} {post['amount']}" if "money_balance" in post else ""
    item = f"[{post['item']}]" if "item" in post else "[allowance]"
    return "  ".join(part for part in (what, units, money, item) if part)
