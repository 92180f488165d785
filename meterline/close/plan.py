"""A plan of a close: reads only, moves no money, and seals what apply must arrive at."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from meterline.close.fold import BucketFold, fold_bucket
from meterline.config import Config
from meterline.reference import Reference, open_reference, pinned_notes
from meterline.store.snapshot import Snapshot
from schemas.errors import BlockedError, ConfigurationError, Fault, StalePlanError
from schemas.money import amount_text
from schemas.periods import Period, period_of
from schemas.ports import CommitLog, RowCount
from schemas.reasons import Disposition
from schemas.zones import tzdata_version
from settlement.digests import digest_of
from settlement.frames import CARRIED, SERVICE_STATE
from settlement.output_tables import frame_of_table

PLAN_VERSION = 1
PASS, WARN, BLOCK = "PASS", "WARN", "BLOCK"
_REFUSED_SHOWN = 10
_PINNED_SCOPES = ("bucket", "period", "reference")


@dataclass
class CloseTotals:
    """Sums over all buckets, in exact integers."""

    bills: int = 0
    lines: int = 0
    records: int = 0
    rated_again: int = 0
    unpriced: int = 0
    refused: list[str] = field(default_factory=list)  # services that cannot be billed, with the element and the reason
    money: Counter[str] = field(default_factory=Counter)
    digests: dict[int, str] = field(default_factory=dict)

    def add(self, bucket: int, fold: BucketFold) -> None:
        settled = fold.settlement
        self.bills += settled.bills.height
        self.lines += settled.lines.height
        self.records += fold.calls.charges.height + fold.intervals.determinants.select("record_hi", "record_lo").unique().height
        self.rated_again += fold.calls.rated_again
        self.unpriced += fold.unpriced.height
        self.refused += fold.intervals.refused_services()
        for name in ("list_nano", "allowance_nano", "discount_nano", "net_nano"):
            self.money[name] += int(fold.usage_items[name].sum() or 0)
        for name in ("net_nano", "tax_nano", "rounding_nano", "total_nano", "carried_out_nano"):
            self.money[f"bills_{name}"] += int(settled.bills[name].sum() or 0)
        for name in ("debit_nano", "credit_nano"):
            self.money[name] += int(settled.postings[name].sum() or 0)
        self.digests[bucket] = bucket_digest(fold)

    @property
    def promise(self) -> str:
        """One hash over all bills, lines, charges and postings, bucket by bucket: equal for equal bucket counts."""
        text = "".join(f"{bucket}:{digest}\n" for bucket, digest in sorted(self.digests.items()))
        return hashlib.sha256(text.encode()).hexdigest()


def bucket_digest(fold: BucketFold) -> str:
    """One hash over everything that is sealed of a bucket."""
    settled = fold.settlement
    state = {"service_state": fold.intervals.service_state} if fold.intervals.service_state.height else {}
    return digest_of(
        state
        | {
            "bills": settled.bills,
            "lines": settled.lines,
            "postings": settled.postings,
            "carried": settled.carried,
            "charges": fold.charges,
            "service_charges": fold.service_charges,
            "charged_calls": fold.calls.charges.select(pl.all().exclude("unit")),
            "charged_days": fold.intervals.determinants,
        }
    )


def fold_period(
    config: Config, log: CommitLog, reference: Reference, period: Period, issue_on: date, *, as_of: int,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[tuple[int, BucketFold]]:  # fmt: skip
    """Fold bucket by bucket; each is independent of the others, so memory holds only a few at a time."""
    snapshot = Snapshot(log, config.data, as_of)
    snapshot.tombstones  # noqa: B018  loaded once, before threads share the snapshot
    for table in ("rated_calls", "interval_days"):
        snapshot.files(table)
    carried = carried_into(config, log, period, as_of=as_of)
    state = state_into(config, log, period, as_of=as_of)
    reference.supply_books(period.start_at, period.end_at)

    def fold(bucket: int) -> tuple[int, BucketFold]:
        folded = fold_bucket(
            snapshot, reference, period, bucket, zone=config.zone, tenant=config.tenant, issue_on=issue_on, carried=carried,
            service_state=state,
        )  # fmt: skip
        return bucket, folded

    with ThreadPoolExecutor(config.threads) as pool:
        for done, result in enumerate(pool.map(fold, range(config.buckets)), start=1):
            report(done, config.buckets)
            yield result


def carried_into(config: Config, log: CommitLog, period: Period, *, as_of: int) -> pl.DataFrame:
    """Rounding residue that the newest earlier sealed period hands on: [account_id, carried_nano]."""
    import pyarrow.parquet as pq

    files = [file for file in log.live_files("carried", as_of=as_of) if file.parts[0].period < period.number]
    newest = max((file.parts[0].period for file in files), default=None)
    frames = [frame_of_table(pq.read_table(config.data / file.name)) for file in files if file.parts[0].period == newest]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(CARRIED))


def state_into(config: Config, log: CommitLog, period: Period, *, as_of: int) -> pl.DataFrame:
    """What the services' tariffs look back at, as the newest earlier sealed period left it: `settlement.frames.SERVICE_STATE`."""
    import pyarrow.parquet as pq

    sealed = {name: log.live_files(name, as_of=as_of) for name in ("bills", "carried", "service_state")}
    earlier = [file.parts[0].period for files in sealed.values() for file in files if file.parts[0].period < period.number]
    newest = max(earlier, default=None)
    files = [file for file in sealed["service_state"] if file.parts[0].period == newest]
    frames = [frame_of_table(pq.read_table(config.data / file.name)).select(list(SERVICE_STATE)) for file in files]
    return pl.concat(frames) if frames else pl.DataFrame(schema=dict(SERVICE_STATE))


