"""How priced usage reads: the first records with their segments, totals by item, and what was not priced."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from meterline.cli.output import number_text, table_text
from meterline.cli.priced_runs import tariff_heading
from rating.language.rates_text import quantity_text
from schemas.money import amount_text, nano_of
from schemas.quantities import UsageKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rating.language.tariff import Tariff
    from rating.price_usage import PricedUsage


def priced_json(priced: PricedUsage, named: Sequence[Tariff]) -> dict[str, Any]:
    """All records, totals by item and the sum; money as decimal texts with the currency. `named`: the tariffs of the heading."""
    records = [
        {name: plain(value) for name, value in row.items() if name != "charge_nano"}
        for row in priced.records.iter_rows(named=True)
    ]
    sums = sums_of(priced)
    return {
        **tariff_heading(named),
        "records": records,
        "totals": totals_json(priced),
        "total": total_text(priced) if len(sums) == 1 else None,
        "sums": sums,
        "currency": priced.currency,
        "reasons": reasons(priced.records["reason"]),
    }


def totals_json(priced: PricedUsage) -> list[dict[str, Any]]:
    return priced.totals.drop("charge_nano").to_dicts()


def sums_of(priced: PricedUsage) -> list[dict[str, str]]:
    """For each currency the sum of the totals; with discounts their sum, and what is left of the totals."""
    totals, records = priced.totals, priced.records
    found = []
    for currency in sorted({tariff.currency for tariff in priced.tariffs} & {*totals["currency"]}) or [priced.currency]:
        nano = int(totals.filter(pl.col("currency") == currency)["charge_nano"].sum() or 0)
        found.append({"currency": currency, "total": amount_text(nano)})
        if "net" in records.columns:
            own = records.filter(pl.col("currency") == currency)
            discount = sum(nano_of(text, "discount") for text in own["discount"] if text)
            found[-1] |= {"discount": amount_text(discount), "net": amount_text(nano - discount)}
    return found


def total_text(priced: PricedUsage) -> str:
    return amount_text(int(priced.totals["charge_nano"].sum() or 0))


def reasons(column: pl.Series) -> dict[str, int]:
    """How many records each reason has, `ok` first."""
    counted = column.value_counts(name="records").sort(pl.col(column.name) != "ok", column.name)
    return dict(counted.rows())


def priced_text(priced: PricedUsage, explain: int) -> str:
    """The first records, the totals by item, and a summary line for each reason."""
    records, currency = priced.records, priced.currency
    parts = []
    if explain and len(records):
        cells: list[tuple[object, ...]] = []
        for number, row in enumerate(records.head(explain).iter_rows(named=True), start=1):
            what = row["rule"] or row["reason"]
            amount = row["charge"] if currency or not row["charge"] else f"{row['charge']} {row['currency']}"
            cells.append((number, plain(row["start_at"]), row["kind"], used(row), amount or "-", what))
            cells += [("", "", "", "", "", f"  {segment}") for segment in row["segments"]]
            cells += [("", "", "", "", f"-{of['amount']}", f"  discount {of['name']}") for of in row.get("discounts", [])]
            if row.get("discounts"):
                cells.append(("", "", "", "", row["net"], "  net"))
        charge = f"charge {currency}".strip()
        heads = ("record", "start", "kind", "quantity", charge, "rule and segments")
        parts.append(table_text(heads, cells, right=("record", "quantity", charge)))
        if len(records) > explain:
            parts.append(
                f"… {number_text(len(records) - explain)} more records (--explain N shows more, --output FILE writes all)"
            )
    parts.append(totals_text(priced))
    return "\n\n".join([*parts, "\n".join(_reason_lines(records["reason"]) or ["no records"])])


def totals_text(priced: PricedUsage) -> str:
    """Totals by item as a table with the sum in each currency; tariffs and currencies where there are several."""
    sums, several = sums_of(priced), priced.totals["tariff_id"].n_unique() > 1
    charge = f"charge {priced.currency}".strip()
    cells: list[tuple[object, ...]] = [
        (
            row["item"],
            *([row["tariff_id"]] if several else []),
            row["version"],
            row["records"],
            quantity_text(row["quantity"], UsageKind[row["kind"].upper()]),
            row["charge"] if priced.currency else f"{row['charge']} {row['currency']}",
        )
        for row in priced.totals.iter_rows(named=True)
    ]
    for of in sums:
        own = priced.totals if len(sums) == 1 else priced.totals.filter(pl.col("currency") == of["currency"])
        unit = "" if priced.currency else f" {of['currency']}"
        gap = ("", "") if several else ("",)
        cells.append(("total", *gap, int(own["records"].sum() or 0), "", of["total"] + unit))
        cells += [(name, *gap, "", "", text + unit) for name in ("discount", "net") if (text := of.get(name)) is not None]
    heads = ("item", *(["tariff"] if several else []), "version", "records", "charged", charge)
    return table_text(heads, cells, right=("records", "charged", charge))


def records_text(count: int) -> str:
    return f"{number_text(count)} {'record' if count == 1 else 'records'}"


def _reason_lines(column: pl.Series) -> list[str]:
    return [f"{records_text(count)} {reason.replace('_', ' ')}" for reason, count in reasons(column).items()]


def used(row: dict[str, Any]) -> str:
    """The quantity as it was given, with its unit where it has one."""
    return f"{row['quantity']} {row.get('unit') or ''}".strip()


def plain(value: Any) -> Any:
    return value if value is None or isinstance(value, (str, int, list)) else str(value)
