"""Where a collected record ended up, and why a record was rejected. Codes are stored: never renumber, only add."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Disposition(StrEnum):
    """The seven places of invariant I1; every source record is in exactly one."""

    BILLED = "billed"  # priced and live: on a bill, or on the bill that its open period will give
    PENDING = "pending"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    FILTERED = "filtered"
    MERGED = "merged"


class Stage(StrEnum):
    COLLECT = "collect"
    PREPROCESS = "preprocess"
    FIRST_PASS = "first_pass"


class Reason(IntEnum):
    """Why a record is not billed, in order of precedence: the smallest code that applies is the one given."""

    OK = 0
    # preprocess: the record cannot be read (1-19)
    BAD_FIELD_COUNT = 1
    BAD_NUMBER = 2
    BAD_TIMESTAMP = 3
    BAD_IDENTIFIER = 4
    BAD_KIND = 5
    NEGATIVE_QUANTITY = 6
    QUANTITY_OUT_OF_RANGE = 7
    NONEXISTENT_LOCAL_TIME = 8
    AMBIGUOUS_LOCAL_TIME = 9
    LINE_TOO_LONG = 10
    BAD_QUOTING = 11
    # preprocess: filtered on purpose (20-29)
    UNANSWERED = 20
    ZERO_USAGE = 21
    UNBILLED_CHANNEL = 22
    # preprocess: readable, but nobody's or not alone (30-49)
    CONFLICT = 30
    UNKNOWN_SERVICE = 31
    NO_SERVICE_AT_INSTANT = 32
    NULL_QUALITY = 33
    UNIT_NOT_BILLABLE = 34
    PERIOD_CLOSED = 40
    # first pass (50-69)
    NO_TARIFF_FOR_SUBJECT = 50
    NO_RATE_FOR_DESTINATION = 51
    NO_RATE_AT_INSTANT = 52
    CHARGE_OVERFLOW = 53
    # charging (70-79): priced, but no balance pays
    BLOCKED_BY_BALANCE = 70
    NOT_COVERED = 71

    @property
    def label(self) -> str:
        return self.name.lower()

    @property
    def stage(self) -> Stage:
        return Stage.FIRST_PASS if self >= Reason.NO_TARIFF_FOR_SUBJECT else Stage.PREPROCESS

    @property
    def disposition(self) -> Disposition:
        """The place a record with this reason is counted in."""
        if self == Reason.OK:
            return Disposition.BILLED
        if Reason.UNANSWERED <= self <= Reason.UNBILLED_CHANNEL:
            return Disposition.FILTERED
        return Disposition.PENDING if self == Reason.PERIOD_CLOSED else Disposition.REJECTED
