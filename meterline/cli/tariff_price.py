"""`meterline tariff price`: what usage costs by tariffs and subjects, with discounts, in all runs, or by another tariff."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option
from meterline.cli.usage_files import read_usage, write_records
from schemas.errors import Fault, MeterlineError

if TYPE_CHECKING:
    import polars as pl

    from rating.language.tariff import Tariff

_OPTION = {"subjects_file": "subjects", "contracts_file": "contracts", "periods": "period"}
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@dataclasses.dataclass(frozen=True, slots=True)
class _Asked:
    """The options of one call."""

    tariff_path: Path
    usage_file: Path
    version: str | None
    against: str | None
    explain: int
    output: Path | None
    subjects_file: Path | None
    runs: bool
    discounts: bool
    contracts_file: Path | None
    periods: tuple[str, ...]
    terms_file: Path | None
    as_json: bool


@click.command("price")
@click.argument("tariff_path", metavar="TARIFF", type=click.Path(path_type=Path, exists=True))
@click.argument("usage_file", type=_FILE)
@click.option("--version", "version", metavar="LABEL", help="Price by this version, whatever the date.")
@click.option(
    "--against", metavar="OTHER", help="Price by OTHER too and show what changes: a tariff file, or a version of TARIFF."
)
@click.option("--explain", type=click.IntRange(0), default=20, show_default=True, help="Show the first N records, with segments.")
@click.option(
    "--output", type=click.Path(path_type=Path, dir_okay=False), help="Write all records to a CSV, Parquet or JSON lines file."
)
@click.option(
    "--subjects", "subjects_file", type=_FILE, help="CSV of tenant, category, subject, tariff, effective_from[, effective_to]."
)
@click.option("--runs", is_flag=True, help="Every derived run of each record, and the margin.")
@click.option("--discounts", is_flag=True, help="Discounts too: the usage is one period, without allowances.")
@click.option(
    "--contracts", "contracts_file", type=_FILE, help="CSV of [account, ]tariff, effective_from[, effective_to], for discounts."
)
@click.option("--period", "periods", multiple=True, metavar="YYYY-MM", help="Bill metered usage of these months.")
@click.option("--terms", "terms_file", type=_FILE, help="Terms of the service (YAML), with --period.")
@json_option
def command(**options: Any) -> None:
    """Price the records of USAGE_FILE (CSV, Parquet or JSON lines) by TARIFF, a file or a folder: segments, totals by item.

    \b
    Columns: kind (voice, message, volume, energy), called_number, start_at (ISO with offset), quantity, and unit
    (s, min, MB, kWh ...; without it milliseconds, messages, bytes, milliwatt-hours). The tariff of a record is that
    of its subject (--subjects and columns tenant, category, subject), of its column tariff, or the only one given.

    \b
    With --against, changes are those from OTHER to TARIFF:
      meterline tariff price mobile.yaml usage.csv --version 2026-07 --against 2026-01

    \b
    With --period (a utility tariff) the whole bill of each month, its state carried on to the next. Columns: role (import,
    export, reactive_import, reactive_export, self_generation, volume, demand), quantity, unit; start_at and step_s, or neither
    for a register total; optionally service, period and item. Refused months exit with 1 and have no total.
    """
    asked = _Asked(**options)
    _refuse_what_does_not_apply(asked)
    tariffs = _tariffs(asked)
    if asked.periods:
        from meterline.cli.metered_bill import bill_periods

        bill_periods(tariffs[0], asked.tariff_path, asked.usage_file, asked.periods, asked.terms_file, as_json=asked.as_json)
        return
    if asked.terms_file is not None:
        raise MeterlineError(Fault("--terms", "terms without a period", next_step="give the months with --period YYYY-MM"))
    usage = read_usage(asked.usage_file)
    if asked.against is not None:
        _compare(asked, tariffs[0], usage)
        return
    subjects = _subjects(asked, tariffs, usage)
    if asked.runs:
        from meterline.cli.priced_runs import answer_runs

        answer_runs(tariffs, usage, subjects, str(asked.subjects_file), asked.as_json)
    else:
        _price(asked, tariffs, usage, subjects)


def _refuse_what_does_not_apply(asked: _Asked) -> None:
    """Options that the chosen way of pricing would leave out in silence."""
    ignored = {
        "against": ("subjects_file", "runs", "discounts", "contracts_file", "periods"),
        "runs": ("discounts", "contracts_file", "output", "version", "periods"),
        "periods": ("subjects_file", "discounts", "contracts_file", "output"),
    }
    for way, others in ignored.items():
        for other in others:
            if getattr(asked, way) not in (None, False, ()) and getattr(asked, other) not in (None, False, ()):
                one, two = (f"--{_OPTION.get(name, name)}" for name in (other, way))
                raise click.UsageError(f"{one} does not apply with {two}")
    if asked.contracts_file and not asked.discounts:
        raise click.UsageError("--contracts needs --discounts")


def _tariffs(asked: _Asked) -> list[Tariff]:
    from rating.tariff_files import load_tariffs, load_with_chain
    from rating.tariff_versions import always_in_force

    path = asked.tariff_path
    found = load_tariffs(path) if path.is_dir() else load_with_chain(path)
    alone = [name for name in ("version", "against", "periods") if getattr(asked, name)]
    if alone and path.is_dir() and len(found) > 1:
        raise MeterlineError(Fault(str(path), f"several tariffs with --{alone[0].rstrip('s')}", str(len(found)), "one tariff"))
    return [always_in_force(found[0], asked.version), *found[1:]] if asked.version else found


def _subjects(asked: _Asked, tariffs: list[Tariff], usage: pl.DataFrame) -> pl.DataFrame | None:
    if asked.subjects_file:
        from rating.subjects import load_subjects

        return load_subjects(asked.subjects_file)
    if asked.tariff_path.is_dir() and len(tariffs) > 1 and "tariff" not in usage.columns:
        must_be = "one tariff, --subjects, or a column tariff"
        raise MeterlineError(Fault(str(asked.tariff_path), "several tariffs and no subjects", str(len(tariffs)), must_be))
    return None


def _price(asked: _Asked, tariffs: list[Tariff], usage: pl.DataFrame, subjects: pl.DataFrame | None) -> None:
    from meterline.cli.priced_text import priced_json, priced_text
    from rating.price_usage import price_usage_lines

    where = str(asked.subjects_file)
    priced = price_usage_lines(tariffs, usage, explain=asked.explain, subjects=subjects, where=where)
    if asked.discounts:
        from rating.price_discounts import price_discounts

        contracts = read_usage(asked.contracts_file) if asked.contracts_file else None
        given = price_discounts(tariffs, usage, contracts=contracts, subjects=subjects, where=where)
        priced = dataclasses.replace(priced, records=priced.records.hstack(given))
    write_records(priced.records, asked.output)
    named = tariffs if asked.tariff_path.is_dir() else tariffs[:1]
    Output(asked.as_json).answer(
        priced_json(priced, named) if asked.as_json else None, lambda: priced_text(priced, asked.explain)
    )


def _compare(asked: _Asked, tariff: Tariff, usage: pl.DataFrame) -> None:
    from meterline.cli.compared_text import compared_json, compared_text
    from rating.compare_prices import compare_prices
    from rating.tariff_files import load_tariff
    from rating.tariff_versions import always_in_force

    path = Path(asked.against or "")
    written = load_tariff(asked.tariff_path) if asked.version else tariff
    other = load_tariff(path) if path.is_file() else always_in_force(written, str(asked.against))
    compared = compare_prices(tariff, other, usage, explain=asked.explain)
    write_records(compared.records, asked.output)
    names = _names(tariff, other)
    Output(asked.as_json).answer(
        compared_json(compared, names) if asked.as_json else None, lambda: compared_text(compared, names, asked.explain)
    )


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
