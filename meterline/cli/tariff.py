"""`meterline tariff`: check, show and try tariffs without any other set-up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meterline.cli.output import Output, table_text
from meterline.cli.tariff_charge import charge
from schemas.errors import ExitCode, Fault, MeterlineError

if TYPE_CHECKING:
    import polars as pl

_TARIFF = click.argument("tariff_file", metavar="TARIFF", type=click.Path(path_type=Path, exists=True, dir_okay=False))
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")


@click.group("tariff", short_help="Check, show and try tariffs.")
def command() -> None:
    """Check, show and try tariff files (YAML). None of these needs a home, accounts or data."""


command.add_command(charge)


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


@command.command("price")
@_TARIFF
@click.argument("usage_file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@_JSON
def price(tariff_file: Path, usage_file: Path, as_json: bool) -> None:
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


def read_usage(path: Path) -> pl.DataFrame:
    """Usage records of a CSV, Parquet or JSON lines file, all columns of a CSV as text."""
    import polars as pl

    readers = {
        ".csv": lambda: pl.read_csv(path, infer_schema=False),
        ".parquet": lambda: pl.read_parquet(path),
        ".jsonl": lambda: pl.read_ndjson(path),
        ".ndjson": lambda: pl.read_ndjson(path),
    }
    if path.suffix not in readers:
        raise MeterlineError(Fault(str(path), "unknown kind of usage file", path.suffix, "one of " + ", ".join(readers)))
    try:
        return readers[path.suffix]()
    except pl.exceptions.PolarsError as cause:
        raise MeterlineError(Fault(str(path), "cannot be read", was=str(cause).splitlines()[0])) from cause


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, list)) else str(value)
