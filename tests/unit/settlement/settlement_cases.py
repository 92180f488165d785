"""Small worlds for the tests of settlement: frames from short rows, and the golden case."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from schemas.money import nano_of
from schemas.periods import Period, period_number, period_of
from schemas.zones import local_midnight_us
from settlement.account_settlement import Settlement, settle_accounts
from settlement.frames import ACCOUNTS, CARRIED, CONTRACTS, FEES, SERVICE_CHARGES, TAXES, USAGE_ITEMS, Columns

GOLDEN = Path(__file__).parents[2] / "golden" / "settlement"
OPEN = 2**63 - 1
BERLIN = "Europe/Berlin"
FEES_LABELED: Columns = {**FEES, "version": pl.String}


def rows(columns: Columns, table: list[Any]) -> pl.DataFrame:
    """A frame of the given columns from rows of values in their order; a tax that names no items applies to all."""
    if columns is TAXES:
        table = [row if len(row) == len(TAXES) else (*row, []) for row in table]
    return pl.DataFrame(table, schema=dict(columns), orient="row")


def month(label: str, zone: str = BERLIN) -> tuple[Period, npt.NDArray[np.int64]]:
    period = period_of(period_number(label), zone)
    days = [local_midnight_us(period.first_on + timedelta(days=day), zone) for day in range(period.days + 1)]
    return period, np.array(days, dtype=np.int64)


def at(day: str | None, zone: str = BERLIN) -> int:
    """The instant of a local midnight; None is the open end."""
    return OPEN if day is None else local_midnight_us(date.fromisoformat(day), zone)


def settle(
    *,
    usage: list[Any] | None = None,
    contracts: list[Any] | None = None,
    accounts: list[Any] | None = None,
    fees: list[Any] | None = None,
    taxes: list[Any] | None = None,
    carried: list[Any] | None = None,
    service: list[Any] | None = None,
    label: str = "2026-10",
    zone: str = BERLIN,
    issue_on: date = date(2026, 11, 2),
) -> Settlement:
    """Settle a small world; what is left out is empty, and account A pays for itself in EUR."""
    period, day_starts = month(label, zone)
    return settle_accounts(
        rows(USAGE_ITEMS, usage or []),
        rows(CONTRACTS, contracts or []),
        rows(ACCOUNTS, accounts or [("A", "A", "", "Ada", "EUR")]),
        rows(FEES_LABELED, fees or []),
        rows(TAXES, taxes or []),
        rows(CARRIED, carried or []),
        rows(SERVICE_CHARGES, service or []),
        period=period,
        issue_on=issue_on,
        day_starts=day_starts,
    )


def usage_row(
    account: str, item: str, listed: int, *, allowance: int = 0, discount: int = 0, service: str = "s1"
) -> tuple[Any, ...]:
    """A usage item of tariff `mobile` in nano-units: 60 s used, half of it charged."""
    money = (listed, allowance, discount, listed - allowance - discount)
    return (account, service, "mobile", "v1", item, "voice", "ms", 2, 60_000, 30_000, *money, "0.07 EUR per 1 min")


def golden_case(name: str) -> tuple[pl.DataFrame, pl.DataFrame, Settlement]:
    """(usage items, carried in, settlement) of a golden case's input.json."""
    case = json.loads((GOLDEN / name / "input.json").read_text())
    zone = case["zone"]
    usage = []
    for *texts, price in case["usage"]:
        listed, allowance, discount = (nano_of(text, "golden case") for text in texts[10:13])
        quantities = (int(texts[8]), int(texts[9]))
        usage.append((*texts[:8], *quantities, listed, allowance, discount, listed - allowance - discount, price))
    period, day_starts = month(case["period"], zone)
    usage_items = rows(USAGE_ITEMS, usage)
    carried = rows(CARRIED, [(account, nano_of(text, "golden case")) for account, text in case["carried"]])
    settlement = settle_accounts(
        usage_items,
        rows(CONTRACTS, [(*who, at(start, zone), at(end, zone)) for *who, start, end in case["contracts"]]),
        rows(ACCOUNTS, case["accounts"]),
        rows(
            FEES_LABELED,
            [
                (tariff, at(start, zone), at(end, zone), name, nano_of(amount, "golden case"), prorate, version)
                for tariff, start, end, name, amount, prorate, version in case["fees"]
            ],
        ),
        rows(TAXES, [(tariff, at(start, zone), at(end, zone), name, rate) for tariff, start, end, name, rate in case["taxes"]]),
        carried,
        period=period,
        issue_on=date.fromisoformat(case["issue_on"]),
        day_starts=day_starts,
    )
    return usage_items, carried, settlement