def make_plan(
    config: Config, log: CommitLog, period: Period, issue_on: date, report: Callable[[int, int], None] = lambda done, total: None
) -> dict[str, Any]:
    """The plan as a JSON tree, sealed. Raises BlockedError only if the period is closed already."""
    if log.period_states().get(period.number) == "closed":
        raise BlockedError(
            Fault(f"period {period.label}", "is closed already", next_step="see 'meterline bill list'", code="period_closed")
        )
    head, reference = log.head(), open_reference(config, log)
    pins = _pins(log, reference, head)
    totals = CloseTotals()
    for bucket, fold in fold_period(config, log, reference, period, issue_on, as_of=head, report=report):
        totals.add(bucket, fold)
    plan: dict[str, Any] = {
        "plan_version": PLAN_VERSION,
        "tenant": config.tenant,
        "period": period.label,
        "zone": config.zone,
        "issue_on": issue_on.isoformat(),
        "pins": pins,
        "checklist": _checklist(log, period, totals),
        "row_account": _period_account(log.row_account(), period),
        "totals": {
            "bills": totals.bills,
            "bill_lines": totals.lines,
            "billed_records": totals.records,
            **{name.removesuffix("_nano"): amount_text(value) for name, value in sorted(totals.money.items())},
        },
        "currency": config.currency,
        "rated_again": totals.rated_again,
        "promise": totals.promise,
    }
    plan["seal"] = seal_of(plan)
    return plan


def _pins(log: CommitLog, reference: Reference, head: int) -> dict[str, Any]:
    return {
        "commit": head,
        "chain_head": log.chain_head(),
        "reference_set": reference.set_id,
        "tariffs": {tariff.tariff_id: tariff.content_hash for tariff in reference.tariffs},
        "tzdata": tzdata_version(),
        "versions": {f"{scope} {number}": version for (scope, number), version in sorted(log.versions(_PINNED_SCOPES).items())},
    }


def _checklist(log: CommitLog, period: Period, totals: CloseTotals) -> list[dict[str, str]]:
    account, closed = log.row_account(), log.period_states()
    unfinished = [source.name for source in log.sources() if source.state in ("claimed", "landed")]
    billed = {e.period for e in account if 0 <= e.period < period.number and e.disposition == Disposition.BILLED and e.rows}
    earlier = sorted(billed - set(closed))
    later = sorted(number for number, state in closed.items() if state == "closed" and number > period.number)
    rejected = sum(e.rows for e in account if e.disposition == Disposition.REJECTED and e.period in (period.number, -1))
    balanced = totals.money["debit_nano"] == totals.money["credit_nano"]
    return [
        _check("sources read to their end", PASS if not unfinished else BLOCK, f"{len(unfinished)} unfinished",
               "meterline run --until-idle"),
        _check("earlier periods closed", PASS if not earlier else BLOCK, ", ".join(map(_label, earlier)) or "none open",
               f"meterline period close {_label(earlier[0])}" if earlier else ""),
        _check("later periods open", PASS if not later else BLOCK, ", ".join(map(_label, later)) or "none closed",
               "their bills took in no rounding from this one"),
        _check("every record has a price", PASS if not totals.unpriced else BLOCK, f"{totals.unpriced} without",
               "meterline tariff check"),
        *_refused_check(totals.refused),
        _check("suspense worked", PASS if not rejected else WARN, f"{rejected} rejected", "meterline suspense list"),
        _check("first pass as stored", PASS if not totals.rated_again else WARN, f"{totals.rated_again} rated again",
               "tariffs were changed after rating"),
        _check("trial balance zero", PASS if balanced else BLOCK, "debits = credits" if balanced else "unbalanced",
               "meterline reconcile"),
    ]  # fmt: skip


