"""The public charging cases (B*, S001, R*) through the command line: each becomes TARIFF, ACCOUNT and USAGE files.

Names: reference rating §12. The plan of (tenant, category, subject) is resolved here and written as the tariff.
"""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from meterline.cli.tariff import command

FILE = Path(__file__).parents[3] / ".." / "shared" / "reference" / "rating_cases_public.json"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no public rating cases at {FILE}")
PUBLIC: dict[str, Any] = json.loads(FILE.read_text(), parse_float=Decimal) if FILE.exists() else {"cases": [], "tariffs": {}}
KINDS = {"voice": "voice", "sms": "message", "data": "volume", "monetary": "money"}
UNITS = {"voice": "ms", "message": "message", "volume": "B"}
MODES = {"*up": "up", "*middle": "half_up", "*down": "down"}
TASKS = {"debit": "book", "max_debit": "take", "max_usage": "grant", "rerate_order": "book"}


class Text(str):
    """A text that YAML writes in quotes."""


yaml.SafeDumper.add_representer(Text, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style='"'))


def cases(*operations: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in PUBLIC["cases"] if case["operation"] in operations]


def money(amount: object) -> Text:
    return Text(f"{Decimal(str(amount)):f}")


def units(kind: str, value: int) -> str:
    """Voice is in nanoseconds, 10**6 of them a millisecond."""
    return f"{value // 10**6 if kind == 'voice' else value} {UNITS[kind]}"


def rate_of(of: dict[str, Any], kind: str) -> dict[str, Any]:
    tiers = [
        {"from": units(kind, tier["from_usage"]), "price": money(tier["price"]), "per": units(kind, tier["per_units"]),
         "increment": units(kind, tier["increment"])}
        for tier in of["tiers"]
    ]  # fmt: skip
    return {"connect_fee": money(of["connect_fee"]), "tiers": tiers}


def tariff_of(case: dict[str, Any], tariff_id: str, subject: str, kind: str) -> dict[str, Any]:
    """The plans that (tenant, category, subject) uses, one after the other; that of any subject where it has none."""
    of, usage = PUBLIC["tariffs"][case["tariff"]], case["usage"]

    def assigned(name: str) -> list[dict[str, Any]]:
        key = (usage["tenant"], usage["category"], name)
        return [one for one in of["assignments"] if (one["tenant"], one["category"], one["subject"]) == key]

    plans = sorted(assigned(subject) or assigned("*any"), key=lambda one: str(one["active_from"]))
    versions = [version_of(of, one, kind) for one in plans]
    for before, after in zip(versions, versions[1:], strict=False):
        before["effective_to"] = after["effective_from"]
    return {"tariff": tariff_id, "name": tariff_id, "currency": "EUR", "zone": "UTC", "service": "telecom", "versions": versions}


def version_of(of: dict[str, Any], assignment: dict[str, Any], kind: str) -> dict[str, Any]:
    rules, rates = [], {}
    for number, rule in enumerate(of["plans"][assignment["plan"]]):
        rate = rate_of(of["rates"][rule["rate"]], kind)
        if Decimal(rule.get("max_cost", 0)) > 0:
            rate["cap"] = {"amount": money(rule["max_cost"]), "strategy": rule["max_cost_strategy"].removeprefix("*")}
        rates[f"r{number}"] = rate
        rounds = 1 <= rule["decimals"] <= 9
        rounding = {"scope": "record", "mode": MODES[rule["rounding"]] if rounds else "none"}
        entry = {"kind": kind, "item": f"{assignment['plan']} {number}", "rate": f"r{number}", "weight": rule["weight"],
                 "rounding": rounding | ({"decimals": rule["decimals"]} if rounds else {})}  # fmt: skip
        if rule["destination"] != "*any":
            entry["destination"] = rule["destination"]
        if rule["window"] != "*any":
            entry["window"] = rule["window"]
        rules.append(entry)
    version = {
        "version": Text(assignment["active_from"]), "effective_from": assignment["active_from"],
        "rounding": {"scope": "line", "mode": "up", "decimals": 2}, "rates": rates, "rules": rules,
        "windows": {name: window_of(window) for name, window in of["windows"].items() if name != "*any"},
        "destinations": {
            name: {"prefixes": [Text(prefix.lstrip("+")) for prefix in prefixes]} for name, prefixes in of.get("destinations", {}).items()
        },
    }  # fmt: skip
    return {key: value for key, value in version.items() if value}


def window_of(of: dict[str, Any]) -> dict[str, Any]:
    """An inclusive end gets one second added."""
    window: dict[str, Any] = {"start": Text(of["start"])}
    if of["weekdays"] != "any":
        window["weekdays"] = of["weekdays"]
    if "end" in of:
        hour, minute, second = map(int, of["end"].split(":"))
        total = hour * 3600 + minute * 60 + second + 1
        window["end"] = Text(f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}")
    return window


