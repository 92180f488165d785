"""`meterline tariff diff`: what changed between two tariffs, or two versions of one."""

from __future__ import annotations

from pathlib import Path

import click

from meterline.cli.output import Output
from meterline.cli.tariff_arguments import json_option

DIFFERENT = 1  # as of diff(1): 0 the same, 1 different, 2 trouble


@click.command("diff")
@click.argument("old_file", metavar="OLD", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("new_file", metavar="[NEW]", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--versions", nargs=2, metavar="OLD NEW", help="Compare two versions: of OLD, or one of OLD and one of NEW.")
@click.option("--top", type=click.IntRange(0), default=10, show_default=True, help="List so many price changes for each rule.")
@json_option
def command(old_file: Path, new_file: Path | None, versions: tuple[str, str] | None, top: int, as_json: bool) -> None:
    """Show what changed between two tariffs: prices (old, new, percent), rules, windows, decks, allowances, fees, taxes.

    \b
      meterline tariff diff mobile-2026.yaml mobile-2027.yaml
      meterline tariff diff mobile.yaml --versions 2026-01 2026-07

    Exit code 0 if the two say the same, 1 if they differ, 2 if one of them cannot be read.
    """
    from rating.tariff_diff import diff_tariffs
    from rating.tariff_files import load_tariff
    from rating.tariff_versions import only_version

    if new_file is None and not versions:
        raise click.UsageError("give a second tariff, or two versions of this one (--versions OLD NEW)")
    old = load_tariff(old_file)
    new = load_tariff(new_file) if new_file else old
    if versions:
        old, new = only_version(old, versions[0]), only_version(new, versions[1])
    found = diff_tariffs(old, new, top=top)
    value = {"same": not found, "old": old.content_hash, "new": new.content_hash, "parts": found.as_json()}
    Output(as_json).answer(value, found.text())
    if found:
        raise click.exceptions.Exit(DIFFERENT)
