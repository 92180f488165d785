"""`meterline tariff price`: what given usage costs by a tariff, or by two, without accounts or any other set-up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option, tariff_argument
from meterline.cli.usage_files import read_usage, write_records
from schemas.errors import Fault, MeterlineError

if TYPE_CHECKING:
    from rating.language.tariff import Tariff


@click.command("price")
@tariff_argument
@click.argument("usage_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--version", "version", metavar="LABEL", help="Price by this version, whatever the date.")
@click.option(
    "--against", metavar="OTHER", help="Price by OTHER too and show what changes: a tariff file, or a version of TARIFF."
)
@click.option("--explain", type=click.IntRange(0), default=20, show_default=True, help="Show the first N records, with segments.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write all records to a CSV, Parquet or JSON lines file."
)
@click.option("--period", "periods", multiple=True, metavar="YYYY-MM", help="Bill metered usage of these months.")
@click.option(
    "--terms",
    "terms_file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Terms of the service (YAML), with --period.",
)
@json_option
def command(
    tariff_file: Path,
    usage_file: Path,
    version: str | None,
    against: str | None,
    explain: int,
    output: Path | None,
    periods: tuple[str, ...],
    terms_file: Path | None,
    as_json: bool,
) -> None:
    """Price the records of USAGE_FILE (CSV, Parquet or JSON lines) by TARIFF: charges, segments, totals by item.

    \b
    Columns: kind (voice, message, volume, energy), called_number, start_at (ISO with offset), quantity, and unit
    (s, min, MB, kWh ...; without it milliseconds, messages, bytes, milliwatt-hours).

    \b
    With --against, changes are those from OTHER to TARIFF:
      meterline tariff price mobile.yaml usage.csv --version 2026-07 --against 2026-01

    \b
    With --period (a utility tariff) the whole bill of each month, its state carried on to the next. Columns: role (import,
    export, reactive_import, reactive_export, self_generation, volume, demand), quantity, unit; start_at and step_s, or neither
    for a register total; optionally service, period and item. Refused months exit with 1 and have no total.
    """
    from rating.tariff_files import load_tariff
    from rating.tariff_versions import always_in_force

    tariff = load_tariff(tariff_file)
    used = always_in_force(tariff, version) if version else tariff
    if periods:
        from meterline.cli.metered_bill import bill_periods

        bill_periods(used, tariff_file, usage_file, periods, terms_file, as_json=as_json)
        return
    if terms_file is not None:
        raise MeterlineError(Fault("--terms", "terms without a period", next_step="give the months with --period YYYY-MM"))
    usage = read_usage(usage_file)
    if against is None:
        from meterline.cli.priced_text import priced_json, priced_text
        from rating.price_usage import price_usage_lines

        priced = price_usage_lines(used, usage, explain=explain)
        write_records(priced.records, output)
        Output(as_json).answer(priced_json(priced) if as_json else None, lambda: priced_text(priced, explain))
    else:
        from meterline.cli.compared_text import compared_json, compared_text
        from rating.compare_prices import compare_prices

        other = _other(tariff, against)
        compared = compare_prices(used, other, usage, explain=explain)
        write_records(compared.records, output)
        names = _names(used, other)
        Output(as_json).answer(
            compared_json(compared, names) if as_json else None, lambda: compared_text(compared, names, explain)
        )


def _other(tariff: Tariff, named: str) -> Tariff:
    """The tariff in a file of this name, or else the version of this label."""
    from rating.tariff_files import load_tariff
    from rating.tariff_versions import always_in_force

    path = Path(named)
    return load_tariff(path) if path.is_file() else always_in_force(tariff, named)


def _names(tariff: Tariff, other: Tariff) -> tuple[str, str]:
    """What to call the two: their ids, else their files, else their versions."""
    for new, old in (
        (tariff.tariff_id, other.tariff_id),
        (Path(tariff.where).stem, Path(other.where).stem),
        (tariff.versions[-1].label, other.versions[-1].label),
    ):
        if new != old:
            return new, old
    return tariff.tariff_id, f"{other.tariff_id} (other)"
