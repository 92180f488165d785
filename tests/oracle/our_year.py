"""A year of bills by our kernels and elements: several services at once, month by month, with the state carried on."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import polars as pl

from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.compiled.demand_measures import demand_arrays
from rating.language.supply_terms import Export, ExportMethod, Supply
from rating.language.tariff import Tariff
from rating.utility.bill_input import DEMAND_SCHEMA, BilledMonth, Determinants, groups_frame, no_state
from rating.utility.determinants import channel_totals, supply_determinants, supply_rows
from rating.utility.meter_runs import MeterRuns, meter_runs
from rating.utility.net_energy import net_of
from rating.utility.utility_bill import bill_services
from schemas.periods import Period, period_of
from schemas.zones import instant_us

YEAR = 2018  # 1 January is a Monday, as in PySAM's year; no leap day
HOUR_US = 3_600_000_000
SPAN = (instant_us(datetime(YEAR - 1, 12, 1, tzinfo=UTC)), instant_us(datetime(YEAR + 1, 2, 1, tzinfo=UTC)))
Wh = np.ndarray  # [services, steps of the year]


@dataclass(frozen=True)
class OurYear:
    """Lines of all months (with `month`), and the demand that was measured."""

    lines: pl.DataFrame

    def monthly(self, service: int, *kinds: str, item: str | None = None) -> list[float]:
        """The sum of the lines of some kinds, in currency units, by month."""
        rows = self.lines.filter((pl.col("group") == service) & pl.col("kind").is_in(kinds))
        rows = rows if item is None else rows.filter(pl.col("item") == item)
        sums = dict(rows.group_by("month").agg(pl.col("amount_nano").sum()).iter_rows())
        return [int(sums.get(month, 0)) / 1e9 for month in range(12)]


def bill_year(tariff: Tariff, load: Wh, pv: Wh | None) -> OurYear:
    """Bill calendar months of UTC; loads in watt-hours for each step."""
    book = compile_book([tariff], span=SPAN)
    version = tariff.versions[0]
    credits = _credit_book(tariff, version.supply.export)
    state, found = no_state(), []
    for month in range(12):
        period = period_of(YEAR * 12 + month, "UTC")
        imported, exported = _month(book, load, period), _month(book, load * 0 if pv is None else pv, period)
        determinants = _determinants(book, credits, version.supply.export, imported, exported)
        groups = groups_frame(
            {"group": list(range(len(load))), "days": [period.days] * len(load), "from_at": [period.start_at] * len(load),
             "to_at": [period.end_at] * len(load)}
        )  # fmt: skip
        billed = bill_services(version, BilledMonth(period.number, period.days, 365), groups, determinants, state)
        assert billed.refusals.is_empty(), billed.refusals
        state = billed.state
        found.append(billed.lines.with_columns(month=pl.lit(month)))
    return OurYear(pl.concat(found))


def _month(book: TariffBook, values: Wh, period: Period) -> MeterRuns:
    services, steps = values.shape
    step_us = 365 * 24 * HOUR_US // steps
    start = instant_us(datetime(YEAR, 1, 1, tzinfo=UTC))
    first, last = (period.start_at - start) // step_us, (period.end_at - start) // step_us
    return meter_runs(
        book, group=np.arange(services), tariff_index=np.zeros(services), start_at=np.full(services, period.start_at),
        step_us=np.full(services, step_us), first_value=np.arange(services) * steps + first, count=np.full(services, last - first),
        values=values.ravel(), base_per_tick=1_000,
    )  # fmt: skip


def _credit_book(tariff: Tariff, rule: Export | None) -> TariffBook | None:
    """Credit prices by window, as a tariff of their own."""
    if rule is None or not rule.prices:
        return None
    version = dataclasses.replace(tariff.versions[0], energy=rule.prices, supply=Supply())
    return compile_book([dataclasses.replace(tariff, versions=(version,))], span=SPAN)


def _determinants(
    book: TariffBook, credits: TariffBook | None, rule: Export | None, imported: MeterRuns, exported: MeterRuns
) -> Determinants:
    method = rule.method if rule else None
    net_import, net_export = net_of(imported, exported)
    if method in (None, ExportMethod.NET_BILLING):
        imported, exported = net_import, net_export
    metered = imported if method is ExportMethod.BUY_ALL_SELL_ALL else net_import
    energy, _, refused = supply_determinants(book, imported)
    _, demand, _ = supply_determinants(book, metered, measures=demand_arrays(book))
    assert not refused.any()
    of_credit = credits if method is not ExportMethod.NET_METERING else book
    export = supply_determinants(of_credit, exported)[0] if of_credit is not None else energy.clear()
    by_price = ["group", "price_index"]
    sums = [frame.group_by(by_price, maintain_order=True).agg(pl.col("quantity").sum()) for frame in (energy, export)]
    totals = [_total(book, runs, role) for runs, role in ((imported, "import"), (exported, "export"))]
    out_of_force = pl.col("peak_milliw").is_null() & (pl.col("windows_missing") == 0)
    peaks = demand.with_columns(
        pl.col("windows_missing").cast(pl.Int32), peak=pl.when(out_of_force).then(0).otherwise("peak_milliw")
    )
    return Determinants(
        energy=sums[0],
        tiered=energy.select(*by_price, "tier", "quantity") if method is not ExportMethod.NET_METERING else None,
        export=sums[1],
        demand=peaks.select(DEMAND_SCHEMA.keys()),
        channels=pl.concat(totals if method else totals[:1]),
    )


def _total(book: TariffBook, runs: MeterRuns, role: str) -> pl.DataFrame:
    return channel_totals(runs, supply_rows(book, runs, with_energy=False), role).rename({"channel_role": "role"})
