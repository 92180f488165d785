"""`meterline tariff charge`: usage against the balances of an account, without any other set-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from meterline.cli.charged_text import charged_text
from meterline.cli.output import Output
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

    if is_refund + is_rerate + (task != "book") > 1:
        given = [name for name, on in (("--refund", is_refund), ("--rerate", is_rerate), (f"--as {task}", task != "book")) if on]
        raise MeterlineError(Fault("tariff charge", f"{' and '.join(given)} at once", must_be="one of them"))
    tariff = load_tariff(tariff_file)
    account = load_account(account_file, tariff)
    bundles = [load_tariff(path) for path in account.tariff_files]
    frame = read_usage(usage_file)
    are_steps = not is_refund and "reservation" in frame.columns
    if are_steps and (is_rerate or task != "book"):
        what = "steps of reservations with " + ("--rerate" if is_rerate else f"--as {task}")
        raise MeterlineError(Fault(str(usage_file), what, must_be="without: each step books and grants"))
    if is_refund:
        kinds = {balance.balance_id: balance.kind for balance in account.balances}
        refunds = read_refund_rows(frame, file=str(usage_file), kinds=kinds)
        found, asked = refund_rows(prepare_trial(tariff, bundles, account, []), refunds), "refund"
    else:
        usage = read_usage_rows(frame, file=str(usage_file), account=account.account, known=account.accounts)
        trial = prepare_trial(tariff, bundles, account, [row.start_at for row in usage])
        if are_steps:
            found, asked = run_steps(trial, usage), "steps"
        else:
            found = rerate_rows(trial, usage) if is_rerate else charge_rows(trial, usage, task)
            asked = "rerate" if is_rerate else task
    value: dict[str, Any] = {
        "tariff_id": tariff.tariff_id,
        "content_hash": tariff.content_hash,
        "currency": tariff.currency,
        "records": found.records,
        "balances": found.balances,
    }
    value |= {"first_charges": found.first_charges, "first_balances": found.first_balances} if is_rerate else {}
    value |= {"unallocated_refund": found.unallocated} if is_refund else {}
    Output(as_json).answer(value, lambda: charged_text(value, tariff.name, asked))
