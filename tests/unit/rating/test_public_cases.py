"""The public rating cases: tariffs and amounts that peers agree on, priced by our kernel (names: reference rating §12).

The subject chain is the caller's affair: a subject's plans become the versions of one tariff, its fallbacks are tried in turn.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rating.calls.explain import explain_call
from rating.calls.first_pass import rate_calls
from rating.compiled.compiler import compile_book
from rating.compiled.timeline import compile_timeline
from rating.language.call_terms import Cap, Destination, Rate, Rule
from rating.language.shared_terms import DAY_US, Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.money import round_ratio
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import instant_us
from tests.unit.rating.worked_tariffs import nano

FILE = Path(__file__).parents[3] / ".." / "shared" / "reference" / "rating_cases_public.json"
pytestmark = pytest.mark.skipif(not FILE.exists(), reason=f"no public rating cases at {FILE}")
PUBLIC: dict[str, Any] = json.loads(FILE.read_text(), parse_float=Decimal) if FILE.exists() else {"cases": [], "tariffs": {}}
ERRORS = {"RATING_PLAN_NOT_FOUND": Reason.NO_TARIFF_FOR_SUBJECT, "UNAUTHORIZED_DESTINATION": Reason.NO_RATE_FOR_DESTINATION}
KINDS = {"voice": UsageKind.VOICE, "data": UsageKind.VOLUME, "sms": UsageKind.MESSAGE}
MODES = {"*up": "up", "*middle": "half_up", "*down": "down"}
SPAN_YEARS = (2011, 2027)


def cases(*operations: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in PUBLIC["cases"] if case["operation"] in operations]


def at(text: str) -> int:
    return instant_us(datetime.fromisoformat(text))


def clock_us(text: str) -> int:
    hour, minute, second = map(int, text.split(":"))
    return ((hour * 60 + minute) * 60 + second) * 1_000_000


def window_of(name: str, of: dict[str, Any]) -> Window:
    """An inclusive end gets one second added (§2)."""
    filters = {key: frozenset(of[key]) for key in ("weekdays", "months", "month_days", "years") if of.get(key, "any") != "any"}
    end_us = clock_us(of["end"]) + 1_000_000 if "end" in of else DAY_US
    return Window(name, start_us=clock_us(of.get("start", "00:00:00")), end_us=end_us, **filters)


def rate_of(name: str, of: dict[str, Any], scale: int) -> Rate:
    """Voice is in nanoseconds: `scale` of them are one base unit."""
    tiers = [
        Tier(tier["from_usage"] // scale, nano(tier["price"]), tier["per_units"] // scale, tier["increment"] // scale)
        for tier in of["tiers"]
    ]
    return Rate(name, tuple(tiers), nano(of["connect_fee"]))


def version_of(case: dict[str, Any], plan: str, kind: UsageKind, from_at: int, to_at: int) -> TariffVersion:
    tariff, scale = PUBLIC["tariffs"][case["tariff"]], 10**6 if kind is UsageKind.VOICE else 1
    rules, rates = [], []
    for number, of in enumerate(tariff["plans"][plan]):
        rate = rate_of(f"{of['rate']} {number}", tariff["rates"][of["rate"]], scale)
        if "max_cost" in of and Decimal(of["max_cost"]) > 0:
            cap = Cap(nano(of["max_cost"]), of["max_cost_strategy"].removeprefix("*"))
            rate = Rate(rate.name, rate.tiers, rate.connect_fee_nano, 0, cap)
        rates.append(rate)
        to = None if of["destination"] == "*any" else of["destination"]
        when = None if of["window"] == "*any" else of["window"]
        mode, decimals = (MODES[of["rounding"]], of["decimals"]) if 1 <= of["decimals"] <= 9 else ("none", 9)
        item = f"{plan} {number}"
        rules.append(Rule(kind, to, when, rate.name, of["weight"], item, Rounding("record", mode, decimals)))
    windows = tuple(window_of(name, of) for name, of in tariff["windows"].items() if name != "*any")
    destinations = tuple(
        Destination(name, tuple(prefix for prefix in prefixes if prefix.isdigit()))
        for name, prefixes in tariff.get("destinations", {}).items()
    )
    return TariffVersion(
        f"{plan} {from_at}", from_at, to_at, Rounding("line", "up", 2), windows=windows, destinations=destinations,
        rates=tuple(rates), rules=tuple(rules),
    )  # fmt: skip


def chain_of(case: dict[str, Any]) -> list[Tariff]:
    """The subject's tariff, or that of `any` where it has none, and those of its fallbacks."""
    usage = case["usage"]
    kind = KINDS[usage["type"]]

    def assigned(subject: str) -> list[dict[str, Any]]:
        key = (usage["tenant"], usage["category"], subject)
        every = PUBLIC["tariffs"][case["tariff"]]["assignments"]
        found = [one for one in every if (one["tenant"], one["category"], one["subject"]) == key]
        return sorted(found, key=lambda one: str(one["active_from"]))

    first = usage["subject"] if assigned(usage["subject"]) else "*any"
    subjects = [first, *(name for one in assigned(first)[:1] for name in one.get("fallback_subjects", []))]
    tariffs = []
    for subject in subjects:
        plans = assigned(subject)
        starts = [*(at(one["active_from"]) for one in plans), 2**63 - 1]
        versions = tuple(
            version_of(case, one["plan"], kind, low, high) for one, low, high in zip(plans, starts, starts[1:], strict=False)
        )
        if versions:
            tariffs.append(Tariff(f"{len(tariffs)} {subject}", subject, "EUR", "UTC", ServiceKind.TELECOM, versions))
    return tariffs


YEAR_2015 = (at("2015-01-01T00:00:00Z"), at("2016-01-01T00:00:00Z"))


