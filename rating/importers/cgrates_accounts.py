"""Balances that a plan's actions create at once, as an account file for each account; every other action is named.

An account file names destinations of the tariff it is charged with, so only those that an imported tariff has can be written.
"""

from __future__ import annotations

import re

from rating.importers.cgrates_rows import PlanRows, Row
from rating.importers.cgrates_values import amount_of, instant_of, quantity_of, weight_of
from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind
from rating.importers.yaml_text import yaml_text
from rating.language.written_values import WEIGHT_MAX
from schemas.quantities import UsageKind

ACCOUNTS_FOLDER = "accounts"  # apart from the tariffs, whose folder is loaded whole
_KINDS = {"*voice": UsageKind.VOICE, "*sms": UsageKind.MESSAGE, "*data": UsageKind.VOLUME}
_ANY = ("", "*any")
_TOP_UPS = ("*topup", "*topup_reset")
_UNLIMITED = ("", "*unlimited")


def account_files(plan: PlanRows, destinations: set[str]) -> dict[str, str]:
    """`accounts/<tenant>_<account>.yml` for each account that gets balances; `destinations` are those of imported tariffs."""
    files: dict[str, str] = {}
    for row in plan.tables.get("AccountActions", []):
        balances = _balances(plan, row, destinations)
        if not balances:
            if not plan.is_named(row):
                plan.find(FindingKind.BROKEN_REFERENCE, row, "no balance of its action plan could be imported", row["plan"])
            continue
        name = f"{ACCOUNTS_FOLDER}/" + re.sub(r"[^A-Za-z0-9_.-]+", "_", f"{row['tenant']}_{row['account']}") + ".yml"
        if name in files:
            plan.find(FindingKind.CONFLICT, row, "this account is there twice: the first one stands", row["account"])
            continue
        files[name] = yaml_text({"account": row["account"], "balances": balances})
        plan.use([row])
    return files


def _balances(plan: PlanRows, account: Row, destinations: set[str]) -> list[dict[str, object]]:
    """The balances of one account; what else its row says is named."""
    for column, what in (
        ("triggers", "triggers on balances are not part of a tariff or an account"),
        ("allow_negative", "an account that may go below zero without a limit"),
        ("disabled", "an account that is disabled"),
    ):
        if account[column] not in ("", "false"):
            plan.refuse(account, what, account[column], "write credit_limit" if column == "allow_negative" else "")
    if account["plan"] not in plan.grouped("ActionPlans"):
        plan.find(FindingKind.BROKEN_REFERENCE, account, "no such action plan", account["plan"])
        return []
    found: dict[str, dict[str, object]] = {}
    for step in plan.grouped("ActionPlans")[account["plan"]]:
        if not _at_once(plan, step["timing"]):
            plan.refuse(step, "actions that run again or later", step["timing"], "write an allowance in the tariff")
            continue
        actions = plan.grouped("Actions").get(step["actions"], [])
        if not actions:
            plan.find(FindingKind.BROKEN_REFERENCE, step, "no such actions", step["actions"])
        before = len(found)
        for number, action in enumerate(actions, start=1):
            name = action["balance"] or (f"{action['id']} {number}" if len(actions) > 1 else action["id"])
            balance = _balance(plan, action, name, destinations)
            if balance is None:
                continue
            if name in found:
                plan.refuse(action, "a second top-up of one balance", name, "write the sum")
                continue
            found[name] = balance
            plan.use([action, step])
        if actions and len(found) == before:
            plan.find(FindingKind.BROKEN_REFERENCE, step, "none of its actions created a balance", step["actions"])
    return list(found.values())


def _at_once(plan: PlanRows, timing: str) -> bool:
    rows = [row for row in plan.tables.get("Timings", []) if row["id"] == timing]
    if rows and rows[0]["time"] == "*asap":
        plan.use(rows[:1])
        return True
    return timing == "*asap"


def _balance(plan: PlanRows, row: Row, name: str, destinations: set[str]) -> dict[str, object] | None:
    """One top-up as a balance; None (and a finding) where it is none."""
    if row["action"] not in _TOP_UPS:
        plan.refuse(row, "an action that creates no balance", row["action"])
        return None
    try:
        for column, what in (
            ("extra", "parameters of a top-up"),
            ("filters", "filters on fields of a CDR"),
            ("shared", "a shared group: write `groups` and `group` in one file of all its members"),
        ):
            if row[column]:
                raise Unreadable(what)
        if row["timings"] not in _ANY:
            raise Unreadable("a balance for some times of the day")
        if row["disabled"] not in ("", "false"):
            raise Unreadable("a balance that is disabled")
        return {"id": name, **_value(row), **_terms(row, destinations)}
    except Unreadable as reason:
        plan.refuse(row, reason.what, row["id"], reason.next_step)
        return None


def _value(row: Row) -> dict[str, object]:
    if row["type"] == "*monetary":
        return {"kind": "money", "value": amount_of(row["units"] or "0")}
    if row["type"] not in _KINDS:
        raise Unreadable(f"a balance of {row['type'] or 'no type'}", "money, voice, sms or data")
    kind = _KINDS[row["type"]]
    return {"kind": kind.label, "value": quantity_of(row["units"] or "0", kind)}


def _terms(row: Row, destinations: set[str]) -> dict[str, object]:
    """Priority, filters, block, expiry and blocker."""
    found: dict[str, object] = {}
    weight = weight_of(row["balance_weight"])
    if weight.denominator != 1 or abs(weight) > WEIGHT_MAX:
        raise Unreadable("a weight that is no whole number up to a million")
    if weight:
        found["priority"] = int(weight)
    if row["destinations"] not in _ANY:
        names = [name for name in row["destinations"].split(";") if name and name != "*any"]
        inside = [name for name in names if not name.startswith("!")]
        outside = [name[1:] for name in names if name.startswith("!")]
        unknown = sorted({*inside, *outside} - destinations)
        if unknown:
            raise Unreadable(f"a destination that no imported tariff has: {', '.join(unknown)}")
        found |= {"destinations": inside} if inside else {}
        found |= {"excluded": outside} if outside else {}
    if row["categories"] not in _ANY:
        found["categories"] = row["categories"].split(";")
    if row["subject"]:
        found["block"] = _block(row)
    if row["expiry"] not in _UNLIMITED:
        found["valid_to"] = instant_of(row["expiry"])
    if row["blocker"] not in ("", "false"):
        found["blocker"] = True
    return found


def _block(row: Row) -> str:
    """`*zero1m`: free in steps of a minute."""
    if not row["subject"].startswith("*zero") or row["type"] not in _KINDS:
        step = "write `rate` or `tariff` at the balance"
        raise Unreadable(f"a balance priced by the subject {row['subject']}", step)
    step_text = row["subject"].removeprefix("*zero") or "1s"
    kind = _KINDS[row["type"]]
    return quantity_of(step_text if kind is UsageKind.VOICE else step_text.rstrip("ns") or "1", kind)
