"""The audit behind `meterline reconcile`: gathers what the invariants compare, from stored files and the commit log only."""

from __future__ import annotations

import mmap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from ingest.zip_member import is_zip, open_single_member
from meterline.config import Config
from meterline.pipeline.calendar import Calendar
from meterline.reference import open_reference, pinned_notes
from meterline.runtime.drops import sha256_of_file
from meterline.store.snapshot import Snapshot
from schemas import invariants
from schemas.errors import Fault
from schemas.periods import period_number, period_of
from schemas.ports import CommitLog, Source
from schemas.reasons import Disposition, Reason

_ACCOUNT = {"source_id": pl.Int64, "period": pl.Int64, "kind": pl.Int64, "disposition": pl.String, "reason": pl.Int64,
            "rows": pl.Int64, "quantity": pl.Int128}  # fmt: skip
_TABLES = ("rated_calls", "interval_days", "set_aside", "tombstones")
_SEALED = (
    "bills", "bill_lines", "charges", "service_charges", "postings", "carried", "service_state", "charged_calls", "charged_days",
)  # fmt: skip


@dataclass(frozen=True)
class Verdict:
    """One invariant's outcome. `verdict` is PASS, or SKIP with the reason in `figure`."""

    code: str
    figure: str
    faults: list[Fault]
    seconds: float
    verdict: str = "PASS"

    @property
    def name(self) -> str:
        return invariants.NAMES[self.code]


def audit(
    config: Config, log: CommitLog, *, deep: bool, period: str | None = None, report: Callable[[str], None] = lambda text: None
) -> list[Verdict]:
    """Check I1-I10. `deep` recounts raw files, hashes every live file and recomputes closed periods."""
    snapshot = Snapshot.at_head(log, config.data)
    checks: list[Callable[[], tuple[str, list[Fault], str]]] = [
        lambda: ("I1", *_rows(config, log, snapshot, deep)),
        lambda: ("I2", *_quantities(log, snapshot)),
        lambda: ("I3", *_money(config, log, snapshot)),
        lambda: ("I4", *(_replay(config, log, period) if deep else ([], "not recomputed: --fast"))),
        lambda: ("I5", *_once(snapshot)),
        lambda: ("I6", *_chain(log, snapshot)),
        lambda: ("I7", *_closed(log)),
        lambda: ("I8", *_files(config, log, snapshot, deep)),
        lambda: ("I9", *_oracle(config, log, snapshot)),
        lambda: ("I10", *_liveness(log)),
    ]
    results = []
    for check in checks:
        started = time.perf_counter()
        code, faults, figure = check()
        skipped = figure.startswith("not ")
        results.append(Verdict(code, figure, faults, time.perf_counter() - started, "SKIP" if skipped else "PASS"))
        report(f"{code} {'FAIL' if faults else 'done'}: {figure}")
    return results


def account_frame(log: CommitLog) -> pl.DataFrame:
    """The row account of all commits, summed per place."""
    rows = [(r.source_id, r.period, r.kind, str(r.disposition), int(r.reason), r.rows, r.quantity) for r in log.row_account()]
    return pl.DataFrame(rows, schema=_ACCOUNT, orient="row")


def stored_frame(snapshot: Snapshot, calendar: Calendar) -> pl.DataFrame:
    """The same, counted anew from live stored rows; memory is that of one file at a time."""
    counts = [pl.DataFrame(schema=_ACCOUNT)]
    for table in ("rated_calls", "interval_days"):
        parts = ["counted"] if table == "interval_days" else []
        for _, rows in snapshot.pieces(table, columns=["source_id", "kind", "quantity", "start_at", *parts]):
            periods = calendar.periods(rows["start_at"].cast(pa.int64()).to_numpy())
            frame = pl.DataFrame(
                {
                    "source_id": rows["source_id"].to_numpy(),
                    "kind": rows["kind"].to_numpy(),
                    "quantity": rows["quantity"].to_numpy(),
                    "period": periods,
                    "counted": rows["counted"].to_numpy() if parts else np.ones(rows.num_rows, np.uint8),
                }
            )
            counts.append(_counted(frame.with_columns(disposition=pl.lit(str(Disposition.BILLED)), reason=pl.lit(0))))
    names = ["source_id", "kind", "quantity", "period", "disposition", "reason", "counted"]
    for _, rows in snapshot.pieces("set_aside", columns=names):
        frame = pl.DataFrame({name: rows[name].to_numpy(zero_copy_only=False) for name in names if name != "disposition"})
        counts.append(_counted(frame.with_columns(disposition=pl.Series(rows["disposition"].to_pylist(), dtype=pl.String))))
    return pl.concat(counts)


def _counted(frame: pl.DataFrame) -> pl.DataFrame:
    place = ["source_id", "period", "kind", "disposition", "reason"]
    counted = (
        frame.with_columns(pl.min_horizontal(pl.col("kind").cast(pl.Int64), pl.lit(7)).alias("kind"))
        .group_by(place)
        .agg(rows=pl.col("counted").cast(pl.Int64).sum(), quantity=pl.col("quantity").cast(pl.Int128).sum())
    )
    return counted.select(pl.col(name).cast(dtype) for name, dtype in _ACCOUNT.items())


