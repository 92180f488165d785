"""The adapter to PySAM's Utilityrate5: a tariff of ours as its matrices, its monthly outputs as components of a bill.

Its quirks are matched here and nowhere else (reference: utility §5): the scope of tiers follows the metering option (so a tariff
for it says the same), schedules are by hour and weekday/weekend, an annual minimum ignores monthly top-ups.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np

from rating.language.supply_terms import Export, ExportMethod
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import DemandPrice, EnergyPrice, Pick, TierScope
from schemas.zones import instant_us
from tests.oracle.our_year import YEAR
from tests.reference.determinants_twin import price_at
from tests.reference.rating_twin import RatingTwin

NO_BOUND = 1e38
KILO = 1_000_000


@dataclass(frozen=True)
class PySamYear:
    """[12] dollars of each component, energy net of credits and of what a true-up pays."""

    energy: list[float]
    demand_flat: list[float]
    demand_window: list[float]
    fixed: list[float]
    minimum: list[float]
    bill: list[float]
    billing_demand: list[float]


def pysam_year(tariff: Tariff, load_wh: np.ndarray, pv_wh: np.ndarray | None) -> PySamYear:
    """One service's year; steps in watt-hours."""
    import PySAM.Utilityrate5

    steps_per_hour = len(load_wh) // 8760
    kilowatts = load_wh * steps_per_hour / 1000
    version = tariff.versions[0]
    model = PySAM.Utilityrate5.new()
    model.Lifetime.analysis_period, model.Lifetime.inflation_rate, model.Lifetime.system_use_lifetime_output = 1, 0, 0
    generated = np.zeros(len(load_wh)) if pv_wh is None else pv_wh * steps_per_hour / 1000
    model.SystemOutput.gen, model.SystemOutput.degradation = generated.tolist(), [0.0]
    model.Load.load, model.Load.load_escalation = kilowatts.tolist(), [0.0]
    rates = model.ElectricityRates
    rates.rate_escalation, rates.ur_en_ts_buy_rate, rates.ur_en_ts_sell_rate = [0.0], 0, 0
    _write_option(rates, version)
    _write_energy(rates, tariff, version)
    _write_demand(rates, tariff, version)
    rates.ur_monthly_fixed_charge = sum(fee.amount_nano for fee in version.fees) / 1e9
    least = {minimum.per: minimum.amount_nano / 1e9 for minimum in version.supply.minimums}
    rates.ur_monthly_min_charge, rates.ur_annual_min_charge = least.get("month", 0), least.get("year", 0)
    model.execute(0)
    out = model.Outputs

    def row(table: Any) -> list[float]:
        return [float(value) for value in table[1]]  # row 0 is before the first year

    energy, bill, paid = row(out.charge_w_sys_ec_ym), row(out.utility_bill_w_sys_ym), row(out.true_up_credits_ym)
    for month, amount in enumerate(paid):
        due = _payout(rates, out, month, amount)
        energy[month], bill[month] = energy[month] - due, bill[month] + amount - due
    return PySamYear(
        energy, row(out.charge_w_sys_dc_fixed_ym), row(out.charge_w_sys_dc_tou_ym),
        row(out.charge_w_sys_fixed_ym), row(out.charge_w_sys_minimum_ym), bill,
        row(out.billing_demand_w_sys_ym) if version.demand else [0.0] * 12,
    )  # fmt: skip


def _payout(rates: Any, out: Any, month: int, paid: float) -> float:
    """What a true-up pays, given what PySAM pays: for kWh it counts only what is left after netting over all periods, and of credits
    for the next month it pays out those that the month itself has earned."""
    if month != rates.ur_nm_credit_month or rates.ur_metering_option not in (0, 3):
        return paid
    table = getattr(out, f"surplus_w_sys_ec_{date(YEAR, month + 1, 1):%b}_tp".lower())
    if rates.ur_metering_option == 0:
        return float(table[-1][-1]) * float(rates.ur_nm_yearend_sell_rate)
    sold_at = {row[0]: row[5] for row in rates.ur_ec_tou_mat}
    return paid - sum(float(row[-1]) * sold_at[row[0]] for row in table[1:-1])


def _write_option(rates: Any, version: TariffVersion) -> None:
    """The metering option; without export it is the one whose tiers have the tariff's scope."""
    rule = version.supply.export
    rates.ur_nm_yearend_sell_rate = rates.ur_nm_credit_month = rates.ur_nm_credit_rollover = 0
    if rule is None:
        rates.ur_metering_option = 0 if version.supply.ladder.scope is TierScope.SHARED_PRORATED else 2
    elif rule.method is ExportMethod.NET_METERING:
        rates.ur_metering_option = 0 if rule.carry == "kwh" else 1
    elif rule.method is ExportMethod.NET_BILLING:
        rates.ur_metering_option = 3 if rule.next_month else 2
        rates.ur_nb_apply_credit_current_month = 0
    else:
        rates.ur_metering_option = 4
    if rule is not None and rule.true_up is not None:
        rates.ur_nm_credit_month = rules_month = rule.true_up.month - 1
        assert 0 <= rules_month < 12
        rates.ur_nm_yearend_sell_rate = rule.true_up.price_nano / 1e9 * KILO / rule.true_up.per


