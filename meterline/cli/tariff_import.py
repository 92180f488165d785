"""`meterline tariff import`: notations of others as tariff files, with a report of everything that was not taken over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from meterline.cli.output import Output
from schemas.errors import ConfigurationError, ExitCode, Fault

if TYPE_CHECKING:
    from rating.importers.findings import Imported

_F = TypeVar("_F", bound=Callable[..., Any])
_FINDINGS_SHOWN = 40
REPORT_FILE = "import_report.txt"


def _options(function: _F) -> _F:
    """What every import takes."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout."),
        click.option(
            "--strict", is_flag=True, help="Exit 1 if anything could not be represented (files are written all the same)."
        ),
        click.option("--force", is_flag=True, help="Replace files that are there."),
        click.option(
            "--out", "out", required=True, type=click.Path(path_type=Path, file_okay=False), help="The folder to write to."
        ),
    ):
        function = option(function)
    return function


_FILE = click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path, exists=True, dir_okay=False))


@click.group("import", short_help="Rate sheets, URDB rates and CGRateS plans as tariffs.")
def command() -> None:
    """Turn what others write into tariff files.

    \b
    What a tariff cannot say is named, with file, line and reason, and never dropped: each import ends with
    rows in = represented + named. The whole report is FOLDER/import_report.txt.
    """


@command.command("az")
@_FILE
@click.option("--tariff", "tariff_id", help="Tariff id.  [default: the file's name]")
@click.option("--name", default="", help="Name of the tariff.")
@click.option(
    "--map", "mapping", multiple=True, metavar="ROLE=COLUMN,...", help="Columns by header or #number, or a YAML file of them."
)
@click.option("--currency", help="ISO 4217 code, where the sheet has none.")
@click.option("--zone", default="UTC", show_default=True, help="Zone of the dates and time bands.")
@click.option("--effective-from", metavar="DATE", help="Of rows without a date.")
@click.option("--from", "first_on", metavar="DATE", help="Import what is in force on DATE and later.")
@click.option("--delimiter", help="Of the columns.  [default: found]")
@click.option("--decimal", type=click.Choice(["point", "comma"]), help="Of prices.  [default: found]")
@click.option("--dates", type=click.Choice(["dmy", "mdy"]), help="Order of dates in numbers.  [default: found]")
@click.option("--hyphen", type=click.Choice(["auto", "range", "join"]), default="auto", help="44-47 as a range, 44-7 as 447.")
@click.option("--per", default="60 s", show_default=True, help="What a price is for.")
@click.option("--increment", default="1/1", show_default=True, help="Where the sheet has none: first/next seconds.")
@click.option("--peak", default="mon-fri 08:00-20:00", show_default=True, help="When the peak column holds.")
@click.option("--weekend", default="sat,sun", show_default=True, help="When the weekend column holds.")
@click.option("--end", type=click.Choice(["last-day", "first-day-without"]), default="last-day", help="What an end date is.")
@click.option("--rounding", default="none", show_default=True, help="Of a call: none, or mode/decimals such as up/4.")
@click.option("--priced-at", type=click.Choice(["increment_start", "usage_start"]), default="increment_start")
@_options
def az(
    source: Path, out: Path, force: bool, strict: bool, as_json: bool, mapping: tuple[str, ...], end: str, **given: Any
) -> None:
    """Import a wholesale A-Z rate sheet (CSV): a deck for each date on which prices change, and the tariff.

    \b
    Roles of columns: prefix, country_code, name, price, currency, increment, first_increment, next_increment, included,
    connect_fee, effective, end, change, peak, offpeak, weekend. They are guessed from well-known names and printed.
    """
    from rating.importers.rate_deck import DeckOptions, import_rate_deck, load_sheet_text, tariff_id_of

    given["tariff_id"] = given["tariff_id"] or tariff_id_of(source.stem)
    options = DeckOptions(mapping=_mapping(mapping), last_day_ends=end == "last-day", **given)
    sheet, said = load_sheet_text(source)
    _deliver(import_rate_deck(sheet, source.name, options, said), out, force, strict, as_json)


@command.command("urdb")
@_FILE
@click.option("--zone", required=True, help="The utility's IANA zone, such as America/Denver: a rate does not say it.")
@click.option("--currency", default="USD", show_default=True)
@click.option("--effective-from", metavar="DATE", help="Of rates without a start date.")
@click.option(
    "--tier-scope",
    type=click.Choice(["shared_prorated", "shared_chronological", "per_period"]),
    help="How tiers over several periods climb.  [default: prorated; in time order where export is billed by interval]",
)
@_options
def urdb(source: Path, out: Path, force: bool, strict: bool, as_json: bool, **given: Any) -> None:
    """Import rates of the OpenEI Utility Rate Database (JSON of one rate, of a list, or of the API's answer)."""
    from rating.importers.urdb import RateOptions, import_urdb
    from rating.importers.urdb_fields import load_rates_text

    _deliver(import_urdb(load_rates_text(source), source.name, RateOptions(**given)), out, force, strict, as_json)


