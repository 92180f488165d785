"""`meterline tariff schema`: the tariff language for editors."""

from __future__ import annotations

import json

import click


@click.command("schema")
def command() -> None:
    """Print the JSON Schema of tariff files, for completion and checks while typing.

    \b
      meterline tariff schema > tariff.schema.json
    and as the first line of a tariff, for editors with a YAML language server:
      # yaml-language-server: $schema=tariff.schema.json
    """
    from rating.tariff_schema import tariff_schema

    click.echo(json.dumps(tariff_schema(), indent=2, ensure_ascii=False))
