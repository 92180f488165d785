"""Applying a sealed plan: recompute, arrive at the promised hash or stop, seal the files, close the period in one commit.

Resumable: sealed files are pure functions of the pins and named by their content, so a crash leaves at most files that no commit
names, and the same command goes on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from meterline.close.fold import BucketFold
from meterline.close.plan import BLOCK, CloseTotals, fold_period, planned_period, require_fresh
from meterline.close.sealed_tables import charged_calls_table, charged_days_table
from meterline.config import Config
from meterline.reference import open_reference
from meterline.store.durable import durable_put, durable_put_all, sha256_hex
from schemas.errors import BlockedError, Fault
from schemas.invariants import replay_holds, require
from schemas.periods import Period
from schemas.ports import CommitDraft, CommitLog, FilePart, StoredFile
from settlement.output_schemas import OUTPUT_SCHEMA_VERSION, OUTPUT_SCHEMAS
from settlement.output_tables import output_table

COMMIT_KIND = "close"


def apply_plan(
    config: Config, log: CommitLog, plan: dict[str, Any], *, report: Callable[[int, int], None] = lambda done, total: None
) -> int:
    """Close the plan's period; returns the commit. Applying a plan that was applied already returns its commit."""
    period = planned_period(plan, config)
    if log.period_states().get(period.number) == "closed":
        for seq, notes in log.notes(COMMIT_KIND):
            if notes["period"] == period.label and notes["promise"] == plan["promise"]:
                return seq
        raise BlockedError(Fault(f"period {period.label}", "was closed by another plan", code="period_closed"))
    blocked = [check for check in plan["checklist"] if check["verdict"] == BLOCK]
    if blocked:
        raise BlockedError(
            [Fault(f"period {period.label}", c["check"], c["figure"], next_step=c["next"], code="blocked") for c in blocked]
        )
    require_fresh(plan, config, log)
    reference = open_reference(config, log)
    totals, files = CloseTotals(), []
    issue_on = date.fromisoformat(plan["issue_on"])
    folder = f"sealed/period={period.label}/v1"
    for bucket, fold in fold_period(config, log, reference, period, issue_on, as_of=log.head(), report=report):
        totals.add(bucket, fold)
        files += _seal_bucket(config, folder, period, bucket, fold)
    require(replay_holds(totals.promise, plan["promise"]))
    manifest = _manifest(plan, files)
    durable_put(config.data / folder / "manifest.json", manifest)
    versions = log.versions(["period"])
    return log.commit(
        CommitDraft(
            COMMIT_KIND,
            files=files,
            versions={("period", period.number): versions.get(("period", period.number), 0)},
            expected=_pinned_versions(plan),
            period_states={period.number: "closed"},
            notes={
                "period": period.label,
                "promise": plan["promise"],
                "plan_seal": plan["seal"],
                "manifest": sha256_hex(manifest),
                "reference_set": plan["pins"]["reference_set"],
                "issue_on": plan["issue_on"],
                "pinned_commit": plan["pins"]["commit"],
            },
        )
    )


def _pinned_versions(plan: dict[str, Any]) -> dict[tuple[str, int], int]:
    """What the fold read: every bucket and the reference must still be as planned when the close becomes visible."""
    pinned = {}
    for name, version in plan["pins"]["versions"].items():
        scope, _, number = name.partition(" ")
        if scope in ("bucket", "reference"):
            pinned[scope, int(number)] = version
    return pinned


def _seal_bucket(config: Config, folder: str, period: Period, bucket: int, fold: BucketFold) -> list[StoredFile]:
    settled = fold.settlement
    tables = {
        "bills": output_table(settled.bills, OUTPUT_SCHEMAS["bills"]),
        "bill_lines": output_table(settled.lines, OUTPUT_SCHEMAS["bill_lines"]),
        "charges": output_table(fold.charges, OUTPUT_SCHEMAS["charges"]),
        "service_charges": output_table(fold.service_charges, OUTPUT_SCHEMAS["service_charges"]),
        "postings": output_table(settled.postings, OUTPUT_SCHEMAS["postings"]),
        "carried": output_table(settled.carried, OUTPUT_SCHEMAS["carried"]),
        "service_state": output_table(fold.intervals.service_state, OUTPUT_SCHEMAS["service_state"]),
        "charged_calls": charged_calls_table(fold.calls.charges),
        "charged_days": charged_days_table(fold.intervals.determinants),
    }
    files, contents = [], []
    for name, table in tables.items():
        if not table.num_rows:
            continue
        content = sealed_bytes(table)
        digest = sha256_hex(content)
        entry = StoredFile(
            f"{folder}/{name}/bucket={bucket:02d}/{name}-{digest}.parquet", name, len(memoryview(content)), digest,
            (FilePart(period.number, bucket, table.num_rows),),
        )  # fmt: skip
        files.append(entry)
        contents.append((config.data / entry.name, content))
    durable_put_all(contents)
    return files


def sealed_bytes(table: Any) -> Any:
    """Parquet of a sealed table: a pure function of its rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, row_group_size=65_536)
    return sink.getvalue()


def _manifest(plan: dict[str, Any], files: list[StoredFile]) -> bytes:
    listed = [
        {
            "name": Path(file.name).name,
            "path": file.name,
            "table": file.table,
            "rows": file.rows,
            "bytes": file.size_bytes,
            "sha256": file.sha256,
        }
        for file in sorted(files, key=lambda file: file.name)
    ]
    tree = {"period": plan["period"], "plan": plan, "output_schema_version": OUTPUT_SCHEMA_VERSION, "files": listed}
    return json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False).encode()
