"""Differences: their words (golden), what is no difference, and parts that the comparison was never told about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from rating.language.shared_terms import Window
from rating.named_parts import differences, parts_of
from rating.tariff_diff import diff_tariffs
from rating.tariff_files import load_tariff
from rating.tariff_versions import always_in_force, only_version
from schemas.errors import ConfigurationError
from tests.unit.rating.worked_tariffs import minute, tariff, voice

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"


@pytest.mark.parametrize(
    ("case", "old", "new", "versions"),
    [
        ("basic_to_plus", "tariffs/mobile_basic", "tariffs/mobile_plus", None),
        ("rules_and_windows", "warnings/rules_and_windows", "warnings/rules_and_windows", ("2025", "2026")),
        ("decks", "warnings/gaps_decks_energy", "warnings/gaps_decks_energy", ("1", "2")),
        ("energy", "warnings/energy", "warnings/energy", ("1", "2")),
    ],
)
def test_the_words(case: str, old: str, new: str, versions: tuple[str, str] | None) -> None:
    one, other = load_tariff(GOLDEN / f"{old}.yaml"), load_tariff(GOLDEN / f"{new}.yaml")
    if versions:
        one, other = only_version(one, versions[0]), only_version(other, versions[1])
    found = diff_tariffs(one, other)
    assert found.text() + "\n" == (GOLDEN / "diffs" / f"{case}.txt").read_text()
    assert [each["part"] for each in found.as_json()] == [section.title for section in found.sections]


@pytest.mark.parametrize("path", sorted((GOLDEN / "tariffs").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_tariff_does_not_differ_from_itself(path: Path) -> None:
    assert not diff_tariffs(load_tariff(path), load_tariff(path))


def test_a_rule_that_becomes_two_at_one_price_changes_no_price() -> None:
    whole = tariff(voice(minute("0.09"), "49"))
    named = tariff(voice(dataclasses.replace(minute("0.09"), name="other"), "49"))
    assert [section.title for section in diff_tariffs(whole, named).sections] == []
    dearer = diff_tariffs(whole, tariff(voice(minute("0.12"), "49")))
    assert [(line.change, line.text, line.share) for section in dearer.sections for line in section.lines] == [
        ("changed", "price 0.09 -> 0.12 per 60 s (+33.3 %)", "+33.3 %")
    ]


def test_other_steps_at_one_price_are_a_change() -> None:
    found = diff_tariffs(tariff(voice(minute("0.09"))), tariff(voice(minute("0.09", 60, 60))))
    assert found.sections[0].lines[0].text == "0.09 per 60 s in steps of 1 s -> 0.09 per 60 s in steps of 60 s"


def test_versions_by_label_and_their_names() -> None:
    power = load_tariff(GOLDEN / "tariffs" / "power_tou.yaml")
    assert diff_tariffs(only_version(power, "2026-01"), power).text().splitlines()[:2] == [
        "  Versions",
        "    + 2026-10, from 2026-10-15",
    ]
    assert always_in_force(power, "2026-10").versions[0].effective_from_at == 0
    with pytest.raises(ConfigurationError, match=r"no such version, was '2026-1'; did you mean '2026-10'\?"):
        only_version(power, "2026-1")


def test_parts_that_nobody_listed_are_compared_field_by_field() -> None:
    @dataclasses.dataclass(frozen=True)
    class Part:
        name: str
        kw: int
        steps: tuple[Window, ...] = ()

    old = Part("demand", 5, (Window("a"), Window("b")))
    new = Part("demand", 7, (Window("a", start_us=1), Window("c")))
    assert differences(old, new) == [
        ("kw", "5", "7"),
        ("steps[a].start_us", "0", "1"),
        ("steps[b]", "{name: b, start_us: 0, end_us: 86400000000}", "none"),
        ("steps[c]", "none", "{name: c, start_us: 0, end_us: 86400000000}"),
    ]
    version = tariff(voice(minute("0.09"), "49")).versions[0]
    assert set(parts_of(version, frozenset())) == {field.name for field in dataclasses.fields(version)} - {"where"}
