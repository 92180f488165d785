"""The calendars of a tariff: a country's holidays by the `holidays` package, or pure lists, with day types of their own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, tzinfo
from functools import lru_cache
from types import ModuleType

from rating.language.calendars import BUILT_IN_TYPES, Calendar, DayType
from rating.language.shared_terms import FOREVER_AT, Window
from rating.language.written_values import day_numbers, local_dates, week_days
from rating.language.yaml_places import Fields, Place, close_match
from schemas.periods import FIRST_YEAR, LAST_YEAR
from schemas.zones import moment_of

_COUNTRY_KEYS = ("country", "subdivision", "categories", "observed")


def _holiday_rules() -> ModuleType:
    """The `holidays` package, loaded by the first calendar of a country: it costs a start tenths of a second."""
    import holidays

    return holidays


def read_calendars(place: Place | None, first_year: int) -> dict[str, Calendar]:
    """Calendars by name; `first_year` is that of the tariff's first version, holidays are resolved from the year before it on."""
    return {name: _calendar(name, value, first_year) for name, _, value in (place.pairs() if place else [])}


def _calendar(name: str, place: Place, first_year: int) -> Calendar:
    fields = place.fields((), (*_COUNTRY_KEYS, "add", "remove", "weekend", "day_types"))
    country_place, source, first, last = fields.get("country"), "", 1, 9999
    found: frozenset[date] = frozenset()
    if country_place is None:
        for key in _COUNTRY_KEYS[1:]:
            extra = fields.get(key)
            if extra:
                extra.fault(f"{key} without a country", must_be="left out, or a country given")
        if fields.get("add") is None:
            place.fault("country or add", must_be="a country, or the dates of its holidays", code="missing_key")
    else:
        source, found, first, last = _country_days(fields, country_place, max(first_year - 1, FIRST_YEAR))
    added = local_dates(fields.get("add")) or frozenset()
    removed_place = fields.get("remove")
    for item in removed_place.items() if removed_place else []:
        day = local_dates(item, single=True)
        if day and not day <= found:
            item.fault("not a holiday of the calendar", was=str(item.text()), must_be="one of its holidays")
        found -= day or frozenset()
    weekend = week_days(fields.get("weekend"))
    types = _types(fields.get("day_types"))
    return Calendar(name, found | added, frozenset({6, 7}) if weekend is None else weekend, types, first, last, source)


def _country_days(fields: Fields, place: Place, first_year: int) -> tuple[str, frozenset[date], int, int]:
    """(source, holidays, first and last year known); faults for what the package does not know."""
    nothing: tuple[str, frozenset[date], int, int] = ("", frozenset(), 1, 9999)
    known = _holiday_rules().list_supported_countries(include_aliases=True)
    country = place.text()
    if country is None:
        return nothing
    if country not in known:
        place.fault("no such country", was=repr(country), must_be="an ISO 3166 code such as DE", next_step=_near(country, known))
        return nothing
    part_place, part = fields.get("subdivision"), None
    if part_place:
        part = part_place.text()
        if part is not None and part not in known[country]:
            part_place.fault("no such subdivision", was=repr(part), next_step=close_match(part, known[country]))
            return nothing
    categories_place = fields.get("categories")
    supported = _supported_categories(country)
    chosen = [item.choice(supported) for item in categories_place.items()] if categories_place else ["public"]
    observed_place = fields.get("observed")
    observed = observed_place is None or observed_place.choice(("true", "false")) == "true"
    categories = tuple(sorted(category for category in chosen if category))
    if not categories:
        return nothing
    days, first, last = _holidays(country, part, categories, observed, first_year)
    return (f"{country}-{part}" if part else country), days, first, last


def _near(country: str, known: Mapping[str, object]) -> str:
    upper = country.upper()
    return f"did you mean {upper!r}?" if upper in known else "country codes are two or three capital letters"


@lru_cache(maxsize=64)
def _supported_categories(country: str) -> tuple[str, ...]:
    return tuple(_holiday_rules().country_holidays(country).supported_categories)


@lru_cache(maxsize=64)
def _holidays(
    country: str, part: str | None, categories: tuple[str, ...], observed: bool, first_year: int
) -> tuple[frozenset[date], int, int]:
    """(dates, first year, last year), the years being those that the package knows and that a book can be compiled for."""
    of = _holiday_rules().country_holidays(country, subdiv=part, categories=categories, observed=observed, expand=False)
    low, high = max(first_year, of.start_year), min(LAST_YEAR, of.end_year)
    if low > high:
        return frozenset(), low, high
    resolved = _holiday_rules().country_holidays(
        country, subdiv=part, categories=categories, observed=observed, years=range(low, high + 1), expand=False
    )
    # A calendar whose rules start later than asked says so by its first year; one that starts before is simply cut there.
    first_known = low if of.start_year > first_year else 1
    return frozenset(resolved), first_known, high if of.end_year < LAST_YEAR else 9999


def check_years(place: Place, windows: Mapping[str, Window], from_at: int, to_at: int, clock: tzinfo) -> None:
    """A version in years whose holidays its calendars do not know is a fault, with the year; open ends are warned of."""
    first = moment_of(from_at).astimezone(clock).year
    last = None if to_at == FOREVER_AT else moment_of(to_at - 1).astimezone(clock).year
    used = {window.calendar.name: window.calendar for window in windows.values() if window.calendar}
    for name in sorted(used):
        calendar = used[name]
        if first < calendar.first_year:
            must_be = f"{calendar.first_year} or later"
            place.fault(
                f"calendar {name!r} knows no holidays of this year", was=str(first), must_be=must_be, code="calendar_years"
            )
        if last is not None and last > calendar.last_year:
            must_be = f"{calendar.last_year} or earlier"
            place.fault(
                f"calendar {name!r} knows no holidays of this year", was=str(last), must_be=must_be, code="calendar_years"
            )


def _types(place: Place | None) -> tuple[DayType, ...]:
    found: dict[str, DayType] = {}
    for name, at_key, value in place.pairs() if place else []:
        if name in BUILT_IN_TYPES:
            at_key.fault("this day type is built in", was=repr(name), must_be="another name")
            continue
        fields = value.fields((), ("dates", "weekdays", "months", "month_days", "without"))
        without = fields.get("without")
        known = {*BUILT_IN_TYPES, *found}
        names = [item.reference(known, "day type before it") for item in without.items()] if without else []
        filters = (
            local_dates(fields.get("dates")),
            week_days(fields.get("weekdays")),
            day_numbers(fields.get("months"), 1, 12),
            day_numbers(fields.get("month_days"), 1, 31),
        )
        if not fields.found:
            value.fault("a day type without a rule", must_be="dates, weekdays, months, month_days or without")
        found[name] = DayType(name, *filters, tuple(name for name in names if name))
    return tuple(found.values())
