"""What a bill line can be."""

from __future__ import annotations

from enum import StrEnum


class LineKind(StrEnum):
    """What a bill line is; the order is the one on the bill."""

    FEE = "fee"
    USAGE = "usage"
    DISCOUNT = "discount"
    DEMAND = "demand"
    ADJUSTMENT = "adjustment"
    SURCHARGE = "surcharge"
    MINIMUM = "minimum"
    CREDIT = "credit"
    TAX = "tax"
    ROUNDING = "rounding"

    @property
    def rank(self) -> int:
        return list(LineKind).index(self)

    @property
    def of_service(self) -> bool:
        """True for what a service may be charged over the whole period, beside its usage (`settlement.service_charges`)."""
        return self in (
            LineKind.FEE,
            LineKind.DEMAND,
            LineKind.ADJUSTMENT,
            LineKind.SURCHARGE,
            LineKind.MINIMUM,
            LineKind.CREDIT,
        )

    @property
    def closes_bill(self) -> bool:
        """True for lines over the whole bill, which follow those of every account."""
        return self in (LineKind.TAX, LineKind.ROUNDING)
