"""What the checkout holds: the files that are, or would be, committed, and where the rooms are."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
ROOMS = ("schemas", "ingest", "rating", "accounts", "settlement", "devices", "meterline")
OUTSIDE = ("tests", "benchmarks")
NOT_OURS = frozenset({"build", "demo-home", "__pycache__"})  # only asked where there is no git
BINARY = frozenset({".zip", ".gz", ".parquet", ".png", ".so", ".bin"})


@functools.cache
def committed_files() -> tuple[Path, ...]:
    """Files that git has or would add, relative to the checkout, in order; without git, all but hidden and built ones."""
    if shutil.which("git") and (TOP / ".git").exists():
        command = ["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        done = subprocess.run(command, capture_output=True, check=True)
        names = [Path(name) for name in done.stdout.decode().split("\0") if name]
        return tuple(sorted({name for name in names if (TOP / name).is_file()}))
    found = [path.relative_to(TOP) for path in TOP.rglob("*") if path.is_file()]
    return tuple(sorted(path for path in found if not any(p in NOT_OURS or p.startswith(".") for p in path.parts)))


def modules(*folders: str) -> list[Path]:
    """The Python files under these top folders; all rooms, tests and benchmarks when none is named."""
    wanted = folders or (*ROOMS, *OUTSIDE)
    return [path for path in committed_files() if path.suffix == ".py" and path.parts[0] in wanted]


def text_of(path: Path) -> str:
    """The text of a file of the checkout; bytes that are not UTF-8 are replaced, so that any file can be searched."""
    return (TOP / path).read_text(encoding="utf-8", errors="replace")


@functools.cache
def tree_of(path: Path) -> ast.Module:
    """The syntax tree of a module of the checkout."""
    return ast.parse(text_of(path), filename=str(path))