def _rows(config: Config, log: CommitLog, snapshot: Snapshot, deep: bool) -> tuple[list[Fault], str]:
    account = account_frame(log)
    read = [source for source in log.sources() if source.state == "done"]
    collected = (
        recounted(config, log, read) if deep else dict(account.group_by("source_id").agg(pl.col("rows").sum()).iter_rows())
    )
    stored = stored_frame(snapshot, Calendar.of(config.zone, log))
    faults = invariants.rows_hold(collected, account, stored)
    return faults, f"{sum(collected.values()):,} records of {len(read)} files".replace(",", " ")


def _quantities(log: CommitLog, snapshot: Snapshot) -> tuple[list[Fault], str]:
    zone = log.notes("reference")[-1][1]["zone"]
    account = account_frame(log)
    return invariants.quantities_hold(account, stored_frame(snapshot, Calendar.of(zone, log))), f"{account.height} places"


def recounted(config: Config, log: CommitLog, sources: list[Source]) -> dict[int, int]:
    """Source records of each file, counted from its raw bytes by other means than the readers': line ends and record marks."""
    pinned = pinned_notes(log)
    layouts = config.data / "reference" / pinned["set"] / "layouts" if pinned else config.home
    drops = {drop.name: drop for drop in config.drops}
    counts = {}
    for source in sources:
        path = config.landed / source.sha256[:2] / source.sha256
        layout = drops[source.drop].layout if source.drop in drops else None
        if layout is not None:
            counts[source.source_id] = count_call_lines(path, layouts / layout.name)
        elif source.drop in drops:
            raw = path.read_bytes()
            text = open_single_member(raw, source.name)[1] if is_zip(raw) else raw
            counts[source.source_id] = sum(line.startswith(b"300,") for line in text.splitlines())
    return counts


def count_call_lines(path: Path, layout_path: Path) -> int:
    """Lines that are not empty, less the header lines of the layout."""
    from ingest.call_layouts import load_call_layout

    if path.stat().st_size == 0:
        return 0
    with path.open("rb") as content, mmap.mmap(content.fileno(), 0, access=mmap.ACCESS_READ) as text:
        octets = np.frombuffer(text, np.uint8)
        count = _count_lines(octets)
        del octets
    return max(count - load_call_layout(layout_path).header_lines, 0)


def _count_lines(octets: npt.NDArray[np.uint8]) -> int:
    count, at_start, size = 0, True, 1 << 24
    for first in range(0, len(octets), size):
        chunk = octets[first : first + size]
        ends = chunk == 10
        starts = np.concatenate([[at_start], ends[:-1]])
        count += int((starts & (chunk != 10) & (chunk != 13)).sum())
        at_start = bool(ends[-1])
    return count


def _money(config: Config, log: CommitLog, snapshot: Snapshot) -> tuple[list[Fault], str]:
    """Sums of the sealed tables of every closed period, law by law."""
    import pyarrow.parquet as pq

    faults, periods = [], sorted(log.period_commits())
    for number in periods:
        sums = dict.fromkeys(
            (
                "rated",
                "allowance",
                "discount",
                "net",
                "fees",
                "service",
                "tax",
                "lines_exact",
                "lines_rounded",
                "bills",
                "carried_in",
                "carried_out",
                "debits",
                "credits",
                "receivable",
            ),
            0,
        )
        frames = {}
        for name in ("charges", "service_charges", "bill_lines", "bills", "postings"):
            files = [f for f in log.live_files(name) if f.parts[0].period == number]
            frames[name] = [pl.from_arrow(pq.read_table(config.data / file.name)) for file in files]
        for frame in frames["charges"]:
            for key, column in (("rated", "list"), ("allowance", "allowance"), ("discount", "discount"), ("net", "net")):
                sums[key] += _nano_sum(frame, column)
        for frame in frames["service_charges"]:
            assert isinstance(frame, pl.DataFrame)
            sums["service"] += _nano_sum(frame.filter(pl.col("kind") != "fee"), "exact")
        for frame in frames["bill_lines"]:
            assert isinstance(frame, pl.DataFrame)
            sums["lines_exact"] += _nano_sum(frame, "exact")
            sums["lines_rounded"] += _nano_sum(frame, "amount")
            sums["fees"] += _nano_sum(frame.filter(pl.col("kind") == "fee"), "exact")
            sums["tax"] += _nano_sum(frame.filter(pl.col("kind") == "tax"), "exact")
        for frame in frames["bills"]:
            for key, column in (("bills", "total"), ("carried_in", "carried_in"), ("carried_out", "carried_out")):
                sums[key] += _nano_sum(frame, column)
        for frame in frames["postings"]:
            assert isinstance(frame, pl.DataFrame)
            sums["debits"] += _nano_sum(frame, "debit")
            sums["credits"] += _nano_sum(frame, "credit")
            receivable = frame.filter(pl.col("ledger_account") == "receivable")
            sums["receivable"] += _nano_sum(receivable, "debit") - _nano_sum(receivable, "credit")
        faults += invariants.money_holds(sums)
    return faults, f"{len(periods)} closed periods"


