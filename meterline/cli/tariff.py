"""`meterline tariff`: check, show and try tariffs without any other set-up."""

from __future__ import annotations

from pathlib import Path

import click

from meterline.cli.output import Output
from meterline.cli.tariff_price import price
from schemas.errors import ExitCode

_TARIFF = click.argument("tariff_file", metavar="TARIFF", type=click.Path(path_type=Path, exists=True, dir_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group("tariff", short_help="Check, show and try tariffs.")
def command() -> None:
    """Check, show and try tariff files (YAML). None of these needs a home, accounts or data."""


@command.command("check")
@click.argument("files", nargs=-1, required=True, metavar="TARIFF...", type=click.Path(path_type=Path, exists=True))
@_JSON
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Report every error and warning of TARIFF files or folders at once, with file, line and path; exit 2 if any is an error."""
    from rating.tariff_files import check_tariff

    paths = [path for given in files for path in (sorted(given.rglob("*.yaml")) if given.is_dir() else [given])]
    faults = [fault for path in paths for fault in check_tariff(path)]
    errors = [fault for fault in faults if fault.code != "warning"]
    value = {"files": [str(path) for path in paths], "errors": len(errors), "faults": [fault.as_json() for fault in faults]}
    text = "\n".join(str(fault) for fault in faults) or f"{len(paths)} tariff files, no faults"
    Output(as_json).answer(value, text)
    if errors:
        raise click.exceptions.Exit(ExitCode.WRONG_USAGE)


@command.command("show")
@_TARIFF
@_JSON
def show(tariff_file: Path, as_json: bool) -> None:
    """Show TARIFF as a person reads it: versions, windows, prices, allowances, fees, taxes."""
    from rating.describe import describe_tariff
    from rating.tariff_files import load_tariff

    tariff = load_tariff(tariff_file)
    text = describe_tariff(tariff)
    Output(as_json).answer(
        {"tariff_id": tariff.tariff_id, "name": tariff.name, "content_hash": tariff.content_hash, "text": text}, text
    )


command.add_command(price)
