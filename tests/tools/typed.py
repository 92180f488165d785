"""Commands as a person types them, run in this process: exit code, what was said, and the JSON answer."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

from meterline.cli import main


def typed(*words: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of `meterline words...`."""
    said, complained = io.StringIO(), io.StringIO()
    code = 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(complained):
        try:
            main([str(word) for word in words])
        except SystemExit as stopped:
            code = int(stopped.code or 0)
    return code, said.getvalue(), complained.getvalue()


def answer(*words: object) -> dict[str, Any]:
    """The JSON answer of a command that must succeed."""
    code, said, complained = typed(*words, "--json")
    assert code == 0, complained
    value: dict[str, Any] = json.loads(said)
    return value


def write_csv(path: Path, rows: list[dict[str, object]]) -> Path:
    """Rows of one shape as a CSV file."""
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path
