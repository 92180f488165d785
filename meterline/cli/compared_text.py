"""How a comparison of two prices reads: by record, by item, and in total."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from meterline.cli.output import number_text, table_text
from meterline.cli.priced_text import plain, records_text, total_text, totals_json, used
from schemas.money import amount_text

if TYPE_CHECKING:
    from rating.compare_prices import PriceComparison

_WORDS = {
    "dearer": "dearer",
    "cheaper": "cheaper",
    "same": "at the same price",
    "only_by_this": "priced by {0} only",
    "only_by_other": "priced by {1} only",
    "by_neither": "priced by neither",
}


def change_text(new: int, old: int) -> str:
    """`+1.50 (+12.5 %)`; without a share where there was nothing."""
    difference = new - old
    sign = "+" if difference > 0 else ""
    return f"{sign}{amount_text(difference)}" + (f" ({share_text(difference, abs(old))})" if old else "")


def share_text(part: int, whole: int) -> str:
    """A share as a percentage with one decimal, rounded half up by magnitude: `+12.5 %`."""
    tenths = (2_000 * abs(part) + whole) // (2 * whole)
    sign = "-" if part < 0 else "+" if part > 0 else ""
    return f"{sign}{tenths // 10}.{tenths % 10} %"


def compared_json(compared: PriceComparison, names: tuple[str, str]) -> dict[str, Any]:
    """Records with both charges, items of both, sums and counts."""
    new, old = compared.priced, compared.against
    records = compared.records.drop("change_nano").iter_rows(named=True)
    return {
        "tariff_id": new.tariffs[0].tariff_id,
        "content_hash": new.tariffs[0].content_hash,
        "against": {"name": names[1], "tariff_id": old.tariffs[0].tariff_id, "content_hash": old.tariffs[0].content_hash},
        "currency": new.tariffs[0].currency,
        "records": [{name: plain(value) for name, value in row.items()} for row in records],
        "totals": totals_json(new),
        "against_totals": totals_json(old),
        "total": total_text(new),
        "against_total": total_text(old),
        "change": amount_text(_total(compared, "priced") - _total(compared, "against")),
        "counts": compared.counts,
    }


def compared_text(compared: PriceComparison, names: tuple[str, str], shown: int) -> str:
    """The first records, the largest changes of longer files, items and the total."""
    parts = []
    if shown and len(compared.records):
        parts.append(_records_text(compared.records.head(shown).with_row_index("row"), names))
        if len(compared.records) > shown:
            parts.append(f"The {shown} largest changes of {number_text(len(compared.records))} records")
            parts.append(_records_text(compared.largest_changes(shown), names))
    counts = compared.counts
    lines = [f"{records_text(count)} {_WORDS[name].format(*names)}" for name, count in counts.items() if count]
    return "\n\n".join([*parts, _items_text(compared, names), "\n".join(lines or ["no records"])])


def _records_text(records: pl.DataFrame, names: tuple[str, str]) -> str:
    heads = ("record", "start", "kind", "quantity", names[1], names[0], "change", "rule")
    cells = [
        (
            int(row["row"]) + 1,
            plain(row["start_at"]),
            row["kind"],
            used(row),
            row["against_charge"] or "-",
            row["charge"] or "-",
            row["change"] or "-",
            _rules(row),
        )
        for row in records.iter_rows(named=True)
    ]
    return table_text(heads, cells, right=("record", "quantity", names[1], names[0], "change"))


def _rules(row: dict[str, Any]) -> str:
    new, old = (row[rule] or row[reason] for rule, reason in (("rule", "reason"), ("against_rule", "against_reason")))
    return str(new) if new == old else f"{old} -> {new}"


def _items_text(compared: PriceComparison, names: tuple[str, str]) -> str:
    by_item: dict[str, list[int]] = {}
    for side, priced in enumerate((compared.against, compared.priced)):
        for row in priced.totals.iter_rows(named=True):
            by_item.setdefault(row["item"], [0, 0])[side] += row["charge_nano"]
    by_item["total"] = [_total(compared, "against"), _total(compared, "priced")]
    heads = (f"item, {compared.priced.currency}", names[1], names[0], "change")
    cells = [(item, amount_text(old), amount_text(new), change_text(new, old)) for item, (old, new) in by_item.items()]
    return table_text(heads, cells, right=heads[1:])


def _total(compared: PriceComparison, side: str) -> int:
    return int(getattr(compared, side).totals["charge_nano"].sum() or 0)
