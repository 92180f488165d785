"""Fixed lines: fees per month, day and year, installed or contracted capacity, area, and charges by meter size."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Fee
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import CapacityBasis, Proration
from rating.utility.bill_input import BilledMonth
from rating.utility.bill_lines import Label, lines_of, no_lines, price_of
from rating.utility.day_shares import day_share, share_text, use_factor
from rating.utility.exact import INT128, PPM, constant, times
from schemas.money import amount_text

_UNITS = {
    CapacityBasis.INSTALLED: ("installed_milliva", "kVA"),
    CapacityBasis.CONTRACT: ("contract_milliw", "kW"),
    CapacityBasis.AREA: ("area", "m2"),
}


def fixed_lines(version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, energy: pl.Series) -> pl.DataFrame:
    """Capacity, meter-size and fee lines of every group that has what they are charged for."""
    found = _capacity_lines(version, groups.with_columns(energy=energy), month)
    for place, charge in enumerate(version.supply.meter_size):
        for number, (size, nano) in enumerate(charge.sizes):
            rows = groups.filter(pl.col("meter_size") == size)
            days, of_days = day_share(rows, charge.prorate, month, paused=False)
            label = Label("fixed", 200 + place * 20 + number, charge.item, size, "", f"{amount_text(nano)} per month")
            found.append(_share_lines(version, label, rows, nano, days, of_days))
    found += [_fee_lines(version, groups, month, fee, 600 + place) for place, fee in enumerate(version.fees)]
    kept = [lines for lines in found if not lines.is_empty()]
    return pl.concat(kept) if kept else no_lines()


def _capacity_lines(version: TariffVersion, groups: pl.DataFrame, month: BilledMonth) -> list[pl.DataFrame]:
    found = []
    for place, price in enumerate(version.supply.capacity):
        column, unit = _UNITS[price.basis]
        rows = groups.filter(pl.col(column).is_not_null())
        if price.option:
            rows = rows.filter(pl.col("option") == price.option)
        days, of_days = day_share(rows, price.prorate, month)
        label = Label("fixed", place, price.item, "", unit, price_of(price.price_nano, price.per, unit))
        found.append(
            lines_of(
                label, rows["group"], factors=[rows[column], days, use_factor(rows, price.high_use)],
                scalar=Fraction(price.price_nano, price.per * PPM), divisors=[of_days], rounding=version.rounding,
                quantity=rows[column], explanation=share_text(label, rows[column], days, of_days),
            )
        )  # fmt: skip
    return found


def _share_lines(
    version: TariffVersion, label: Label, rows: pl.DataFrame, nano: int, days: pl.Series, of_days: pl.Series
) -> pl.DataFrame:
    return lines_of(
        label, rows["group"], factors=[days], scalar=Fraction(nano), divisors=[of_days], rounding=version.rounding,
        explanation=share_text(label, None, days, of_days),
    )  # fmt: skip


def _fee_lines(version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, fee: Fee, place: int) -> pl.DataFrame:
    """A fee per day times the days in force; per month prorated or once; per year by its days, or a twelfth a month."""
    label = Label("fixed", place, fee.name, "", "", f"{amount_text(fee.amount_nano)} per {fee.per}")
    days = groups["days"].cast(INT128)
    one = constant(days, 1)
    if fee.per == "day":
        quantity = times(days, 1_000_000)
        label = Label("fixed", place, fee.name, "", "days", label.price_text)
        return lines_of(
            label, groups["group"], factors=[days], scalar=Fraction(fee.amount_nano), rounding=version.rounding, quantity=quantity
        )
    if fee.per == "year" and fee.prorate:
        return _share_lines(version, label, groups, fee.amount_nano, days, times(one, month.year_days))
    rows = groups
    if not fee.prorate:
        rows = groups.filter(pl.col("is_first"))
    how = Proration.NONE if not fee.prorate else Proration.THIRTY if fee.thirtieths else Proration.DAYS
    share, of_days = day_share(rows, how, month, paused=False)
    return _share_lines(version, label, rows, fee.amount_nano, share, times(of_days, 12 if fee.per == "year" else 1))
