"""The ten invariants (I1-I10), in one place: pure functions over frames that say what is broken, by how much and where.

Tests, commits, the close and `meterline reconcile` share them. They return faults; `require` raises them, never asserts them.
Frames come from stored files and the commit log only.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from schemas.errors import ConservationError, Fault
from schemas.hashing import hex_id

NAMES = {
    "I1": "rows",
    "I2": "quantities",
    "I3": "money",
    "I4": "replay",
    "I5": "once",
    "I6": "chain",
    "I7": "closed is closed",
    "I8": "reader",
    "I9": "oracle",
    "I10": "liveness",
}
_PLACE = ["source_id", "period", "kind", "disposition", "reason"]
_SHOWN = 5


def require(faults: Iterable[Fault]) -> None:
    """Raise ConservationError if anything is broken."""
    found = list(faults)
    if found:
        raise ConservationError(found)


def _fault(code: str, where: str, what: str, was: object, must_be: object) -> Fault:
    return Fault(f"{code} {NAMES[code]}: {where}", what, str(was), str(must_be), code=code)


def rows_hold(collected: Mapping[int, int], account: pl.DataFrame, stored: pl.DataFrame) -> list[Fault]:
    """I1: per source, collected = sum over dispositions; the row account agrees with the stored rows in every place.

    Args: `collected` source_id -> source records (recounted from the raw file); `account` and `stored`
        [source_id, period, kind, disposition, reason, rows i64, quantity Int128].
    """
    return _places_agree("I1", "rows", collected, account, stored)


def commit_holds(where: str, collected: int, counted: int, stored: int, withdrawn: int) -> list[Fault]:
    """I1 at one commit: the records read are all counted, and each is a stored row (or the row that stands for its parts).

    Args: `collected` records of the batch; `counted` sum of its row account; `stored` rows that stand for a record; `withdrawn`
        rows of earlier commits that this one sets aside anew, which are stored but not collected.
    """
    faults = []
    if counted != collected:
        faults.append(_fault("I1", where, "the row account does not add up to what was read", counted, collected))
    if stored - withdrawn != collected:
        faults.append(_fault("I1", where, "the rows written are not the records read", stored - withdrawn, collected))
    return faults


def quantities_hold(account: pl.DataFrame, stored: pl.DataFrame) -> list[Fault]:
    """I2: the same in milliseconds, bytes, counts and milliwatt-hours. Frames as for `rows_hold`."""
    return _places_agree("I2", "quantity", None, account, stored)


def _places_agree(
    code: str, column: str, collected: Mapping[int, int] | None, account: pl.DataFrame, stored: pl.DataFrame
) -> list[Fault]:
    faults = []
    both = (
        account.group_by(_PLACE).agg(pl.col(column).sum().alias("counted"))
        .join(stored.group_by(_PLACE).agg(pl.col(column).sum().alias("found")), on=_PLACE, how="full", coalesce=True)
        .with_columns(pl.col("counted", "found").fill_null(0))
        .sort(_PLACE)
    )  # fmt: skip
    for row in both.filter(pl.col("counted") != pl.col("found")).head(_SHOWN).iter_rows(named=True):
        where = f"source {row['source_id']}, period {row['period']}, {row['disposition']} (reason {row['reason']})"
        faults.append(_fault(code, where, f"{column} stored differ from the row account", row["found"], row["counted"]))
    for row in both.filter(pl.col("counted") < 0).head(_SHOWN).iter_rows(named=True):
        faults.append(_fault(code, f"source {row['source_id']}", "a negative count", row["counted"], "0 or more"))
    if collected is not None:
        totals = dict(account.group_by("source_id").agg(pl.col("rows").sum()).iter_rows())
        for source_id, rows in collected.items():
            if totals.get(source_id, 0) != rows:
                faults.append(
                    _fault(
                        code, f"source {source_id}", "records do not add up to what was collected", totals.get(source_id, 0), rows
                    )
                )
    return faults


def money_holds(sums: Mapping[str, int]) -> list[Fault]:
    """I3, in nano-units and without tolerance.

    Args: `rated` (list price of all charges), `allowance`, `discount`, `net` (charges), `fees`, `service` (other charges of
        services), `tax`, `lines_exact`, `lines_rounded`, `bills`, `carried_in`, `carried_out`, `debits`, `credits`, `receivable`.
    """
    s = sums
    laws = [
        ("charges", "rated - allowances - discounts", s["rated"] - s["allowance"] - s["discount"], s["net"]),
        ("lines", "charges + fees + service charges + tax", s["net"] + s["fees"] + s["service"] + s["tax"], s["lines_exact"]),
        ("rounding", "carried in + exact - rounded", s["carried_in"] + s["lines_exact"] - s["lines_rounded"], s["carried_out"]),
        ("bills", "sum of rounded lines", s["lines_rounded"], s["bills"]),
        ("journal", "debits", s["debits"], s["credits"]),
        ("receivable", "postings to receivables", s["receivable"], s["bills"]),
    ]
    return [_fault("I3", where, f"{what} differ", was, must_be) for where, what, was, must_be in laws if was != must_be]


def replay_holds(digest: str, promised: str) -> list[Fault]:
    """I4: recomputing from pinned inputs gives the same bytes."""
    return [] if digest == promised else [_fault("I4", "bills", "recomputed bills differ", digest, promised)]


def once_holds(billed: pl.DataFrame, conflicts: pl.DataFrame, copies: pl.DataFrame) -> list[Fault]:
    """I5: a record id is billed at most once, never beside a conflict, and a copy has the content of the version it copies.

    Args: `billed` [record_hi, record_lo, content_hash, start_at] (a record may be billed in parts that start at different
        instants); `conflicts` [record_hi, record_lo, content_hash]; `copies` the same of the duplicates, plus their versions'
        `contents` (list of the content hashes held under the id).
    """
    faults = []
    key = ["record_hi", "record_lo"]
    twice = pl.concat(
        [
            billed.group_by(*key, "start_at").agg(len=pl.len()).filter(pl.col("len") > 1).drop("start_at"),
            billed.group_by(key).agg(len=pl.col("content_hash").n_unique()).filter(pl.col("len") > 1),
        ]
    )
    for row in twice.head(_SHOWN).iter_rows(named=True):
        faults.append(_fault("I5", hex_id(row["record_hi"], row["record_lo"]), "billed more than once", row["len"], 1))
    for row in billed.join(conflicts, on=key, how="semi").head(_SHOWN).iter_rows(named=True):
        faults.append(
            _fault("I5", hex_id(row["record_hi"], row["record_lo"]), "billed although in conflict", "billed", "suspense")
        )
    strangers = copies.filter(~pl.col("contents").list.contains(pl.col("content_hash")))
    for row in strangers.head(_SHOWN).iter_rows(named=True):
        faults.append(
            _fault(
                "I5",
                hex_id(row["record_hi"], row["record_lo"]),
                "counted as a copy, but no version has its content",
                "duplicate",
                "conflict",
            )
        )
    return faults


def chain_holds(chain: Sequence[tuple[int, str, str]], head: str | None = None) -> list[Fault]:
    """I6: every link is the hash of its predecessor and its body, without a gap; `head` is what a report signed, if any."""
    faults, previous = [], ""
    for place, (seq, body, link) in enumerate(chain, start=1):
        if seq != place:
            return [_fault("I6", f"commit {seq}", "a commit is missing before it", seq, place)]
        expected = hashlib.sha256((previous + body).encode()).hexdigest()
        if link != expected:
            faults.append(_fault("I6", f"commit {seq}", "link is not the hash of what it covers", link[:16], expected[:16]))
        previous = link
    if head is not None and head not in {link for _, _, link in chain}:
        faults.append(_fault("I6", "head", "the signed head is not in the chain", head[:16], "a link of the chain"))
    return faults


def files_match_chain(chain: Sequence[tuple[int, str, str]], live: Iterable[str]) -> list[Fault]:
    """I6: every live file is named by a commit of the chain."""
    named = {entry[0] for _, body, _ in chain for entry in json.loads(body)["files"]}
    return [
        _fault("I6", name, "live, but no commit of the chain names it", "unnamed", "named") for name in sorted(set(live) - named)
    ]


def closed_holds(billed_by_commit: Sequence[tuple[int, int, int]], closed_at: Mapping[int, int]) -> list[Fault]:
    """I7: after the commit that closed a period nothing in it changed. `billed_by_commit` [(seq, period, rows)]."""
    late = [(seq, period, rows) for seq, period, rows in billed_by_commit if seq > closed_at.get(period, seq) and rows]
    return [
        _fault("I7", f"commit {seq}", f"changes period {period} after its close", f"{rows} rows", "none")
        for seq, period, rows in late
    ]


def files_hold(live: Mapping[str, tuple[int, str]], found: Mapping[str, tuple[int, str]]) -> list[Fault]:
    """I8: every live file is there, whole. Both: name -> (size, SHA-256); an empty hash was not checked."""
    faults = []
    for name, (size, digest) in live.items():
        seen = found.get(name)
        if seen is None:
            faults.append(_fault("I8", name, "a live file is missing", "missing", "there"))
        elif seen[0] != size or (digest and seen[1] and seen[1] != digest):
            faults.append(
                _fault(
                    "I8",
                    name,
                    "a live file is not what was committed",
                    f"{seen[0]} bytes {seen[1][:12]}",
                    f"{size} bytes {digest[:12]}",
                )
            )
    return faults


def oracle_holds(charges: pl.DataFrame) -> list[Fault]:
    """I9: the line's charge equals the independent reference. `charges` [record, charge_nano, oracle_nano]."""
    wrong = charges.filter(pl.col("charge_nano") != pl.col("oracle_nano")).head(_SHOWN)
    return [
        _fault("I9", str(row["record"]), "charge differs from the reference", row["charge_nano"], row["oracle_nano"])
        for row in wrong.iter_rows(named=True)
    ]


def liveness_holds(unfinished: Sequence[str]) -> list[Fault]:
    """I10: once input has stopped, nothing is left half read."""
    return [_fault("I10", name, "not read to its end", "unfinished", "done or refused") for name in list(unfinished)[:_SHOWN]]
