"""What the tariff commands take alike."""

from __future__ import annotations

from pathlib import Path

import click

tariff_argument = click.argument("tariff_file", metavar="TARIFF", type=click.Path(path_type=Path, exists=True, dir_okay=False))
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
