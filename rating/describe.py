"""A tariff as readable text, for `tariff show`: versions, weeks, prices by destination, allowances, fees and taxes."""

from __future__ import annotations

import textwrap

from rating.compiled.winners import distinct_rates
from rating.describe_calendars import calendar_lines, calendars_of
from rating.describe_discounts import discount_lines, fee_discount_text
from rating.describe_supply import energy_tier_lines, ladder_lines, metered_kind, named_text, supply_sections
from rating.described_terms import allowance_text, fee_text, instant_text, percent_text, rounding_text, window_text
from rating.language.call_terms import DerivedRun, Destination, Rate, Rule
from rating.language.clocks import STANDARD
from rating.language.rates_text import quantity_text, rate_lines
from rating.language.shared_terms import Tax
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.named_parts import differences, parts_of
from rating.week_grids import week_grids
from schemas.money import amount_text
from schemas.quantities import UsageKind

WIDTH = 100
_KNOWN = frozenset(
    {
        *("label", "effective_from_at", "effective_to_at", "rounding", "priced_at", "windows", "destinations", "rates", "rules"),
        *("allowances", "discounts", "fee_discounts", "derived", "energy", "fees", "taxes", "supply"),
    }
)


def describe_tariff(tariff: Tariff) -> str:
    """All versions of a tariff in lines of at most 100 columns, but for names that are longer."""
    clock = f"{tariff.zone} standard time" if tariff.clock == STANDARD else tariff.zone
    lines = [f"{tariff.tariff_id}: {tariff.name} ({tariff.service}, {tariff.currency}, {clock})"]
    lines += [f"then {', '.join(tariff.fallback)}"] if tariff.fallback else []
    lines += [line for one in calendars_of(tariff) for text in calendar_lines(tariff, one) for line in _wrapped(text, WIDTH)]
    if tariff.content_hash:
        lines.append(f"content {tariff.content_hash[:16]}")
    for index, version in enumerate(tariff.versions):
        lines += ["", *_version_lines(tariff, index, version)]
    return "\n".join(lines) + "\n"


def _version_lines(tariff: Tariff, index: int, version: TariffVersion) -> list[str]:
    start, end = (instant_text(at, tariff.zone, tariff.clock) for at in (version.effective_from_at, version.effective_to_at))
    lines = [f"version {version.label}: from {start} until {end}", f"  rounded {rounding_text(version.rounding)}"]
    if version.rules:
        lines.append(f"  priced at {version.priced_at}")
    sections = (
        ("Windows", _columns([(window.name, window_text(window)) for window in version.windows])),
        ("Week", _week_lines(tariff, index)),
        *_price_sections(version),
        ("Energy", [*ladder_lines(version), *(line for price in version.energy for line in _energy_lines(price, version))]),
        *supply_sections(version, tariff.zone, tariff.clock),
        ("Destinations", _columns([(to.name, _prefix_text(to)) for to in sorted(version.destinations, key=lambda to: to.name)])),
        ("Allowances", _columns([(each.name, allowance_text(each)) for each in version.allowances])),
        ("Discounts", [line for one in version.discounts for line in discount_lines(one, tariff, version)]),
        ("Derived runs", _columns([(run.name, run_text(run)) for run in version.derived])),
        ("Fees", _columns([(fee.name, fee_text(fee)) for fee in version.fees])),
        ("Discounts of fees", [fee_discount_text(one, tariff) for one in version.fee_discounts]),
        ("Taxes", _columns([(tax.name, tax_text(tax)) for tax in version.taxes])),
        ("Other terms", _columns(other_terms(version))),
    )
    for title, entries in sections:
        if entries:
            lines.append(f"  {title}")
            lines += [f"    {line}".rstrip() for entry in entries for line in _wrapped(entry, WIDTH - 4)]
    return lines


def _wrapped(text: str, width: int) -> list[str]:
    """A line that is too long goes on under itself, two columns further in."""
    if len(text) <= width:
        return [text]
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def other_terms(version: TariffVersion) -> list[tuple[str, str]]:
    """(name, text) of what a version says in fields that have no section of their own; only what is not left at its default."""
    default = parts_of(TariffVersion("", 0, 0, version.rounding), _KNOWN)
    found = []
    for part, entries in parts_of(version, _KNOWN).items():
        for name, value in entries.items():
            for path, _, text in differences(default[part].get(name), value):
                found.append((" ".join(filter(None, (part, name, path))), text))
    return found


