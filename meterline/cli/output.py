"""How commands answer: text or one JSON object on stdout, progress on stderr, errors as sentences or objects."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import click

from schemas.errors import MeterlineError

_F = TypeVar("_F", bound=Callable[..., Any])
_LINE_EVERY_S = 3.0


def shared_options(function: _F) -> _F:
    """--home, --json and --quiet, which every command takes."""
    for option in (
        click.option("--quiet", is_flag=True, help="No progress on stderr."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        click.option(
            "--home",
            type=click.Path(path_type=Path),
            default=Path(),
            show_default="here",
            envvar="METERLINE_HOME",
            help="The folder with meterline.yaml.",
        ),
    ):
        function = option(function)
    return function


@dataclass
class Output:
    """The answer of one command."""

    as_json: bool
    quiet: bool = False
    _last: float = field(default=0.0)

    def answer(self, value: Any, text: str | Callable[[], str]) -> None:
        """Print the answer: `value` with --json, else `text`."""
        if self.as_json:
            click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
        else:
            click.echo(text() if callable(text) else text)

    def note(self, text: str) -> None:
        if not self.quiet:
            click.echo(text, err=True)

    def tick(self, text: str, *, force: bool = False) -> None:
        """Progress: one line that is rewritten on a terminal, a plain line every few seconds elsewhere."""
        if self.quiet:
            return
        now = time.monotonic()
        if sys.stderr.isatty() and "NO_COLOR" not in os.environ:
            if force or now - self._last > 0.1:
                click.echo(f"\r\x1b[K{text}", nl=force, err=True)
                self._last = now
        elif force or now - self._last >= _LINE_EVERY_S:
            click.echo(text, err=True)
            self._last = now


def report_error(error: MeterlineError) -> None:
    """Errors go to stderr; with --json as one object on stdout as well, so that a program finds them."""
    if "--json" in sys.argv:
        click.echo(json.dumps({"errors": [fault.as_json() for fault in error.faults]}, indent=2, ensure_ascii=False))
    for fault in error.faults:
        click.echo(f"error: {fault}", err=True)


def table_text(headings: Sequence[str], rows: Sequence[Sequence[Any]], *, right: Sequence[str] = ()) -> str:
    """A plain table: columns in `right` are right-aligned, numbers grouped by thin spaces of three."""
    cells = [[number_text(cell) if isinstance(cell, int) else str(cell) for cell in row] for row in rows]
    widths = [max([len(heading), *(len(row[place]) for row in cells)]) for place, heading in enumerate(headings)]
    lines = []
    for row in [list(headings), *cells]:
        parts = [
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        ]
        lines.append("  ".join(parts).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


def number_text(value: int) -> str:
    return f"{value:,}".replace(",", " ")
