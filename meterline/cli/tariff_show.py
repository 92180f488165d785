"""`meterline tariff show`: a tariff as a person reads it."""

from __future__ import annotations

from pathlib import Path

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option, tariff_argument


@click.command("show")
@tariff_argument
@json_option
def command(tariff_file: Path, as_json: bool) -> None:
    """Show TARIFF as a person reads it: versions, weeks, prices by destination, allowances, fees, taxes."""
    from rating.describe import describe_tariff
    from rating.describe_json import tariff_json
    from rating.tariff_files import load_tariff

    tariff = load_tariff(tariff_file)
    Output(as_json).answer(tariff_json(tariff) if as_json else None, lambda: describe_tariff(tariff).rstrip("\n"))