def _columns(entries: list[tuple[str, str]]) -> list[str]:
    """Names and texts side by side, long texts wrapped under themselves."""
    if not entries:
        return []
    width = min(max(len(name) for name, _ in entries), 34) + 2
    lines = []
    for name, text in entries:
        first, *more = textwrap.wrap(text, WIDTH - 4 - width, break_long_words=False) or [""]
        lines.append(f"{name:<{width}}{first}" if len(name) <= width else f"{name}  {first}")
        lines += [f"{'':<{width}}{line}" for line in more]
    return lines


def _week_lines(tariff: Tariff, index: int) -> list[str]:
    lines: list[str] = []
    for grid in week_grids(tariff, index):
        lines += [""] if lines else []
        weeks = "1 week" if grid.weeks == 1 else f"{grid.weeks} weeks"
        heading = f"{', '.join(grid.priced)} ({weeks} such as that of {grid.first_week_on.isoformat()})"
        lines += textwrap.wrap(heading, WIDTH - 4)
        lines += grid.lines()
    return lines


def _prefix_text(to: Destination) -> str:
    if to.deck_rates:
        return f"deck {to.deck_file}: {len(to.prefixes)} prefixes, {len(distinct_rates(to.deck_rates))} rates"
    return " ".join(to.prefixes)


def _price_sections(version: TariffVersion) -> list[tuple[str, list[str]]]:
    """One section for each kind of usage: destinations in order of their name, any number last."""
    found = []
    for kind in dict.fromkeys(rule.kind for rule in version.rules):
        rules = [rule for rule in version.rules if rule.kind == kind]
        lines: list[str] = []
        for to in sorted({rule.destination or "" for rule in rules}, key=lambda name: (not name, name)):
            named = any(rule.destination for rule in rules)
            if named:
                lines.append(f"to {to}" if to else "to any other number")
            indent = "  " if named else ""
            own = sorted((rule for rule in rules if (rule.destination or "") == to), key=lambda rule: -rule.weight)
            lines += [indent + line for rule in own for line in _rule_lines(rule, version)]
        found.append((kind.label.capitalize(), lines))
    return found


def _rule_lines(rule: Rule, version: TariffVersion) -> list[str]:
    marks = [f"in {rule.window}" if rule.window else "", f"weight {rule.weight}" if rule.weight else ""]
    marks.append(f"rounded {rounding_text(rule.rounding)}" if rule.rounding else "")
    head = ", ".join(filter(None, marks))
    title = f"{rule.item}{f' ({head})' if head else ''}"
    if rule.rate is None:
        deck = next(to for to in version.destinations if to.name == rule.destination)
        return [f"{title}: {deck_text(deck, rule.kind)}"]
    rate = next(rate for rate in version.rates if rate.name == rule.rate)
    lines = rate_lines(rate, rule.kind)
    return [f"{title}: {lines[0]}"] if len(lines) == 1 else [title, *(f"  {line}" for line in lines)]


def deck_text(deck: Destination, kind: UsageKind) -> str:
    """`0.059 to 1.49 per 60 s, 15 prefixes of world_deck.csv`."""
    rates = distinct_rates(deck.deck_rates)
    low, high = (pick(rates, key=_first_price).tiers[0] for pick in (min, max))
    prices = amount_text(low.price_nano) + (f" to {amount_text(high.price_nano)}" if low.price_nano != high.price_nano else "")
    return f"{prices} per {quantity_text(low.per, kind)}, {len(deck.prefixes)} prefixes of {deck.deck_file}"


def _first_price(rate: Rate) -> int:
    return rate.tiers[0].price_nano


def _energy_lines(price: EnergyPrice, version: TariffVersion) -> list[str]:
    marks = [f"in {price.window}" if price.window else "", f"weight {price.weight}" if price.weight else ""]
    head = ", ".join(filter(None, marks))
    lines = [line.strip() for line in energy_tier_lines(price.tiers, price.basis, metered_kind(version))]
    title = f"{price.item}{f' ({head})' if head else ''}"
    return [f"{title}: {lines[0]}"] if len(lines) == 1 else [title, *(f"  {line}" for line in lines)]


def tax_text(tax: Tax) -> str:
    return percent_text(tax.ppm) + (f" of {named_text(tax.of)}" if tax.of else "")


def run_text(run: DerivedRun) -> str:
    by = f"by tariff {run.tariff_id}" if run.tariff_id else f"by the tariff of subject {run.subject}"
    kinds = f", {' '.join(sorted(kind.label for kind in run.kinds))}" if run.kinds is not None else ""
    to = f", to {', '.join(run.destinations)}" if run.destinations is not None else ""
    return f"{run.side} {by}{kinds}{to}"
