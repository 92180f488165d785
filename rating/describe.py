"""A tariff as readable text, for `tariff show`."""

from __future__ import annotations

from rating.compiled.winners import distinct_rates
from rating.describe_discounts import discount_lines, fee_discount_text, local_text, percent_text
from rating.language.call_terms import Allowance, DerivedRun, Rule
from rating.language.clocks import STANDARD, clock_of
from rating.language.rates_text import quantity_text, rate_lines
from rating.language.shared_terms import DAY_US, Fee, Window
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from schemas.money import amount_text
from schemas.quantities import UsageKind
from schemas.zones import moment_of

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def describe_tariff(tariff: Tariff) -> str:
    """All versions of a tariff: validity, prices, windows, allowances, fees and taxes."""
    clock = f"{tariff.zone} standard time" if tariff.clock == STANDARD else tariff.zone
    lines = [f"{tariff.tariff_id}: {tariff.name} ({tariff.service}, {tariff.currency}, {clock})"]
    lines += [f"then {', '.join(tariff.fallback)}"] if tariff.fallback else []
    lines += _calendar_lines(tariff)
    if tariff.content_hash:
        lines.append(f"content {tariff.content_hash[:16]}")
    for version in tariff.versions:
        lines += ["", *_version_lines(tariff, version)]
    return "\n".join(lines) + "\n"


def _calendar_lines(tariff: Tariff) -> list[str]:
    """The calendars that windows use, with their next holidays after the last version starts."""
    used = {window.calendar.name: window.calendar for version in tariff.versions for window in version.windows if window.calendar}
    lines = []
    for name in sorted(used):
        calendar = used[name]
        year = moment_of(tariff.versions[-1].effective_from_at).astimezone(clock_of(tariff.zone, tariff.clock)).year
        days = " ".join(day.isoformat() for day in sorted(calendar.holidays) if day.year == year)
        lines.append(f"calendar {name}{f' ({calendar.source})' if calendar.source else ''}: holidays of {year} {days or 'none'}")
    return lines


def _version_lines(tariff: Tariff, version: TariffVersion) -> list[str]:
    start, end = local_text(version.effective_from_at, tariff), local_text(version.effective_to_at, tariff)
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
        ("Discounts", [line for one in version.discounts for line in discount_lines(one, tariff, version)]),
        ("Derived runs", [_run_text(run) for run in version.derived]),
        ("Fees", [_fee_text(fee) for fee in version.fees]),
        ("Discounts of fees", [fee_discount_text(one, tariff) for one in version.fee_discounts]),
        ("Taxes", [f"{tax.name}: {percent_text(tax.ppm)}" for tax in version.taxes]),
    )
    for title, entries in sections:
        if entries:
            lines += [f"  {title}", *(f"    {entry}" for entry in entries)]
    return lines


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
    if window.day_types is not None and window.calendar is not None:
        parts.append(f"{' or '.join(sorted(window.day_types))} of {window.calendar.name}")
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
    units, block = (quantity_text(number, allowance.kind) for number in (allowance.units, allowance.block))
    prorated = ", prorated" if allowance.prorate else ""
    return f"{allowance.name}: {units} of {allowance.kind.label}{to} in blocks of {block}, for the {allowance.scope}{prorated}"


def _fee_text(fee: Fee) -> str:
    return f"{fee.name}: {amount_text(fee.amount_nano)} per month{', prorated' if fee.prorate else ''}"


def _run_text(run: DerivedRun) -> str:
    by = f"by tariff {run.tariff_id}" if run.tariff_id else f"by the tariff of subject {run.subject}"
    kinds = f", {' '.join(sorted(kind.label for kind in run.kinds))}" if run.kinds is not None else ""
    to = f", to {', '.join(run.destinations)}" if run.destinations is not None else ""
    return f"{run.name}: {run.side} {by}{kinds}{to}"
