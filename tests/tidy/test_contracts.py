"""Each import contract of pyproject.toml is broken by a planted import, and by nothing that is there today."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOMS, TOP, modules

PLANTED = {
    # contract -> a module that is added, and what it imports
    "schemas imports no other room": ("schemas/planted.py", "import ingest.zip_member"),
    "do not import each other": ("rating/planted.py", "def f():\n    from accounts import directory"),
    "no room imports meterline": ("settlement/planted.py", "import meterline.config"),
    "neither tests nor benchmarks": ("meterline/planted.py", "import benchmarks"),
    "under an adapters folder only": ("meterline/close/planted.py", "import sqlite3"),
    "inside rating": ("rating/language/planted.py", "import rating.calls.increments"),
}


def _lint(top: Path) -> str:
    """What import-linter prints, run in a folder that has the rooms."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()", "--no-cache"]
    # Isolated from an installed meterline: the folder's own rooms come first.
    done = subprocess.run(
        command, cwd=top, capture_output=True, text=True, check=False, env={"PYTHONPATH": str(top), "COLUMNS": "200"}
    )
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms and the configuration, without anything that was built."""
    top = tmp_path_factory.mktemp("rooms")
    for path in [Path("pyproject.toml"), *modules(*ROOMS)]:
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOP / path, top / path)
    return top


def test_every_contract_can_be_broken(copy: Path) -> None:
    assert f"{len(PLANTED)} kept, 0 broken" in _lint(copy)
    for name, source in PLANTED.values():
        (copy / name).write_text(f'"""Planted."""\n\n{source}\n', encoding="utf-8")
    said = _lint(copy)
    assert f"0 kept, {len(PLANTED)} broken" in said, said
    for contract in PLANTED:
        assert any(contract in line and "BROKEN" in line for line in said.splitlines()), said


def test_an_adapters_folder_may_import_a_client(copy: Path) -> None:
    for name, _ in PLANTED.values():
        (copy / name).unlink(missing_ok=True)
    planted = copy / "meterline" / "store" / "adapters" / "planted.py"
    planted.write_text('"""Planted."""\n\nimport sqlite3\n\nimport duckdb\n', encoding="utf-8")
    assert f"{len(PLANTED)} kept, 0 broken" in _lint(copy)
