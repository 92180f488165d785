"""`meterline suspense`: records that wait for somebody, with their reason and what was received."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from meterline.cli.output import Output, shared_options, table_text
from meterline.config import load_config
from meterline.runtime.raw_records import RawRecords
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.snapshot import Snapshot
from schemas.hashing import hex_id
from schemas.periods import period_of
from schemas.reasons import Disposition, Reason
from schemas.zones import moment_of


@click.group("suspense", short_help="Records that are rejected or pending, with reason and raw content.")
def command() -> None:
    """Records that are not billed and wait for somebody: rejected with a reason, or pending for a closed period."""


@command.command("list")
@click.option("--reason", help="Only this reason, such as unknown_service.")
@click.option("--limit", default=50, show_default=True, help="Rows shown (0: all).")
@shared_options
def list_suspense(reason: str | None, limit: int, home: Path, as_json: bool, quiet: bool) -> None:
    """List suspense: id, reason, service, time, file and place, and the raw record."""
    config = load_config(home)
    log = SqliteCommitLog(config.commit_log, config.data, create=False)
    names = {source.source_id: source.name for source in log.sources()}
    rows = _suspense_rows(Snapshot.at_head(log, config.data), reason)
    shown = rows if not limit else rows[:limit]
    received = RawRecords(config, log)
    value = {
        "records": len(rows),
        "suspense": [
            {
                "record_id": hex_id(row["record_hi"], row["record_lo"]),
                "disposition": row["disposition"],
                "reason": Reason(row["reason"]).label,
                "stage": str(Reason(row["reason"]).stage),
                "service_id": row["service_id"],
                "start_at": moment_of(row["start_at"]).isoformat() if row["period"] >= 0 else None,
                "period": period_of(row["period"], config.zone).label if row["period"] >= 0 else None,
                "file": names.get(row["source_id"], ""),
                "offset": row["source_offset"],
                "raw": _raw(received, row),
            }
            for row in shown
        ],
    }

    def text() -> str:
        cells = [
            (
                entry["reason"],
                entry["service_id"],
                (entry["start_at"] or "")[:19],
                f"{entry['file']}@{entry['offset']}",
                entry["raw"][:80],
            )
            for entry in value["suspense"]  # type: ignore[attr-defined]
        ]
        tail = f"\n{len(rows) - len(shown)} more; --limit 0 shows all" if len(shown) < len(rows) else ""
        return (
            table_text(("reason", "service", "start (UTC)", "file@offset", "raw record"), cells)
            + f"\n\n{len(rows)} records"
            + tail
        )

    Output(as_json, quiet).answer(value, text)


def _raw(received: RawRecords, row: dict[str, Any]) -> str:
    """The raw record: kept with the row, or read from its landed file where the row was set aside later."""
    content = row["raw"] or received.read(row["source_id"], row["source_offset"], row["source_length"])
    return content.decode("utf-8", "backslashreplace")


def _suspense_rows(snapshot: Snapshot, reason: str | None) -> list[dict[str, Any]]:
    from meterline.pipeline.rivals import plain_rows

    waiting = {str(Disposition.REJECTED), str(Disposition.PENDING)}
    rows = [row for row in plain_rows(snapshot.read("set_aside")) if row["disposition"] in waiting]
    if reason is not None:
        if reason.upper() not in Reason.__members__:
            raise click.BadParameter(
                f"no such reason; known are {', '.join(member.label for member in Reason)}", param_hint="--reason"
            )
        rows = [row for row in rows if row["reason"] == Reason[reason.upper()]]
    return sorted(rows, key=lambda row: (row["reason"], row["source_id"], row["source_offset"]))
