"""`meterline tariff`: check, show, compare and try tariffs without any other set-up. One module for each command."""

from __future__ import annotations

import click

from meterline.cli.lazy_group import LazyGroup


class _TariffGroup(LazyGroup):
    modules = {
        "check": "meterline.cli.tariff_check",
        "schema": "meterline.cli.tariff_schema",
        "show": "meterline.cli.tariff_show",
        "diff": "meterline.cli.tariff_diff",
        "price": "meterline.cli.tariff_price",
        "import": "meterline.cli.tariff_import",
        "charge": "meterline.cli.tariff_charge",
    }


@click.group("tariff", cls=_TariffGroup, short_help="Check, show, compare and try tariffs.")
def command() -> None:
    """Check, show, compare and try tariff files (YAML). None of these needs a home, accounts or data."""
