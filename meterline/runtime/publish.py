"""Publishing for finance: a generated DuckDB file of views over what is committed, swapped by rename."""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from meterline.close.sealed_tables import PER_RECORD
from meterline.config import Config
from meterline.reference import pinned_notes
from meterline.store.durable import durable_put
from schemas.periods import period_of
from schemas.ports import CommitLog, RowCount
from schemas.quantities import UsageKind
from schemas.records import INTERVAL_DAYS, RATED_CALLS, RECORD_SCHEMA_VERSION, SET_ASIDE
from settlement.output_schemas import OUTPUT_SCHEMA_VERSION, OUTPUT_SCHEMAS, column

FINANCE_FILE = "finance.duckdb"
_REPLACED_VALID_S = 24 * 3_600  # whoever has the old finance file open may read on for a day

# Views of the table `set_aside`, each with the dispositions that it shows.
_ASIDE = {
    "suspense": "disposition IN ('rejected', 'pending')",
    "duplicates": "disposition = 'duplicate'",
    "superseded": "disposition = 'superseded'",
    "filtered": "disposition = 'filtered'",
}

ROW_ACCOUNT = pa.schema(
    [
        column("file", pa.string(), "-", "the input file"),
        column("period", pa.string(), "-", "billing period, YYYY-MM; empty where the instant cannot be read"),
        column("kind", pa.string(), "-", "voice, message, volume, energy, reactive, liquid or unreadable"),
        column("disposition", pa.string(), "-", "billed, pending, rejected, duplicate, superseded, filtered or merged"),
        column("reason", pa.string(), "-", "why a record is not billed"),
        column("rows", pa.int64(), "count", "source records"),
        column("quantity", pa.decimal128(38, 0), "base unit of kind", "their quantity"),
    ]
)
ACCOUNT_KEYS = pa.schema(
    [
        column("account_key", pa.int32(), "-", "permanent key of the account in the usage tables"),
        column("account_id", pa.string(), "-", "the account"),
    ]
)


def publish_finance(config: Config, log: CommitLog) -> Path:
    """Build `HOME/finance/finance.duckdb` for the head of the log and swap it in; readers of the old file keep reading it."""
    from settlement.adapters.finance_views import build_finance_file

    head = log.head()
    files: dict[str, list[Path]] = {}
    for name in (*OUTPUT_SCHEMAS, *PER_RECORD):
        files[name] = [config.data / file.name for file in log.live_files(name, as_of=head)]
    for name, table in (("rated_calls", "rated_calls"), ("interval_days", "interval_days")):
        files[name] = _rolled(config, log, table, head)
    files |= dict.fromkeys(_ASIDE, _rolled(config, log, "set_aside", head))
    files["row_account"] = [_row_account_file(config, log)]
    keys = pinned_notes(log)
    files["account_keys"] = [config.data / keys["account_keys"]] if keys else []
    columns = {
        "rated_calls": RATED_CALLS,
        "interval_days": INTERVAL_DAYS,
        **dict.fromkeys(_ASIDE, SET_ASIDE),
        "row_account": ROW_ACCOUNT,
        **PER_RECORD,
        "account_keys": ACCOUNT_KEYS,
    }
    version = {
        "commit": str(head),
        "chain_head": log.chain_head(),
        "output_schema": OUTPUT_SCHEMA_VERSION,
        "record_schema": str(RECORD_SCHEMA_VERSION),
    }
    with tempfile.TemporaryDirectory(prefix="meterline-finance-") as scratch:
        built = build_finance_file(Path(FINANCE_FILE), Path(scratch), files, columns=columns, version=version, conditions=_ASIDE)
        durable_put(config.finance / FINANCE_FILE, built.read_bytes())
    return config.finance / FINANCE_FILE


def _rolled(config: Config, log: CommitLog, table: str, head: int) -> list[Path]:
    return [config.data / file.name for file in log.live_files(table, as_of=head) if file.name.endswith(".parquet")]


def _row_account_file(config: Config, log: CommitLog) -> Path:
    """The row account as Parquet beside the finance file: small, replaced as a whole."""
    names = {source.source_id: source.name for source in log.sources()}
    rows = [_row(entry, names, config.zone) for entry in log.row_account()]
    frame = pl.DataFrame(rows, schema=["file", "period", "kind", "disposition", "reason", "rows", "quantity"], orient="row",
                         schema_overrides={"quantity": pl.Decimal(38, 0)})  # fmt: skip
    content = io.BytesIO()
    frame.write_parquet(content)
    path = config.finance / f"row_account-{log.head():08d}.parquet"
    durable_put(path, content.getbuffer())
    for older in config.finance.glob("row_account-*.parquet"):
        if older != path and time.time() - older.stat().st_mtime > _REPLACED_VALID_S:
            older.unlink()
    return path


def _row(entry: RowCount, names: dict[int, str], zone: str) -> tuple[Any, ...]:
    kind = UsageKind(entry.kind).label if entry.kind < len(UsageKind) else "unreadable"
    period = period_of(entry.period, zone).label if entry.period >= 0 else ""
    return names[entry.source_id], period, kind, str(entry.disposition), entry.reason.label, entry.rows, entry.quantity
