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
    """Show TARIFF as a person reads it: versions, windows, prices, allowances, fees, taxes."""
    from rating.describe import describe_tariff
    from rating.tariff_files import load_tariff

    tariff = load_tariff(tariff_file)
    text = describe_tariff(tariff)
    Output(as_json).answer(
        {"tariff_id": tariff.tariff_id, "name": tariff.name, "content_hash": tariff.content_hash, "text": text}, text
    )
