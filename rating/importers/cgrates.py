"""A CGRateS tariff-plan folder as tariffs, subjects and accounts, with every row of every file represented or named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rating.importers.cgrates_accounts import account_files
from rating.importers.cgrates_plans import PlanRules, plan_rules
from rating.importers.cgrates_rows import PlanRows, Row, read_plan_rows
from rating.importers.cgrates_terms import ANY, Parts, read_parts
from rating.importers.cgrates_values import count_of, instant_of
from rating.importers.deck_values import Unreadable
from rating.importers.findings import Finding, FindingKind, Imported, nothing_imported, settled
from rating.importers.yaml_text import yaml_text
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind

_KINDS = {kind.label: kind for kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)}
_KIND_WORDS = {
    UsageKind.VOICE: ("call", "voice"),
    UsageKind.MESSAGE: ("sms", "mms", "message", "text"),
    UsageKind.VOLUME: ("data", "gprs", "internet", "volume", "lte"),
}
SUBJECTS_FILE = "subjects.csv"


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What a plan does not say: its currency, the zone of its clock, and what each category measures."""

    currency: str
    zone: str = "UTC"
    kinds: Mapping[str, str] = field(default_factory=dict)  # category -> voice, message or volume


@dataclass(slots=True)
class _Profile:
    """All activations of one (tenant, category, subject) in order of time."""

    key: tuple[str, str, str]
    steps: list[tuple[str, str, Row]]  # from, plan id, row
    fallback: tuple[str, ...]
    kind: UsageKind


def import_cgrates(texts: dict[str, str], options: PlanOptions) -> Imported:
    """Tariffs (one YAML each), `subjects.csv`, and accounts.

    A subject whose plan never changes and that has no fallback shares the tariff of its plan; others have a tariff of their own,
    with a version for each activation.

    Args:
        texts: file name -> text.
    Raises:
        ConfigurationError: no CSV, an unknown kind, or nothing at all that could be imported.
    """
    wrong = [f"{category}={kind}" for category, kind in options.kinds.items() if kind not in _KINDS]
    if wrong:
        raise ConfigurationError(Fault("--kind", "no such kind of usage", ", ".join(wrong), " or ".join(_KINDS)))
    plan = read_plan_rows(texts)
    parts = read_parts(plan)
    profiles = _profiles(plan, parts, options)
    rules: dict[tuple[str, UsageKind], PlanRules] = {}
    for profile in profiles:
        for _, plan_id, _ in profile.steps:
            if (plan_id, profile.kind) not in rules:
                rows = plan.grouped("RatingPlans")[plan_id]
                rules[plan_id, profile.kind] = plan_rules(plan, parts, rows, profile.kind, options.zone)
    ids = _tariff_ids(plan, profiles, rules)
    deeper = {profile.key for profile in profiles if profile.fallback}
    chains = {profile.key: _chain(plan, profile, ids, deeper) for profile in profiles if profile.key in ids}
    files = _tariff_files(profiles, ids, chains, rules, options)
    if files:
        files[SUBJECTS_FILE] = _subjects_text(profiles, ids)
    named = {to for each in rules.values() for to in each.destinations}
    files |= account_files(plan, named)
    plan.close()
    findings = [*plan.findings, *_notes(options)]
    if not files:
        raise ConfigurationError(nothing_imported("plan", "nothing could be imported", findings))
    return settled(files, findings, plan.accounts)


def _notes(options: PlanOptions) -> list[Finding]:
    return [
        Finding(FindingKind.GUESS, "plan", 0, "clock of the timings", options.zone, "say otherwise with --zone"),
        Finding(
            FindingKind.NOTE, "plan", 0, "a record is rounded once; there each increment may be, so the last digit can differ"
        ),
    ]