@command.command("cgrates")
@click.argument("source", metavar="SOURCE", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--currency", required=True, help="ISO 4217 code: a plan does not say it.")
@click.option("--zone", default="UTC", show_default=True, help="Zone of the timings.")
@click.option(
    "--kind", "kinds", multiple=True, metavar="CATEGORY=KIND", help="voice, message or volume; guessed from names and units."
)
@_options
def cgrates(
    source: Path, out: Path, force: bool, strict: bool, as_json: bool, currency: str, zone: str, kinds: tuple[str, ...]
) -> None:
    """Import a CGRateS tariff-plan folder: tariffs, subjects.csv and accounts."""
    from rating.importers.cgrates import PlanOptions, import_cgrates
    from rating.importers.cgrates_rows import load_plan_folder

    options = PlanOptions(currency, zone, _pairs(kinds, "--kind"))
    _deliver(import_cgrates(load_plan_folder(source), options), out, force, strict, as_json)


def _pairs(given: tuple[str, ...], option: str) -> dict[str, str]:
    """`a=b,c=d`, given once or several times."""
    found: dict[str, str] = {}
    for part in ",".join(given).split(",") if given else ():
        key, equals, value = part.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise ConfigurationError(Fault(option, "not a pair", repr(part), "such as prefix=Code", code="bad_option"))
        found[key.strip()] = value.strip()
    return found


def _mapping(given: tuple[str, ...]) -> dict[str, str]:
    """Roles of columns: pairs, or one YAML file of `role: column`."""
    if len(given) != 1 or "=" in given[0]:
        return _pairs(given, "--map")
    import yaml

    path = Path(given[0])
    try:
        read = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as cause:
        raise ConfigurationError(Fault(str(path), "the mapping cannot be read", was=str(cause).splitlines()[0])) from cause
    if not isinstance(read, dict) or not all(isinstance(value, str) for value in read.values()):
        raise ConfigurationError(Fault(str(path), "not a mapping", must_be="lines of role: column", code="bad_option"))
    return {str(key): str(value) for key, value in read.items()}


def _deliver(imported: Imported, out: Path, force: bool, strict: bool, as_json: bool) -> None:
    """Write the files, read every tariff back, and answer with the report; the account of rows comes last."""
    from rating.importers.findings import LOSSES, report_text

    there = [name for name in imported.files if (out / name).exists()]
    if there and not force:
        raise ConfigurationError(
            [Fault(str(out / name), "the file is there already", next_step="another --out, or --force") for name in there]
        )
    out.mkdir(parents=True, exist_ok=True)
    for name, content in imported.files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(content, encoding="utf-8")
    (out / REPORT_FILE).write_text(report_text(imported) + "\n", encoding="utf-8")
    faults = _faults_of(imported, out)
    rows_in, represented, named = imported.totals()
    value = {
        "out": str(out),
        "files": sorted(imported.files),
        "unit": imported.unit,
        "in": rows_in,
        "represented": represented,
        "named": named,
        "by_file": {
            file: {"in": each.rows_in, "represented": len(each.represented), "named": len(each.named)}
            for file, each in sorted(imported.rows.items())
        },
        "findings": [one.as_json() for one in imported.findings],
        "faults": [fault.as_json() for fault in faults],
    }

    def text() -> str:
        written = [f"wrote {out / name}" for name in sorted(imported.files)]
        shown = written if len(written) <= 12 else [*written[:10], f"... and {len(written) - 10} more files"]
        said = [str(fault) for fault in faults]
        return "\n".join([*shown, f"wrote {out / REPORT_FILE}", *said, report_text(imported, _FINDINGS_SHOWN)])

    Output(as_json).answer(value, text)
    if faults or (strict and any(one.kind in LOSSES for one in imported.findings)):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _faults_of(imported: Imported, out: Path) -> list[Fault]:
    """What the reader of tariffs says of each tariff that was written; warnings (a gap between versions) are no faults."""
    from rating.importers.findings import TARIFF_KEYS
    from rating.tariff_files import check_tariff

    tariffs = [out / name for name, text in imported.files.items() if name.endswith(".yaml") and TARIFF_KEYS.search(text)]
    return [fault for path in tariffs for fault in check_tariff(path) if not fault.code.startswith("warning")]
