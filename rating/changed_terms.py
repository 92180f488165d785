"""Changes of what a tariff's versions share or only name: calendars, and rates that discounts offer."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from datetime import date

from rating.describe_calendars import calendars_of
from rating.describe_discounts import discount_kind
from rating.language.rates_text import rate_lines
from rating.language.tariff import Tariff, TariffVersion
from rating.named_parts import differences

_DATES_SHOWN = 12
Change = tuple[str, str, str]  # added, removed or changed; name; text


def calendar_changes(old: Tariff, new: Tariff) -> list[Change]:
    """Calendars that windows use: the dates that became or ceased to be holidays, and the other fields."""
    before, after = ({one.name: one for one in calendars_of(tariff)} for tariff in (old, new))
    found: list[Change] = []
    for name in sorted({*before, *after}):
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            calendar = other if one is None else one
            assert calendar is not None
            found.append(("added" if one is None else "removed", name, calendar.source or f"{len(calendar.holidays)} dates"))
            continue
        for change, days in (("added", other.holidays - one.holidays), ("removed", one.holidays - other.holidays)):
            found += [(change, f"{name} holidays", _dates_text(days))] if days else []
        left, right = (dataclasses.replace(each, holidays=frozenset()) for each in (one, other))
        found += [("changed", f"{name} {path}", f"{was} -> {becomes}") for path, was, becomes in differences(left, right)]
    return found


def _dates_text(days: Collection[date]) -> str:
    shown = [day.isoformat() for day in sorted(days)]
    more = len(shown) - _DATES_SHOWN
    return " ".join(shown[:_DATES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def offered_rate_changes(old: TariffVersion, new: TariffVersion) -> list[Change]:
    """Rates by which discounts charge; those of rules are compared as prices."""
    before, after = _offered(old), _offered(new)
    found: list[Change] = []
    for name in [*before, *(name for name in after if name not in before)]:
        one, other = before.get(name), after.get(name)
        if one is None or other is None:
            found.append(("added" if one is None else "removed", name, one or other or ""))
        elif one != other:
            found.append(("changed", name, f"{one} -> {other}"))
    return found


def _offered(version: TariffVersion) -> dict[str, str]:
    kinds = {discount.rate: discount_kind(discount) for discount in version.discounts if discount.rate}
    return {rate.name: "; ".join(rate_lines(rate, kinds[rate.name])) for rate in version.rates if rate.name in kinds}
