"""The worked examples of the rating reference (§11) with balances, as files: `meterline tariff charge`, JSON and text.

A part is `<letter>_<task>`: its account and usage, and what was answered; its own tariff, or that of the folder.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tools.typed import answer, typed

WORKED = Path(__file__).parents[2] / "golden" / "rating" / "worked"
PARTS = sorted(path for path in WORKED.glob("*/*.account.yaml"))
OPTIONS = {"book": (), "steps": (), "take": ("--as", "take"), "grant": ("--as", "grant"), "rerate": ("--rerate",), "refund": ("--refund",)}  # fmt: skip

# The figures of a row of the reference's table, each of which stands in the text of its part.
FIGURES = {
    "e17_allowance_then_money/a_book": ("minutes 60 s", "30 s", "0.27", "0.73"),
    "e17_allowance_then_money/b_book": ("0.67",),
    "e18_debit_order/a_book": ("A 45 s", "C 30 s", "B 100 s", "175 s to 200 s", "money 0.05"),
    "e18_debit_order/b_book": ("C 10 s", "money 0.10"),
    "e18_debit_order/c_book": ("own 20 s", "shared 30 s", "50 s to 90 s", "money 0.08"),
    "e19_factor/a_book": ("0 B to 33 MB", "volume 99 MB", "33 MB to 40 MB", "1.40", "  1 MB\n"),
    "e19_factor/b_book": ("units 1/2",),
    "e20_two_payers/a_book": ("0 s to 25 s", "M1 0.03", "M2 0.05", "0.08"),
    "e20_two_payers/b_book": ("0.03", "0.06"),
    "e21_slices/a_steps": ("0.03", "0.05", "0.07", "0.10", "0.12"),  # booked so far: parts 0.03, 0.02, 0.02, 0.03, 0.02
    "e21_slices/b_book": ("0.12", "0.03", "0.73"),  # each alone: 0.15
    "e22_limit_and_blocker/a_grant": ("3 min", "1.30", "0.80"),
    "e22_limit_and_blocker/b_book": ("2.10", "-1.30", "0.80"),
    "e22_limit_and_blocker/c_grant": ("18 min", "60 min", "blocked_by_balance"),
    "e22_limit_and_blocker/d_book": ("blocked_by_balance", "0.00"),
    "e23_rerate/a_rerate": ("0.30", "0.65", "1.05", "minutes 90 s", "minutes 30 s", "0.90", "1.10"),
    "e23_rerate/b_book": ("-0.55",),
    "e23_rerate/c_refund": ("30 s", "2.00", "'lapsed'"),
}


def name_of(account: Path) -> str:
    return f"{account.parent.name}/{account.name.partition('.')[0]}"


def words_of(account: Path) -> list[Path | str]:
    part = account.name.partition(".")[0]
    own = account.with_name(f"{part}.tariff.yaml")
    tariff = own if own.exists() else account.with_name("tariff.yaml")
    return ["tariff", "charge", tariff, account, account.with_name(f"{part}.usage.csv"), *OPTIONS[part.partition("_")[2]]]


@pytest.mark.parametrize("account", PARTS, ids=map(name_of, PARTS))
def test_the_answer(account: Path) -> None:
    part = account.name.partition(".")[0]
    found = answer(*words_of(account))
    del found["content_hash"]
    assert found == json.loads(account.with_name(f"{part}.expected.json").read_text())
    code, said, _ = typed(*words_of(account))
    assert (code, said) == (0, account.with_name(f"{part}.expected.txt").read_text())
    missing = [figure for figure in FIGURES[name_of(account)] if figure not in said]
    assert not missing, "figures of the reference"


def test_every_example_with_balances_is_there() -> None:
    assert set(map(name_of, PARTS)) == set(FIGURES)
    assert {name[:3] for name in FIGURES} >= {f"e{number}" for number in range(17, 24)}