def _profiles(plan: PlanRows, parts: Parts, options: PlanOptions) -> list[_Profile]:
    """The profiles whose rating plans are there, in order of their key."""
    plans = plan.grouped("RatingPlans")
    found: dict[tuple[str, str, str], list[tuple[str, str, Row]]] = {}
    for row in plan.tables.get("RatingProfiles", []):
        if row["plan"] not in plans:
            plan.find(FindingKind.BROKEN_REFERENCE, row, "no such rating plan", row["plan"])
            continue
        try:
            from_at = instant_of(row["from"])
        except Unreadable as reason:
            plan.refuse(row, reason.what, row["from"], reason.next_step)
            continue
        steps = found.setdefault((row["tenant"], row["category"], row["subject"]), [])
        other = next((one for one in steps if one[0] == from_at), None)
        if other:
            same = other[1] == row["plan"]
            plan.find(
                FindingKind.DUPLICATE if same else FindingKind.CONFLICT,
                row,
                f"line {other[2].line} is from the same instant and stands",
                row["plan"],
            )
            continue
        steps.append((from_at, row["plan"], row))
    profiles = []
    kinds: dict[str, UsageKind | None] = {}
    for key, steps in sorted(found.items()):
        steps.sort(key=lambda step: step[0])
        category = key[1]
        if category not in kinds:
            kinds[category] = _kind_of(plan, parts, category, [step[1] for step in steps], steps[0][2], options)
        kind = kinds[category]
        if kind is None:
            for _, _, row in steps:
                plan.refuse(row, "what the category measures is unknown", category, f"say it: --kind {category}=voice")
            continue
        profiles.append(_Profile(key, steps, _fallbacks(plan, steps), kind))
    return profiles


def _fallbacks(plan: PlanRows, steps: list[tuple[str, str, Row]]) -> tuple[str, ...]:
    """Fallback subjects; a tariff has one list for all its time."""
    lists = {tuple(name for name in row["fallback"].split(";") if name) for _, _, row in steps}
    for _, _, row in steps[1:] if len(lists) > 1 else ():
        if row["fallback"] != steps[0][2]["fallback"]:
            plan.refuse(row, "other fallback subjects than before", row["fallback"], "a tariff has one list for all its time")
    return tuple(name for name in steps[0][2]["fallback"].split(";") if name)


def _kind_of(
    plan: PlanRows, parts: Parts, category: str, plan_ids: list[str], row: Row, options: PlanOptions
) -> UsageKind | None:
    """What a category measures: as said, by its name, or by the units of its rates (a guess in both cases)."""
    if category in options.kinds:
        return _KINDS[options.kinds[category]]
    guess = next((kind for kind, words in _KIND_WORDS.items() if any(word in category.lower() for word in words)), None)
    if guess is None:
        guess = _kind_by_units(plan, parts, plan_ids)
    if guess is not None:
        step = f"say otherwise with --kind {category}=..."
        plan.findings.append(Finding(FindingKind.GUESS, row.file, 0, f"category {category} measures", guess.label, step))
    return guess


def _kind_by_units(plan: PlanRows, parts: Parts, plan_ids: list[str]) -> UsageKind | None:
    bound = {row["destination_rates"] for row in plan.tables.get("RatingPlans", []) if row["id"] in plan_ids}
    rates = {row["rate"] for row in plan.tables.get("DestinationRates", []) if row["id"] in bound}
    slots = [slot for name in rates for slot in parts.rates.get(name, [])]
    try:
        timed = {count_of(slot["unit"])[1] for slot in slots}
    except Unreadable:
        return None
    return UsageKind.VOICE if timed == {True} else None


def _shared(profile: _Profile) -> bool:
    return len(profile.steps) == 1 and not profile.fallback


