"""What is legal in a tariff but hardly meant. Each warning has a code that begins with `warning_`, a place and a next step."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from rating.deck_warnings import deck_warnings
from rating.language.tariff import Tariff
from rating.price_warnings import decimal_warnings, jump_warnings
from rating.rule_warnings import rule_warnings
from rating.tariff_winners import TariffWinners
from rating.warning_places import Places
from rating.window_warnings import window_warnings
from schemas.errors import Fault

PRICE_CHANGE_DEFAULT = Fraction(1, 5)
WARNING = "warning_"


@dataclass(frozen=True, slots=True)
class WarningTerms:
    """What is worth a warning: a price change above `price_change` (a share), a list of dates that ends before `until_year`."""

    price_change: Fraction = PRICE_CHANGE_DEFAULT
    until_year: int | None = None


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """What the checks of one file read beside the tariff: places of its parts, and the rows of its deck files as written."""

    places: Places = field(default_factory=Places)
    deck_rows: dict[str, int] = field(default_factory=dict)


def tariff_warnings(tariff: Tariff, found: TariffWinners | None, file: CheckedFile, terms: WarningTerms) -> list[Fault]:
    """All warnings of a tariff without faults; `found` None where its calendar cannot be checked."""
    said = _unused(tariff, file.places) + _gaps(tariff)
    if found is not None:
        said += rule_warnings(found) + window_warnings(found, file.places, terms.until_year) + _energy_warnings(found)
    said += jump_warnings(tariff, file.places, terms.price_change)
    return said + decimal_warnings(tariff, file.places) + deck_warnings(tariff, file.places, file.deck_rows)


def _unused(tariff: Tariff, places: Places) -> list[Fault]:
    """Windows, destinations and rates that nothing names."""
    said = []
    for version in tariff.versions:
        used_to = {rule.destination for rule in version.rules}
        limited = [names for one in version.allowances for names in (one.destinations, one.excluded)]
        limited += [one.destinations for one in version.discounts]
        used_to |= {to for names in (*limited, *(run.destinations for run in version.derived)) for to in names or ()}
        used_rates = {rule.rate for rule in version.rules} | {one.rate for one in version.discounts}
        used_rates |= {one.rate.name for one in version.allowances if one.rate}
        used_windows = {rule.window for rule in version.rules} | {price.window for price in version.energy}
        used_windows |= {name for one in version.discounts for name in one.windows or ()}
        used_windows |= {name for one in version.allowances for name in one.windows or ()}
        used_windows |= {price.window for price in version.demand}
        used_windows |= {price.window for price in (version.supply.export.prices if version.supply.export else ())}
        groups = (
            ("windows", "window", [window.name for window in version.windows], used_windows),
            ("destinations", "destination", [to.name for to in version.destinations], used_to),
            ("rates", "rate", [rate.name for rate in version.rates], used_rates),
        )
        for group, word, names, used in groups:
            said += [
                Fault(
                    places.of(version, group, name),
                    f"{word} {name!r} is not used",
                    next_step="use it or delete it",
                    code="warning_unused",
                )
                for name in names
                if name not in used
            ]
    return said


def _gaps(tariff: Tariff) -> list[Fault]:
    said = []
    for before, after in zip(tariff.versions, tariff.versions[1:], strict=False):
        if before.effective_to_at < after.effective_from_at:
            what = f"between {before.label!r} and {after.label!r} no version is in force"
            said.append(Fault(after.where, what, next_step="usage in between is rejected", code="warning_gap"))
    return said


def _energy_warnings(found: TariffWinners) -> list[Fault]:
    """Energy prices that never win, and instants without one."""
    said = []
    for index, energy in found.energy.items():
        version, patterns = found.tariff.versions[index], found.patterns_of(index)
        winners = energy.winners[0, patterns]
        holes = [pattern for pattern, winner in zip(patterns, winners.tolist(), strict=True) if winner < 0]
        if holes:
            what = f"no energy price holds from {found.first_instant(holes[0])}"
            next_step = "add a price without a window, else such usage is rejected"
            said.append(Fault(version.where, what, next_step=next_step, code="warning_hole"))
        for number, price in enumerate(version.energy):
            if patterns and number not in winners:
                what = f"{price.item!r} never prices anything"
                said.append(
                    Fault(price.where, what, next_step="give it a higher weight, or delete it", code="warning_unreachable")
                )
    return said
