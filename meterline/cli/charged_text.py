"""How charged usage reads: a row for each record or step, below it who paid which part, then what is left."""

from __future__ import annotations

from typing import Any

from meterline.cli.output import table_text

_HEADINGS = {
    "record_id": "record",
    "start_at": "start",
    "used": "usage",
    "over_limit": "over limit",
    "first_charge": "charge on arrival",
    "refunded": "given back",
}
_RIGHT = ("over limit", "charge on arrival", "charge", "booked", "reserved", "before", "left on arrival", "left", "given back")
_BOOKED = ("record_id", "account", "kind", "start_at", "quantity", "outcome", "first_charge", "charge", "over_limit")
_TAKEN = ("record_id", "account", "kind", "start_at", "quantity", "granted", "outcome", "charge")
_STEPS = ("reservation", "sequence", "used", "granted", "outcome", "booked", "reserved", "over_limit")
_REFUNDS = ("record_id", "balance", "refunded")


def charged_text(value: dict[str, Any], name: str, task: str) -> str:
    """The answer for people: `task` is book, take, grant, steps, refund or rerate, `name` that of the tariff."""
    columns, what = {
        "book": (_BOOKED, "booked"),
        "take": (_TAKEN, "taken as far as the balances can pay"),
        "grant": (_TAKEN, "what the balances could pay; nothing is taken"),
        "rerate": (_BOOKED, "refunded and debited again in order of time"),
        "steps": (_STEPS, "steps of reservations"),
        "refund": (_REFUNDS, "given back"),
    }[task]
    parts = [f"{name}: {what} ({value['currency']})"]
    records = [
        record | ({"first_charge": first} if first else {})
        for record, first in zip(value["records"], value.get("first_charges") or [""] * len(value["records"]), strict=True)
    ]
    if records:
        parts += ["", *_record_lines(records, columns)]
    for row in value.get("unallocated_refund", ()):
        parts.append(
            f"not given back: {row['unallocated_refund']} of record {row['record_id']}; "
            f"no balance {row['balance']!r}: {row['hint']}"
        )
    return "\n".join([*parts, "", _balance_table(value)])


def _balance_table(value: dict[str, Any]) -> str:
    headings = ["account", "balance", "kind", "before", "left"]
    cells = [[row["account"], row["balance"], row["kind"], row["before"], row["value"]] for row in value["balances"]]
    if value.get("first_balances"):
        headings.insert(4, "left on arrival")
        for row, first in zip(cells, value["first_balances"], strict=True):
            row.insert(4, first["value"])
    return table_text(headings, cells, right=_RIGHT)


def _record_lines(records: list[dict[str, Any]], columns: tuple[str, ...]) -> list[str]:
    """The table of the records with the postings of each below it; columns that say nothing are left out."""
    silent = {"over_limit"} if all(row.get("over_limit") == "0.00" for row in records) else set()
    silent |= {"account"} if len({row.get("account") for row in records}) == 1 else set()
    shown = [name for name in columns if name in records[0] and name not in silent]
    cells = [[str(row[name]) for name in shown] for row in records]
    head, rule, *lines = table_text([_HEADINGS.get(name, name) for name in shown], cells, right=_RIGHT).splitlines()
    postings = [[_posting_cells(post) for post in row.get("postings", ())] for row in records]
    widths = [max((len(post[place]) for posts in postings for post in posts), default=0) for place in range(3)]
    found = [head, rule]
    for line, posts in zip(lines, postings, strict=True):
        padded = ["  ".join(cell.ljust(width) for cell, width in zip(post, (*widths, 0), strict=True)) for post in posts]
        found += [line, *(f"    {one}".rstrip() for one in padded)]
    return found


def _posting_cells(post: dict[str, Any]) -> tuple[str, str, str, str]:
    """(which part, units, money, by which price)."""
    what = f"{post['from']} to {post['to']}" if post["count"] else "connect fee"
    units = f"{post['balance']} {post['taken']}" if "balance" in post else ""
    money = f"{post['money_balance']} {post['amount']}" if "money_balance" in post else ""
    if "item" not in post:
        return what, units, money, "allowance"
    item = post["item"] if not post["tier"] else f"{post['item']}, tier {post['tier'] + 1}"
    return what, units, money, f"{item}{', price of its own' if units else ''}"
