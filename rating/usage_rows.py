"""Usage, reservation steps and refunds as files give them: rows in human units to base units, all faults at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from rating.balances.balance_values import KIND_NAMES
from rating.balances.layout import GENERIC, MONEY
from rating.language.written_values import UNITS, quantity_units
from rating.language.yaml_places import close_match
from rating.usage_columns import RowFaults, missing_columns, read_columns, read_quantities, read_quantity, texts_of
from schemas.errors import Fault, MeterlineError
from schemas.money import NANO
from schemas.quantities import UsageKind

_CALL_KINDS = {kind.label: kind for kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)}
_USAGE_COLUMNS = ("record_id", "account", "category", "kind", "called_number", "start_at", "quantity", "unit")
_STEP_COLUMNS = ("reservation", "sequence", "used", "requested", "close")
_REFUND_COLUMNS = ("record_id", "balance", "amount", "quantity", "unit")
_YES_OR_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False, "": False}
_ALIKE = 0.8  # as difflib counts it: one letter of six is wrong


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One record, or one step of a reservation: then `quantity` is what was used since the step before."""

    record_id: str
    account: str
    category: str
    kind: UsageKind
    called_number: int
    start_at: int
    quantity: int
    reservation: str = ""
    sequence: int = 0
    requested: int = 0
    close: bool = False


@dataclass(frozen=True, slots=True)
class RefundRow:
    """What goes back to one balance, in its own units (base units, generic units or nano-units)."""

    record_id: str
    balance_id: str
    value: Fraction
    written: str  # as the file says it


def read_usage_rows(usage: pl.DataFrame, *, file: str, account: str, known: Iterable[str]) -> list[UsageRow]:
    """Records of kind, called_number, start_at, quantity and perhaps unit, record_id, account and category; with a column
    `reservation` steps of used and requested (and perhaps sequence and close) instead of quantity.

    Args:
        usage: columns as `usage_columns` reads them. account: that of rows without one. known: the accounts that exist.
    Raises:
        MeterlineError: every field that cannot be read, with file and row; columns that are missing or misspelled.
    """
    is_step = "reservation" in usage.columns
    columns = (*_USAGE_COLUMNS, *(_STEP_COLUMNS if is_step else ()))
    _refuse_columns(usage, columns, ("kind", "start_at", *(() if is_step else ("quantity",))), file)
    faults = RowFaults(file)
    text = {name: texts_of(usage, name) for name in columns}
    accounts = text["account"].replace("", account)
    wrong = ~accounts.is_in(list(known))
    faults.note("account", wrong, lambda row: _unknown(faults.where(row), "account", accounts[row], known))
    if is_step:
        usage = usage.with_columns(text["used"].replace("", "0").alias("used"))
    found = read_columns(usage, faults, quantity="used" if is_step else "quantity", kinds=_CALL_KINDS)
    ids = [given or f"{number:09d}" for number, given in enumerate(text["record_id"], start=1)]
    again = pl.Series(ids).is_first_distinct().not_()
    faults.note("record_id", again, lambda row: Fault(
        faults.where(row), "this record_id is there twice", repr(ids[row]), "one for each record"))  # fmt: skip
    steps = _steps(text, pl.Series(found.kind), faults) if is_step else [("", 0, 0, False)] * len(usage)
    faults.refuse()
    columns_found = (found.kind, found.called_number, found.start_at, found.quantity)
    rows = zip(ids, accounts, text["category"], *(column.tolist() for column in columns_found), steps, strict=True)
    return [
        UsageRow(record_id, of, category, UsageKind(kind), number, at, used, *step)
        for record_id, of, category, kind, number, at, used, step in rows
    ]


