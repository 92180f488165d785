"""Loading tariffs: the words of every fault (golden), all faults at once, the examples, decks and the content hash."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rating.describe import WIDTH, describe_tariff
from rating.tariff_files import check_tariff, load_tariff, load_tariffs, load_with_chain
from schemas.errors import ConfigurationError
from schemas.quantities import UsageKind

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
AZ_DECK = Path(__file__).parents[3] / ".." / "shared" / "data" / "rate_decks" / "az_deck.csv"
CASES = sorted((GOLDEN / "errors").glob("*.yaml"))
MINUTE = """tariff: t
name: T
currency: EUR
zone: Europe/Berlin
service: telecom
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: record, mode: up, decimals: 4}
"""


@pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])
def test_the_words_of_faults(path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_tariff(path)
    text = str(refused.value).replace(f"{path.parent}/", "") + "\n"
    assert text == path.with_suffix(".txt").read_text()
    assert [str(fault) for fault in check_tariff(path)] == [str(fault) for fault in refused.value.faults]


def test_all_faults_of_all_files_at_once() -> None:
    with pytest.raises(ConfigurationError) as refused:
        load_tariffs(GOLDEN / "errors")
    named = {Path(re.split(r":\d", fault.where)[0]).name for fault in refused.value.faults}
    assert named >= {path.name for path in CASES}


def test_a_folder_without_tariffs_and_one_id_in_two_files(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no tariff files"):
        load_tariffs(tmp_path)
    text = (GOLDEN / "tariffs" / "power_tou.yaml").read_text()
    for name in ("a.yaml", "b.yml"):
        (tmp_path / name).write_text(text)
    with pytest.raises(
        ConfigurationError, match=r"b.yml: this tariff is in another file too, was power_tou, must be only in .*a.yaml"
    ):
        load_tariffs(tmp_path)


def test_the_examples_load_without_warnings() -> None:
    paths = sorted((GOLDEN / "tariffs").glob("*.yaml"))
    assert [tariff.tariff_id for tariff in load_tariffs(GOLDEN / "tariffs")] == [path.stem for path in paths]
    assert [check_tariff(path) for path in paths] == [[]] * len(paths)


@pytest.mark.parametrize("name", ["mobile_plus", "power_blocks", "power_tou", "wholesale"])
def test_show(name: str) -> None:
    text = describe_tariff(load_tariff(GOLDEN / "tariffs" / f"{name}.yaml"))
    assert text == (GOLDEN / "shown" / f"{name}.txt").read_text()
    assert max(map(len, text.splitlines())) <= WIDTH


@pytest.mark.parametrize("name", ["mobile_family", "world"])
def test_show_what_is_beyond_rates(name: str) -> None:
    path = GOLDEN / "chained" / f"{name}.yaml"
    assert check_tariff(path) == []
    assert describe_tariff(load_with_chain(path)[0]) == (GOLDEN / "shown" / f"{name}.txt").read_text()


def test_warnings(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text(
        """tariff: t
name: T
currency: EUR
zone: Europe/Berlin
service: utility
versions:
  - version: "1"
    effective_from: 2026-01-01
    effective_to: 2026-02-01
    rounding: {scope: line, mode: up, decimals: 2}
    windows: {day: {start: "08:00", end: "20:00"}, spare: {months: [1]}}
    energy: {prices: [{item: Day, window: day, price: "0.1", per: 1 kWh}]}
  - version: "2"
    effective_from: 2026-03-01
    rounding: {scope: line, mode: up, decimals: 2}
    energy: {prices: [{item: Day, price: "0.1", per: 1 kWh}]}
"""
    )
    assert [str(fault).split(" ", 1)[1] for fault in check_tariff(tmp_path / "t.yaml")] == [
        "versions[0]: no energy price holds from 2026-01-01T00:00+01:00; "
        "add a price without a window, else such usage is rejected",
        "versions[0].windows.spare: window 'spare' is not used; use it or delete it",
        "versions[1]: between '1' and '2' no version is in force; usage in between is rejected",
    ]


def test_the_hash_follows_the_content_and_not_the_layout(tmp_path: Path) -> None:
    def hash_of(text: str) -> str:
        (tmp_path / "t.yaml").write_text(text)
        return load_tariff(tmp_path / "t.yaml").content_hash

    rates = '    rates: {minute: {price: "0.09", per: 60 s, increment: 1 s}}\n'
    rules = "    rules: [{kind: voice, rate: minute, item: Calls}]\n"
    assert hash_of(MINUTE + rates + rules) == hash_of(MINUTE + rules + "# moved\n" + rates.replace("60 s", "1 min"))
    assert hash_of(MINUTE + rates + rules) != hash_of(MINUTE + rates.replace("0.09", "0.08") + rules)


def test_numbers_with_units_are_exact(tmp_path: Path) -> None:
    rates = '    rates: {r: {price: "1", per: 1.5 GiB, first_increment: 1 MB, increment: 10 KiB}}\n'
    (tmp_path / "t.yaml").write_text(MINUTE + rates + "    rules: [{kind: volume, rate: r, item: Internet}]\n")
    first, following = load_tariff(tmp_path / "t.yaml").versions[0].rates[0].tiers
    assert (first.per, first.increment) == (3 * 2**29, 10**6)
    assert (following.from_usage, following.increment) == (10**6, 10_240)


@pytest.mark.skipif(not AZ_DECK.exists(), reason=f"no rate deck at {AZ_DECK}")
def test_a_real_deck_of_36205_prefixes(tmp_path: Path) -> None:
    (tmp_path / "az_deck.csv").write_bytes(AZ_DECK.read_bytes())
    deck = "{file: az_deck.csv, prefix: prefix, price: rate_per_min, per: 60 s, connect_fee: connect_cost,"
    deck += " increment: {column: increment_s, unit: s}}"
    rules = "    rules: [{kind: voice, destination: world, item: International}]\n"
    (tmp_path / "t.yaml").write_text(f"{MINUTE}    destinations: {{world: {{deck: {deck}}}}}\n{rules}")
    world = load_tariff(tmp_path / "t.yaml").versions[0].destinations[0]
    assert (len(world.prefixes), len(set(world.deck_rates))) == (36_205, 609)
    afghanistan = world.deck_rates[world.prefixes.index("9375")]
    assert (afghanistan.tiers[0].price_nano, afghanistan.tiers[0].increment) == (220_400_000, 6_000)
    assert load_tariff(tmp_path / "t.yaml").versions[0].rules[0].kind is UsageKind.VOICE
