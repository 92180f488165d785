"""`meterline tariff price --period`: the lines of metered usage month by month, with determinants and explanation."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from meterline.cli.output import Output, table_text
from meterline.cli.usage_files import read_usage
from schemas.errors import ExitCode
from schemas.money import amount_text

if TYPE_CHECKING:
    from rating.bill_usage import BilledUsage
    from rating.language.tariff import Tariff


def bill_periods(
    tariff: Tariff, tariff_file: Path, usage_file: Path, periods: tuple[str, ...], terms_file: Path | None, *, as_json: bool
) -> None:
    """Print the bills of the periods; exit 1 where a service was refused in any of them."""
    from rating.bill_usage import bill_usage
    from rating.price_files import load_price_files
    from rating.service_terms import read_service_terms

    terms, state = read_service_terms(terms_file, tariff.zone) if terms_file is not None else (None, None)
    prices, calorific = load_price_files(tariff, tariff_file.parent)
    billed = bill_usage(tariff, read_usage(usage_file), periods, terms, state=state, prices=prices, calorific=calorific)
    value = {
        "tariff_id": tariff.tariff_id,
        "content_hash": tariff.content_hash,
        "currency": tariff.currency,
        "bills": _bills(billed),
        "refusals": billed.refusals.to_dicts(),
        "state": billed.state.to_dicts(),
    }
    Output(as_json).answer(value, lambda: _text(tariff.currency, billed))
    if not billed.refusals.is_empty():
        raise click.exceptions.Exit(ExitCode.FAILED)


def _bills(billed: BilledUsage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for service, period, total in billed.totals().iter_rows():
        own = billed.lines.filter((billed.lines["service"] == service) & (billed.lines["period"] == period))
        lines = [
            {
                **{name: row[name] for name in ("version", "kind", "item", "detail", "unit", "price_text", "explanation")},
                "quantity": None if row["quantity"] is None else _quantity(row["quantity"]),
                "amount": amount_text(row["amount_nano"]),
                "base": None if row["base_nano"] is None else amount_text(row["base_nano"]),
                "exact": None if row["numerator"] is None else f"{row['numerator']}/{row['denominator']}",
            }
            for row in own.iter_rows(named=True)
        ]
        found.append({"service": service, "period": period, "lines": lines, "total": amount_text(total)})
    return found


def _quantity(base_units: int) -> str:
    return f"{(Decimal(base_units) / 1_000_000).normalize():f}"


def _text(currency: str, billed: BilledUsage) -> str:
    parts = []
    for bill in _bills(billed):
        cells: list[tuple[object, ...]] = [
            tuple(line[name] or "" for name in ("kind", "item", "detail", "quantity", "unit", "amount", "explanation"))
            for line in bill["lines"]
        ]
        cells.append(("total", "", "", "", "", bill["total"], ""))
        headings = ("kind", "item", "detail", "quantity", "unit", f"amount {currency}", "how")
        heading = f"{bill['period']} {bill['service']}".rstrip()
        parts.append(f"{heading}\n{table_text(headings, cells, right=('quantity', f'amount {currency}'))}")
    for row in billed.refusals.iter_rows(named=True):
        name = f"{row['period']} {row['service']}".rstrip()
        parts.append(f"{name}: refused, no total: {row['element']}: {row['reason']}")
    return "\n\n".join(parts) or "no usage in these periods"
