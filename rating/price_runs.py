"""Every run of each record, priced without any set-up: the subject's tariff, resellers, suppliers, and the margin."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from rating.calls.derived_runs import DerivedCharges, margins, rate_runs
from rating.calls.explain import explain_call
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.winners import CALL_KIND_COUNT
from rating.language.tariff import Tariff
from rating.price_usage import I32, tariff_of_records
from rating.subjects import compile_subjects, resolve_subjects
from rating.usage_columns import UsageColumns, record_ids, usage_columns
from schemas.errors import Fault, MeterlineError
from schemas.hashing import hex_id
from schemas.money import amount_text
from schemas.quantities import UsageKind

RUN_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.Int64,  # the row of the usage, from 1
    "run": pl.String,  # retail, or the name of a derived run
    "side": pl.String,  # revenue or cost
    "charge_id": pl.String,  # hash of the usage record and the run
    "tariff_id": pl.String,
    "charge": pl.String,  # exact decimal text; empty where the run failed
    "currency": pl.String,
    "charged_quantity": pl.Int64,
    "rule": pl.String,
    "reason": pl.String,
    "segments": pl.List(pl.String),
}
MARGIN_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "record": pl.Int64,
    "currency": pl.String,
    "revenue": pl.String,
    "cost": pl.String,
    "margin": pl.String,
    "failed": pl.Int64,  # runs of the record that could not be priced
}


def price_runs(
    tariffs: Sequence[Tariff], usage: pl.DataFrame, *, subjects: pl.DataFrame | None = None, where: str = "subjects"
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(runs by `RUN_SCHEMA`, margins by `MARGIN_SCHEMA`), in order of records.

    Args:
        tariffs, usage, subjects: as in `price_usage`; calls, messages and volumes only. A column record_id, if there is one,
            makes the charge ids; else the row number does.
    Raises:
        MeterlineError: records that cannot be read; energy; a run of a subject without subjects. ConfigurationError: tariffs.
    """
    records = usage_columns(usage)
    faults = [
        Fault(f"usage row {row + 1}", "derived runs are for calls, messages and volumes", UsageKind(records.kind[row]).label)
        for row in np.flatnonzero(records.kind >= CALL_KIND_COUNT).tolist()
    ]
    if faults:
        raise MeterlineError(faults)
    if not len(records):
        return pl.DataFrame(schema=RUN_SCHEMA), pl.DataFrame(schema=MARGIN_SCHEMA)
    book = compile_book(tariffs, span=records.span)
    index = tariff_of_records(book, usage, records, tariffs[0].tariff_id, subjects, where)
    hi, lo = record_ids(usage)
    charges = rate_runs(
        book,
        index,
        records.kind,
        records.called_number,
        records.start_at,
        records.quantity,
        record_hi=np.array(hi, dtype=np.uint64),
        record_lo=np.array(lo, dtype=np.uint64),
        tariff_of_subject=_tariff_of_subjects(book, usage, records, subjects, where),
    )
    frame = charges.frame(book)
    return _runs(book, records, charges, frame), _margins(frame)


def _tariff_of_subjects(
    book: TariffBook, usage: pl.DataFrame, records: UsageColumns, subjects: pl.DataFrame | None, where: str
) -> dict[str, I32]:
    """For each subject that a run names: its tariff for each record, within the record's tenant and category."""
    names = sorted({run.run.subject for run in book.runs if run.run.subject})
    if subjects is None or not names:
        return {}
    table = compile_subjects(subjects, book.tariffs, where=where)
    return {name: resolve_subjects(table, usage.with_columns(subject=pl.lit(name)), records.start_at) for name in names}


def _runs(book: TariffBook, records: UsageColumns, charges: DerivedCharges, frame: pl.DataFrame) -> pl.DataFrame:
    rows: list[tuple[object, ...]] = []
    for entry, run in enumerate(frame.iter_rows(named=True)):
        charge_id = hex_id(run["charge_id_hi"], run["charge_id_lo"])
        head = (run["record"] + 1, run["run"], run["side"], charge_id, run["tariff_id"])
        if run["reason"] != "ok":
            rows.append((*head, "", "", 0, "", run["reason"], []))
            continue
        row = run["record"]
        of = (int(column[row]) for column in (records.kind, records.called_number, records.start_at, records.quantity))
        why = explain_call(book, int(charges.tariff_index[entry]), *of)
        rule = book.rules[why.rule_index]
        segments = [line.strip() for line in why.text().splitlines()[2:]]
        priced = (amount_text(run["charge_nano"]), run["currency"], run["charged_quantity"])
        rows.append((*head, *priced, f"{rule.item} ({rule.shown_version})", "ok", segments))
    return pl.DataFrame(rows, schema=RUN_SCHEMA, orient="row")


def _margins(frame: pl.DataFrame) -> pl.DataFrame:
    found = margins(frame.filter(pl.col("currency") != ""))
    rows = [
        (row["record"] + 1, row["currency"], *(amount_text(row[name]) for name in ("revenue_nano", "cost_nano", "margin_nano")),
         row["failed"])
        for row in found.iter_rows(named=True)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=MARGIN_SCHEMA, orient="row")
