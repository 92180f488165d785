"""A bill as plain text for a terminal: rounded amounts in one right-aligned column, allowances and taxes spelled out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import groupby

from schemas.money import minor_digits, minor_unit_nano, nano_text, round_ratio
from settlement.bill_document import Row
from settlement.line_kinds import LineKind
from settlement.quantity_text import quantity_text

_ITEM_LEAST, _ITEM_MOST = 20, 40
_GAP = "  "

Cells = tuple[str, str, str, str]  # item, quantity, price, amount


def render_bill_text(bill: Row, lines: Sequence[Row]) -> str:
    """One bill as text that ends in a line end.

    Args:
        bill: a row of `settlement.bills.BILLS`.
        lines: its rows of `settlement.bill_lines.LINES`, by line_no.

    Returns:
        heading, lines by account and tariff version, net, taxes, carried rounding, total, allowances used. Control characters in
        names are replaced, so that no name can write to the terminal.
    """
    digits = minor_digits(bill["currency"])
    charges = [line for line in lines if not LineKind(line["kind"]).closes_bill]
    closing = [line for line in lines if LineKind(line["kind"]).closes_bill]
    rows = [*_charge_rows(charges, digits), *_closing_rows(bill, closing, digits)]
    widths = _widths(rows)
    body = [row if isinstance(row, str) else _laid_out(row, widths) for row in rows]
    width = max(sum(widths) + 3 * len(_GAP), 60)
    body = ["-" * width if row == "-" else row for row in body]
    text = [*_heading(bill, width), "", *body, *_allowances(charges)]
    return "\n".join(line.rstrip() for line in text) + "\n"


def _heading(bill: Row, width: int) -> list[str]:
    last_on = bill["end_on"] - timedelta(days=1)
    pairs = [
        (f"BILL {bill['bill_number']}", f"Issued {bill['issue_on'].isoformat()}"),
        (f"{bill['name']} ({bill['account_id']})", f"Period {bill['first_on'].isoformat()} to {last_on.isoformat()}"),
    ]
    shown = [(_plain(left), right) for left, right in pairs]
    return [f"{left}{right:>{max(width - len(left), len(right) + 2)}}" for left, right in shown]


def _charge_rows(charges: Sequence[Row], digits: int) -> Iterator[Cells | str]:
    """Lines under the account and the tariff version that they belong to."""
    several = len({line["account_id"] for line in charges}) > 1
    for account_id, of_account in groupby(charges, key=lambda line: line["account_id"]):
        if several:
            yield f"Account {_plain(account_id)}"
        by_tariff = sorted(of_account, key=lambda line: (line["tariff_id"], line["version"]))
        for (tariff_id, version), of_tariff in groupby(by_tariff, key=lambda line: (line["tariff_id"], line["version"])):
            label = f"{tariff_id}, version {version}" if version else tariff_id
            yield f"Tariff {_plain(label)}"
            for line in of_tariff:
                yield _charge_cells(line, digits)
        yield ""


def _charge_cells(line: Row, digits: int) -> Cells:
    discount = line["kind"] == LineKind.DISCOUNT.value
    item = f"  {'Discount: ' if discount else ''}{_plain(line['item'])}"
    if line["collected_for"]:
        item += f" (for {_plain(line['collected_for'])})"
    if line["service_count"] > 1:
        item += f" ({line['service_count']} services)"
    quantity = "" if discount or not line["unit"] else quantity_text(line["quantity"], line["unit"])
    return item, quantity, _plain(line["price_text"]), nano_text(line["amount_nano"], digits)


def _closing_rows(bill: Row, closing: Sequence[Row], digits: int) -> Iterator[Cells | str]:
    yield "-"
    yield "Net", "", "", nano_text(bill["net_nano"], digits)
    for line in closing:
        if line["kind"] == LineKind.TAX.value:
            base = nano_text(_to_minor(line["base_nano"], bill["currency"]), digits)
            yield f"{_plain(line['item'])}", f"on {base}", line["price_text"], nano_text(line["amount_nano"], digits)
        else:
            yield _plain(line["item"]), "", "", nano_text(line["amount_nano"], digits)
    yield "-"
    yield f"TOTAL {bill['currency']}", "", "", nano_text(bill["total_nano"], digits)


def _allowances(charges: Sequence[Row]) -> Iterator[str]:
    """What was used and what of it was charged, wherever an allowance paid for some."""
    used = [line for line in charges if line["allowance_nano"]]
    if used:
        yield ""
        yield "Allowances used"
    several = len({line["account_id"] for line in charges}) > 1
    labels = [_plain(f"{line['item']} ({line['account_id']})" if several else line["item"]) for line in used]
    width = max(map(len, labels), default=0)
    for label, line in zip(labels, used, strict=True):
        charged = quantity_text(line["charged_quantity"], line["unit"]) if line["charged_quantity"] else "none"
        yield f"  {label:<{width}}{_GAP}{quantity_text(line['quantity'], line['unit'])} used, {charged} charged"


def _to_minor(nano: int, currency: str) -> int:
    unit = minor_unit_nano(currency)
    return round_ratio(nano, unit, "half_up") * unit


def _widths(rows: Iterable[Cells | str]) -> tuple[int, int, int, int]:
    cells = [row for row in rows if not isinstance(row, str)]
    item, quantity, price, amount = (max(len(cell[i]) for cell in cells) for i in range(4))
    return min(max(item, _ITEM_LEAST), _ITEM_MOST), quantity, price, amount


def _laid_out(cells: Cells, widths: tuple[int, int, int, int]) -> str:
    item, quantity, price, amount = cells
    shown = item if len(item) <= widths[0] else item[: widths[0] - 3] + "..."
    return _GAP.join([f"{shown:<{widths[0]}}", f"{quantity:>{widths[1]}}", f"{price:<{widths[2]}}", f"{amount:>{widths[3]}}"])


def _plain(text: str) -> str:
    """The text on one line without control characters."""
    return "".join(character if character.isprintable() else "?" for character in text)
