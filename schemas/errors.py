"""Errors that a person can act on: where, what is wrong, what was found, what must be there, what to do next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code means; the same for every command."""

    DONE = 0
    FAILED = 1
    WRONG_USAGE = 2
    BLOCKED = 3
    STALE_PLAN = 4
    APPROVAL_MISSING = 5
    STOPPED_ON_FAULT = 70
    INTERRUPTED = 130


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, as a sentence in parts."""

    where: str
    what: str
    was: str = ""
    must_be: str = ""
    next_step: str = ""
    code: str = "error"

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.was:
            text += f", was {self.was}"
        if self.must_be:
            text += f", must be {self.must_be}"
        return f"{text}; {self.next_step}" if self.next_step else text

    def as_json(self) -> dict[str, str]:
        return asdict(self)


class MeterlineError(Exception):
    """A bad file, configuration or batch schema: one or several faults, all reported at once."""

    exit_code = ExitCode.FAILED

    def __init__(self, faults: Fault | Sequence[Fault]) -> None:
        self.faults: tuple[Fault, ...] = (faults,) if isinstance(faults, Fault) else tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))


class ConfigurationError(MeterlineError):
    """Configuration, reference files or tariffs that cannot be used as they stand."""

    exit_code = ExitCode.WRONG_USAGE


class RefusedFileError(MeterlineError):
    """An input file that is refused whole; it is set aside and the line goes on."""


class CommitConflictError(MeterlineError):
    """Somebody else owns what this worker wanted to write; nothing was written and the worker must stop."""

    exit_code = ExitCode.STOPPED_ON_FAULT


class ConservationError(MeterlineError):
    """Rows, quantities or money do not add up. Raised, never asserted, so that it survives `python -O`."""


class BlockedError(MeterlineError):
    """The command would do harm before something else is settled."""

    exit_code = ExitCode.BLOCKED


class StalePlanError(MeterlineError):
    """A sealed plan was made from inputs that have moved since."""

    exit_code = ExitCode.STALE_PLAN
