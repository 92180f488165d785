"""Warnings: their words (golden), what is deliberate and stays unsaid, and their terms."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from rating.deck_warnings import redundant_prefixes
from rating.language.call_terms import Destination, Rate
from rating.language.shared_terms import Tier
from rating.tariff_files import check_tariff
from rating.tariff_warnings import WARNING, WarningTerms

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
CASES = sorted((GOLDEN / "warnings").glob("*.yaml"))
HEAD = """tariff: t
name: T
currency: EUR
zone: Europe/Berlin
service: telecom
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: record, mode: up, decimals: 4}
    windows: {day: {start: "08:00", end: "20:00"}, late: {start: "18:00", end: "23:00"}, xmas: {dates: [2026-12-25]}}
    destinations: {de: {prefixes: ["49"]}, mobile: {prefixes: ["491"]}}
    rates: {low: {price: "0.01", per: 60 s, increment: 1 s}, high: {price: "0.02", per: 60 s, increment: 1 s}}
    rules:
      - {kind: voice, destination: de, window: xmas, weight: 9, rate: low, item: Christmas}
      - {kind: voice, destination: de, window: day, rate: high, item: Day, weight: 1}
      - {kind: voice, destination: mobile, window: late, rate: high, item: Mobile, weight: 5}
"""


def warnings(folder: Path, rules: str, terms: WarningTerms | None = None) -> list[str]:
    (folder / "t.yaml").write_text(HEAD + rules)
    return [str(fault).split(" ", 1)[1] for fault in check_tariff(folder / "t.yaml", terms)]


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_words_of_warnings(path: Path) -> None:
    found = check_tariff(path)
    assert all(fault.code.startswith(WARNING) for fault in found)
    text = "".join(f"{fault}\n".replace(f"{path.parent}/", "") for fault in found)
    assert text == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize(
    "rules",
    [
        "      - {kind: voice, destination: de, window: late, rate: low, item: Late, weight: 2}\n"  # ordered by weight
        "      - {kind: voice, destination: de, rate: low, item: Other}\n",
        "      - {kind: voice, rate: low, item: Anything else}\n",  # a shorter prefix fills the holes of a longer one
    ],
)
def test_what_is_deliberate_stays_unsaid(tmp_path: Path, rules: str) -> None:
    assert warnings(tmp_path, rules) == []


def test_a_hole_is_said_once_for_all_prefixes_that_have_it(tmp_path: Path) -> None:
    said = warnings(tmp_path, "")
    assert len(said) == 2 and all("has no price from" in each for each in said)
    assert said[0].startswith("versions[0].rules[0]: voice to de (49) has no price from 2026-01-01T00:00+01:00 (8")


def test_until_asks_open_versions_for_dates(tmp_path: Path) -> None:
    rest = "      - {kind: voice, rate: low, item: Anything else}\n"
    assert warnings(tmp_path, rest, WarningTerms(until_year=2026)) == []
    assert [each.split(";")[0] for each in warnings(tmp_path, rest, WarningTerms(until_year=2028))] == [
        "versions[0].windows.xmas: window 'xmas' lists no date in 2027, 2028, and version '1' is in force then"
    ]


@pytest.mark.parametrize(("share", "said"), [("23/100", 1), ("7/30", 0), ("1/4", 0)])
def test_the_share_is_exact(share: str, said: int) -> None:
    """0.30 -> 0.37 is 7/30 and no more than that."""
    found = check_tariff(GOLDEN / "warnings" / "energy.yaml", WarningTerms(price_change=Fraction(share)))
    assert sum("'Day' changed" in str(fault) for fault in found) == said


def test_redundant_prefixes_by_the_next_shorter_one() -> None:
    cheap, dear = (Rate(name, (Tier(0, price, 60_000, 1_000),)) for name, price in (("a", 1), ("b", 2)))
    again = Rate("c", (Tier(0, 1, 60_000, 1_000),))  # another name for the same price
    prefixes = ("4", "49", "491", "4915", "5", "55")
    deck = Destination("d", prefixes, "d.csv", (cheap, dear, again, cheap, dear, dear))
    assert redundant_prefixes(deck) == (2, "4915")
