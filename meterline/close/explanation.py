"""Why a bill line is what it is: line, services, rated records, usage and the raw bytes, with the arithmetic of each step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from meterline.close.bill_view import BillView
from meterline.config import Config
from meterline.pipeline.rivals import Key, StoredRow, stored_versions
from meterline.runtime.raw_records import RawRecords
from meterline.store.snapshot import Snapshot
from rating.calls.explain import explain_call
from schemas.errors import Fault, MeterlineError
from schemas.hashing import hex_id
from schemas.money import amount_text, minor_digits
from schemas.ports import CommitLog
from schemas.quantities import UsageKind
from schemas.reasons import Disposition
from schemas.zones import instant_us, moment_of

_METERED_UNITS = {UsageKind.ENERGY: "kWh", UsageKind.REACTIVE: "kvarh", UsageKind.LIQUID: "m3"}
_BEHIND = ("account_id", "service_id", "tariff_id", "version", "item")


@dataclass
class RecordExplanation:
    """One rated record under a line."""

    value: dict[str, Any]
    text: str


@dataclass
class LineExplanation:
    """A line with the sum that makes it, and the records behind it (the first `shown` of `record_count`)."""

    value: dict[str, Any]
    text: str


def explain_line(config: Config, log: CommitLog, view: BillView, line_no: int, *, records_max: int) -> LineExplanation:
    """Explain one line of a bill. Raises MeterlineError if the bill has no such line."""
    line = next((line for line in view.lines if line["line_no"] == line_no), None)
    if line is None:
        raise MeterlineError(
            Fault(
                f"bill {view.bill['bill_number']}",
                "there is no such line",
                str(line_no),
                f"1 to {len(view.lines)}",
                code="no_line",
            )
        )
    currency = view.bill["currency"]
    charges = _charges_of(view, line)
    of_services = _service_charges_of(view, line)
    behind = [{name: row[name] for name in _BEHIND} for row in [*charges.iter_rows(named=True), *of_services]]
    records = _records(config, log, view, behind, records_max) if behind else []
    value = {
        "bill_number": view.bill["bill_number"],
        "draft": view.is_draft,
        "line": {name: _plain(name, line[name]) for name in line},
        "arithmetic": _line_arithmetic(view, line, charges, of_services, currency),
        "charges": [{name: _plain(name, row[name]) for name in row} for row in charges.iter_rows(named=True)],
        "service_charges": [{name: _plain(name, row[name]) for name in row} for row in of_services],
        "records": [record.value for record in records],
    }
    head = (
        f"BILL {view.bill['bill_number']}{' (draft of an open period)' if view.is_draft else ''}, line {line_no}: {line['item']}"
    )
    amount = amount_text(line["amount_nano"], minor_digits(currency))
    parts = [f"{head}  {amount} {currency}", *value["arithmetic"]]
    if charges.height:
        parts.append(_services_text(charges, currency))
    parts += [record.text for record in records]
    total = int(charges["record_count"].sum()) if charges.height else 0
    if total > len(records) and records:
        parts.append(f"{total - len(records)} more records; --records {total} shows all")
    return LineExplanation(value, "\n\n".join(parts))


def _charges_of(view: BillView, line: dict[str, Any]) -> pl.DataFrame:
    if not view.charges.height:
        return view.charges
    return view.charges.filter((pl.col("line_id") == line["line_id"]) | (pl.col("discount_line_id") == line["line_id"])).sort(
        "service_id"
    )


def _service_charges_of(view: BillView, line: dict[str, Any]) -> list[dict[str, Any]]:
    if not view.service_charges.height:
        return []
    return view.service_charges.filter(pl.col("line_id") == line["line_id"]).sort("service_id").to_dicts()


def _line_arithmetic(
    view: BillView, line: dict[str, Any], charges: pl.DataFrame, of_services: list[dict[str, Any]], currency: str
) -> list[str]:
    """How the exact value comes about, then the one rounding."""
    exact, kind = line["exact_nano"], line["kind"]
    amount = amount_text(line["amount_nano"], minor_digits(currency))
    rounded = f"rounded half up to the minor unit: {amount_text(exact)} -> {amount} {currency}"
    if kind == "usage":
        sums = [int(charges[name].sum()) for name in ("list_nano", "allowance_nano", "net_nano", "discount_nano")]
        terms = f"list {amount_text(sums[0])} - covered by allowances {amount_text(sums[1])} = {amount_text(exact)} {currency}"
        price = [f"price {line['price_text']}"] if line["price_text"] else []
        return [*price, terms, rounded]
    if kind == "discount":
        return [f"discounts of the records below: {amount_text(-exact)} {currency}", rounded]
    if kind == "tax":
        rate = amount_text(line["rate_ppm"] * 100_000)  # ppm as percent, in nano
        return [f"{rate} % of {amount_text(line['base_nano'])} {currency} = {amount} {currency}, rounded half up once"]
    if of_services:
        shown = [
            f"service {row['service_id']}: {row['explanation']} -> {amount_text(row['exact_nano'])} {currency}"
            for row in of_services
        ]
        paid = [f"collected for {line['collected_for']}"] if line["collected_for"] else []
        return [f"tariff {line['tariff_id']} version {line['version']}", *shown, *paid, rounded]
    if kind == "fee":
        days = (
            f"{line['quantity']} of {view.period.days} days in force per service"
            if line["unit"] == "days"
            else f"{line['quantity']} services"
        )
        return [
            f"tariff {line['tariff_id']} version {line['version']}: {line['price_text']}, {days} -> "
            f"{amount_text(exact)} {currency}",
            rounded,
        ]
    return [f"residues of earlier roundings that reached a whole minor unit: {amount} {currency}"]


def _services_text(charges: pl.DataFrame, currency: str) -> str:
    lines = []
    for row in charges.iter_rows(named=True):
        lines.append(
            f"service {row['service_id']}: {row['record_count']} records, {row['quantity']} {row['unit']} used, "
            f"{row['charged_quantity']} charged, list {amount_text(row['list_nano'])}, "
            f"allowance {amount_text(row['allowance_nano'])}, "
            f"discount {amount_text(row['discount_nano'])}, net {amount_text(row['net_nano'])} {currency}"
        )
    return "\n".join(lines)


def _records(
    config: Config, log: CommitLog, view: BillView, behind: list[dict[str, Any]], records_max: int
) -> list[RecordExplanation]:
    """The first records of charges [account_id, service_id, tariff_id, version, item]."""
    key = list(_BEHIND)
    wanted = pl.DataFrame(behind, schema=dict.fromkeys(key, pl.String)).unique()
    found: list[dict[str, Any]] = []
    for frame, table in ((view.calls, "rated_calls"), (view.days, "interval_days")):
        if frame.height:
            rows = frame.join(wanted, on=key, how="semi").sort("start_at", "record_hi", "record_lo").head(records_max)
            found += [{**row, "table": table} for row in rows.iter_rows(named=True)]
    found = found[:records_max]
    keys = {(row["record_hi"], row["record_lo"]) for row in found}
    snapshot = Snapshot(log, config.data, view.as_of)
    periods = {view.period.number}
    stored = stored_versions(snapshot, ("rated_calls", "interval_days"), keys, periods)
    copies = stored_versions(snapshot, ("set_aside",), keys, periods, losers=True, copies=True)
    raw = RawRecords(config, log)
    return [_record(view, row, _stored_part(row, stored[row["record_hi"], row["record_lo"]]), copies, raw) for row in found]


def _stored_part(row: dict[str, Any], parts: list[StoredRow]) -> StoredRow:
    """The stored row of a charged one: a meter day may be stored in several parts."""
    start = row["start_at"] if isinstance(row["start_at"], int) else instant_us(row["start_at"])
    return next(part for part in parts if part.row["start_at"] == start)


def _record(
    view: BillView, row: dict[str, Any], stored: StoredRow, copies: dict[Key, list[StoredRow]], raw: RawRecords
) -> RecordExplanation:
    identity = (row["record_hi"], row["record_lo"])
    origin = _original(stored, copies.get(identity, []), raw)
    source = raw.source(origin.row["source_id"])
    content = raw.read(origin.row["source_id"], origin.row["source_offset"], origin.row["source_length"]).decode(
        "utf-8", "backslashreplace"
    )
    value: dict[str, Any] = {
        "record_id": hex_id(*identity),
        "service_id": row["service_id"],
        "start_at": moment_of(stored.row["start_at"]).isoformat(),
        "raw": {"file": source.name, "sha256": source.sha256, "offset": origin.row["source_offset"], "content": content},
        "copies": sum(entry.disposition == Disposition.DUPLICATE for entry in copies.get(identity, [])),
        "earlier_versions": sum(entry.disposition == Disposition.SUPERSEDED for entry in copies.get(identity, [])),
    }
    if row["table"] == "rated_calls":
        arithmetic = _call_arithmetic(view, row, stored, value)
    else:
        value |= {"channel": row["channel"], "quantity_milliwh": row["quantity"], "quality": stored.row["quality_text"]}
        used, quality = amount_text(row["quantity"] * 1000), stored.row["quality_text"]
        unit = _METERED_UNITS[UsageKind(stored.row["kind"])]
        arithmetic = f"channel {row['channel']}: {used} {unit} at this price, quality {quality}"
    shown = content if len(content) <= 200 else f"{content[:200]}... ({len(content)} characters)"
    text = (
        f"record {value['record_id']}  {value['start_at']}  service {row['service_id']}\n"
        f"  {arithmetic}\n"
        f"  raw {source.name} at byte {origin.row['source_offset']}: {shown}"
    )
    if value["copies"] or value["earlier_versions"]:
        text += f"\n  {value['copies']} copies and {value['earlier_versions']} earlier versions were set aside"
    return RecordExplanation(value, text)


def _call_arithmetic(view: BillView, row: dict[str, Any], stored: StoredRow, value: dict[str, Any]) -> str:
    book = view.reference.book(view.period.start_at, view.period.end_at)
    tariff = book.tariff_ids.index(row["tariff_id"])
    explained = explain_call(
        book,
        tariff,
        stored.row["kind"],
        int(np.uint64(stored.row["called_number"])),
        stored.row["start_at"],
        stored.row["quantity"],
    )
    value |= {
        "kind": UsageKind(stored.row["kind"]).label,
        "quantity": row["quantity"],
        "first_pass": explained.as_json(),
        "second_pass": {
            "list": amount_text(row["list_nano"]),
            "allowance": row["allowance"],
            "allowance_units": row["allowance_units"],
            "allowance_value": amount_text(row["allowance_nano"]),
            "discount": amount_text(row["discount_nano"]),
            "net": amount_text(row["net_nano"]),
        },
    }
    text = explained.text().replace("\n", "\n  ")
    covered = f" - {amount_text(row['allowance_nano'])} covered by {row['allowance']}" if row["allowance"] else ""
    discount = f" - {amount_text(row['discount_nano'])} discount" if row["discount_nano"] else ""
    return f"{text}\n  charge {amount_text(row['list_nano'])} list{covered}{discount} = {amount_text(row['net_nano'])}"


def _original(stored: StoredRow, copies: list[StoredRow], raw: RawRecords) -> StoredRow:
    """Of identical copies the one with the smallest (source hash, offset) is the original, whichever came first."""
    same = [
        entry
        for entry in copies
        if entry.row["content_hash"] == stored.row["content_hash"] and entry.disposition == Disposition.DUPLICATE
    ]
    return min([stored, *same], key=lambda entry: (raw.source(entry.row["source_id"]).sha256, entry.row["source_offset"]))


def _plain(name: str, value: Any) -> Any:
    """Frame values as JSON takes them: money as decimal strings, large integers as text."""
    if name.endswith("_nano"):
        return amount_text(value)
    return value if isinstance(value, str) or (isinstance(value, int) and abs(value) < 2**53) else str(value)