def _tariff_ids(
    plan: PlanRows, profiles: list[_Profile], rules: dict[tuple[str, UsageKind], PlanRules]
) -> dict[tuple[str, str, str], str]:
    """Profile -> tariff id. A profile of which no rule could be imported has none."""
    ids: dict[tuple[str, str, str], str] = {}
    kinds_of: dict[str, set[UsageKind]] = {}
    for profile in profiles:
        for _, plan_id, _ in profile.steps:
            kinds_of.setdefault(plan_id, set()).add(profile.kind)
    taken: dict[str, object] = {}
    for profile in profiles:
        usable = [step for step in profile.steps if rules[step[1], profile.kind].rules]
        for _, plan_id, row in profile.steps:
            if not rules[plan_id, profile.kind].rules:
                plan.find(FindingKind.BROKEN_REFERENCE, row, "nothing of the rating plan could be imported", plan_id)
        if not usable:
            continue
        plan.use(row for _, _, row in usable)
        plan_id = profile.steps[0][1]
        tenant, category, subject = profile.key
        owner: object = (plan_id, profile.kind) if _shared(profile) else profile.key
        wanted = plan_id if len(kinds_of[plan_id]) == 1 else f"{plan_id}_{profile.kind.label}"
        name = wanted if _shared(profile) else f"{category}_{subject.removeprefix('*')}"
        name = re.sub(r"[^A-Za-z0-9_.-]+", "_", name)[:56].strip("_") or "plan"
        number, base = 2, name
        while taken.setdefault(name, owner) != owner:
            name, number = f"{base}_{number}", number + 1
        ids[profile.key] = name
    return ids


def _tariff_files(
    profiles: list[_Profile],
    ids: dict[tuple[str, str, str], str],
    chains: dict[tuple[str, str, str], list[str]],
    rules: dict[tuple[str, UsageKind], PlanRules],
    options: PlanOptions,
) -> dict[str, str]:
    """YAML of each tariff: a version for each activation; a shared one starts when its first subject does."""
    files: dict[str, str] = {}
    first_at: dict[str, str] = {}
    for profile in profiles:
        if profile.key in ids:
            tariff = ids[profile.key]
            first_at[tariff] = min(first_at.get(tariff, "9"), profile.steps[0][0])
    for profile in profiles:
        tariff = ids.get(profile.key, "")
        if not tariff or f"{tariff}.yaml" in files:
            continue
        steps = [step for step in profile.steps if rules[step[1], profile.kind].rules]
        every = [step[0] for step in profile.steps]
        starts = [first_at[tariff]] if _shared(profile) else [step[0] for step in steps]
        versions = []
        for (_, plan_id, _), from_at in zip(steps, starts, strict=True):
            to_at = next((at for at in every if at > from_at), None) if not _shared(profile) else None
            label = plan_id if [step[1] for step in steps].count(plan_id) == 1 else f"{plan_id} {from_at}"
            versions.append(rules[plan_id, profile.kind].version(label, from_at, to_at))
        names = profile.steps[0][1] if _shared(profile) else " ".join(profile.key)
        top: dict[str, object] = {"tariff": tariff, "name": names, "currency": options.currency, "zone": options.zone}
        top["service"] = "telecom"
        if chains[profile.key]:
            top["fallback"] = chains[profile.key]
        files[f"{tariff}.yaml"] = yaml_text({**top, "versions": versions})
    return files


def _chain(
    plan: PlanRows, profile: _Profile, ids: dict[tuple[str, str, str], str], deeper: set[tuple[str, str, str]]
) -> list[str]:
    """The tariffs of the fallback subjects, in order; only the first level counts there as well."""
    tenant, category, _ = profile.key
    found: list[str] = []
    for name in profile.fallback:
        tariff = ids.get((tenant, category, name))
        if tariff is None:
            plan.find(FindingKind.BROKEN_REFERENCE, profile.steps[0][2], "a fallback subject without a tariff", name)
        elif tariff != ids[profile.key] and tariff not in found:
            found.append(tariff)
            if (tenant, category, name) in deeper:
                plan.find(
                    FindingKind.NOTE, profile.steps[0][2], "the fallbacks of this fallback are asked too; not so there", name
                )
    return found


def _subjects_text(profiles: list[_Profile], ids: dict[tuple[str, str, str], str]) -> str:
    """tenant, category, subject, tariff, effective_from: one row for each profile, since versions hold what changes later."""
    lines = ["tenant,category,subject,tariff,effective_from"]
    for profile in profiles:
        if profile.key in ids:
            tenant, category, subject = profile.key
            name = "any" if subject == ANY else subject
            lines.append(",".join(_cell(text) for text in (tenant, category, name, ids[profile.key], profile.steps[0][0])))
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if re.search(r'[,"\n]', text) else text
