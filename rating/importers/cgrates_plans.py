"""CGRateS rating plans as versions of tariffs: rules with windows, destinations and rates, for one kind of usage."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import lcm
from pathlib import Path

from rating.importers.cgrates_rows import PlanRows, Row
from rating.importers.cgrates_terms import ANY, Parts, cap_of_rate, rate_of, rounding_of_rate
from rating.importers.cgrates_values import weight_of
from rating.importers.deck_values import Unreadable
from rating.importers.findings import FindingKind
from rating.importers.yaml_text import yaml_text
from rating.language.tariff_reader import read_tariff
from rating.language.written_values import WEIGHT_MAX
from rating.language.yaml_places import compose_file
from rating.tariff_checks import level_rule_faults
from rating.tariff_winners import tariff_winners
from schemas.errors import Fault
from schemas.quantities import UsageKind

_PLACE = re.compile(r"versions\[0\]\.rules\[([0-9]+)\]")


@dataclass(slots=True)
class PlanRules:
    """The content of one version: rules, each with the rows that made it, and what they name."""

    rules: list[tuple[dict[str, object], tuple[Row, ...]]] = field(default_factory=list)
    windows: dict[str, object] = field(default_factory=dict)
    destinations: dict[str, object] = field(default_factory=dict)
    rates: dict[str, object] = field(default_factory=dict)

    def version(self, label: str, from_at: str, to_at: str | None) -> dict[str, object]:
        rules = [rule for rule, _ in self.rules]
        found: dict[str, object] = {"version": label, "effective_from": from_at}
        if to_at:
            found["effective_to"] = to_at
        found["rounding"] = {"scope": "record", "mode": "none"}
        for key, named, values in (
            ("windows", "window", self.windows),
            ("destinations", "destination", self.destinations),
            ("rates", "rate", self.rates),
        ):
            used = {str(rule[named]) for rule in rules if named in rule}
            kept = {name: value for name, value in values.items() if name in used}
            if kept:
                found[key] = kept
        return {**found, "rules": rules}


def plan_rules(plan: PlanRows, parts: Parts, rows: list[Row], kind: UsageKind, zone: str) -> PlanRules:
    """The rules of one rating plan; rows that cannot be used are named, those that are, marked."""
    found = PlanRules()
    bindings = plan.grouped("DestinationRates")
    for row in rows:
        if row["destination_rates"] not in bindings:
            plan.find(FindingKind.BROKEN_REFERENCE, row, "no such destination rates", row["destination_rates"])
            continue
        timing = row["timing"]
        if timing != ANY and timing not in parts.timings:
            broken = ("timing", timing) in parts.broken
            what = "a timing that was not imported" if broken else "no such timing"
            plan.find(FindingKind.BROKEN_REFERENCE, row, what, timing)
            continue
        try:
            weight_of(row["weight"])
        except Unreadable as reason:
            plan.refuse(row, reason.what, row["weight"], reason.next_step)
            continue
        lost = [_rule(plan, parts, found, row, binding, kind) for binding in bindings[row["destination_rates"]]]
        if not all(lost):
            what = f"{lost.count(False)} of {len(lost)} destination rates could not be imported"
            plan.find(FindingKind.BROKEN_REFERENCE, row, what, row["destination_rates"])
    _integer_weights(plan, found)
    _settle_level_rules(plan, found, zone)
    for rule, sources in found.rules:
        plan.use(sources)
        if "window" in rule:
            plan.use(parts.timings[str(rule["window"])].rows)
    return found


def _rule(plan: PlanRows, parts: Parts, found: PlanRules, row: Row, binding: Row, kind: UsageKind) -> bool:
    """Whether the rule could be made."""
    to, rate_id = binding["destination"], binding["rate"]
    for known, what, name in ((parts.destinations, "destination", to), (parts.rates, "rate", rate_id)):
        if name not in known and not (what == "destination" and name == ANY):
            broken = (what, name) in parts.broken
            text = f"a {what} that was not imported" if broken else f"no such {what}"
            plan.find(FindingKind.BROKEN_REFERENCE, binding, text, name)
            return False
    try:
        rate, rounding, cap = rate_of(plan, parts.rates[rate_id], kind), rounding_of_rate(binding), cap_of_rate(binding)
        if cap and (_negative(rate)):
            raise Unreadable("a maximum with a negative price")
    except Unreadable as reason:
        plan.refuse(binding, reason.what, f"{rate_id} for {kind.label}", reason.next_step)
        return False
    name = rate_id if cap is None else f"{rate_id} at most {cap['amount']} {cap['strategy']}"
    found.rates[name] = rate if cap is None else {**rate, "cap": cap}
    rule: dict[str, object] = {"kind": kind.label}
    sources: list[Row] = [row, binding, *(slot for slot in parts.rates[rate_id] if not plan.is_named(slot))]
    if to != ANY:
        found.destinations[to] = {"prefixes": parts.destinations[to].value}
        rule["destination"] = to
        sources += parts.destinations[to].rows
    window = parts.timings[row["timing"]].value if row["timing"] != ANY else None
    if window is not None:
        found.windows[row["timing"]] = window
        rule["window"] = row["timing"]
    elif row["timing"] != ANY:
        sources += parts.timings[row["timing"]].rows
    item = "Any destination" if to == ANY else to
    rule |= {"weight": row["weight"], "rate": name, "rounding": rounding}
    rule["item"] = f"{item}, {row['timing']}" if "window" in rule else item
    found.rules.append((rule, tuple(sources)))
    return True


def _negative(rate: dict[str, object]) -> bool:
    tiers = rate.get("tiers")
    prices = [tier["price"] for tier in tiers] if isinstance(tiers, list) else [rate["price"]]
    return any(str(price).startswith("-") for price in [*prices, rate.get("connect_fee", "0")])


def _integer_weights(plan: PlanRows, found: PlanRules) -> None:
    """Weights are decimals there and whole numbers here: scaled together, or ranked where that is too large."""
    weights = {str(rule["weight"]): weight_of(str(rule["weight"])) for rule, _ in found.rules}
    scale = lcm(*(weight.denominator for weight in weights.values())) if weights else 1
    whole = {text: int(weight * scale) for text, weight in weights.items()}
    if any(abs(number) > WEIGHT_MAX for number in whole.values()):
        ranks = {weight: rank for rank, weight in enumerate(sorted(set(weights.values())))}
        whole = {text: ranks[weight] for text, weight in weights.items()}
    for rule, _ in found.rules:
        number = whole[str(rule["weight"])]
        if number:
            rule["weight"] = number
        else:
            del rule["weight"]


def _settle_level_rules(plan: PlanRows, found: PlanRules, zone: str) -> None:
    """Take out rules that nothing orders against an earlier one at another price: there the storage order decides."""
    while found.rules:
        faults = _level_faults(found, zone)
        later = max((max(map(int, _PLACE.findall(f"{fault.where} {fault.what}"))) for fault in faults), default=-1)
        if later < 0:
            return
        said = next(fault for fault in faults if later in map(int, _PLACE.findall(f"{fault.where} {fault.what}")))
        other = min(map(int, _PLACE.findall(f"{said.where} {said.what}")))
        rule, (row, binding, *_) = found.rules[later]
        first_row, first_binding = found.rules[other][1][:2]
        what = (
            f"level with line {first_row.line} ({first_row.file}), {first_binding['id']} to {first_binding['destination']}: "
            "one weight, one start, another price"
        )
        plan.find(FindingKind.CONFLICT, row, what, f"{binding['id']} to {binding['destination']}", "give one a higher weight")
        plan.find(FindingKind.CONFLICT, binding, f"level with line {first_binding.line} under {row['id']}", str(rule["item"]))
        del found.rules[later]


def _level_faults(found: PlanRules, zone: str) -> list[Fault]:
    """Read the rules as a tariff of their own: any other fault would be a fault of this importer."""
    top = {"tariff": "t", "name": "t", "currency": "EUR", "zone": zone, "service": "telecom"}
    text = yaml_text({**top, "versions": [found.version("1", "1990-01-01", None)]})
    faults: list[Fault] = []
    place = compose_file(text, "rating plan", faults)
    tariff = read_tariff(place, Path()) if place else None
    assert tariff is not None and not faults, f"an importer wrote a tariff that cannot be read: {faults[:3]}"
    winners = tariff_winners(tariff)
    return [] if winners is None else level_rule_faults(winners)