def _check(what: str, verdict: str, figure: str, next_step: str) -> dict[str, str]:
    return {"check": what, "verdict": verdict, "figure": figure, "next": next_step if verdict != PASS else ""}


def _refused_check(refused: list[str]) -> list[dict[str, str]]:
    """A check that names what cannot be billed; none where everything can."""
    more = len(refused) - _REFUSED_SHOWN
    named = "; ".join(sorted(refused)[:_REFUSED_SHOWN]) + (f"; and {more} more" if more > 0 else "")
    next_step = "load the readings or terms that are missing"
    return [_check("every service can be billed", BLOCK, named, next_step)] if refused else []


def _label(number: int) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def _period_account(rows: list[RowCount], period: Period) -> dict[str, int]:
    counts = Counter[str]()
    for entry in rows:
        if entry.period == period.number:
            counts[entry.disposition] += entry.rows
    return {"collected": sum(counts.values()), **{str(place): counts[place] for place in Disposition}}


def seal_of(plan: dict[str, Any]) -> str:
    """SHA-256 over everything in the plan but the seal itself."""
    body = {key: value for key, value in plan.items() if key != "seal"}
    return hashlib.sha256(json.dumps(body, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def read_plan(path: Path) -> dict[str, Any]:
    """A saved plan, its seal verified."""
    try:
        plan: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise ConfigurationError(Fault(str(path), "cannot be read as a plan", was=str(cause))) from cause
    if not isinstance(plan, dict) or plan.get("plan_version") != PLAN_VERSION or plan.get("seal") != seal_of(plan):
        raise ConfigurationError(
            Fault(
                str(path),
                "is not a sealed plan, or was changed after it was sealed",
                next_step="make a new one with 'meterline period plan'",
            )
        )
    return plan


def require_fresh(plan: dict[str, Any], config: Config, log: CommitLog) -> None:
    """Compare every pin; raises StalePlanError with the list of what moved."""
    pinned = plan["pins"]
    notes = pinned_notes(log)
    moved = []
    now = {f"{scope} {number}": version for (scope, number), version in sorted(log.versions(_PINNED_SCOPES).items())}
    for name in sorted({*now, *pinned["versions"]}):
        if now.get(name, 0) != pinned["versions"].get(name, 0):
            moved.append(
                Fault(
                    f"plan of {plan['period']}",
                    f"{name} has new commits",
                    str(now.get(name, 0)),
                    str(pinned["versions"].get(name, 0)),
                )
            )
    if notes is not None and notes["set"] != pinned["reference_set"]:
        moved.append(
            Fault(f"plan of {plan['period']}", "reference data were changed", notes["set"][:12], pinned["reference_set"][:12])
        )
    if tzdata_version() != pinned["tzdata"]:
        moved.append(Fault(f"plan of {plan['period']}", "the time-zone database was changed", tzdata_version(), pinned["tzdata"]))
    if plan["zone"] != config.zone or plan["tenant"] != config.tenant:
        moved.append(
            Fault(
                f"plan of {plan['period']}",
                "zone or tenant were changed",
                f"{config.tenant} {config.zone}",
                f"{plan['tenant']} {plan['zone']}",
            )
        )
    if moved:
        new = Fault("next", f"make a new plan: meterline period plan {plan['period']}", code="stale_plan")
        raise StalePlanError([*moved, new])


def planned_period(plan: dict[str, Any], config: Config) -> Period:
    from schemas.periods import period_number

    return period_of(period_number(plan["period"]), config.zone)
