"""What a meter's channel measures, seen from the customer: a channel that nobody bills is filtered, not lost."""

from __future__ import annotations

from enum import IntEnum


class ChannelRole(IntEnum):
    """Which way a channel counts. Codes are stored: never renumber, only add."""

    NONE = 0  # none that a tariff can bill
    IMPORT = 1  # what the customer takes: energy or volume
    EXPORT = 2  # what he feeds in
    REACTIVE_IMPORT = 3
    REACTIVE_EXPORT = 4

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def bit(self) -> int:
        """Its place in a set of roles."""
        return 1 << self
