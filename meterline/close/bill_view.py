"""One bill with everything below it: from the sealed files of a closed period, or as a draft of what an open one would give."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from meterline.close.fold import fold_bucket
from meterline.close.plan import carried_into, state_into
from meterline.config import Config
from meterline.reference import Reference, open_reference
from meterline.store.snapshot import Snapshot
from schemas.errors import Fault, MeterlineError
from schemas.periods import Period, period_number, period_of
from schemas.ports import CommitLog
from settlement.output_tables import frame_of_table

_PERIOD_WIDTH = len("2026-11")


@dataclass
class BillView:
    """A bill, its lines in order, and the charges, service charges, charged calls and charged days of its accounts."""

    bill: dict[str, Any]
    lines: list[dict[str, Any]]
    charges: pl.DataFrame
    service_charges: pl.DataFrame
    calls: pl.DataFrame
    days: pl.DataFrame
    is_draft: bool
    reference: Reference
    period: Period
    bucket: int
    as_of: int


def read_bill(config: Config, log: CommitLog, bill_number: str) -> BillView:
    """Find a bill by its number, PERIOD-ACCOUNT. Raises MeterlineError if there is none."""
    label, account_id = bill_number[:_PERIOD_WIDTH], bill_number[_PERIOD_WIDTH + 1 :]
    period = period_of(period_number(label), config.zone)
    closes = [notes for _, notes in log.notes("close") if notes["period"] == label]
    load = next(
        (load for _, load in reversed(log.notes("reference")) if closes and load["set"] == closes[-1]["reference_set"]), None
    )
    reference = open_reference(config, log, load)
    bucket = _bucket(reference, account_id)
    if bucket is None:
        raise _no_bill(bill_number)
    if closes:
        frames = {
            name: _sealed(config, log, name, period.number, bucket)
            for name in ("bills", "bill_lines", "charges", "service_charges", "charged_calls", "charged_days")
        }
        as_of = closes[-1]["pinned_commit"]
    else:
        frames, as_of = _draft(config, log, reference, period, bucket), log.head()
    if not frames["bills"].height or not (bills := frames["bills"].filter(pl.col("bill_number") == bill_number)).height:
        raise _no_bill(bill_number)
    lines = frames["bill_lines"].filter(pl.col("bill_number") == bill_number).sort("line_no")
    charges, service_charges = (
        frame.filter(pl.col("bill_number") == bill_number) if frame.height else frame
        for frame in (frames["charges"], frames["service_charges"])
    )
    return BillView(
        bills.row(0, named=True), list(lines.iter_rows(named=True)), charges, service_charges,
        frames["charged_calls"], frames["charged_days"], not closes, reference, period, bucket, as_of,
    )  # fmt: skip


def list_bills(config: Config, log: CommitLog, label: str) -> Iterator[dict[str, Any]]:
    """Bills of a closed period in order of number; those of an open one as drafts."""
    period = period_of(period_number(label), config.zone)
    if log.period_states().get(period.number) == "closed":
        frames = [_sealed(config, log, "bills", period.number, bucket) for bucket in range(config.buckets)]
    else:
        reference = open_reference(config, log)
        frames = [_draft(config, log, reference, period, bucket)["bills"] for bucket in range(config.buckets)]
    present = [frame for frame in frames if frame.height]
    if present:
        yield from pl.concat(present).sort("bill_number").iter_rows(named=True)


def _draft(config: Config, log: CommitLog, reference: Reference, period: Period, bucket: int) -> dict[str, pl.DataFrame]:
    issued: date = period.end_on
    fold = fold_bucket(
        Snapshot.at_head(log, config.data), reference, period, bucket,
        zone=config.zone, tenant=config.tenant, issue_on=issued, carried=carried_into(config, log, period, as_of=log.head()),
        service_state=state_into(config, log, period, as_of=log.head()),
    )  # fmt: skip
    return {
        "bills": fold.settlement.bills,
        "bill_lines": fold.settlement.lines,
        "charges": fold.charges,
        "service_charges": fold.service_charges,
        "charged_calls": fold.calls.charges,
        "charged_days": fold.intervals.determinants,
    }


def _sealed(config: Config, log: CommitLog, table: str, number: int, bucket: int) -> pl.DataFrame:
    files = [file for file in log.live_files(table) if (file.parts[0].period, file.parts[0].bucket) == (number, bucket)]
    if not files:
        return pl.DataFrame()
    frame = frame_of_table(pq.read_table(config.data / files[0].name))
    return frame.rename({"allowance_value_nano": "allowance_nano"}, strict=False)


def _bucket(reference: Reference, account_id: str) -> int | None:
    ranks = (reference.directory.account_id == account_id).nonzero()[0]
    return int(reference.directory.bucket[ranks[0]]) if len(ranks) else None


def _no_bill(bill_number: str) -> MeterlineError:
    return MeterlineError(
        Fault(
            f"bill {bill_number}",
            "there is no such bill",
            must_be="PERIOD-ACCOUNT of a paying account",
            next_step="see 'meterline bill list PERIOD'",
            code="no_bill",
        )
    )
