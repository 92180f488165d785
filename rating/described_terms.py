"""Windows, allowances, fees, percentages and instants in words: what `tariff show` and `tariff diff` share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from rating.language.call_terms import Allowance
from rating.language.clocks import WALL, clock_of
from rating.language.rates_text import quantity_text
from rating.language.shared_terms import DAY_US, FOREVER_AT, Fee, Rounding, Window
from schemas.money import amount_text
from schemas.zones import moment_of

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def instant_text(at: int, zone: str, clock: str = WALL) -> str:
    """An instant as a local date, with the time of day where it is not midnight; the end of an open version in words."""
    if at == FOREVER_AT:
        return "further notice"
    moment = instant_on(at, zone, clock)
    return moment.strftime("%Y-%m-%d" if (moment.hour, moment.minute, moment.second) == (0, 0, 0) else "%Y-%m-%d %H:%M:%S")


def instant_on(at: int, zone: str, clock: str = WALL) -> datetime:
    """What a clock shows at an instant."""
    return moment_of(at).astimezone(clock_of(zone, clock))


def rounding_text(rounding: Rounding) -> str:
    how = "to the nearest nano-unit" if rounding.mode == "none" else f"{rounding.mode} to {rounding.decimals} decimals"
    return f"once per {rounding.scope}, {how}"


def window_text(window: Window) -> str:
    """`Mon Tue, 08:00-20:00`: what must hold and when."""
    parts = day_filters(window.weekdays, window.month_days, window.months, window.years, window.dates)
    if window.day_types is not None and window.calendar is not None:
        parts.append(f"{' or '.join(sorted(window.day_types))} of {window.calendar.name}")
    if (window.start_us, window.end_us) != (0, DAY_US):
        parts.append(f"{clock_text(window.start_us)}-{clock_text(window.end_us)}{' next day' if window.crosses_midnight else ''}")
    return ", ".join(parts) or "always"


def day_filters(
    weekdays: frozenset[int] | None = None, month_days: frozenset[int] | None = None, months: frozenset[int] | None = None,
    years: frozenset[int] | None = None, dates: frozenset[date] | None = None,
) -> list[str]:  # fmt: skip
    """A text for each filter of local days that is not left open."""
    parts = [_runs(sorted(weekdays), lambda day: _DAYS[day - 1])] if weekdays is not None else []
    for label, numbers in (("day", month_days), ("month", months), ("year", years)):
        if numbers is not None:
            parts.append(f"{label} {_runs(sorted(numbers), str)}")
    if dates is not None:
        parts.append(" ".join(day.isoformat() for day in sorted(dates)))
    return parts


def _runs(numbers: list[int], name: Callable[[int], str]) -> str:
    """`1-5 7`: runs of three and more in short."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    texts = []
    for run in runs:
        texts += [f"{name(run[0])}-{name(run[-1])}"] if len(run) > 2 else [name(number) for number in run]
    return " ".join(texts)


def clock_text(at_us: int) -> str:
    minutes, seconds = divmod(at_us // 1_000_000, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}" + (f":{seconds:02d}" if seconds else "")


def allowance_text(allowance: Allowance) -> str:
    to = f" to {', '.join(allowance.destinations)}" if allowance.destinations else ""
    if allowance.kind is None:
        buys = " or ".join(quantity_text(usage, kind) for kind, usage in allowance.per_unit)
        head = f"{allowance.units} units{to}, each for {buys}"
    else:
        units, block = (quantity_text(number, allowance.kind) for number in (allowance.units, allowance.block))
        what = "" if allowance.kind.label in units or allowance.kind.label == "message" else f" of {allowance.kind.label}"
        head = f"{units}{what}{to} in blocks of {block}"
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
        f"each member at most {_member_cap_text(of)}" if of.member_cap is not None else "",
        f"shared {of.share_order} first" if of.share_order not in ("", "own_first") else "",
        f"priority {of.priority}" if of.priority else "",
    ]
    return "".join(f", {text}" for text in said if text)


def _member_cap_text(of: Allowance) -> str:
    assert of.member_cap is not None
    return f"{of.member_cap} units" if of.kind is None else quantity_text(of.member_cap, of.kind)


def fee_text(fee: Fee) -> str:
    how = ", prorated by 30ths" if fee.thirtieths else ", prorated" if fee.prorate and fee.per != "day" else ""
    return f"{amount_text(fee.amount_nano)} per {fee.per}{how}"


def percent_text(ppm: int) -> str:
    whole, rest = divmod(ppm, 10_000)
    return f"{whole}.{rest:04d}".rstrip("0").rstrip(".") + " %"
