"""The sweeper: files that no commit names and that no commit can name any more are removed, nothing else.

A failed or killed commit leaves files behind; they do not exist for readers. Only files older than an hour go, since a commit
names its files within moments of putting them, and it verifies inside its own transaction that they are there.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

SWEPT_FOLDERS = ("segments", "tables", "sealed")
UNNAMED_AGE_S = 3_600
_KEPT_NAMES = ("manifest.json",)


def sweep_unnamed(folder: Path, named: Collection[str], *, now_s: float) -> list[str]:
    """Remove unnamed files of a data folder that were last written more than an hour before `now_s`; returns their names."""
    swept = []
    for top in SWEPT_FOLDERS:
        for path in sorted((folder / top).rglob("*")):
            name = str(path.relative_to(folder))
            if not path.is_file() or name in named or path.name in _KEPT_NAMES:
                continue
            if now_s - path.stat().st_mtime > UNNAMED_AGE_S:
                path.unlink()
                swept.append(name)
    return swept
