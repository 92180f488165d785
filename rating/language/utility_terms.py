"""What a version says of metered supply: energy prices."""

from __future__ import annotations

from dataclasses import dataclass, field

from rating.language.shared_terms import Tier


@dataclass(frozen=True, slots=True)
class EnergyPrice:
    """A TOU period: where it holds and its tiers over the running total of the period (increment is 1)."""

    item: str
    window: str | None
    weight: int
    tiers: tuple[Tier, ...]
    where: str = field(default="", compare=False)
