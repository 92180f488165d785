"""How far a metered quantity can be trusted, as ranks: the version with the higher rank replaces the lower one."""

from __future__ import annotations

from enum import IntEnum


class Quality(IntEnum):
    """Quality of an interval or of a whole read, by precedence. Codes are stored: never renumber.

    The quality of a day is that of its worst interval. For the five that meters and data providers send (all but `EDITED`)
    the worst is the smallest rank; a roll-up that shows `EDITED` too puts it below `ACTUAL`, since a person changed it.
    """

    NULL = 0
    ESTIMATED = 1
    SUBSTITUTED = 2
    FINAL_SUBSTITUTED = 3
    ACTUAL = 4
    EDITED = 5

    @property
    def label(self) -> str:
        return self.name.lower()