def tariff_of(from_at: int, **parts: Any) -> Tariff:
    """One open version in UTC that rounds nothing by record."""
    version = TariffVersion("1", from_at, 2**63 - 1, Rounding("line", "up", 2), **parts)
    return Tariff("t", "t", "EUR", "UTC", ServiceKind.TELECOM, (version,))


@pytest.mark.parametrize("case", cases("price"))
def test_price(case: dict[str, Any]) -> None:
    usage, expected = case["usage"], case["expected"]
    kind = KINDS[usage["type"]]
    quantity = usage["quantity"] // 10**6 if kind is UsageKind.VOICE else usage["quantity"]
    digits = usage["destination"].lstrip("+") if usage["destination"] != "*any" else ""
    chain = chain_of(case)
    span = tuple(instant_us(datetime(year, 1, 1, tzinfo=UTC)) for year in SPAN_YEARS)
    book = compile_book(chain, span=(span[0], span[1]))
    packed = np.array([packed_number(digits)], dtype=np.uint64)
    status, charge = Reason.NO_TARIFF_FOR_SUBJECT, 0
    for index in range(len(chain)):
        rated = rate_calls(book, [index], [int(kind)], packed, [at(usage["start"])], [quantity])
        status, charge = Reason(rated.status[0]), int(rated.charge_nano[0])
        if status in (Reason.OK, Reason.ZERO_USAGE):
            break
    if "error" in expected:
        assert status == ERRORS[expected["error"]]
        return
    assert Fraction(charge, 10**9) == Fraction(expected["cost"])
    if "segments" in expected:
        why = explain_call(book, index, int(kind), int(packed[0]), at(usage["start"]), quantity)
        assert len(why.segments) == expected["segments"]


@pytest.mark.parametrize("case", cases("window_active"))
def test_window_active(case: dict[str, Any]) -> None:
    instant = at(case["input"]["instant"])
    tariff = tariff_of(instant - DAY_US * 9, windows=(window_of("w", case["input"]["window"]),))
    timeline = compile_timeline(tariff, instant - DAY_US, instant + DAY_US)
    pattern = timeline.patterns[timeline.pattern[np.searchsorted(timeline.starts_at, instant, side="right") - 1]]
    assert (pattern.ranks[0] > 0) is case["expected"]


@pytest.mark.parametrize("case", cases("window_choice", "split"))
def test_window_choice_and_split(case: dict[str, Any]) -> None:
    given, expected = case["input"], case["expected"]
    entries = given.get("rules") or [{"window": window, "weight": 10} for window in given["windows"]]
    rates = tuple(Rate(f"r{number}", (Tier(0, number + 1, 1000, 1000),)) for number in range(len(entries)))
    rules = tuple(Rule(UsageKind.VOICE, None, f"w{n}", f"r{n}", of["weight"], str(n)) for n, of in enumerate(entries))
    windows = tuple(window_of(f"w{n}", of["window"]) for n, of in enumerate(entries))
    book = compile_book([tariff_of(YEAR_2015[0], windows=windows, rates=rates, rules=rules)], span=YEAR_2015)
    start, end = at(given["start"]), at(given["end"])
    why = explain_call(book, 0, 0, packed_number("1"), start, (end - start) // 1000)
    assert len(why.segments) == expected["segments"]
    if "chosen_rule" in expected:
        assert book.rules[why.rule_index].item == str(expected["chosen_rule"])
    if "boundary" in expected:
        assert start + why.segments[1].elapsed * 1000 == at(expected["boundary"])


@pytest.mark.parametrize("case", cases("round_amount"))
def test_round_amount(case: dict[str, Any]) -> None:
    given = case["input"]
    steps = Fraction(Decimal(given["amount"])) * 10 ** given["decimals"]
    rounded = round_ratio(steps.numerator, steps.denominator, MODES[given["method"]])
    assert Fraction(rounded, 10 ** given["decimals"]) == Fraction(case["expected"])


@pytest.mark.parametrize("case", cases("round_usage_to_increment", "segment_cost"))
def test_increments_of_a_segment(case: dict[str, Any]) -> None:
    """A segment that starts after some usage is the end of a call whose beginning costs nothing."""
    given = case["input"]
    step = given.get("increment_seconds")
    tiers = given.get("tiers") or [{"from_usage_s": 0, "price": 1, "per_s": step, "increment_s": step}]
    before = given.get("usage_so_far_s", 0) * 1000
    steps = [Tier(of["from_usage_s"] * 1000, of["price"] * 10**9, of["per_s"] * 1000, of["increment_s"] * 1000) for of in tiers]
    rule = Rule(UsageKind.VOICE, None, None, "r", 0, "i")
    book = compile_book([tariff_of(YEAR_2015[0], rates=(Rate("r", tuple(steps)),), rules=(rule,))], span=YEAR_2015)
    used = int(Decimal(given["usage_s" if "usage_s" in given else "usage_seconds"]) * 1000)
    start = at("2015-06-01T00:00:00Z")
    number = np.array([packed_number("1")], dtype=np.uint64)
    whole = rate_calls(book, [0], [0], number, [start], [before + used])
    part = rate_calls(book, [0], [0], number, [start], [before]) if before else None
    if "tiers" in given:
        cost = int(whole.charge_nano[0]) - (int(part.charge_nano[0]) if part else 0)
        assert cost == case["expected"] * 10**9
    else:
        assert int(whole.charged_quantity[0]) == case["expected"] * 1000


def test_all_public_cases_without_accounts_are_run() -> None:
    windows, roundings = ("window_active", "window_choice", "split"), ("round_amount", "round_usage_to_increment")
    assert len(cases("price", *windows, *roundings, "segment_cost")) == 41
