"""Bill metered usage without any set-up: a utility tariff, a frame of usage, the services' terms, and lines month by month."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from rating.changed_add_ons import changed_add_ons
from rating.language.shared_terms import ServiceKind
from rating.language.tariff import Tariff, TariffVersion
from rating.metered_usage import read_metered_usage
from rating.utility.bill_input import GROUP_SCHEMA, REFUSAL_SCHEMA, STATE_SCHEMA, BilledMonth
from rating.utility.bill_lines import LINE_SCHEMA
from rating.utility.measure import determinants_of
from rating.utility.utility_bill import bill_services
from schemas.errors import Fault, MeterlineError
from schemas.periods import Period, period_number, period_of
from schemas.zones import local_midnight_us

TERM_COLUMNS = tuple(name for name in GROUP_SCHEMA if name not in ("group", "from_at", "to_at", "days", "is_first", "is_last"))
TERMS_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "service": pl.String,
    "period": pl.String,  # YYYY-MM, or empty: every period without terms of its own
    "in_from_at": pl.Int64,  # moved in, microseconds UTC; null: before
    "in_to_at": pl.Int64,  # moved out
    **{name: GROUP_SCHEMA[name] for name in TERM_COLUMNS},
}
_Schema = dict[str, pl.DataType | type[pl.DataType]]
_KEYS: _Schema = {"service": pl.String, "period": pl.String, "version": pl.String}
BILLED_SCHEMA: _Schema = {**_KEYS, **{name: kind for name, kind in LINE_SCHEMA.items() if name != "group"}}
REFUSED_SCHEMA: _Schema = {**_KEYS, "element": pl.String, "reason": pl.String}
SERVICE_STATE: _Schema = {"service": pl.String, **{name: kind for name, kind in STATE_SCHEMA.items() if name != "group"}}


@dataclass(frozen=True)
class BilledUsage:
    """`lines` (BILLED_SCHEMA, by period, service and line), `refusals` of months without lines, `state` to carry on."""

    lines: pl.DataFrame
    refusals: pl.DataFrame
    state: pl.DataFrame

    def totals(self) -> pl.DataFrame:
        """[service, period, total_nano] of the months that were billed."""
        return self.lines.group_by("service", "period").agg(total_nano=pl.col("amount_nano").sum()).sort("service", "period")


def bill_usage(
    tariff: Tariff, usage: pl.DataFrame, periods: Sequence[str], terms: pl.DataFrame | None = None, *,
    state: pl.DataFrame | None = None, prices: Mapping[str, pl.DataFrame] | None = None,
    calorific: Mapping[str, Mapping[str, int]] | None = None, coincident_at: Sequence[int] = (),
) -> BilledUsage:  # fmt: skip
    """The bill lines of each service and month.

    Args:
        tariff: a utility tariff.
        usage: steps and register totals, see `read_metered_usage`; what starts outside the periods is left out.
        periods: YYYY-MM; billed in order of time, each with the state that the one before left.
        terms: `TERMS_SCHEMA`, at most one row for a service and period; absent columns are null.
        state: `SERVICE_STATE` that earlier months left: peaks, credits, running totals.
        prices: [start_at, end_at, price_nano] by the file that a dynamic price names.
        calorific: by the file that the tariff names: period (YYYY-MM) -> calorific value in 10**-9, for services without one.
        coincident_at: instants of the system's peak, microseconds UTC.
    Returns:
        Lines, refusals and state. A service that a part of a month refuses has no line in that month and keeps its state.
    Raises:
        MeterlineError: no utility tariff; usage that cannot be read; no version in force in a period.
    """
    if tariff.service is not ServiceKind.UTILITY:
        raise MeterlineError(
            Fault(f"tariff {tariff.tariff_id}", "not a tariff of metered supply", str(tariff.service), "utility")
        )
    gas = next((version.supply.gas for version in tariff.versions if version.supply.gas is not None), None)
    steps, totals = read_metered_usage(usage, register_ml=gas.volume_ml if gas is not None else 1_000_000)
    numbers = sorted({period_number(label) for label in periods})
    given = _terms(terms)
    services = sorted({*steps["service"], *totals["service"], *given["service"]})
    known = pl.DataFrame({"service": services}, schema={"service": pl.String}).with_row_index("group").cast({"group": pl.Int32})
    run = _Run(
        tariff, known, _by_group(steps, known), _by_group(totals, known), _by_group(given, known), prices or {}, calorific or {},
        coincident_at, len(numbers) == 1,
    )  # fmt: skip
    carried = pl.DataFrame(schema=STATE_SCHEMA) if state is None else _by_group(state, known).select(STATE_SCHEMA.keys())
    lines, refusals = [pl.DataFrame(schema=BILLED_SCHEMA)], [pl.DataFrame(schema=REFUSED_SCHEMA)]
    day_start = gas.day_start_us if gas is not None else 0
    for number in numbers:
        of_month, refused, carried = _bill_month(run, period_of(number, tariff.zone), day_start, carried)
        lines.append(of_month)
        refusals.append(refused)
    named = carried.join(known, on="group", how="left").select(SERVICE_STATE.keys())
    return BilledUsage(pl.concat(lines), pl.concat(refusals), named.sort("service", "topic", "name", "period"))


@dataclass(frozen=True)
class _Run:
    """What stays the same from month to month; frames by group, the number of a service."""

    tariff: Tariff
    services: pl.DataFrame
    steps: pl.DataFrame
    totals: pl.DataFrame
    terms: pl.DataFrame
    prices: Mapping[str, pl.DataFrame]
    calorific: Mapping[str, Mapping[str, int]]
    coincident_at: Sequence[int]
    one_period: bool


def _terms(terms: pl.DataFrame | None) -> pl.DataFrame:
    given = pl.DataFrame(schema=TERMS_SCHEMA) if terms is None else terms
    unknown = [name for name in given.columns if name not in TERMS_SCHEMA]
    if unknown:
        raise MeterlineError([Fault("terms", "unknown column", repr(name)) for name in unknown])
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in TERMS_SCHEMA.items() if name not in given.columns]
    return given.with_columns(missing).select(pl.col(name).cast(kind) for name, kind in TERMS_SCHEMA.items())


def _by_group(frame: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    return frame.join(known, on="service", how="inner", maintain_order="left").drop("service")


def _bill_month(
    run: _Run, period: Period, day_start: int, state: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """(lines, refusals, state) of a month: its versions one after the other, a service billed in all of them or in none."""
    start, end = period.start_at + day_start, period.end_at + day_start
    parts = [
        (version, max(version.effective_from_at, start), min(version.effective_to_at, end))
        for version in run.tariff.versions
        if version.effective_from_at < end and version.effective_to_at > start
    ]
    if not parts:
        raise MeterlineError(Fault(f"tariff {run.tariff.tariff_id}", "no version is in force", period.label))
    year = period.number // 12
    month = BilledMonth(period.number, period.days, (date(year + 1, 1, 1) - date(year, 1, 1)).days)
    rows = _services_of(run, period.label)
    spans = [_groups(run, rows, month, span, period, day_start) for span in ((low, high) for _, low, high in parts)]
    lines, refusals, carried = [pl.DataFrame(schema=BILLED_SCHEMA)], [pl.DataFrame(schema=REFUSED_SCHEMA)], state
    for place, ((version, low, high), groups) in enumerate(zip(parts, spans, strict=True)):
        before = pl.concat([one.select("group") for one in spans[:place]]) if place else groups.select("group").clear()
        after = pl.concat([one.select("group") for one in spans[place + 1 :]]) if place + 1 < len(spans) else before.clear()
        groups = groups.with_columns(
            is_first=~pl.col("group").is_in(before["group"].implode()), is_last=~pl.col("group").is_in(after["group"].implode())
        )
        billed, refused, carried = _bill_part(run, version, (low, high), month, period, groups, carried, len(parts) == 1)
        lines.append(billed)
        refusals.append(refused)
    refused = pl.concat(refusals)
    kept = pl.concat(lines).join(refused, on="service", how="anti", maintain_order="left")
    of_refused = run.services.join(refused, on="service", how="semi")["group"].implode()
    carried = pl.concat([carried.filter(~pl.col("group").is_in(of_refused)), state.filter(pl.col("group").is_in(of_refused))])
    return kept.sort("service", "line", maintain_order=True), refused, carried


def _services_of(run: _Run, label: str) -> pl.DataFrame:
    """The terms of every service for a period: its own, else those of all periods, else none."""
    own = run.terms.filter(pl.col("period") == label)
    rest = run.terms.filter(pl.col("period").fill_null("") == "").join(own, on="group", how="anti")
    rows = pl.concat([own, rest])
    return run.services.select("group").join(rows, on="group", how="left", maintain_order="left")


def _groups(
    run: _Run, rows: pl.DataFrame, month: BilledMonth, span: tuple[int, int], period: Period, day_start: int
) -> pl.DataFrame:
    """`GROUP_SCHEMA` of the services that are supplied in a part of the period; days are those that begin in it."""
    low = pl.max_horizontal(pl.lit(span[0], dtype=pl.Int64), pl.col("in_from_at"))
    high = pl.min_horizontal(pl.lit(span[1], dtype=pl.Int64), pl.col("in_to_at"))
    rows = rows.with_columns(from_at=low, to_at=high).filter(pl.col("from_at") < pl.col("to_at"))
    first = period.first_on.toordinal()
    days = [date.fromordinal(first + day) for day in range(month.days)]
    midnights = np.array([local_midnight_us(day, run.tariff.zone) + day_start for day in days], dtype=np.int64)
    begun = np.searchsorted(midnights, rows["to_at"].to_numpy(), side="left") - np.searchsorted(
        midnights, rows["from_at"].to_numpy(), side="left"
    )
    filled = rows.with_columns(
        pl.Series("days", begun.astype(np.int32)), pl.col("paused_days").fill_null(0), is_first=pl.lit(True), is_last=pl.lit(True)
    )
    return filled.select(pl.col(name).cast(kind) for name, kind in GROUP_SCHEMA.items())


def _bill_part(
    run: _Run, version: TariffVersion, span: tuple[int, int], month: BilledMonth, period: Period, groups: pl.DataFrame,
    state: pl.DataFrame, only: bool,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """One version's part of a month."""
    inside = pl.col("start_at").is_between(span[0], span[1] - 1)
    steps = run.steps.filter(inside).join(groups.select("group", "from_at", "to_at"), on="group", how="inner")
    outside = (pl.col("start_at") < pl.col("from_at")) | (pl.col("start_at") >= pl.col("to_at"))
    steps = steps.filter(~outside).drop("from_at", "to_at")
    of_period = (pl.col("period") == period.label) | ((pl.col("period") == "") & pl.lit(run.one_period))
    totals = run.totals.filter(of_period).drop("period").join(groups, on="group", how="semi")
    found = determinants_of(run.tariff, version, span, steps, totals, prices=run.prices, coincident_at=run.coincident_at)
    gas = version.supply.gas
    value = run.calorific.get(gas.calorific_file, {}).get(period.label) if gas is not None else None
    if value is not None:
        groups = groups.with_columns(pl.col("calorific_nano").fill_null(value))
    tiers = changed_add_ons(run.tariff, version, month)
    billed = bill_services(version, month, groups, found, state, add_on_tiers=tiers)
    refusals = billed.refusals
    if not only and not totals.is_empty():
        reason = "a register total cannot be split over versions of the tariff"
        split = totals.select("group", element=pl.lit("usage"), reason=pl.lit(reason)).unique()
        refusals = pl.concat([refusals, split.select(REFUSAL_SCHEMA.keys())])
    keys = {"period": pl.lit(period.label), "version": pl.lit(version.label)}
    lines, refused = (
        frame.join(run.services, on="group", how="left", maintain_order="left").with_columns(**keys)
        for frame in (billed.lines, refusals)
    )
    rest = state.join(groups, on="group", how="anti")
    return lines.select(BILLED_SCHEMA.keys()), refused.select(REFUSED_SCHEMA.keys()), pl.concat([billed.state, rest])
