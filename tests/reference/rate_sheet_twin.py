"""Twin of the import of rate sheets: a call priced straight from the rows of the sheet, one increment after the other."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo


@dataclass(frozen=True)
class SheetRow:
    """A row as the sender means it; dates are ISO texts, `end` is the last day, prices are texts, empty where there is none."""

    codes: tuple[str, ...]
    effective: str
    end: str
    removed: bool
    price: str
    peak: str
    weekend: str
    fee: str
    first_s: int
    next_s: int


@functools.cache
def row_in_force(rows: tuple[SheetRow, ...], number: str, day: str) -> SheetRow | None:
    """The row of the longest code that has a price on that day; a later row of a code ends the earlier ones."""
    for size in range(len(number), 0, -1):
        dated = [row for row in rows if number[:size] in row.codes and row.effective <= day]
        if not dated:
            continue
        row = max(dated, key=lambda each: each.effective)
        if not row.removed and (not row.end or row.end >= day):
            return row
    return None


def band_price(row: SheetRow, local: datetime) -> str:
    """Weekend, else peak (weekdays 08-20), else the plain price; an empty band has the plain price."""
    if local.isoweekday() >= 6:
        return row.weekend or row.price
    if 8 <= local.hour < 20:
        return row.peak or row.price
    return row.price


def price_call(rows: tuple[SheetRow, ...], number: str, start: datetime, seconds: int, zone: str) -> Fraction | None:
    """The exact price; None where the start or a later increment has no price."""
    total, elapsed = Fraction(0), 0
    while elapsed < seconds:
        local = (start + timedelta(seconds=elapsed)).astimezone(ZoneInfo(zone))
        row = row_in_force(rows, number, local.date().isoformat())
        if row is None:
            return None
        if elapsed == 0:
            total += Fraction(Decimal(row.fee or "0"))
        step = row.first_s if elapsed < row.first_s else row.next_s
        total += Fraction(Decimal(band_price(row, local))) * step / 60
        elapsed += step
    return total