def _hours(month: int, is_weekend: bool) -> list[int]:
    """The instants of a day of the month that stands for all its weekdays or weekend days."""
    day = next(day for day in range(1, 8) if date(YEAR, month, day).isoweekday() == (6 if is_weekend else 3))
    return [instant_us(datetime(YEAR, month, day, hour, tzinfo=UTC)) for hour in range(24)]


def _price(tier_price_nano: int, per: int) -> float:
    return tier_price_nano / 1e9 * KILO / per


def _tier_rows(prices: EnergyPrice | DemandPrice) -> list[tuple[int, float, float]]:
    """(tier, upper bound in kWh or kW, price per kWh or kW)."""
    bounds = [tier.from_usage / KILO for tier in prices.tiers[1:]] + [NO_BOUND]
    return [(n + 1, bounds[n], _price(tier.price_nano, tier.per)) for n, tier in enumerate(prices.tiers)]


def _write_energy(rates: Any, tariff: Tariff, version: TariffVersion) -> None:
    """A period for each pair of (energy price, credit price) that occurs together."""
    credits = _credit_tariff(tariff, version.supply.export)
    periods: dict[tuple[int, int], int] = {}
    schedules = []
    for is_weekend in (False, True):
        schedule = []
        for month in range(1, 13):
            hours = []
            for at in _hours(month, is_weekend):
                own, credit = price_at(tariff, at), price_at(credits, at) if credits else None
                assert own is not None
                hours.append(periods.setdefault((own[1], credit[1] if credit else -1), len(periods) + 1))
            schedule.append(hours)
        schedules.append(schedule)
    rates.ur_ec_sched_weekday, rates.ur_ec_sched_weekend = schedules
    rows = []
    for (price, credit), period in periods.items():
        sold = credits.versions[0].energy[credit].tiers[0] if credits and credit >= 0 else None
        sell = _price(sold.price_nano, sold.per) if sold else 0.0
        rows += [[period, tier, bound, 0, buy, sell] for tier, bound, buy in _tier_rows(version.energy[price])]
    rates.ur_ec_tou_mat = rows


def _credit_tariff(tariff: Tariff, rule: Export | None) -> Tariff | None:
    import dataclasses

    if rule is None or not rule.prices:
        return None
    return dataclasses.replace(tariff, versions=(dataclasses.replace(tariff.versions[0], energy=rule.prices),))


def is_flat(version: TariffVersion, price: DemandPrice) -> bool:
    """Whether a demand price holds at all hours of the months that it holds in."""
    window = next((window for window in version.windows if window.name == price.window), None)
    return window is None or (window.weekdays is None and (window.start_us, window.end_us) == (0, 24 * 3_600_000_000))


def _write_demand(rates: Any, tariff: Tariff, version: TariffVersion) -> None:
    rates.ur_dc_enable = 1 if version.demand else 0
    if not version.demand:
        return
    flat: list[list[float]] = []
    in_months: set[int] = set()
    schedules = [[[1] * 24 for _ in range(12)] for _ in range(2)]
    rows: list[list[float]] = [[1, 1, NO_BOUND, 0.0]]
    for number, price in enumerate(version.demand):
        for month in range(12):
            held = [[_holds(tariff, version, price, at) for at in _hours(month + 1, weekend)] for weekend in (False, True)]
            if is_flat(version, price):
                if held[0][0]:
                    assert month not in in_months, "one flat price for a month"
                    in_months.add(month)
                    flat += [[month, *row] for row in _tier_rows(price)]
                continue
            for weekend in (0, 1):
                schedules[weekend][month] = [
                    number + 2 if holds else period
                    for holds, period in zip(held[weekend], schedules[weekend][month], strict=True)
                ]
        if not is_flat(version, price):
            rows += [[number + 2, *row] for row in _tier_rows(price)]
    flat += [[month, 1, NO_BOUND, 0.0] for month in range(12) if month not in in_months]
    rates.ur_dc_flat_mat, rates.ur_dc_tou_mat = sorted(flat), rows
    rates.ur_dc_sched_weekday, rates.ur_dc_sched_weekend = schedules
    rates.TOU_demand_single_peak = 1 if any(price.pick is Pick.PERIOD_OF_PEAK for price in version.demand) else 0
    ratchet = next((price.ratchet for price in version.demand if price.ratchet), None)
    rates.ur_enable_billing_demand = 1 if ratchet else 0
    if ratchet:
        rates.ur_billing_demand_minimum = ratchet.floor / KILO
        rates.ur_billing_demand_lookback_period = ratchet.months
        current = 1 if ratchet.include_current else 0
        rates.ur_billing_demand_lookback_percentages = [[ppm / 10_000, current] for ppm in ratchet.percent_ppm]
        rates.ur_dc_billing_demand_periods = [[row[0], 1] for row in rows if row[1] == 1]
        rates.ur_yearzero_usage_peaks = [0.0] * 12


def _holds(tariff: Tariff, version: TariffVersion, price: DemandPrice, at: int) -> bool:
    if price.window is None:
        return True
    window = next(window for window in version.windows if window.name == price.window)
    return RatingTwin(tariff).occurrence(window, at) is not None