def balance_of(case: dict[str, Any], of: dict[str, Any], bundles: dict[str, dict[str, Any]]) -> dict[str, Any]:
    kind = KINDS[of["type"]]
    value = money(of["value"]) if kind == "money" else units(kind, of["value"])
    found: dict[str, Any] = {"id": of["id"], "kind": kind, "value": value, "priority": of.get("weight", 0)}
    if of["id"] == "*default":
        found |= {"default": True}
    if [to for to in of.get("destinations", []) if to != "*any"]:
        found["destinations"] = of["destinations"]
    if of.get("windows"):
        found["windows"] = of["windows"]
    if of.get("shared_groups"):
        found |= {"owner": of.get("owner_account", "me"), "group": of["shared_groups"][0], "share_order": "lowest"}
    if of.get("blocker"):
        found["blocker"] = True
    if of.get("factors"):
        found["factor"] = str(of["factors"][case["usage"]["factor_id"]])
    subject = of.get("rating_subject", "")
    if subject.startswith("*zero"):
        found["block"] = {"*zero1m": "60 s", "*zero1s": "1 s"}[subject]
    elif subject:
        bundles[subject] = tariff_of(case, subject, subject, kind)
        found["tariff"] = subject
    return found


def charge(tmp_path: Path, tariff: object, account: object, usage: list[dict[str, Any]], *options: str) -> dict[str, Any]:
    """Write the files and run the command."""
    paths = [tmp_path / name for name in ("tariff.yaml", "account.yaml", "usage.jsonl")]
    for path, value in zip(paths, (tariff, account), strict=False):
        path.write_text(yaml.safe_dump(value, sort_keys=False))
    paths[2].write_text("".join(json.dumps(row) + "\n" for row in usage))
    done = CliRunner().invoke(command, ["charge", *map(str, paths), *options, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    answer: dict[str, Any] = json.loads(done.output)
    return answer


def account_of(case: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    bundles: dict[str, dict[str, Any]] = {}
    balances = [balance_of(case, of, bundles) for of in case["account_before"]["balances"]]
    account: dict[str, Any] = {"account": "me", "balances": balances}
    groups = {group for of in case["account_before"]["balances"] for group in of.get("shared_groups", [])}
    if groups:
        account["groups"] = {group: ["me", "other_member"] for group in groups}
    for name, tariff in bundles.items():
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(tariff, sort_keys=False))
        account.setdefault("tariffs", []).append(f"{name}.yaml")
    return account


def usage_row(case: dict[str, Any], **more: Any) -> dict[str, Any]:
    usage = {**case["usage"], **more}
    kind = KINDS[usage["type"]]
    digits = usage["destination"]
    return {
        "kind": kind, "called_number": digits if digits.isdigit() else "", "start_at": usage["start"], "unit": UNITS[kind],
        "quantity": str(usage["quantity"] // 10**6 if kind == "voice" else usage["quantity"]),
    }  # fmt: skip


def left(answer: dict[str, Any], name: str) -> Fraction:
    """Nano-units or base units of a balance."""
    return Fraction(next(row["units"] for row in answer["balances"] if row["balance"] == name))


def in_base(case: dict[str, Any], name: str, value: object) -> Fraction:
    of = next((of for of in case["account_before"]["balances"] if of["id"] == name), {"type": "monetary"})
    scale = Fraction(10**9) if of["type"] == "monetary" else Fraction(1, 10**6) if of["type"] == "voice" else Fraction(1)
    return Fraction(str(value)) * scale


@pytest.mark.parametrize("case", cases("debit", "max_debit", "max_usage"))
def test_charging(case: dict[str, Any], tmp_path: Path) -> None:
    kind, expected = KINDS[case["usage"]["type"]], case["expected"]
    tariff = tariff_of(case, "plan", case["usage"]["subject"], kind)
    answer = charge(tmp_path, tariff, account_of(case, tmp_path), [usage_row(case)], "--as", TASKS[case["operation"]])
    (record,) = answer["records"]
    if "error" in expected:
        assert (expected["error"], record["outcome"]) == ("INSUFFICIENT_CREDIT_BALANCE_BLOCKER", "blocked_by_balance")
        assert all(left(answer, of["id"]) == in_base(case, of["id"], of["value"]) for of in case["account_before"]["balances"])
        return
    if "cost" in expected:
        assert Fraction(record["charge"]) == Fraction(str(expected["cost"]))
    if "charged_quantity" in expected:
        assert record["charged_units"] == expected["charged_quantity"] // 10**6
    if "max_usage" in expected:
        assert record["granted_units"] == expected["max_usage"] // 10**6
    for name, value in expected.get("balances_after", {}).items():
        assert left(answer, name) == in_base(case, name, value), name


def test_b012_fifty_times(tmp_path: Path) -> None:
    case = next(case for case in PUBLIC["cases"] if case["id"] == "B012")
    tariff = tariff_of(case, "plan", case["usage"]["subject"], "voice")
    answer = charge(tmp_path, tariff, account_of(case, tmp_path), [usage_row(case)] * 50)
    assert left(answer, "money_a") == 7000 * 10**9


def test_b049_refund_restores(tmp_path: Path) -> None:
    case = next(case for case in PUBLIC["cases"] if case["id"] == "B049")
    tariff = tariff_of(case, "plan", case["usage"]["subject"], "message")
    account = account_of(case, tmp_path)
    answer = charge(tmp_path, tariff, account, [usage_row(case)])
    postings = answer["records"][0]["postings"]
    rows = [
        {"balance": post["balance"], "quantity": post["taken"].split()[0], "unit": "messages"}
        for post in postings
        if "balance" in post
    ]
    rows += [{"balance": post["money_balance"], "amount": post["amount"]} for post in postings if "money_balance" in post]
    account["balances"][0]["value"], account["balances"][1]["value"] = "2 messages", Text("3")
    back = charge(tmp_path, tariff, account, rows, "--refund")
    assert (left(back, "units_a"), left(back, "money_a")) == (10, 5 * 10**9)


PLAIN = {
    "tariff": "plain", "name": "plain", "currency": "EUR", "zone": "UTC", "service": "telecom",
    "versions": [{
        "version": Text("1"), "effective_from": "2010-01-01", "rounding": {"scope": "line", "mode": "up", "decimals": 2},
        "rates": {"mb": {"price": Text("1"), "per": "1 B", "increment": "1 B"}},
        "rules": [{"kind": "volume", "item": "x", "rate": "mb"}, ],
    }],
}  # fmt: skip


def test_s001_running_reservation(tmp_path: Path) -> None:
    case = next(case for case in PUBLIC["cases"] if case["id"] == "S001")
    account = {"balances": [{"id": "units", "kind": "volume", "value": f"{case['balance_before']} B"}]}
    steps = [
        {"kind": "volume", "start_at": "2024-01-01T10:00:00Z", "reservation": "r", "unit": "B", "used": str(step.get("used", 0)),
         "requested": str(step.get("reserve", 0)), "close": "true" if step["step"] == "end" else ""}
        for step in case["steps"]
    ]  # fmt: skip
    answer = charge(tmp_path, PLAIN, account, steps)
    after = [next(row["units"] for row in step["balances"] if row["balance"] == "units") for step in answer["records"]]
    assert list(map(int, after)) == [step["balance_after"] for step in case["steps"]]


@pytest.mark.parametrize("case", cases("refund"))
def test_refund(case: dict[str, Any], tmp_path: Path) -> None:
    account = account_of(case, tmp_path)
    rows: list[dict[str, Any]] = []
    for part in case["refund"]:
        if "unit_balance" in part:
            rows.append({"balance": part["unit_balance"], "quantity": str(part["duration_ns"] // 10**6), "unit": "ms"})
        if "money_balance" in part:
            rows.append({"balance": part["money_balance"], "amount": str(part["cost"])})
    answer = charge(tmp_path, PLAIN, account, [*rows, {"balance": "gone", "amount": "1"}], "--refund")
    for name, value in case["expected"]["balances_after"].items():
        assert left(answer, name) == in_base(case, name, value)
    assert [row["balance"] for row in answer["unallocated_refund"]] == ["gone"]


@pytest.mark.parametrize("case", cases("rerate_order"))
def test_rerate(case: dict[str, Any], tmp_path: Path) -> None:
    tariff = tariff_of(case, "plan", case["usage"]["subject"], "voice")
    usage = [usage_row(case, start=event["answer"], quantity=event["seconds"] * 10**9) for event in case["events"]]
    answer = charge(tmp_path, tariff, account_of(case, tmp_path), usage, "--rerate")
    assert [Decimal(cost) for cost in answer["first_charges"]] == [event["cost_when_first_rated"] for event in case["events"]]
    now = {row["start_at"][:19]: Decimal(row["charge"]) for row in answer["records"]}
    assert now == {event["answer"][:19]: event["cost"] for event in case["expected"]["after_rerate"]}
    assert left(answer, "default") == Fraction(str(case["expected"]["money_after"])) * 10**9


def test_all_public_charging_cases_are_run() -> None:
    assert len(cases("debit", "max_debit", "max_usage", "session_sequence", "refund", "rerate_order")) == 22
