"""The fields of a rate of the OpenEI Utility Rate Database (URDB, API versions 3 to 8), each taken exactly once or named."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from rating.importers.deck_values import Unreadable
from rating.importers.findings import Finding, FindingKind, RowAccount
from schemas.errors import ConfigurationError, Fault
from schemas.money import NANO, amount_text, round_ratio

COMMENTS = (
    *("label", "uri", "utility", "eiaid", "sector", "servicetype", "description", "source", "sourceparent", "supercedes"),
    *("approved", "is_default", "country", "revisions", "latest_update", "basicinformationcomments", "energycomments"),
    *("demandcomments", "fixedcomments", "rateno", "sourcetitle"),
)  # of whom, where from and since when: text beside the prices
CONDITIONS = (
    *("peakkwcapacitymin", "peakkwcapacitymax", "peakkwcapacityhistory", "peakkwhusagemin", "peakkwhusagemax"),
    *(
        "peakkwhusagehistory",
        "voltageminimum",
        "voltagemaximum",
        "voltagecategory",
        "phasewiring",
        "demandunits",
        "usenetmetering",
    ),
)  # who may take the rate: checked when a contract is made
ATTRIBUTES = ("energyattrs", "demandattrs", "fixedattrs")


@dataclass(slots=True)
class RateFields:
    """One rate: its fields, which of them were used, and the findings on them."""

    file: str
    path: str
    values: dict[str, object]
    first: int  # number of its first field in the file
    account: RowAccount
    findings: list[Finding] = field(default_factory=list)
    dropped: bool = False  # nothing of it is in a tariff
    _named: set[str] = field(default_factory=set)

    def get(self, name: str) -> object:
        """The value; None where it is missing, null or an empty text or list."""
        value = self.values.get(name)
        return None if value in ("", []) else value

    def find(self, kind: FindingKind, name: str, what: str, was: object = "", next_step: str = "", inner: str = "") -> None:
        """A finding on a field; `inner` is the place inside it."""
        number = self.first + list(self.values).index(name) if name in self.values else 0
        path = f"{self.path}{name}{inner}" if name else self.path.rstrip(".")
        self.findings.append(Finding(kind, self.file, number, what, _short(was), next_step, path))
        if kind not in (FindingKind.NOTE, FindingKind.GUESS):
            self._named.add(name)

    def refuse(self, name: str, what: str, was: object = "", next_step: str = "", inner: str = "") -> None:
        self.find(FindingKind.NOT_REPRESENTED, name, what, was, next_step, inner)

    def number(self, name: str) -> Fraction | None:
        """A number of a field; None where there is none, or it is no number, which is named."""
        value = self.get(name)
        if value is None:
            return None
        try:
            return fraction_of(value)
        except Unreadable as reason:
            self.refuse(name, reason.what, value)
            return None

    def amount(self, value: Fraction, name: str, inner: str = "") -> str:
        """An amount with at most nine decimals; what binary fractions leave behind them is rounded off and noted.

        Raises:
            Unreadable: more than a tariff can say, which is named.
        """
        if abs(value) >= 10**9:
            self.refuse(name, "an amount out of range", _decimal(value), inner=inner)
            raise Unreadable("an amount out of range")
        nano = round_ratio(value.numerator * NANO, value.denominator, "half_even")
        if Fraction(nano, NANO) != value:
            self.find(FindingKind.NOTE, name, "rounded to nine decimals", f"{_decimal(value)}", inner=inner)
        return amount_text(nano)

    def close(self, used: set[str]) -> None:
        """Name what nobody took, and write the account of the rate's fields."""
        for name, value in self.values.items():
            if name not in used and name not in self._named:
                empty = self.get(name) is None
                what = "empty" if empty else "an unknown field"
                self.find(FindingKind.UNUSED if empty else FindingKind.NOT_REPRESENTED, name, what, value)
        for number, name in enumerate(self.values, start=self.first):
            if self.dropped and name not in self._named:
                self._named.add(name)
                what = "a field of a rate that was not imported"
                self.findings.append(Finding(FindingKind.NOT_REPRESENTED, self.file, number, what, path=self.path.rstrip(".")))
            (self.account.named if name in self._named else self.account.represented).add(number)


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    text = " ".join(text.split())
    return text if len(text) <= 120 else f"{text[:117]}..."


def _decimal(value: Fraction) -> str:
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return text if len(text) <= 40 else f"{text[:37]}..."


def fraction_of(value: object) -> Fraction:
    """A JSON number, or a text that is one.

    Raises:
        Unreadable: anything else.
    """
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        raise Unreadable("not a number")
    try:
        return Fraction(Decimal(value))
    except (ArithmeticError, ValueError) as cause:
        raise Unreadable("not a number") from cause


def load_rates_text(path: Path) -> str:
    """The text of a JSON file.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        what = cause.strerror if isinstance(cause, OSError) else "not UTF-8"
        raise ConfigurationError(Fault(str(path), f"the file cannot be read: {what}", code="not_readable")) from cause


def read_rates(text: str, file: str, account: RowAccount) -> list[RateFields]:
    """The rates of a file: one object, a list, or `{"items": [...]}` as the API answers. Decimals stay as written.

    Raises:
        ConfigurationError: no JSON, or no rate in it.
    """
    try:
        top = json.loads(text, parse_float=Decimal)
    except ValueError as cause:
        raise ConfigurationError(Fault(file, f"not JSON: {cause}", code="not_json")) from cause
    listed = isinstance(top, dict) and isinstance(top.get("items"), list)
    items = top["items"] if listed else top if isinstance(top, list) else [top]
    found: list[RateFields] = []
    for index, item in enumerate(items):
        path = "" if isinstance(top, dict) and not listed else f"items[{index}]." if listed else f"[{index}]."
        if not isinstance(item, dict) or not {"energyratestructure", "name", "label"} & item.keys():
            raise ConfigurationError(
                Fault(f"{file} {path.rstrip('.')}".strip(), "not a rate", must_be="an object with energyratestructure")
            )
        found.append(RateFields(file, path, item, account.rows_in + 1, account))
        account.rows_in += len(item)
    if not found:
        raise ConfigurationError(Fault(file, "no rates", must_be="a rate, or the API's items", code="no_rates"))
    return found


def date_of(value: object) -> str:
    """The date of a time stamp: midnight of a US zone is the same date in UTC."""
    seconds = fraction_of(value)
    if seconds.denominator != 1 or not 0 <= seconds < 4_102_444_800:
        raise Unreadable("not a time stamp from 1970 to 2099")
    return datetime.fromtimestamp(int(seconds), tz=UTC).date().isoformat()
