"""Loading tariffs from files: everything that is wrong in any of them is reported at once."""

from __future__ import annotations

import re
from pathlib import Path

from rating.compiled.chains import needed_tariffs, needs_others, with_chains
from rating.language.decks import deck_row_count
from rating.language.tariff import Tariff
from rating.language.tariff_reader import read_tariff
from rating.language.yaml_places import Place, compose_file
from rating.tariff_checks import level_rule_faults
from rating.tariff_warnings import CheckedFile, WarningTerms, tariff_warnings
from rating.tariff_winners import TariffWinners, tariff_winners
from rating.warning_places import places_of
from schemas.errors import ConfigurationError, Fault

SUFFIXES = (".yaml", ".yml")
_POSITION = re.compile(r":([0-9]+):([0-9]+)")


def load_tariff(path: Path) -> Tariff:
    """The tariff in one file, with the decks it names.

    Raises:
        ConfigurationError: all faults of the file, each with file, line, column and path.
    """
    tariff, faults = _checked(path)
    if faults or tariff is None:
        raise ConfigurationError(faults)
    return tariff


def load_tariffs(folder: Path) -> list[Tariff]:
    """All tariffs of a folder, by tariff id.

    Raises:
        ConfigurationError: all faults of all files; no tariff at all; one tariff id in two files; fallbacks and derived runs that
            name no tariff of the folder, or one of another currency.
    """
    paths = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    found: dict[str, Tariff] = {}
    faults = [] if paths else [Fault(str(folder), "no tariff files", must_be="one YAML file for each tariff", code="no_tariffs")]
    for path in paths:
        tariff, of_file = _checked(path)
        faults.extend(of_file)
        if tariff is None:
            continue
        other = found.setdefault(tariff.tariff_id, tariff)
        if other is not tariff:
            faults.append(Fault(str(path), "this tariff is in another file too", tariff.tariff_id, f"only in {other.where}"))
    if faults:
        raise ConfigurationError(faults)
    return with_chains([found[tariff_id] for tariff_id in sorted(found)])


def load_with_chain(path: Path) -> list[Tariff]:
    """The tariff in one file first, then those that it falls back to or derives runs from, looked for beside it.

    Raises:
        ConfigurationError: faults of the file, and of the folder where the file names other tariffs.
    """
    tariff = load_tariff(path)
    if not needs_others(tariff):
        return [tariff]
    every = {one.tariff_id: one for one in load_tariffs(path.parent)}
    needed = {tariff.tariff_id: None}
    for one in needed_tariffs(every[tariff.tariff_id], every):
        needed.setdefault(one, None)
    return [every[one] for one in needed]


def check_tariff(path: Path, terms: WarningTerms | None = None) -> list[Fault]:
    """Faults of a file and, where it has none, warnings (their code starts with `warning_`), from top to bottom."""
    tariff, top, faults = _read(path)
    if faults or tariff is None:
        return _in_order(faults, path)
    found = tariff_winners(tariff)
    faults = _level(found)
    if faults:
        return _in_order(faults, path)
    decks = {to.deck_file for version in tariff.versions for to in version.destinations if to.deck_rates}
    rows = {deck: deck_row_count(path.parent / deck) for deck in decks}
    return _in_order(tariff_warnings(tariff, found, CheckedFile(places_of(top), rows), terms or WarningTerms()), path)


def _checked(path: Path) -> tuple[Tariff | None, list[Fault]]:
    tariff, _, faults = _read(path)
    if tariff and not faults:
        faults = _level(tariff_winners(tariff))
    return tariff, _in_order(faults, path)


def _level(found: TariffWinners | None) -> list[Fault]:
    return [] if found is None else level_rule_faults(found)


def _read(path: Path) -> tuple[Tariff | None, Place | None, list[Fault]]:
    """The tariff as written, its top node, and the faults of reading it."""
    faults: list[Fault] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        what = f"the file cannot be read: {cause.strerror if isinstance(cause, OSError) else 'not UTF-8'}"
        return None, None, [Fault(str(path), what, next_step="check the path", code="not_readable")]
    top = compose_file(text, str(path), faults)
    return read_tariff(top, path.parent) if top else None, top, faults


def _in_order(faults: list[Fault], path: Path) -> list[Fault]:
    return sorted(faults, key=lambda fault: _position(fault, str(path)))


def _position(fault: Fault, file: str) -> tuple[bool, int, int]:
    """Faults of the file from top to bottom, those of its decks after them."""
    found = _POSITION.match(fault.where, len(file)) if fault.where.startswith(file) else None
    return (False, int(found[1]), int(found[2])) if found else (True, 0, 0)
