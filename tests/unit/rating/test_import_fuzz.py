"""Importers read what people send: whatever a cell or a field holds, rows in = represented + named, and what is written loads."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from rating.importers.cgrates import PlanOptions, import_cgrates
from rating.importers.cgrates_rows import load_plan_folder
from rating.importers.findings import TARIFF_KEYS, Imported
from rating.importers.rate_deck import DeckOptions, import_rate_deck
from rating.importers.urdb import RateOptions, import_urdb
from rating.tariff_files import load_tariff
from schemas.errors import ConfigurationError

GOLDEN = Path(__file__).parents[2] / "golden" / "rating" / "import"
CELLS = (
    "",
    "0",
    "-1",
    "1e400",
    "1e-400",
    "99999999999999999999",
    "\u0663",
    "*any",
    "x;y",
    "44-",
    "-",
    '"',
    "60/0",
    "2026-02-30",
    "NaN",
    "€",
    "0.1.2",
    " ",
    "+",
    "1;2,3",
)
FIELDS = (
    None,
    "",
    [],
    {},
    -1,
    "x",
    True,
    1e308,
    1e-300,
    [[]],
    [[{}]],
    [[0] * 24] * 12,
    [[{"rate": -5}]],
    [[{"rate": 1, "max": 0}, {"rate": 2}]],
    [1] * 12,
    [0.5] * 12,
    10**20,
)
ROUNDS = [pytest.param(12, id="quick"), pytest.param(300, id="long", marks=pytest.mark.long)]


def mutated(text: str, seed: random.Random) -> str:
    """One to three cells of a CSV replaced, or a line cut, doubled or swapped."""
    lines = text.splitlines()
    for _ in range(seed.randint(1, 3)):
        at = seed.randrange(len(lines))
        way = seed.random()
        if way < 0.7:
            cells = lines[at].split(",")
            cells[seed.randrange(len(cells))] = seed.choice(CELLS)
            lines[at] = ",".join(cells)
        elif way < 0.8:
            lines[at] = lines[at][: len(lines[at]) // 2]
        elif way < 0.9:
            lines.insert(at, lines[seed.randrange(len(lines))])
        else:
            del lines[at]
        if not lines:
            return "x\n"
    return "\n".join(lines) + "\n"


def assert_sound(make: Callable[[], Imported], folder: Path, known_faults: tuple[str, ...] = ()) -> bool:
    """Whether anything was imported; the account was checked when the result was made."""
    try:
        imported = make()
    except ConfigurationError as refused:
        assert refused.faults
        return False
    rows_in, represented, named = imported.totals()
    assert rows_in == represented + named
    for name, text in imported.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name, text in sorted(imported.files.items())[:2]:
        if name.endswith(".yaml") and TARIFF_KEYS.search(text) and "\nfallback:" not in text:
            load_tariff(folder / name)
    return True


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("number", range(2))
def test_rate_sheets(number: int, rounds: int, tmp_path: Path) -> None:
    seed = random.Random(f"sheet {number}")
    print("seed", f"sheet {number}")
    text = (GOLDEN / ("az_everything", "az_every_fault")[number] / "source.csv").read_text()
    fine = 0
    for _ in range(rounds):
        sheet = mutated(text, seed)
        fine += assert_sound(
            lambda sheet=sheet: import_rate_deck(sheet, "s.csv", DeckOptions("s", currency="EUR", effective_from="2026-01-01")),
            tmp_path,
        )  # type: ignore[misc]
    assert fine > rounds // 3


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("name", ["cgrates_retail", "cgrates_every_fault", "cgrates_accounts"])
def test_cgrates_folders(name: str, rounds: int, tmp_path: Path) -> None:
    seed = random.Random(name)
    print("seed", name)
    texts = load_plan_folder(GOLDEN / name / "source")
    fine = 0
    for _ in range(rounds):
        changed = dict(texts)
        for file in seed.sample(sorted(texts), 2):
            changed[file] = mutated(changed[file], seed)
        fine += assert_sound(lambda changed=changed: import_cgrates(changed, PlanOptions("EUR")), tmp_path)  # type: ignore[misc]
    assert fine > rounds // 3


@pytest.mark.parametrize("rounds", ROUNDS)
@pytest.mark.parametrize("name", ["urdb_home_tou", "urdb_business", "urdb_every_fault"])
def test_urdb_rates(name: str, rounds: int, tmp_path: Path) -> None:
    seed = random.Random(name)
    print("seed", name)
    text = (GOLDEN / name / "source.json").read_text()
    fine = 0
    for _ in range(rounds):
        top = json.loads(text)
        for _ in range(seed.randint(1, 3)):
            rate = seed.choice(top["items"])
            rate[seed.choice(sorted(rate))] = seed.choice(FIELDS)
        changed = json.dumps(top)
        fine += assert_sound(lambda changed=changed: import_urdb(changed, "r.json", RateOptions("America/Denver")), tmp_path)  # type: ignore[misc]
    assert fine > rounds // 3
