"""Frames that cannot be settled: every fault at once, in words that say what to do."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from schemas.errors import ConfigurationError
from settlement.account_settlement import settle_accounts
from settlement.frames import ACCOUNTS, CARRIED, CONTRACTS, FEES, TAXES, USAGE_ITEMS
from tests.unit.settlement.settlement_cases import GOLDEN, month, rows, settle, usage_row

WRONG = {
    "accounts": [
        ("A000123", "A000123", "", "Ada", "EUR"),
        ("A000124", "A000123", "", "Ben", "CHF"),
        ("A000125", "A000999", "", "Cleo", "EUR"),
        ("A000126", "A000124", "", "Dan", "CHF"),
        ("A000123", "A000123", "", "Ada again", "EUR"),
    ],
    "usage": [usage_row("A000132", "calls", 1), usage_row("A000123", "calls", 10**22)],
    "contracts": [("s1", "nobody", "mobile", 0, 1), ("s2", "A000123", "mobile", 0, 9), ("s2", "A000123", "mobile", 8, 12)],
    "fees": [
        ("mobile", 0, 100, "Basic", 1, True, "v1"),
        ("mobile", 50, 200, "Basic", 1, True, "v2"),
        ("power", 0, 0, "Basic", 1, True, "v1"),
        ("power", 10, 20, "Basic", 1, True, "v1"),
    ],
    "taxes": [("mobile", 0, 100, "VAT", 1_900_000), ("mobile", 0, 100, "VAT", 0)],
    "carried": [("A000123", -(10**22))],
}


def test_all_faults_of_the_rows_are_reported_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        settle(**WRONG)
    expected = (GOLDEN / "error_frames_of_wrong_rows" / "expected.txt").read_text()
    assert f"{caught.value}\n" == expected


def test_all_faults_of_the_columns_are_reported_at_once() -> None:
    period, day_starts = month("2026-10")
    usage = rows(USAGE_ITEMS, [usage_row("A", "calls", 1)]).rename({"list_nano": "listed_nano"}).cast({"net_nano": pl.Int64})
    accounts = rows(ACCOUNTS, [("A", "A", None, "Ada", "EUR")])
    fees = rows(FEES, []).with_columns(version=pl.lit(1))
    with pytest.raises(ConfigurationError) as caught:
        settle_accounts(
            usage,
            rows(CONTRACTS, []),
            accounts,
            fees,
            rows(TAXES, []).drop("name"),
            rows(CARRIED, []),
            period=period,
            issue_on=date(2026, 11, 2),
            day_starts=day_starts,
        )
    expected = (GOLDEN / "error_frames_of_wrong_columns" / "expected.txt").read_text()
    assert f"{caught.value}\n" == expected


def test_unknown_kind_of_usage_is_refused() -> None:
    row = usage_row("A", "calls", 1)
    with pytest.raises(ConfigurationError, match="no such kind of usage, was 'speech', must be voice or message"):
        settle(usage=[(*row[:5], "speech", *row[6:])])


def test_least_128_bit_integer_is_refused_and_does_not_overflow_the_check() -> None:
    with pytest.raises(ConfigurationError, match="beyond the range of exact sums"):
        settle(carried=[("A", -(2**127))])


def test_midnights_of_another_period_meet_an_assertion() -> None:
    period, _ = month("2026-10")
    _, other = month("2026-12")
    empty = [rows(columns, []) for columns in (USAGE_ITEMS, CONTRACTS, ACCOUNTS, FEES, TAXES, CARRIED)]
    with pytest.raises(AssertionError):
        settle_accounts(*empty, period=period, issue_on=date(2026, 11, 2), day_starts=other)
