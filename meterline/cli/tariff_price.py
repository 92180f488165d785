"""`meterline tariff price`: what records cost by tariffs and subjects, with discounts, and every derived run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meterline.cli.output import Output, table_text
from schemas.errors import Fault, MeterlineError

if TYPE_CHECKING:
    import polars as pl

    from rating.language.tariff import Tariff

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command("price")
@click.argument("tariff_path", metavar="TARIFF", type=click.Path(path_type=Path, exists=True))
@click.argument("usage_file", type=_FILE)
@click.option(
    "--subjects", "subjects_file", type=_FILE, help="CSV of tenant, category, subject, tariff, effective_from[, effective_to]."
)
@click.option("--runs", is_flag=True, help="Every derived run of each record, and the margin.")
@click.option("--discounts", is_flag=True, help="Discounts too: the usage is one period, without allowances.")
@click.option(
    "--contracts", "contracts_file", type=_FILE, help="CSV of [account, ]tariff, effective_from[, effective_to], for discounts."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def price(
    tariff_path: Path,
    usage_file: Path,
    subjects_file: Path | None,
    runs: bool,
    discounts: bool,
    contracts_file: Path | None,
    as_json: bool,
) -> None:
    """Price the records of USAGE_FILE (CSV, Parquet or JSON lines) by TARIFF, a file or a folder: the charge and its segments.

    \b
    Columns: kind (voice, message, volume, energy), called_number, start_at (ISO with offset), quantity, and unit
    (s, min, MB, kWh ...; without it milliseconds, messages, bytes, milliwatt-hours). The tariff of a record is that
    of its subject (--subjects and columns tenant, category, subject), of its column tariff, or the only one given.
    """
    tariffs = _tariffs(tariff_path)
    usage = read_usage(usage_file)
    subjects, where = None, str(subjects_file)
    if subjects_file:
        from rating.subjects import load_subjects

        subjects = load_subjects(subjects_file)
    elif tariff_path.is_dir() and len(tariffs) > 1 and "tariff" not in usage.columns:
        must_be = "one tariff, --subjects, or a column tariff"
        raise MeterlineError(Fault(str(tariff_path), "several tariffs and no subjects", str(len(tariffs)), must_be))
    of = tariffs[0]
    head: dict[str, Any] = {"tariff_id": of.tariff_id, "content_hash": of.content_hash}
    if tariff_path.is_dir() and len(tariffs) > 1:
        head = {"tariffs": {one.tariff_id: one.content_hash for one in tariffs}}
    if runs:
        from rating.price_runs import price_runs

        run_rows, margin_rows = price_runs(tariffs, usage, subjects=subjects, where=where)
        shown = {"runs": run_rows.to_dicts(), "margins": margin_rows.to_dicts()}
        Output(as_json).answer({**head, **shown}, lambda: _runs_text(shown["runs"], shown["margins"]))
        return
    rows = _priced_rows(tariffs, usage, subjects, where, discounts, contracts_file)
    currency = of.currency if len({one.currency for one in tariffs}) == 1 else ""
    Output(as_json).answer({**head, "records": rows}, lambda: _price_text(rows, currency))


def _tariffs(path: Path) -> list[Tariff]:
    from rating.tariff_files import load_tariffs, load_with_chain

    return load_tariffs(path) if path.is_dir() else load_with_chain(path)


def _priced_rows(
    tariffs: list[Tariff],
    usage: pl.DataFrame,
    subjects: pl.DataFrame | None,
    where: str,
    discounts: bool,
    contracts_file: Path | None,
) -> list[dict[str, Any]]:
    from rating.price_discounts import price_discounts
    from rating.price_usage import price_usage

    priced = price_usage(tariffs, usage, subjects=subjects, where=where)
    if discounts:
        contracts = read_usage(contracts_file) if contracts_file else None
        priced = priced.hstack(price_discounts(tariffs, usage, contracts=contracts, subjects=subjects, where=where))
    return [{name: _plain(value) for name, value in row.items() if name != "charge_nano"} for row in priced.iter_rows(named=True)]


def _price_text(rows: list[dict[str, Any]], currency: str) -> str:
    charge = f"charge {currency}".strip()
    cells: list[tuple[object, ...]] = []
    for number, row in enumerate(rows, start=1):
        amount = row["charge"] if currency or not row["charge"] else f"{row['charge']} {row['currency']}"
        cells.append((number, row["start_at"], row["kind"], row["quantity"], amount or "-", row["reason"], row["rule"]))
        cells += [("", "", "", "", "", "", f"  {segment}") for segment in row["segments"]]
        cells += [("", "", "", "", f"-{of['amount']}", "", f"  discount {of['name']}") for of in row.get("discounts", [])]
        if row.get("discounts"):
            cells.append(("", "", "", "", row["net"], "", "  net"))
    headings = ("record", "start", "kind", "quantity", charge, "reason", "rule and segments")
    return table_text(headings, cells, right=("record", "quantity", charge))


def _runs_text(runs: list[dict[str, Any]], margins: list[dict[str, Any]]) -> str:
    cells: list[tuple[object, ...]] = []
    for row in runs:
        head = (row["record"], row["run"], row["side"], row["tariff_id"])
        cells.append((*head, row["charge"] or "-", row["currency"], row["reason"], row["rule"]))
        cells += [("", "", "", "", "", "", "", f"  {segment}") for segment in row["segments"]]
    for row in margins:
        failed = f"without {row['failed']} runs that failed" if row["failed"] else ""
        cells.append((row["record"], "margin", "", "", row["margin"], row["currency"], failed, ""))
    headings = ("record", "run", "side", "tariff", "charge", "currency", "reason", "rule and segments")
    return table_text(headings, cells, right=("record", "charge"))


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
