"""A tariff as readable text, for `tariff show`."""

from __future__ import annotations

from rating.compiled.winners import distinct_rates
from rating.language.call_terms import Allowance, Rule
from rating.language.rates_text import quantity_text, rate_lines
from rating.language.shared_terms import DAY_US, FOREVER_AT, Fee, Window
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from schemas.money import amount_text
from schemas.quantities import UsageKind
from schemas.zones import moment_of, zone_of

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def describe_tariff(tariff: Tariff) -> str:
    """All versions of a tariff: validity, prices, windows, allowances, fees and taxes."""
    lines = [f"{tariff.tariff_id}: {tariff.name} ({tariff.service}, {tariff.currency}, {tariff.zone})"]
    if tariff.content_hash:
        lines.append(f"content {tariff.content_hash[:16]}")
    for version in tariff.versions:
        lines += ["", *_version_lines(tariff, version)]
    return "\n".join(lines) + "\n"


def _version_lines(tariff: Tariff, version: TariffVersion) -> list[str]:
    start = _local(version.effective_from_at, tariff.zone)
    end = "further notice" if version.effective_to_at == FOREVER_AT else _local(version.effective_to_at, tariff.zone)
    rounding = version.rounding
    how = "to the nearest nano-unit" if rounding.mode == "none" else f"{rounding.mode} to {rounding.decimals} decimals"
    lines = [f"version {version.label}: from {start} until {end}", f"  rounded once per {rounding.scope}, {how}"]
    if version.rules:
        lines.append(f"  priced at {version.priced_at}")
    sections = (
        ("Windows", [f"{window.name}: {window_text(window)}" for window in version.windows]),
        ("Prices", [line for rule in version.rules for line in _rule_lines(rule, version)]),
        ("Energy", [line for price in version.energy for line in _energy_lines(price)]),
        ("Allowances", [_allowance_text(allowance) for allowance in version.allowances]),
        (version.discount.item if version.discount else "", _discount_lines(version)),
        ("Fees", [_fee_text(fee) for fee in version.fees]),
        ("Taxes", [f"{tax.name}: {_percent(tax.ppm)}" for tax in version.taxes]),
    )
    for title, entries in sections:
        if entries:
            lines += [f"  {title}", *(f"    {entry}" for entry in entries)]
    return lines


def _local(at: int, zone: str) -> str:
    return moment_of(at).astimezone(zone_of(zone)).strftime("%Y-%m-%d %H:%M")


def window_text(window: Window) -> str:
    """`Mon Tue, 08:00-20:00`: what must hold and when."""
    parts = []
    if window.weekdays is not None:
        parts.append(" ".join(_DAYS[day - 1] for day in sorted(window.weekdays)))
    for label, numbers in (("day", window.month_days), ("month", window.months), ("year", window.years)):
        if numbers is not None:
            parts.append(f"{label} {' '.join(map(str, sorted(numbers)))}")
    if window.dates is not None:
        parts.append(" ".join(day.isoformat() for day in sorted(window.dates)))
    if (window.start_us, window.end_us) != (0, DAY_US):
        parts.append(f"{_clock(window.start_us)}-{_clock(window.end_us)}{' next day' if window.crosses_midnight else ''}")
    return ", ".join(parts) or "always"


def _clock(at_us: int) -> str:
    minutes, seconds = divmod(at_us // 1_000_000, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def _rule_lines(rule: Rule, version: TariffVersion) -> list[str]:
    where = [f"to {rule.destination}" if rule.destination else "", f"in {rule.window}" if rule.window else ""]
    where.append(f"weight {rule.weight}" if rule.weight else "")
    where.append(f"rounded {rule.rounding.mode} to {rule.rounding.decimals} decimals" if rule.rounding else "")
    head = ", ".join([rule.kind.label, *filter(None, where)])
    lines = [f"{rule.item} ({head})"]
    if rule.rate is None:
        deck = next(to for to in version.destinations if to.name == rule.destination)
        return [*lines, f"  deck {deck.deck_file}: {len(deck.prefixes)} prefixes, {len(distinct_rates(deck.deck_rates))} rates"]
    rate = next(rate for rate in version.rates if rate.name == rule.rate)
    return [*lines, *(f"  {line}" for line in rate_lines(rate, rule.kind))]


def _energy_lines(price: EnergyPrice) -> list[str]:
    lines = [f"{price.item}{f' (in {price.window})' if price.window else ''}"]
    for tier in price.tiers:
        start = f"from {quantity_text(tier.from_usage, UsageKind.ENERGY)}: " if tier.from_usage else ""
        lines.append(f"  {start}{amount_text(tier.price_nano)} per {quantity_text(tier.per, UsageKind.ENERGY)}")
    return lines


def _allowance_text(allowance: Allowance) -> str:
    to = f" to {', '.join(allowance.destinations)}" if allowance.destinations else ""
    if allowance.kind is None:
        buys = " or ".join(quantity_text(usage, kind) for kind, usage in allowance.per_unit)
        head = f"{allowance.name}: {allowance.units} units{to}, each for {buys}"
    else:
        units, block = (quantity_text(number, allowance.kind) for number in (allowance.units, allowance.block))
        head = f"{allowance.name}: {units} of {allowance.kind.label}{to} in blocks of {block}"
    return f"{head}, for the {allowance.scope}{', prorated' if allowance.prorate else ''}{_allowance_options(allowance)}"


def _allowance_options(of: Allowance) -> str:
    """Everything that is not the default, each with a comma before it."""
    said = [
        f"not to {', '.join(of.excluded)}" if of.excluded else "",
        f"in {', '.join(of.windows)}" if of.windows else "",
        f"for {', '.join(of.categories)}" if of.categories else "",
        f"factor {of.factor[0]}/{of.factor[1]}" if of.factor != (1, 1) else "",
        f"at the price of {of.tariff_id or (of.rate.name if of.rate else '')}" if of.tariff_id or of.rate else "",
        "unlimited" if of.unlimited else "",
        "blocks what comes after it" if of.blocker else "",
        "connect fee due" if of.fee_with_allowance else "",
        f"valid {of.expiry.days} days" if of.expiry.days else "",
        f"valid {of.expiry.periods} periods" if of.expiry.periods > 1 else "",
        f"rolls over {of.rollover.periods} periods" if of.rollover else "",
        "capped for each member" if of.member_cap is not None else "",
    ]
    return "".join(f", {text}" for text in said if text)


def _fee_text(fee: Fee) -> str:
    return f"{fee.name}: {amount_text(fee.amount_nano)} per month{', prorated' if fee.prorate else ''}"


def _discount_lines(version: TariffVersion) -> list[str]:
    tiers = version.discount.tiers if version.discount else ()
    return [f"from {amount_text(tier.from_nano)}: {_percent(tier.ppm)}" for tier in tiers]


def _percent(ppm: int) -> str:
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + " %"
