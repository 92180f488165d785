"""`meterline tariff check`: everything that is wrong, and everything that is hardly meant, at once."""

from __future__ import annotations

from pathlib import Path

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option
from schemas.errors import ExitCode


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="TARIFF...", type=click.Path(path_type=Path, exists=True))
@json_option
def command(files: tuple[Path, ...], as_json: bool) -> None:
    """Report every error and warning of TARIFF files or folders at once, with file, line and path; exit 2 if any is an error."""
    from rating.tariff_files import check_tariff

    paths = [path for given in files for path in (sorted(given.rglob("*.yaml")) if given.is_dir() else [given])]
    faults = [fault for path in paths for fault in check_tariff(path)]
    errors = [fault for fault in faults if not fault.code.startswith("warning_")]
    value = {"files": [str(path) for path in paths], "errors": len(errors), "faults": [fault.as_json() for fault in faults]}
    text = "\n".join(str(fault) for fault in faults) or f"{len(paths)} tariff files, no faults"
    Output(as_json).answer(value, text)
    if errors:
        raise click.exceptions.Exit(ExitCode.WRONG_USAGE)
