"""Usage, reservation steps and refunds as files give them: rows in human units to base units, all faults at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any

from rating.balances.balance_values import KIND_NAMES
from rating.balances.layout import GENERIC, MONEY
from rating.language.written_values import UNITS, base_units
from schemas.errors import Fault, MeterlineError
from schemas.money import NANO
from schemas.numbers import packed_number
from schemas.quantities import INT64_MAX, UsageKind
from schemas.zones import instant_us

_CALL_KINDS = {kind.label: kind for kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)}


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


def read_usage_rows(rows: Iterable[Mapping[str, Any]], *, file: str, account: str, known: Mapping[str, object]) -> list[UsageRow]:
    """Records of kind, called_number, start_at, quantity and perhaps unit, record_id, account and category; with a column
    `reservation` steps of used and requested (and perhaps sequence and close) instead of quantity.

    Raises:
        MeterlineError: every field that cannot be read, with file and row.
    """
    steps: dict[str, int] = {}

    def usage_row(number: int, row: Mapping[str, Any]) -> UsageRow:
        of = str(row.get("account") or account)
        if of not in known:
            raise ValueError(f"no such account: {of!r}, one of {', '.join(known)}")
        label = str(row.get("kind"))
        if label not in _CALL_KINDS:
            raise ValueError(f"not a kind of usage: {label!r}, one of {', '.join(_CALL_KINDS)}")
        kind, reservation = _CALL_KINDS[label], str(row.get("reservation") or "")
        steps[reservation] = steps.get(reservation, 0) + 1
        used = row.get("used") or "0" if reservation else row.get("quantity")
        return UsageRow(
            str(row.get("record_id") or f"{number:09d}"), of, str(row.get("category") or ""), kind,
            packed_number(str(row.get("called_number") or "").removeprefix("+")), _instant(row.get("start_at")),
            _quantity(used, row.get("unit"), kind), reservation, int(row.get("sequence") or steps[reservation]),
            _quantity(row.get("requested") or "0", row.get("unit"), kind), _is_true(row.get("close")),
        )  # fmt: skip

    return _read(rows, file, usage_row)


def read_refund_rows(rows: Iterable[Mapping[str, Any]], *, file: str, kinds: Mapping[str, int]) -> list[RefundRow]:
    """Rows of balance and amount (money) or quantity and unit; `kinds` are those of the balances that exist.

    Raises:
        MeterlineError: every field that cannot be read, with file and row.
    """

    def refund_row(number: int, row: Mapping[str, Any]) -> RefundRow:
        name = str(row.get("balance") or "")
        if not name:
            raise ValueError("no balance is named")
        kind = kinds.get(name, MONEY if row.get("amount") else GENERIC)
        given = row.get("amount") if kind == MONEY else row.get("quantity")
        if not given:
            what = "amount" if kind == MONEY else "quantity"
            raise ValueError(f"{what} is missing, which balance {name!r} of {KIND_NAMES[kind]} needs")
        exact = Fraction(str(given)) * (NANO if kind == MONEY else 1)
        if kind < GENERIC:
            exact = Fraction(_quantity(given, row.get("unit"), UsageKind(kind)))
        if exact < 0 or (kind == MONEY and exact.denominator != 1):
            raise ValueError(f"not an amount: {given}")
        return RefundRow(str(row.get("record_id") or number), name, exact)

    return _read(rows, file, refund_row)


def _read(rows: Iterable[Mapping[str, Any]], file: str, one: Callable[[int, Mapping[str, Any]], Any]) -> list[Any]:
    found, faults = [], []
    for number, row in enumerate(rows, start=1):
        try:
            found.append(one(number, row))
        except (ValueError, ZeroDivisionError) as cause:
            faults.append(Fault(f"{file} row {number}", str(cause), code="bad_usage"))
    if faults:
        raise MeterlineError(faults)
    return found


def _is_true(value: object) -> bool:
    return str(value or "").lower() in ("true", "yes", "1")


def _instant(value: object) -> int:
    if value is None or value == "":
        raise ValueError("start_at is missing")
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if moment.tzinfo is None:
        raise ValueError(f"start_at without offset: {value}")
    return instant_us(moment)


def _quantity(value: object, unit: object, kind: UsageKind) -> int:
    if value is None or value == "":
        raise ValueError("quantity is missing")
    if unit is None or unit == "":
        number = int(str(value))
    else:
        if UNITS.get(str(unit), (None, 0))[0] != kind:
            raise ValueError(f"not a unit of {kind.label}: {unit!r}")
        exact = base_units(str(value), str(unit))
        if exact is None:
            raise ValueError(f"not a whole number of {kind.unit}: {value} {unit}")
        number = exact
    if not 0 <= number <= INT64_MAX:
        raise ValueError(f"quantity out of range: {value}")
    return number