def _steps(text: Mapping[str, pl.Series], kind: pl.Series, faults: RowFaults) -> list[tuple[str, int, int, bool]]:
    """(reservation, sequence, requested, close) of each row; without a sequence the steps of a reservation are counted."""
    names, sequences, closes = text["reservation"], text["sequence"], text["close"].str.to_lowercase()
    no_name = "a step without a reservation"
    faults.note("reservation", names == "", lambda row: Fault(faults.where(row), no_name, must_be="the name of one"))
    wrong = ~sequences.str.contains("^[0-9]{0,18}$")
    faults.note("sequence", wrong, lambda row: Fault(
        faults.where(row), "not a sequence", repr(sequences[row]), "a whole number, or empty"))  # fmt: skip
    unclear = ~closes.is_in(list(_YES_OR_NO))
    faults.note("close", unclear, lambda row: Fault(
        faults.where(row), "neither closed nor open", repr(closes[row]), "true, false or empty"))  # fmt: skip
    requested = read_quantities(text["requested"].replace("", "0"), text["unit"], kind, faults, "requested")
    if faults.found:
        return [("", 0, 0, False)] * len(names)
    count = pl.int_range(1, pl.len() + 1).over("reservation")
    counted = pl.DataFrame({"reservation": names}).select(count).to_series()
    sequence = sequences.replace("", None).cast(pl.Int64).fill_null(counted)
    return list(zip(names, sequence, requested, (_YES_OR_NO[close] for close in closes), strict=True))


def read_refund_rows(refunds: pl.DataFrame, *, file: str, kinds: Mapping[str, int]) -> list[RefundRow]:
    """Rows of balance and amount (money) or quantity and unit; `kinds` are those of the balances that exist.

    Raises:
        MeterlineError: every field that cannot be read, with file and row; columns that are missing or misspelled.
    """
    _refuse_columns(refunds, _REFUND_COLUMNS, ("balance",), file)
    faults, found = RowFaults(file), []
    text = {name: texts_of(refunds, name).to_list() for name in _REFUND_COLUMNS}
    for row, name in enumerate(text["balance"]):
        given = {key: column[row] for key, column in text.items()}
        value, what = _refunded(given, kinds) if name else (Fraction(0), "no balance is named")
        if what:
            faults.found[row, 0] = Fault(faults.where(row), what)
        written = given["amount"] or f"{given['quantity']} {given['unit']}".rstrip()
        found.append(RefundRow(given["record_id"] or str(row + 1), name, value, written))
    faults.refuse()
    return found


def _refunded(given: Mapping[str, str], kinds: Mapping[str, int]) -> tuple[Fraction, str]:
    """(value, "") or (0, what is wrong); of a balance that does not exist, whatever is written."""
    kind = kinds.get(given["balance"], MONEY if given["amount"] else GENERIC)
    name, other = ("amount", "quantity") if kind == MONEY else ("quantity", "amount")
    text, of = given[name], f"balance {given['balance']!r} of {KIND_NAMES[kind]}"
    if not text or given[other]:
        return Fraction(0), f"{name} is missing, which {of} needs" if not text else f"{other} beside {name}, for {of}"
    if kind < GENERIC:
        unit = given["unit"]
        if unit and UNITS.get(unit, (None,))[0] != kind:
            return Fraction(0), f"not a unit of {of}: {unit!r}, must be one of {quantity_units(UsageKind(kind))}"
        exact, what = read_quantity(text, unit, UsageKind(kind))
        return Fraction(exact or 0), what
    try:
        value = Fraction(text) * (NANO if kind == MONEY else 1)
    except (ValueError, ZeroDivisionError):
        return Fraction(0), f"{name} is no number: {text!r}"
    if value < 0 or (kind == MONEY and value.denominator != 1):
        return Fraction(0), f"{name} out of range: {text}, must be {'zero or more' if value < 0 else 'of at most nine decimals'}"
    return value, ""


def _refuse_columns(rows: pl.DataFrame, known: tuple[str, ...], required: tuple[str, ...], file: str) -> None:
    """Columns that are not there, and those that are not read and look like one that is: what they say would count for nothing.

    Raises:
        MeterlineError: all of them.
    """
    absent = [name for name in known if name not in rows.columns]
    found, meant = [], set()
    for name in rows.columns:
        alike = difflib.get_close_matches(name.strip().lower(), absent, n=1, cutoff=_ALIKE) if name not in known else []
        if alike:
            meant.add(alike[0])
            hint = f"did you mean {alike[0]!r}?"
            found.append(Fault(file, "unknown column", repr(name), next_step=hint, code="unknown_column"))
    lacking = missing_columns(rows, tuple(name for name in required if name not in meant), file)
    if found or lacking:
        raise MeterlineError([*found, *lacking])


def _unknown(where: str, what: str, name: str, known: Iterable[str]) -> Fault:
    return Fault(where, f"no such {what}", repr(name), next_step=close_match(name, known), code="unknown_name")
