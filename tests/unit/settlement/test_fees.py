"""Recurring charges: who pays which fee for how many local days."""

from __future__ import annotations

import pytest

from settlement.fees import fee_lines
from settlement.frames import ACCOUNTS, CONTRACTS, FEES
from tests.unit.settlement.settlement_cases import OPEN, at, month, rows, settle

EUR = 10**9
OLD, NEW = ("mobile", at("2026-01-01")), ("mobile", at("2026-10-21"))
BASIC = [(*OLD, OPEN, "Basic", 30 * EUR, True, "v1")]
RAISED = [(*OLD, at("2026-10-21"), "Basic", 30 * EUR, True, "v1"), (*NEW, OPEN, "Basic", 36 * EUR, True, "v2")]
WHOLE = [(*OLD, at("2026-10-21"), "Line", 5 * EUR, False, "v1"), (*NEW, OPEN, "Line", 6 * EUR, False, "v2")]
HOUR = 3_600_000_000


def contract(start: str | int, end: str | int | None, service: str = "s1", account: str = "A") -> tuple[str, str, str, int, int]:
    from_at = start if isinstance(start, int) else at(start)
    to_at = end if isinstance(end, int) else at(end)
    return (service, account, "mobile", from_at, to_at)


@pytest.mark.parametrize(
    ("what", "contracts", "fees", "expected"),
    [
        # (version, service-days or services, amount in cents)
        ("whole month", [contract("2026-01-01", None)], BASIC, [("v1", 31, 3000)]),
        ("E25: gone after 10 of 31 days", [contract("2026-01-01", "2026-10-11")], BASIC, [("v1", 10, 968)]),
        ("joins on the 31st", [contract("2026-10-31", None)], BASIC, [("v1", 1, 97)]),
        ("price rises on the 21st", [contract("2026-01-01", None)], RAISED, [("v1", 20, 1935), ("v2", 11, 1277)]),
        ("leaves before the rise", [contract("2026-01-01", "2026-10-11")], RAISED, [("v1", 10, 968)]),
        ("two services on one line", [contract("2026-01-01", None), contract("2026-10-22", None, "s2")], BASIC,
         [("v1", 41, 3968)]),
        ("moves at noon: no day twice", [contract("2026-01-01", at("2026-10-11") + 12 * HOUR),
                                         contract(at("2026-10-11") + 12 * HOUR, None)], BASIC, [("v1", 31, 3000)]),
        ("starts an hour into the 11th", [contract(at("2026-10-11") + HOUR, None)], BASIC, [("v1", 20, 1935)]),
        ("within one day", [contract(at("2026-10-11") + HOUR, at("2026-10-11") + 2 * HOUR)], BASIC, []),
        ("ended at the period's start", [contract("2026-01-01", "2026-10-01")], BASIC, []),
        ("begins at the period's end", [contract("2026-11-01", None)], BASIC, []),
        ("only the day of the clock change", [contract("2026-10-25", "2026-10-26")], BASIC, [("v1", 1, 97)]),
        ("not prorated: once, by the first version", [contract("2026-01-01", None)], WHOLE, [("v1", 1, 500)]),
        ("not prorated: joins after the rise", [contract("2026-10-25", None)], WHOLE, [("v2", 1, 600)]),
        ("not prorated: a contract written in two rows", [contract("2026-01-01", "2026-10-15"), contract("2026-10-15", None)],
         WHOLE, [("v1", 1, 500)]),
        ("not prorated: two services", [contract("2026-01-01", None), contract("2026-01-01", None, "s2")], WHOLE,
         [("v1", 2, 1000)]),
    ],
)  # fmt: skip
def test_fee_lines(what: str, contracts: list[object], fees: list[object], expected: list[tuple[str, int, int]]) -> None:
    lines = settle(contracts=contracts, fees=fees).lines
    got = [(line["version"], line["quantity"], line["amount_nano"] // 10**7) for line in lines.iter_rows(named=True)]
    assert got == expected, what


def test_fee_of_ten_days_is_e25_to_the_nano_unit() -> None:
    line = settle(contracts=[contract("2026-01-01", "2026-10-11")], fees=BASIC).lines.row(0, named=True)
    assert (line["exact_nano"], line["amount_nano"]) == (9_677_419_355, 9_680_000_000)
    assert (line["unit"], line["price_text"], line["service_count"]) == ("days", "30.00 EUR per 31 days", 1)


@pytest.mark.parametrize(
    ("label", "zone", "days"),
    [
        ("2026-03", "Europe/Berlin", 31),
        ("2026-04", "Australia/Lord_Howe", 30),
        ("2024-02", "America/New_York", 29),
        ("2026-02", "Asia/Kolkata", 28),
    ],
)
def test_month_of_any_length_is_one_whole_fee(label: str, zone: str, days: int) -> None:
    fees = [("mobile", 0, OPEN, "Basic", 30 * EUR, True, "v1")]
    settlement = settle(contracts=[contract(0, None)], fees=fees, label=label, zone=zone)
    line = settlement.lines.row(0, named=True)
    assert (line["quantity"], line["exact_nano"]) == (days, 30 * EUR)


def test_version_without_label_is_named_by_its_first_instant() -> None:
    period, day_starts = month("2026-10")
    rise = at("2026-10-21")
    fees = rows(FEES, [("mobile", -(2**63), rise, "Basic", EUR, True), ("mobile", rise, OPEN, "Basic", EUR, True)])
    accounts = rows(ACCOUNTS, [("A", "A", "", "Ada", "EUR")])
    contracts = rows(CONTRACTS, [contract(0, None)])
    lines = fee_lines(contracts, accounts, fees, period=period, day_starts=day_starts)
    assert sorted(lines["version"]) == ["", "2026-10-20T22:00:00Z"]
