"""What changed between two tariffs, or two versions of one: prices and terms as people mean them, not lines of a file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

from rating.changed_terms import calendar_changes, offered_rate_changes
from rating.describe import tax_text
from rating.describe_discounts import tiers_text
from rating.described_terms import allowance_text, fee_text, instant_text, percent_text, rounding_text, window_text
from rating.language.call_terms import Allowance, Rate, Rule
from rating.language.discount_terms import Discount
from rating.language.rates_text import rate_lines
from rating.language.shared_terms import Fee, Rounding, Tax, Window
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.named_parts import differences, parts_of, plain_text
from rating.price_changes import BILLION, NamedChange, RateChange, named_changes, rate_changes, share_text
from schemas.money import amount_text

TOP_DEFAULT = 10


@dataclass(frozen=True, slots=True)
class DiffLine:
    """One change: what it is of, `added`, `removed` or `changed`, and its texts; `share` of a price that changed."""

    change: str
    name: str
    text: str
    share: str = ""

    @property
    def sign(self) -> str:
        return {"added": "+", "removed": "-"}.get(self.change, "~")


@dataclass(frozen=True, slots=True)
class DiffSection:
    """The changes of one part; `notes` count what is not listed line by line."""

    version: str  # `2026-01 -> 2026-07`, empty for the tariff itself
    title: str
    lines: tuple[DiffLine, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TariffDiff:
    """All that differs; without sections the two say the same."""

    sections: tuple[DiffSection, ...] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.sections)

    def text(self) -> str:
        """Lines that begin with +, - or ~ under the part that they are of."""
        lines: list[str] = []
        version = None
        for section in self.sections:
            if section.version != version:
                version = section.version
                lines += ["", f"version {version}"] if version else []
            lines.append(f"  {section.title}")
            lines += [f"    {line.sign} {line.name + ': ' if line.name else ''}{line.text}" for line in section.lines]
            lines += [f"    {note}" for note in section.notes]
        return "\n".join(lines).strip("\n") or "no difference"

    def as_json(self) -> list[dict[str, object]]:
        return [
            {
                "version": section.version,
                "part": section.title,
                "changes": [
                    {"change": line.change, "name": line.name, "text": line.text, "share": line.share} for line in section.lines
                ],
                "notes": list(section.notes),
            }
            for section in self.sections
        ]


def diff_tariffs(old: Tariff, new: Tariff, *, top: int = TOP_DEFAULT) -> TariffDiff:
    """The differences of two tariffs.

    Versions of one label are compared; where the two have one version each these are, whatever their labels.

    Args:
        top: so many of the largest changes of prices are listed for each pair of rules, the others are counted.
    """
    sections = _section("", "Tariff", _identity(old, new))
    pairs = _pairs(old, new)
    lines = [DiffLine("removed", "", _version_text(one, old)) for one, other in pairs if one and not other]
    lines += [DiffLine("added", "", _version_text(other, new)) for one, other in pairs if other and not one]
    sections += _section("", "Calendars", [DiffLine(*change) for change in calendar_changes(old, new)])
    sections += _section("", "Versions", lines)
    for one, other in pairs:
        if one and other:
            sections += _version_sections(one, other, (old, new), top)
    return TariffDiff(tuple(sections))


def _section(version: str, title: str, lines: list[DiffLine], notes: tuple[str, ...] = ()) -> list[DiffSection]:
    return [DiffSection(version, title, tuple(lines), notes)] if lines or notes else []


def _identity(old: Tariff, new: Tariff) -> list[DiffLine]:
    fields = ("tariff_id", "name", "currency", "zone", "clock", "service", "fallback")
    found = [(name, plain_text(getattr(old, name)), plain_text(getattr(new, name))) for name in fields]
    return [DiffLine("changed", name.removesuffix("_id"), f"{one} -> {other}") for name, one, other in found if one != other]


def _pairs(old: Tariff, new: Tariff) -> list[tuple[TariffVersion | None, TariffVersion | None]]:
    if len(old.versions) == len(new.versions) == 1:
        return [(old.versions[0], new.versions[0])]
    after = {version.label: version for version in new.versions}
    before = {version.label for version in old.versions}
    pairs: list[tuple[TariffVersion | None, TariffVersion | None]] = [(one, after.get(one.label)) for one in old.versions]
    return pairs + [(None, version) for version in new.versions if version.label not in before]


def _version_text(version: TariffVersion | None, tariff: Tariff) -> str:
    assert version is not None
    return f"{version.label}, from {instant_text(version.effective_from_at, tariff.zone, tariff.clock)}"


def _version_sections(old: TariffVersion, new: TariffVersion, of: tuple[Tariff, Tariff], top: int) -> list[DiffSection]:
    title = old.label if old.label == new.label else f"{old.label} -> {new.label}"
    sections = _section(title, "Validity", _validity(old, new, of))
    rates = rate_changes(old, new)
    for name, entries in _named_parts(old, new).items():
        sections += _section(title, name, entries)
    sections += _section(title, "Rates of discounts", [DiffLine(*change) for change in offered_rate_changes(old, new)])
    sections += _section(title, "Rules", _rules(old, new))
    lines, notes = _price_lines(rates, top)
    sections += _section(title, "Prices", lines, notes)
    named = named_changes(old, new)
    for group, heading in (("energy", "Energy"), ("fee", "Fees"), ("tax", "Taxes")):
        sections += _section(title, heading, [_named_line(change, old, new) for change in named if change.group == group])
    if not sections and old.label != new.label:  # else the title says it
        return _section(title, "Validity", [DiffLine("changed", "label", f"{old.label} -> {new.label}")])
    return sections


def _validity(old: TariffVersion, new: TariffVersion, of: tuple[Tariff, Tariff]) -> list[DiffLine]:
    found = []
    for name, one, other in (
        ("from", old.effective_from_at, new.effective_from_at),
        ("until", old.effective_to_at, new.effective_to_at),
    ):
        before, after = (instant_text(at, tariff.zone, tariff.clock) for at, tariff in zip((one, other), of, strict=True))
        if before != after:
            found.append(DiffLine("changed", name, f"{before} -> {after}"))
    return found


_ELSEWHERE = frozenset({"label", "effective_from_at", "effective_to_at", "destinations", "rates", "rules"})


_WORDS: dict[type, Callable[..., str]] = {
    Window: window_text,
    Allowance: allowance_text,
    Fee: fee_text,
    Rounding: rounding_text,
    Discount: tiers_text,
    Tax: tax_text,
}
_PRICED = {"fees": "Fee terms", "energy": "Energy terms", "taxes": "Tax terms"}  # whose amounts are compared as prices


def _named_parts(old: TariffVersion, new: TariffVersion) -> dict[str, list[DiffLine]]:
    """Everything that has no comparison of its own: by name, added, removed, or field by field."""
    before, after = parts_of(old, _ELSEWHERE), parts_of(new, _ELSEWHERE)
    found: dict[str, list[DiffLine]] = {}
    for part in before:
        lines = []
        for name in [*before[part], *(name for name in after[part] if name not in before[part])]:
            one, other = before[part].get(name), after[part].get(name)
            if one == other:
                continue
            if part in _PRICED:
                if one is not None and other is not None:
                    lines += _changes(name, _without_amount(one), _without_amount(other))
            elif one is None or other is None:
                change = "added" if one is None else "removed"
                lines.append(DiffLine(change, name, _words(other if one is None else one)))
            elif isinstance(one, Window) and isinstance(other, Window):  # its calendar is compared with the tariff
                if _words(one) != _words(other):
                    lines.append(DiffLine("changed", name, f"{_words(one)} -> {_words(other)}"))
            else:
                lines += _changes(name, one, other)
        if lines:
            found[_PRICED.get(part) or part.replace("_", " ").capitalize()] = lines
    return found


def _changes(name: str, one: object, other: object) -> list[DiffLine]:
    """In words where there are words for it, and field by field in all that these leave out."""
    if isinstance(one, Discount) and isinstance(other, Discount):
        said = [] if _words(one) == _words(other) else [DiffLine("changed", name, f"{_words(one)} -> {_words(other)}")]
        one, other = (dataclasses.replace(each, tiers=(), rate="") for each in (one, other))
        return said + _field_changes(name, one, other)
    if type(one) in _WORDS and type(one) is type(other) and _words(one) != _words(other):
        return [DiffLine("changed", name, f"{_words(one)} -> {_words(other)}")]
    return _field_changes(name, one, other)


def _field_changes(name: str, one: object, other: object) -> list[DiffLine]:
    return [
        DiffLine("changed", f"{name} {path}".strip(), f"{was} -> {becomes}") for path, was, becomes in differences(one, other)
    ]


def _without_amount(value: object) -> object:
    if isinstance(value, Fee):
        return dataclasses.replace(value, amount_nano=0)
    if isinstance(value, Tax):
        return dataclasses.replace(value, ppm=0)
    assert isinstance(value, EnergyPrice)
    return dataclasses.replace(value, tiers=())


def _words(value: object) -> str:
    return _WORDS[type(value)](value) if type(value) in _WORDS else plain_text(value)


def _rules(old: TariffVersion, new: TariffVersion) -> list[DiffLine]:
    """Rules by kind, destination and window: added, removed, or with other labels, weights and roundings."""
    before, after = _rules_by_key(old), _rules_by_key(new)
    lines = []
    for key in [*before, *(key for key in after if key not in before)]:
        one, other = before.get(key), after.get(key)
        name = _selector_text(*key[:3])
        if one is None or other is None:
            rule = other if one is None else one
            assert rule is not None
            lines.append(DiffLine("added" if one is None else "removed", name, f"{rule.item}, weight {rule.weight}"))
            continue
        for what in ("item", "weight", "rounding"):
            a, b = getattr(one, what), getattr(other, what)
            if a != b:
                lines.append(DiffLine("changed", name, f"{what} {plain_text(a)} -> {plain_text(b)}"))
    return lines


def _selector_text(kind: str, destination: str, window: str) -> str:
    """`voice to national in night`."""
    return kind + (f" to {destination}" if destination else "") + (f" in {window}" if window else "")


def _rules_by_key(version: TariffVersion) -> dict[tuple[str, str, str, int], Rule]:
    found: dict[tuple[str, str, str, int], Rule] = {}
    for rule in version.rules:
        names = (rule.kind.label, rule.destination or "", rule.window or "")
        number = sum(key[:3] == names for key in found)
        found[(*names, number)] = rule
    return found


def _price_lines(changes: list[RateChange], top: int) -> tuple[list[DiffLine], tuple[str, ...]]:
    """For each pair of rules the largest changes, by share; more are counted by up, down, added and removed."""
    groups: dict[tuple[str, str, str], list[RateChange]] = {}
    for change in changes:
        rule = change.new_rule or change.old_rule
        assert rule is not None
        groups.setdefault((change.kind.label, rule.destination or "", rule.window or ""), []).append(change)
    lines, notes = [], []
    for key, group in groups.items():
        ordered = sorted(group, key=lambda change: (-change.is_from_zero, -abs(change.share_ppb), change.first_prefix))
        lines += [_price_line(change) for change in ordered[:top]]
        if sum(change.prefixes for change in group) > 1:
            notes.append(f"{_selector_text(*key)}: {_counts(group)}")
    return lines, tuple(notes)


def _price_line(change: RateChange) -> DiffLine:
    rule = change.new_rule or change.old_rule
    assert rule is not None
    prefix = change.first_prefix + (f" and {change.prefixes - 1} more" if change.prefixes > 1 else "")
    name = f"{rule.item}{f' ({prefix})' if prefix else ''}{f' in {change.window}' if change.window else ''}"
    if change.old_rate is None or change.new_rate is None:
        rate = change.new_rate or change.old_rate
        assert rate is not None
        return DiffLine("added" if change.old_rate is None else "removed", name, _rate_text(rate, change))
    parts = change.parts
    if not parts:
        return DiffLine("changed", name, f"{_rate_text(change.old_rate, change)} -> {_rate_text(change.new_rate, change)}")
    share = share_text(None if change.is_from_zero else Fraction(change.share_ppb, BILLION))
    return DiffLine("changed", name, "; ".join(part.text() for part in parts), share)


def _rate_text(rate: Rate, change: RateChange) -> str:
    return "; ".join(rate_lines(rate, change.kind))


def _counts(group: list[RateChange]) -> str:
    """`12 prefixes dearer, 3 cheaper, 2 added, 1 removed`."""
    counts = dict.fromkeys(("dearer", "cheaper", "otherwise changed", "added", "removed"), 0)
    for change in group:
        if change.old_rate is None or change.new_rate is None:
            word = "added" if change.old_rate is None else "removed"
        elif change.is_from_zero or change.share_ppb > 0:
            word = "dearer"
        else:
            word = "cheaper" if change.share_ppb < 0 else "otherwise changed"
        counts[word] += change.prefixes
    return "prefixes " + ", ".join(f"{count} {word}" for word, count in counts.items() if count)


def _named_line(change: NamedChange, old: TariffVersion, new: TariffVersion) -> DiffLine:
    if not change.is_in_old or not change.is_in_new:
        version = new if change.is_in_new else old
        return DiffLine("added" if change.is_in_new else "removed", change.name, _named_text(change, version))
    if change.group == "tax":
        part = change.parts[0]
        return DiffLine("changed", change.name, f"{percent_text(part.old_nano)} -> {percent_text(part.new_nano)}")
    return DiffLine("changed", change.name, "; ".join(part.text() for part in change.parts), share_text(change.parts[0].share))


def _named_text(change: NamedChange, version: TariffVersion) -> str:
    if change.group == "tax":
        return percent_text(next(tax.ppm for tax in version.taxes if tax.name == change.name))
    if change.group == "fee":
        return fee_text(next(fee for fee in version.fees if fee.name == change.name))
    price = next(price for price in version.energy if price.item == change.name)
    return ", ".join(amount_text(tier.price_nano) for tier in price.tiers)
