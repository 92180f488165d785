"""Utility tariffs as short YAML texts, and determinants as plain rows, so that a case reads as one."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import polars as pl

from rating.language.tariff import Tariff, TariffVersion
from rating.language.tariff_reader import read_tariff
from rating.language.yaml_places import compose_file
from rating.utility.bill_input import (
    CHANNEL_SCHEMA,
    DEMAND_SCHEMA,
    ENERGY_SCHEMA,
    STATE_SCHEMA,
    BilledMonth,
    Determinants,
    groups_frame,
)
from rating.utility.utility_bill import UtilityBill, bill_services
from schemas.errors import Fault
from schemas.money import nano_of

KILO = 1_000_000
_HEAD = """\
tariff: t
name: T
currency: EUR
zone: Europe/Berlin
service: utility
versions:
  - version: "1"
    effective_from: 2020-01-01
    rounding: {rounding}
"""
JUNE = BilledMonth(2026 * 12 + 5, 30, 365)
JULY = BilledMonth(2026 * 12 + 6, 31, 365)


def tariff_of(elements: str, rounding: str = "{scope: line, mode: none}") -> Tariff:
    """A tariff of one version out of its elements; money exact to the nano-unit unless told."""
    text = _HEAD.replace("{rounding}", rounding) + textwrap.indent(textwrap.dedent(elements), "    ")
    faults: list[Fault] = []
    top = compose_file(text, "case.yaml", faults)
    assert top is not None, faults
    tariff = read_tariff(top, Path())
    assert tariff is not None and not faults, "\n".join(str(fault) for fault in faults)
    return tariff


def version_of(elements: str, rounding: str = "{scope: line, mode: none}") -> TariffVersion:
    return tariff_of(elements, rounding).versions[0]


def kilo(text: str) -> int:
    """Base units of a decimal in kWh, kW, kVA, kvarh or m3."""
    return int(Decimal(text) * KILO)


def energy(*kwh: str) -> pl.DataFrame:
    """Group 0's quantities by price, in the order of the prices."""
    rows = [(0, index, kilo(value)) for index, value in enumerate(kwh)]
    return pl.DataFrame(rows, schema=ENERGY_SCHEMA, orient="row")


def demand(*kw: str) -> pl.DataFrame:
    """Group 0's highest demand by demand price."""
    rows = [(0, index, 1, kilo(value), None, 0) for index, value in enumerate(kw)]
    return pl.DataFrame(rows, schema=DEMAND_SCHEMA, orient="row")


def channels(**kwh: str) -> pl.DataFrame:
    rows = [(0, role, kilo(value)) for role, value in kwh.items()]
    return pl.DataFrame(rows, schema=CHANNEL_SCHEMA, orient="row")


def state_of(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """Group 0's state: (topic, name, period, value)."""
    return pl.DataFrame([(0, *row) for row in rows], schema=STATE_SCHEMA, orient="row")


def bill(
    version: TariffVersion, found: Determinants, *, month: BilledMonth = JUNE, days: int | None = None,
    state: pl.DataFrame | None = None, **terms: object,
) -> UtilityBill:  # fmt: skip
    """The bill of group 0; `days` in force are all of the month unless told."""
    given: dict[str, list[object]] = {"group": [0], "days": [month.days if days is None else days]}
    groups = groups_frame({**given, **{name: [value] for name, value in terms.items()}})
    return bill_services(version, month, groups, found, state)


def total(billed: UtilityBill) -> Decimal:
    assert billed.refusals.is_empty(), billed.refusals
    return Decimal(int(billed.lines["amount_nano"].sum())) / 10**9


def amounts(billed: UtilityBill) -> dict[str, str]:
    """item (with its detail) -> amount."""
    assert billed.refusals.is_empty(), billed.refusals
    return {
        f"{row['item']} {row['detail']}".strip(): str((Decimal(int(row["amount_nano"])) / 10**9).normalize() + Decimal("0.00"))
        for row in billed.lines.iter_rows(named=True)
    }


def carried(billed: UtilityBill, topic: str) -> int:
    return int(billed.state.filter(pl.col("topic") == topic)["value"].sum())


def plain(price: str, *more: tuple[str, str]) -> str:
    """An `energy` element with one price, and others by window."""
    rows = [("Energy", price), *more]
    return "energy: {prices: [" + ", ".join(f'{{item: {item}, price: "{at}", per: 1 kWh}}' for item, at in rows) + "]}\n"


def nano(text: str) -> int:
    return nano_of(text, "case")


def found_of(energy_rows: pl.DataFrame, **more: pl.DataFrame) -> Determinants:
    """Determinants with the import channel that the energy sums to, where no channels are given."""
    if "channels" not in more:
        whole = int(energy_rows["quantity"].sum())
        more["channels"] = pl.DataFrame([(0, "import", whole)], schema=CHANNEL_SCHEMA, orient="row")
    return Determinants(energy=energy_rows, **more)


Rows = Sequence[tuple[str, str]]
