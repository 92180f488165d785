"""What a stranger finds in the checkout: documents where they belong, nothing half done, nothing of one machine."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from pathlib import Path

import pytest

from tests.tidy.tree import BINARY, ROOMS, TOP, committed_files, modules, text_of

# Written in pieces, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(TO" r"DO|FIX" r"ME)\b")
MACHINE = re.compile(
    r"(?<![\w.}])/(wo" r"rk|ro" r"ot)/"
    r"|py" r"pi\.org|files\.python" r"hosted|repo1\.ma" r"ven|registry\.npm" r"js|deb\.deb" r"ian\.org"
)  # fmt: skip


def breaches(pattern: re.Pattern[str], text: str) -> list[tuple[int, str]]:
    """Line number and finding for each line of a text that has one."""
    return [(number, hit[0]) for number, line in enumerate(text.splitlines(), start=1) if (hit := pattern.search(line))]


def _everywhere(pattern: re.Pattern[str]) -> list[str]:
    texts = [path for path in committed_files() if path.suffix not in BINARY]
    return [f"{path}:{number}: {found}" for path in texts for number, found in breaches(pattern, text_of(path))]


def test_nothing_is_left_half_done() -> None:
    assert not _everywhere(UNFINISHED)


def test_nothing_names_one_machine_or_a_registry() -> None:
    assert not _everywhere(MACHINE)


@pytest.mark.parametrize(
    ("pattern", "text", "lines"),
    [
        (UNFINISHED, "x = 1  # TO" "DO later\nmethodology", [1]),
        (MACHINE, "x\nopen('/wo" "rk/main')\n../shared/work/x", [2]),
        (MACHINE, "--index-url https://py" "pi.org/simple", [1]),
    ],
)  # fmt: skip
def test_the_patterns_can_fail(pattern: re.Pattern[str], text: str, lines: list[int]) -> None:
    assert [number for number, _ in breaches(pattern, text)] == lines


@pytest.mark.parametrize("room", ROOMS)
def test_each_room_says_what_it_owns(room: str) -> None:
    readme = TOP / room / "README.md"
    assert readme.is_file(), f"{room}/README.md is missing: owns, does not own, invariants, times, what is thin today"
    assert len(readme.read_text(encoding="utf-8").split()) > 50, f"{room}/README.md says next to nothing"


def test_the_change_log_has_a_heading() -> None:
    log = TOP / "CHANGELOG.md"
    assert log.is_file(), "CHANGELOG.md is missing"
    heading = re.compile(r"^## \[?(Unreleased|\d+\.\d+\.\d+)\b", re.MULTILINE)
    assert heading.search(log.read_text(encoding="utf-8")), "CHANGELOG.md has neither `## Unreleased` nor `## 1.2.3`"


def test_all_of_a_room_is_packaged() -> None:
    """Each folder with a file is a package, and each file that is no module matches `package-data`."""
    setup = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = setup["package-data"]["*"]
    rooms = [path for path in committed_files() if path.parts[0] in ROOMS]
    said = [f"{path.parent}: no __init__.py" for path in rooms if not (TOP / path.parent / "__init__.py").is_file()]
    said += [
        f"{path}: not in package-data"
        for path in rooms
        if path.suffix != ".py" and not any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
    ]
    included = setup["packages"]["find"]["include"]
    said += [f"{room}: not among packages" for room in ROOMS if f"{room}*" not in included]
    assert not said, "\n".join(said)
    assert Path("meterline/demo/tariffs/mobile_basic.yaml") in rooms


def test_pins_are_exact_and_name_no_place() -> None:
    lines = [line for line in (TOP / "constraints.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(lines) > 40
    assert not [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)]


def test_modules_are_searched_at_all() -> None:
    assert len(modules()) > 150
