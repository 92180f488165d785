"""The words of every fault of account files, usage rows, steps and refunds, as `meterline tariff charge` says them: golden."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.typed import typed

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "charging_errors"
ACCOUNTS = sorted(GOLDEN.glob("*.account.yaml"))
# usage file, options, exit code
USAGE = [
    ("usage", (), 1),
    ("steps", (), 1),
    ("refunds", ("--refund",), 1),
    ("columns", (), 1),
    ("missing_columns", (), 1),
    ("refund_columns", ("--refund",), 1),
]


def said_of(account: Path, usage: Path, *options: str) -> tuple[int, str]:
    code, answered, said = typed("tariff", "charge", GOLDEN / "tariff.yaml", account, usage, *options)
    assert answered == ""
    return code, said.replace(f"{GOLDEN}/", "")


@pytest.mark.parametrize("account", ACCOUNTS, ids=[path.name.partition(".")[0] for path in ACCOUNTS])
def test_the_words_of_faults_of_account_files(account: Path) -> None:
    expected = account.with_name(account.name.replace(".account.yaml", ".txt")).read_text()
    assert said_of(account, GOLDEN / "good.csv") == (2, expected)


@pytest.mark.parametrize(("name", "options", "code"), USAGE, ids=[row[0] for row in USAGE])
def test_the_words_of_faults_of_rows(name: str, options: tuple[str, ...], code: int) -> None:
    expected = (GOLDEN / f"{name}.txt").read_text()
    assert said_of(GOLDEN / "account.yaml", GOLDEN / f"{name}.csv", *options) == (code, expected)


@pytest.mark.parametrize(
    ("usage", "options", "expected"),
    [
        ("good.csv", ("--refund", "--rerate"), "error: tariff charge: --refund and --rerate at once, must be one of them\n"),
        ("good.csv", ("--rerate", "--as", "take"), "error: tariff charge: --rerate and --as take at once, must be one of them\n"),
        ("steps.csv", ("--as", "grant"), "error: steps.csv: steps of reservations with --as grant, must be without: each step books and grants\n"),
        ("steps.csv", ("--rerate",), "error: steps.csv: steps of reservations with --rerate, must be without: each step books and grants\n"),
    ],
)  # fmt: skip
def test_options_at_odds(usage: str, options: tuple[str, ...], expected: str) -> None:
    assert said_of(GOLDEN / "account.yaml", GOLDEN / usage, *options) == (1, expected)
