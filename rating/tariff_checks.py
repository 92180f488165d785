"""What only a whole tariff shows: rules that nothing orders, at different prices, are faults."""

from __future__ import annotations

from rating.tariff_winners import KindWinners, TariffWinners
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
        _level_energy(found, index, energy, faults)
    return list(faults.values())


def _level_energy(found: TariffWinners, index: int, energy: KindWinners, faults: dict[tuple[str, str], Fault]) -> None:
    prices = found.tariff.versions[index].energy
    for level in energy.level:
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
