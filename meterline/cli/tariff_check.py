"""`meterline tariff check`: everything that is wrong, and everything that is hardly meant, at once."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option
from schemas.errors import ExitCode


class _Share(click.ParamType):
    """`20%` or `20`: a percentage as a share."""

    name = "percent"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if isinstance(value, Fraction):
            return value
        try:
            share = Fraction(str(value).removesuffix("%").strip()) / 100
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is no percentage such as 20%", param, ctx)
        if share < 0:
            self.fail(f"{value!r} is below zero", param, ctx)
        return share


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="TARIFF...", type=click.Path(path_type=Path, exists=True))
@click.option("--strict", is_flag=True, help="Warnings count as errors: exit 2.")
@click.option(
    "--price-change", type=_Share(), default="20%", show_default=True, help="Warn of prices that changed by more than this share."
)
@click.option(
    "--until",
    type=click.IntRange(1990, 2059),
    metavar="YEAR",
    help="Open versions need dates of holidays up to this year.",
)
@json_option
def command(files: tuple[Path, ...], strict: bool, price_change: Fraction, until: int | None, as_json: bool) -> None:
    """Report every error and warning of TARIFF files or folders at once, with file, line, path and what to do.

    \b
    Warnings: rules that never price anything, are there twice or are ordered by the start of their windows only;
    times of the week and gaps between versions without a price; lists of dates that skip a year; prices that
    changed by more than --price-change against the version before; amounts finer than the rounding; names that
    nothing uses; rows of a deck that say nothing new.

    Exit code 2 if anything is an error, or with --strict a warning.
    """
    from rating.tariff_files import SUFFIXES, check_tariff
    from rating.tariff_warnings import WARNING, WarningTerms

    paths = [
        path
        for given in files
        for path in (sorted(each for each in given.rglob("*") if each.suffix in SUFFIXES) if given.is_dir() else [given])
    ]
    terms = WarningTerms(price_change, until)
    faults = [fault for path in paths for fault in check_tariff(path, terms)]
    warnings = [fault for fault in faults if fault.code.startswith(WARNING)]
    errors = len(faults) - len(warnings)
    value = {
        "files": [str(path) for path in paths],
        "errors": errors,
        "warnings": len(warnings),
        "faults": [{"severity": "warning" if fault in warnings else "error", **fault.as_json()} for fault in faults],
    }
    count = f"{len(paths)} tariff {'file' if len(paths) == 1 else 'files'}"
    lines = [f"{'warning' if fault in warnings else 'error'}: {fault}" for fault in faults]
    said = f"{errors} errors, {len(warnings)} warnings" if faults else "no faults"
    Output(as_json).answer(value, "\n".join([*lines, f"{count}, {said}"]))
    if errors or (strict and warnings):
        raise click.exceptions.Exit(ExitCode.WRONG_USAGE)
