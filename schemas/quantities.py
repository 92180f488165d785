"""Quantities in integer base units, and exact conversion into them: exact or refused."""

from __future__ import annotations

from enum import IntEnum
from fractions import Fraction

INT64_MAX = 2**63 - 1


class UsageKind(IntEnum):
    """What was used; the unit of its quantity follows from it. Codes are stored: never renumber, only add."""

    VOICE = 0  # milliseconds
    MESSAGE = 1  # count
    VOLUME = 2  # bytes
    ENERGY = 3  # milliwatt-hours
    REACTIVE = 4  # millivar-hours
    LIQUID = 5  # millilitres

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def unit(self) -> str:
        return ("ms", "count", "bytes", "milliwh", "millivarh", "ml")[self]


# NEM12 and kin write units in any case; the scale is exact: base units for one of the unit.
METER_UNITS: dict[str, tuple[UsageKind, int]] = {
    "wh": (UsageKind.ENERGY, 1_000),
    "kwh": (UsageKind.ENERGY, 1_000_000),
    "mwh": (UsageKind.ENERGY, 1_000_000_000),
    "varh": (UsageKind.REACTIVE, 1_000),
    "kvarh": (UsageKind.REACTIVE, 1_000_000),
    "mvarh": (UsageKind.REACTIVE, 1_000_000_000),
    "l": (UsageKind.LIQUID, 1_000),
    "kl": (UsageKind.LIQUID, 1_000_000),
    "m3": (UsageKind.LIQUID, 1_000_000),
}


def exact_int(value: Fraction) -> int | None:
    """The integer that a fraction is, or None when it is none."""
    return value.numerator if value.denominator == 1 else None
