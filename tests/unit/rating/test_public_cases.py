"""The public rating cases, typed as a person would: tariffs, subjects and usage in files, prices by `meterline tariff price`.

Names: reference rating §12. A subject's plans become the versions of one tariff, its fallback subjects that tariff's fallbacks; a
window, a rounding or a segment becomes a tariff and usage whose price shows the answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.tools.typed import answer, write_csv

FILE = Path(__file__).parents[3] / ".." / "shared" / "reference" / "rating_cases_public.json"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no public rating cases at {FILE}")
PUBLIC: dict[str, Any] = json.loads(FILE.read_text(), parse_float=Decimal) if FILE.exists() else {"cases": [], "tariffs": {}}
REASONS = {"RATING_PLAN_NOT_FOUND": "no_tariff_for_subject", "UNAUTHORIZED_DESTINATION": "no_rate_for_destination"}
KINDS = {"voice": "voice", "data": "volume", "sms": "message"}
UNITS = {"voice": "ms", "volume": "B", "message": "messages"}
MODES = {"*up": "up", "*middle": "half_up", "*down": "down"}
SEGMENT = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}  ")
LINE = {"scope": "line", "mode": "up", "decimals": "2"}
LONG_AGO = "2000-01-01"


def cases(*operations: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in PUBLIC["cases"] if case["operation"] in operations]


def window_of(of: dict[str, Any]) -> dict[str, Any]:
    """An inclusive end gets one second added (§2)."""
    window = {key: of[key] for key in ("weekdays", "months", "month_days", "years") if of.get(key, "any") != "any"}
    window["start"] = of.get("start", "00:00:00")
    if "end" in of:
        hour, minute, second = map(int, of["end"].split(":"))
        seconds = (hour * 60 + minute) * 60 + second + 1
        window["end"] = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return window


def amount(value: Any) -> str:
    return format(Decimal(value), "f")


def rate_of(of: dict[str, Any], kind: str) -> dict[str, Any]:
    """Voice is in nanoseconds."""
    scale, unit = (10**6, "ms") if kind == "voice" else (1, UNITS[kind])
    tiers = [
        {
            "from": f"{tier['from_usage'] // scale} {unit}",
            "price": amount(tier["price"]),
            "per": f"{tier['per_units'] // scale} {unit}",
            "increment": f"{tier['increment'] // scale} {unit}",
        }
        for tier in of["tiers"]
    ]
    return {"connect_fee": amount(of["connect_fee"]), "tiers": tiers}


def version_of(tariff: dict[str, Any], plan: str, kind: str, start: str, end: str | None) -> dict[str, Any]:
    numbers = {name: [p for p in prefixes if p.isdigit()] for name, prefixes in tariff.get("destinations", {}).items()}
    rules, rates = [], {}
    for number, of in enumerate(tariff["plans"][plan]):
        if of["destination"] != "*any" and not numbers[of["destination"]]:
            continue
        rate = rate_of(tariff["rates"][of["rate"]], kind)
        if "max_cost" in of and Decimal(of["max_cost"]) > 0:
            rate["cap"] = {"amount": amount(of["max_cost"]), "strategy": of["max_cost_strategy"].removeprefix("*")}
        name = f"{of['rate']}_{number}"
        rates[name] = rate
        rounds = (
            {"mode": MODES[of["rounding"]], "decimals": str(of["decimals"])} if 1 <= of["decimals"] <= 9 else {"mode": "none"}
        )
        rule = {
            "kind": kind,
            "rate": name,
            "weight": of["weight"],
            "item": f"{plan} {number}",
            "rounding": {"scope": "record"} | rounds,
        }
        rule |= {} if of["destination"] == "*any" else {"destination": of["destination"]}
        rule |= {} if of["window"] == "*any" else {"window": of["window"]}
        rules.append(rule)
    return {
        "version": f"{plan} {start}", "effective_from": start, "rounding": LINE,
        **({"effective_to": end} if end else {}),
        "windows": {name: window_of(of) for name, of in tariff["windows"].items() if name != "*any"},
        "destinations": {name: {"prefixes": found} for name, found in numbers.items() if found},
        "rates": rates, "rules": rules,
    }  # fmt: skip


def write_tariff(folder: Path, name: str, versions: list[dict[str, Any]], fallback: list[str] = []) -> Path:  # noqa: B006
    """JSON is YAML."""
    head = {"tariff": name, "name": name, "currency": "EUR", "zone": "UTC", "service": "telecom"}
    more = {"fallback": fallback} if fallback else {}
    kept = [{key: value for key, value in version.items() if value != {}} for version in versions]
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({**head, **more, "versions": kept}, default=str), encoding="utf-8")
    return path


def write_case(folder: Path, case: dict[str, Any]) -> list[Path | str]:
    """The files of a case and the words that price it."""
    usage, tariff = case["usage"], PUBLIC["tariffs"][case["tariff"]]
    kind = KINDS[usage["type"]]
    plans: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(tariff["assignments"], key=lambda one: str(one["active_from"])):
        if (one["tenant"], one["category"]) == (usage["tenant"], usage["category"]):
            plans.setdefault(one["subject"].removeprefix("*"), []).append(one)
    other = [{"kind": kind, "rate": "r", "item": "i"}]
    rate = {"price": "1", "per": f"1 {UNITS[kind]}", "increment": f"1 {UNITS[kind]}"}
    nobody = {"version": "1", "effective_from": LONG_AGO, "rounding": LINE, "rates": {"r": rate}, "rules": other}
    write_tariff(folder, "nobody", [nobody])
    rows = [{"tenant": "no", "category": "no", "subject": "no", "tariff": "nobody", "effective_from": LONG_AGO}]
    for subject, found in plans.items():
        ends = [*(one["active_from"] for one in found[1:]), None]
        versions = [version_of(tariff, one["plan"], kind, one["active_from"], end) for one, end in zip(found, ends, strict=True)]
        names = [name.removeprefix("*") for name in found[0].get("fallback_subjects", [])]
        write_tariff(folder, subject, versions, [name for name in names if name in plans])
        key = {"tenant": usage["tenant"], "category": usage["category"], "subject": subject}
        rows.append({**key, "tariff": subject, "effective_from": LONG_AGO})
    digits = "" if usage["destination"] == "*any" else usage["destination"].lstrip("+")
    quantity = usage["quantity"] // 10**6 if kind == "voice" else usage["quantity"]
    record = {name: usage[name] for name in ("tenant", "category", "subject")}
    record |= {"kind": kind, "called_number": digits, "start_at": usage["start"], "quantity": quantity}
    subjects, records = write_csv(folder / "subjects.csv", rows), write_csv(folder / "usage.csv", [record])
    return [folder, records, "--subjects", subjects]


def segments_of(record: dict[str, Any]) -> list[str]:
    return [line for line in record["segments"] if SEGMENT.match(line)]


def check_price(case: dict[str, Any], record: dict[str, Any]) -> None:
    expected = case["expected"]
    if "error" in expected:
        assert record["reason"] == REASONS[expected["error"]]
        return
    assert record["reason"] in ("ok", "zero_usage"), record
    assert Decimal(record["charge"] or 0) == Decimal(expected["cost"])
    if "segments" in expected:
        assert len(segments_of(record)) == expected["segments"]


@pytest.mark.parametrize("case", cases("price"))
def test_price(case: dict[str, Any], tmp_path: Path) -> None:
    check_price(case, answer("tariff", "price", *write_case(tmp_path, case))["records"][0])


def test_price_in_a_process_of_its_own(tmp_path: Path) -> None:
    case = next(case for case in PUBLIC["cases"] if case["id"] == "P039")
    words = [sys.executable, "-m", "meterline", "tariff", "price", *map(str, write_case(tmp_path, case)), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[3])
    assert done.returncode == 0, done.stderr
    check_price(case, json.loads(done.stdout)["records"][0])


def price_one(folder: Path, version: dict[str, Any], *records: dict[str, Any]) -> list[dict[str, Any]]:
    tariff = write_tariff(folder, "t", [{"version": "1", "effective_from": LONG_AGO, "rounding": LINE, **version}])
    found: list[dict[str, Any]] = answer("tariff", "price", tariff, write_csv(folder / "usage.csv", list(records)))["records"]
    return found


def message(price: str) -> dict[str, Any]:
    return {"price": price, "per": "1 message", "increment": "1 message"}


@pytest.mark.parametrize("case", cases("window_active"))
def test_window_active(case: dict[str, Any], tmp_path: Path) -> None:
    """A message costs one inside the window, and has no price outside."""
    given = case["input"]
    rules = [{"kind": "message", "window": "w", "rate": "r", "item": "inside"}]
    version = {"windows": {"w": window_of(given["window"])}, "rates": {"r": message("1")}, "rules": rules}
    (record,) = price_one(tmp_path, version, {"kind": "message", "start_at": given["instant"], "quantity": 1})
    assert (record["charge"], record["reason"]) == (("1.00", "ok") if case["expected"] else ("", "no_rate_at_instant"))


@pytest.mark.parametrize("case", cases("window_choice", "split"))
def test_window_choice_and_split(case: dict[str, Any], tmp_path: Path) -> None:
    given, expected = case["input"], case["expected"]
    entries = given.get("rules") or [{"window": window, "weight": 10} for window in given["windows"]]
    rates = {f"r{n}": {"price": str(n + 1), "per": "1 s", "increment": "1 s"} for n in range(len(entries))}
    windows = {f"w{n}": window_of(of["window"]) for n, of in enumerate(entries)}
    rules = [
        {"kind": "voice", "window": f"w{n}", "rate": f"r{n}", "weight": of["weight"], "item": f"rule {n}"}
        for n, of in enumerate(entries)
    ]
    start, end = (given[name].replace("Z", "+00:00") for name in ("start", "end"))
    seconds = (int(end[11:13]) - int(start[11:13])) * 3600 + (int(end[14:16]) - int(start[14:16])) * 60
    seconds += int(end[17:19]) - int(start[17:19])
    record = {"kind": "voice", "called_number": "1", "start_at": start, "quantity": seconds, "unit": "s"}
    (priced,) = price_one(tmp_path, {"windows": windows, "rates": rates, "rules": rules}, record)
    assert len(segments_of(priced)) == expected["segments"]
    if "chosen_rule" in expected:
        assert priced["rule"] == f"rule {expected['chosen_rule']} (1)"
    if "boundary" in expected:
        assert segments_of(priced)[1].startswith(expected["boundary"][11:19])


@pytest.mark.parametrize("case", cases("round_amount"))
def test_round_amount(case: dict[str, Any], tmp_path: Path) -> None:
    """One message at the amount."""
    given = case["input"]
    rounds = {"scope": "record", "mode": MODES[given["method"]], "decimals": str(given["decimals"])}
    rules = [{"kind": "message", "rate": "r", "item": "i", "rounding": rounds}]
    version = {"rates": {"r": message(amount(given["amount"]))}, "rules": rules}
    (record,) = price_one(tmp_path, version, {"kind": "message", "start_at": "2015-06-01T00:00:00Z", "quantity": 1})
    assert Decimal(record["charge"]) == Decimal(case["expected"])


@pytest.mark.parametrize("case", cases("round_usage_to_increment", "segment_cost"))
def test_increments_of_a_segment(case: dict[str, Any], tmp_path: Path) -> None:
    """A segment that starts after some usage is the end of a call: the whole less its beginning."""
    given = case["input"]
    step = given.get("increment_seconds")
    tiers = given.get("tiers") or [{"from_usage_s": 0, "price": 1, "per_s": step, "increment_s": step}]
    rate = [
        {
            "from": f"{of['from_usage_s']} s",
            "price": amount(of["price"]),
            "per": f"{of['per_s']} s",
            "increment": f"{of['increment_s']} s",
        }
        for of in tiers
    ]
    before = given.get("usage_so_far_s", 0)
    used = Decimal(given["usage_s" if "usage_s" in given else "usage_seconds"])
    records = [
        {"kind": "voice", "called_number": "1", "start_at": "2015-06-01T00:00:00Z", "quantity": seconds, "unit": "s"}
        for seconds in (before + used, before)
    ]
    version = {"rates": {"r": {"tiers": rate}}, "rules": [{"kind": "voice", "rate": "r", "item": "i"}]}
    whole, part = price_one(tmp_path, version, *records)
    if "tiers" in given:
        assert Decimal(whole["charge"]) - Decimal(part["charge"] or 0) == case["expected"]
    else:
        assert whole["charged_quantity"] == case["expected"] * 1000


def test_all_public_cases_without_accounts_are_run() -> None:
    windows, roundings = ("window_active", "window_choice", "split"), ("round_amount", "round_usage_to_increment")
    assert len(cases("price", *windows, *roundings, "segment_cost")) == 41
