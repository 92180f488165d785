"""What only a whole tariff shows: rules that nothing orders, at different prices, are faults."""

from __future__ import annotations

from rating.language.utility_terms import EnergyPrice
from rating.tariff_winners import KindWinners, TariffWinners, credit_prices
from schemas.errors import Fault


def level_rule_faults(found: TariffWinners) -> list[Fault]:
    """Rules that are level at different prices at some instant of the tariff's life, one fault for each pair."""
    faults: dict[tuple[str, str], Fault] = {}
    for kind in found.calls.values():
        for level in kind.level:
            one, other = sorted(found.rows[row].rule.where for row in level.rows)
            to = f"prefix {found.table.prefixes[level.node]}" if level.node else "any number"
            faults.setdefault((one, other), _level_fault(other, one, f"{to} at {found.first_instant(level.pattern)}"))
    for index, energy in found.energy.items():
        _note_level(found, found.tariff.versions[index].energy, energy, faults)
    for index, credit in found.credits.items():
        _note_level(found, credit_prices(found.tariff.versions[index]), credit, faults)
    return list(faults.values())


def _note_level(
    found: TariffWinners, prices: tuple[EnergyPrice, ...], winners: KindWinners, faults: dict[tuple[str, str], Fault]
) -> None:
    for level in winners.level:
        one, other = sorted(prices[row].where for row in level.rows)
        faults.setdefault((one, other), _level_fault(other, one, found.first_instant(level.pattern)))


def _level_fault(where: str, other: str, when: str) -> Fault:
    return Fault(
        where,
        f"ambiguous with {other} (first for {when})",
        must_be="ordered by prefix, weight or start of the window, or at one price",
        next_step="give one of them a higher weight",
        code="ambiguous_rules",
    )
