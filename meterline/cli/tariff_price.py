"""`meterline tariff price`: what given usage costs by a tariff, without accounts or any other set-up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, table_text
from meterline.cli.tariff_arguments import json_option, tariff_argument
from meterline.cli.usage_files import read_usage


@click.command("price")
@tariff_argument
@click.argument("usage_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@json_option
def command(tariff_file: Path, usage_file: Path, as_json: bool) -> None:
    """Price the records of USAGE_FILE (CSV, Parquet or JSON lines) by TARIFF: per record the charge and its segments.

    \b
    Columns: kind (voice, message, volume, energy), called_number, start_at (ISO with offset), quantity, and unit
    (s, min, MB, kWh ...; without it milliseconds, messages, bytes, milliwatt-hours).
    """
    from rating.price_usage import price_usage
    from rating.tariff_files import load_tariff

    tariff = load_tariff(tariff_file)
    priced = price_usage(tariff, read_usage(usage_file))
    rows: list[dict[str, Any]] = [
        {
            **{name: _plain(value) for name, value in row.items() if name != "charge_nano"},
            "currency": tariff.currency if row["charge"] else "",
        }
        for row in priced.iter_rows(named=True)
    ]

    def text() -> str:
        cells: list[tuple[object, ...]] = []
        for number, row in enumerate(rows, start=1):
            cells.append(
                (number, row["start_at"], row["kind"], row["quantity"], row["charge"] or "-", row["reason"], row["rule"])
            )
            cells += [("", "", "", "", "", "", f"  {segment}") for segment in row["segments"]]
        return table_text(
            ("record", "start", "kind", "quantity", f"charge {tariff.currency}", "reason", "rule and segments"),
            cells,
            right=("record", "quantity", f"charge {tariff.currency}"),
        )

    Output(as_json).answer({"tariff_id": tariff.tariff_id, "content_hash": tariff.content_hash, "records": rows}, text)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, list)) else str(value)
