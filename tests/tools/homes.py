"""A home in the hands of a test: settings, drops, runs and closes in process, and what came out, read back from stored files."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import yaml

from meterline.close.apply import apply_plan
from meterline.close.plan import make_plan
from meterline.config import load_config
from meterline.demo.call_files import LAYOUT
from meterline.runtime.audit import Verdict, audit
from meterline.runtime.engine import Engine, Progress, open_engine
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from schemas.periods import period_number, period_of

SEALED_TABLES = ("bills", "bill_lines", "charges", "charged_calls", "charged_days", "postings", "carried", "service_state")
Account = Counter[tuple[str, str]]


def build_home(home: Path, *, currency: str, zone: str, accounts: list[str], services: list[tuple[str, str, str]]) -> None:
    """A home with one drop for calls and one for meters; services are (service, account, tariff), in force since 2004."""
    for folder in ("tariffs", "inbox/calls", "inbox/meters"):
        (home / folder).mkdir(parents=True)
    rows = "".join(f"{account},{account}\n" for account in accounts)
    (home / "accounts.csv").write_text(f"account_id,name\n{rows}", encoding="utf-8")
    rows = "".join(f"{service},{account},{tariff},2004-01-01,\n" for service, account, tariff in services)
    (home / "services.csv").write_text(f"service_id,account_id,tariff_id,effective_from,effective_to\n{rows}", encoding="utf-8")
    (home / "calls.yaml").write_text(LAYOUT, encoding="utf-8")
    (home / "meterline.yaml").write_text(
        f"""\
currency: {currency}
zone: {zone}
buckets: 4
reference: {{accounts: accounts.csv, services: services.csv, tariffs: tariffs}}
drops:
  - {{folder: inbox/calls, format: calls, layout: calls.yaml}}
  - {{folder: inbox/meters, format: nem12}}
settled_file_s: 0
batch_rows: 30000
""",
        encoding="utf-8",
    )


def change_settings(home: Path, **settings: object) -> None:
    """Replace settings of a home's configuration; files count as whole at once unless `settled_file_s` says otherwise."""
    path = home / "meterline.yaml"
    tree = yaml.safe_load(path.read_text(encoding="utf-8")) | {"settled_file_s": 0} | settings
    path.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def take_files(home: Path, *, then_close: Sequence[str] = ()) -> Progress:
    """One run of the engine over whatever lies in the drop folders, opened and closed; then periods are closed in order."""
    with open_engine(load_config(home)) as engine:
        progress = engine.run(until_idle=True)
        for label in then_close:
            close_open_period(engine, label)
    return progress


def close_period(home: Path, label: str) -> dict[str, Any]:
    """Plan and apply; returns the plan."""
    with open_engine(load_config(home)) as engine:
        return close_open_period(engine, label)


def close_open_period(engine: Engine, label: str) -> dict[str, Any]:
    """The same with an engine that is open already; the bills are issued on the day after the period."""
    period = period_of(period_number(label), engine.config.zone)
    plan = make_plan(engine.config, engine.log, period, period.end_on)
    apply_plan(engine.config, engine.log, plan)
    return plan


def open_log(home: Path) -> SqliteCommitLog:
    """The commit log, for reading; the caller closes it."""
    config = load_config(home)
    return SqliteCommitLog(config.commit_log, config.data, create=False)


def row_account(home: Path) -> Account:
    """Source records by (disposition, reason) over all files."""
    log = open_log(home)
    try:
        counts: Account = Counter()
        for entry in log.row_account():
            counts[str(entry.disposition), entry.reason.label] += entry.rows
    finally:
        log.close()
    return Counter({place: rows for place, rows in counts.items() if rows})


def quantity_account(home: Path, kind: int) -> Account:
    """Quantities of one kind of usage by (disposition, reason) over all files, in base units."""
    log = open_log(home)
    try:
        sums: Account = Counter()
        for entry in log.row_account():
            if entry.kind == kind:
                sums[str(entry.disposition), entry.reason.label] += entry.quantity
    finally:
        log.close()
    return Counter({place: quantity for place, quantity in sums.items() if quantity})


def sealed(home: Path, table: str, label: str | None = None) -> pl.DataFrame:
    """A sealed table of all closed periods, or of one; empty if nothing was sealed of it."""
    config, log = load_config(home), open_log(home)
    try:
        number = None if label is None else period_number(label)
        files = [file for file in log.live_files(table) if number is None or file.parts[0].period == number]
    finally:
        log.close()
    frames = [pl.DataFrame(pl.from_arrow(pq.read_table(config.data / file.name))) for file in files]
    return pl.concat(frames) if frames else pl.DataFrame()


def sealed_digests(home: Path) -> Mapping[str, str]:
    """One SHA-256 per sealed table over its rows in canonical order: equal for equal rows in any buckets and files."""
    digests = {}
    for table in SEALED_TABLES:
        frame = sealed(home, table)
        ordered = frame.sort(frame.columns) if frame.width else frame
        digests[table] = hashlib.sha256(ordered.write_csv().encode()).hexdigest()
    return digests


def audited(home: Path, *, replayed: str | None = None) -> list[Verdict]:
    """The deep audit, as `meterline reconcile` runs it; `replayed` names the only closed period to recompute."""
    log = open_log(home)
    try:
        return audit(load_config(home), log, deep=True, period=replayed)
    finally:
        log.close()


def broken_invariants(home: Path, *, replayed: str | None = None) -> list[str]:
    """Every fault of the deep audit and every invariant that it skipped, as text; empty if all ten hold."""
    verdicts = audited(home, replayed=replayed)
    faults = [str(fault) for verdict in verdicts for fault in verdict.faults]
    return faults + [f"{verdict.code} was skipped: {verdict.figure}" for verdict in verdicts if verdict.verdict != "PASS"]