def _nano_sum(frame: object, column: str) -> int:
    assert isinstance(frame, pl.DataFrame)
    return int(Fraction(frame[column].sum() or 0) * 1_000_000_000)


def _replay(config: Config, log: CommitLog, period: str | None) -> tuple[list[Fault], str]:
    """Recompute closed periods from their pins."""
    from meterline.close.plan import CloseTotals, fold_period

    faults, done = [], 0
    loads = log.notes("reference")
    for _, notes in log.notes("close"):
        if period is not None and notes["period"] != period:
            continue
        load = next(load for _, load in reversed(loads) if load["set"] == notes["reference_set"])
        reference = open_reference(config, log, load)
        target = period_of(period_number(notes["period"]), config.zone)
        totals = CloseTotals()
        issued = date.fromisoformat(notes["issue_on"])
        for bucket, fold in fold_period(config, log, reference, target, issued, as_of=notes["pinned_commit"]):
            totals.add(bucket, fold)
        faults += invariants.replay_holds(totals.promise, notes["promise"])
        done += 1
    return faults, f"{done} closed periods recomputed"


def _once(snapshot: Snapshot) -> tuple[list[Fault], str]:
    key = ["record_hi", "record_lo", "content_hash"]
    billed = pl.concat([_keys(snapshot, table) for table in ("rated_calls", "interval_days")])
    aside = snapshot.read("set_aside", columns=[*key, "disposition", "reason", "period"])
    frame = pl.DataFrame(pl.from_arrow(aside)).filter(pl.col("period") >= 0)
    conflicts = frame.filter(pl.col("reason") == int(Reason.CONFLICT)).select(key)
    copies = frame.filter(pl.col("disposition") == str(Disposition.DUPLICATE)).select(key)
    versions = frame.filter(pl.col("disposition") != str(Disposition.DUPLICATE)).select(key)
    contested = copies.select(key[:2]).unique()
    held = pl.concat(
        [billed.select(key).join(contested, on=key[:2], how="semi"), versions.join(contested, on=key[:2], how="semi")]
    )
    contents = held.group_by(key[:2]).agg(contents=pl.col("content_hash"))
    checked = copies.join(contents, on=key[:2], how="left").with_columns(pl.col("contents").fill_null([]))
    return invariants.once_holds(
        billed, conflicts, checked
    ), f"{billed.height} billed rows, {copies.height} copies, {conflicts.height} in conflict"


def _keys(snapshot: Snapshot, table: str) -> pl.DataFrame:
    rows = snapshot.read(table, columns=["record_hi", "record_lo", "content_hash", "start_at"])
    return pl.DataFrame(
        {
            name: rows[name].cast(pa.int64()).to_numpy() if name == "start_at" else rows[name].to_numpy()
            for name in rows.column_names
        }
    )


def _chain(log: CommitLog, snapshot: Snapshot) -> tuple[list[Fault], str]:
    chain = log.chain()
    live = [file.name for table in (*_TABLES, *_SEALED) for file in snapshot.files(table)]
    faults = invariants.chain_holds(chain, log.chain_head() or None)
    return faults + invariants.files_match_chain(chain, live), f"{len(chain)} commits"


def _closed(log: CommitLog) -> tuple[list[Fault], str]:
    return invariants.closed_holds(log.billed_by_commit(), log.period_commits()), f"{len(log.period_commits())} closed periods"


def _files(config: Config, log: CommitLog, snapshot: Snapshot, deep: bool) -> tuple[list[Fault], str]:
    import json

    stated = {entry[0]: (entry[3], entry[2]) for _, body, _ in log.chain() for entry in json.loads(body)["files"]}
    live = {file.name: stated[file.name] for table in (*_TABLES, *_SEALED) for file in snapshot.files(table)}
    found = dict(_seen_files(config.data, live, deep))
    return invariants.files_hold(live, found), f"{len(live)} live files" + ("" if deep else ", sizes only")


def _seen_files(folder: Path, names: dict[str, tuple[int, str]], deep: bool) -> Iterator[tuple[str, tuple[int, str]]]:
    for name in names:
        path = folder / name
        if path.is_file():
            yield name, (path.stat().st_size, sha256_of_file(path) if deep else "")


def _oracle(config: Config, log: CommitLog, snapshot: Snapshot) -> tuple[list[Fault], str]:
    """A sample of rated calls against the segment-by-segment explanation, summed as exact fractions."""
    from meterline.runtime.oracle import sampled_charges

    charges = sampled_charges(open_reference(config, log), snapshot)
    return invariants.oracle_holds(charges), f"{charges.height} sampled charges"


def _liveness(log: CommitLog) -> tuple[list[Fault], str]:
    unfinished = [source.name for source in log.sources() if source.state in ("claimed", "landed")]
    return invariants.liveness_holds(unfinished), f"{len(unfinished)} sources unfinished"
