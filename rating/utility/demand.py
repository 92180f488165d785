"""Demand lines: the billed kW of each demand price, then its price, incremental by tier (reference: utility §4)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import polars as pl

from rating.language.shared_terms import Tier
from rating.language.tariff import TariffVersion
from rating.language.utility_terms import Contract, DemandPrice, Pick
from rating.utility.bill_input import BilledMonth, by_group, no_state
from rating.utility.bill_lines import Label, lines_of, no_lines, number_text, price_of
from rating.utility.day_shares import day_share, use_factor
from rating.utility.energy import tier_parts
from rating.utility.exact import INT128, PPM, constant, rounded_products, times
from rating.utility.ratchet import mean_over_months, ratcheted

_FACTOR = 10**9


@dataclass(frozen=True)
class BilledDemand:
    """[group, measured, billed, over, how] of one demand price: `billed / over` milli-units are charged."""

    price: DemandPrice
    rows: pl.DataFrame


def billed_demands(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, demand: pl.DataFrame, state: pl.DataFrame
) -> list[BilledDemand]:
    """The billed demand of every price, for the services that have its option and whose peak it is."""
    measured = [_measured(price, demand.filter(pl.col("demand_index") == index)) for index, price in enumerate(version.demand)]
    best = _months_peak(version, measured)
    found = []
    for index, price in enumerate(version.demand):
        rows = groups.join(measured[index], on="group", how="inner", maintain_order="left")
        if price.option:
            rows = rows.filter(pl.col("option") == price.option)
        if price.pick is Pick.PERIOD_OF_PEAK:
            rows = rows.join(best.filter(pl.col("best_index") == index), on="group", how="semi", maintain_order="left")
        if not rows.is_empty():
            found.append(BilledDemand(price, _billed(price, rows, month, state)))
    return found


def _measured(price: DemandPrice, demand: pl.DataFrame) -> pl.DataFrame:
    """[group, total, count]: the highest demand, or the sum of the `count` highest that there are."""
    most = price.count if price.pick is Pick.MEAN_OF_HIGHEST else 1
    top = demand.filter(pl.col("rank") <= most)
    return top.group_by("group", maintain_order=True).agg(
        total=pl.col("peak").cast(INT128).sum(),
        count=pl.len().cast(INT128),
        peak_at=pl.col("peak_at").first(),
        windows_missing=pl.col("windows_missing").max(),
    )


def _months_peak(version: TariffVersion, measured: list[pl.DataFrame]) -> pl.DataFrame:
    """[group, best_index]: which of the prices that take turns holds the month's peak; the first of equal ones."""
    turns = [
        rows.with_columns(best_index=pl.lit(index, dtype=pl.Int32))
        for index, (price, rows) in enumerate(zip(version.demand, measured, strict=True))
        if price.pick is Pick.PERIOD_OF_PEAK
    ]
    if not turns:
        return pl.DataFrame(schema={"group": pl.Int32, "best_index": pl.Int32})
    ordered = pl.concat(turns).sort("group", "total", "best_index", descending=[False, True, False])
    return ordered.unique("group", keep="first", maintain_order=True).select("group", "best_index")


def _billed(price: DemandPrice, rows: pl.DataFrame, month: BilledMonth, state: pl.DataFrame) -> pl.DataFrame:
    measured = rounded_products([rows["total"]], divisors=[rows["count"]])
    history = state.filter((pl.col("topic") == "peak") & (pl.col("name") == price.item)).select("group", "period", "value")
    billed, over = rows["total"], rows["count"]
    how = ""
    if price.mean_months > 1:
        billed, over = mean_over_months(rows, measured, history, price.mean_months, price.minimum, month.number)
        how = "mean of months"
    else:
        least = pl.lit(price.minimum, dtype=INT128)
        raised = rows.select(pl.max_horizontal(pl.col("total"), least * pl.col("count"))).to_series()
        billed = raised
    if price.ratchet is not None:
        whole = rounded_products([billed], divisors=[over])
        billed, over = ratcheted(rows, whole, history, price.ratchet, month.number), constant(rows["count"], 1)
        how = "ratchet"
    if price.rounding is not None:
        exact = pl.DataFrame({"billed": billed, "over": over})
        stepped = rounded_products([exact["billed"]], Fraction(1, price.rounding.step), [exact["over"]], price.rounding.mode)
        billed, over = times(stepped, price.rounding.step), constant(rows["count"], 1)
    return rows.select(
        *rows.columns, measured=measured, billed=billed.cast(INT128), over=over.cast(INT128), how=pl.lit(how)
    )  # fmt: skip


def billing_milliw(groups: pl.DataFrame, demands: list[BilledDemand], item: str | None = None) -> pl.Series:
    """The highest billed demand of each group (of one item where named), to the nearest milli-unit; null for none."""
    parts = [
        pl.DataFrame({"group": one.rows["group"], "billed": rounded_products([one.rows["billed"]], divisors=[one.rows["over"]])})
        for one in demands
        if item is None or one.price.item == item
    ]
    if not parts:
        return pl.Series("billed", [None] * groups.height, dtype=INT128)
    return by_group(groups, pl.concat(parts).group_by("group").agg(pl.col("billed").max()), "billed")


def demand_lines(
    version: TariffVersion, demands: list[BilledDemand], month: BilledMonth, energy_of: pl.DataFrame
) -> pl.DataFrame:
    """Lines of all demand prices; `energy_of` is [group, energy] in milliwatt-hours, for prices that fall with high use."""
    found = []
    for place, one in enumerate(demands):
        rows = one.rows.join(energy_of, on="group", how="left", maintain_order="left")
        if one.price.contract is not None:
            found += _contract_lines(version, one.price, one.price.contract, rows, month, place * 20)
            continue
        whole = rounded_products([rows["billed"]], divisors=[rows["over"]])
        scaled = [tier.from_usage for tier in one.price.tiers]
        bounds = [times(rows["over"], start) for start in scaled]
        parts = tier_parts(rows["billed"], constant(rows["billed"], 0), bounds)
        for number, (tier, part) in enumerate(zip(one.price.tiers, parts, strict=True)):
            label = _label(one.price, place * 20 + number, demand_detail(one.price, tier), tier.price_nano, tier.per)
            shown = whole if len(parts) == 1 else rounded_products([part], divisors=[rows["over"]])
            found.append(_lines(version, one.price, label, rows, part, shown, Fraction(tier.price_nano, tier.per), month))
    kept = [lines.filter(pl.col("quantity") != 0) for lines in found]
    return pl.concat(kept) if kept else no_lines()


def demand_detail(price: DemandPrice, tier: Tier) -> str:
    """How a line of a tier says which it is; empty for the first."""
    return f"above {Fraction(tier.from_usage, 10**6)} {price.unit}" if tier.from_usage else ""


def _label(price: DemandPrice, place: int, detail: str, price_nano: int, per: int) -> Label:
    return Label("demand", place, price.item, detail, str(price.unit), price_of(price_nano, per, str(price.unit)))


def _lines(
    version: TariffVersion, price: DemandPrice, label: Label, rows: pl.DataFrame, part: pl.Series, shown: pl.Series,
    scalar: Fraction, month: BilledMonth,
) -> pl.DataFrame:  # fmt: skip
    days, of_days = day_share(rows, price.prorate, month)
    use = use_factor(rows, price.high_use)
    over = rows["over"]
    return lines_of(
        label, rows["group"], factors=[part, days, use], scalar=scalar / PPM, divisors=[over, of_days],
        rounding=version.rounding, quantity=shown, explanation=_why(label, rows, shown, price, days, of_days, use),
    )  # fmt: skip


def _why(
    label: Label, rows: pl.DataFrame, shown: pl.Series, price: DemandPrice, days: pl.Series, of_days: pl.Series, use: pl.Series
) -> pl.Series:
    frame = rows.select("measured", "how", "peak_at", "windows_missing").with_columns(shown=shown, days=days, of=of_days, use=use)
    unit = label.unit
    said = number_text(pl.col("shown"), 6) + pl.lit(f" {unit} x {label.price_text}")
    share = pl.when(pl.col("days") != pl.col("of")).then(
        pl.lit(" x ") + pl.col("days").cast(pl.String) + pl.lit("/") + pl.col("of").cast(pl.String) + pl.lit(" days")
    )
    used = pl.when(pl.col("use") != PPM).then(pl.lit(" x ") + number_text(pl.col("use"), 6) + pl.lit(" for high use"))
    at = pl.lit(" at ") + pl.from_epoch("peak_at", time_unit="us").dt.strftime("%Y-%m-%dT%H:%MZ")
    gaps = pl.when(pl.col("windows_missing") > 0).then(
        pl.lit(", ") + pl.col("windows_missing").cast(pl.String) + pl.lit(" windows incomplete")
    )
    by = pl.when(pl.col("how") != "").then(pl.lit(", ") + pl.col("how"))
    seen = pl.lit(" (measured ") + number_text(pl.col("measured"), 6) + pl.lit(f" {unit}") + at.fill_null("")
    seen = seen + gaps.fill_null("") + by.fill_null("") + pl.lit(")")
    return frame.select(said + share.fill_null("") + used.fill_null("") + seen).to_series()


def _contract_lines(
    version: TariffVersion, price: DemandPrice, contract: Contract, rows: pl.DataFrame, month: BilledMonth, place: int
) -> list[pl.DataFrame]:
    """The contract, and what the measured demand exceeds the tolerated share of it by, at a multiple of the price."""
    least = rounded_products([rows["installed_milliva"].fill_null(0)], Fraction(contract.minimum_share_ppm, PPM))
    agreed = pl.DataFrame({"contract": rows["contract_milliw"].cast(INT128), "least": least})
    billed = agreed.select(pl.max_horizontal("contract", "least")).to_series()
    tolerated = rounded_products([billed], Fraction(contract.tolerance_ppm, PPM))
    whole = rounded_products([rows["billed"]], divisors=[rows["over"]])
    beyond = pl.DataFrame({"whole": whole, "tolerated": tolerated}).select(
        pl.max_horizontal(pl.col("whole") - pl.col("tolerated"), pl.lit(0, dtype=INT128))
    )
    plain = rows.with_columns(over=pl.lit(1, dtype=INT128))
    tier = price.tiers[0]
    excess_nano = Fraction(tier.price_nano * contract.excess_factor_nano, _FACTOR)
    text = price_of(round(excess_nano), tier.per, str(price.unit))
    excess = Label("demand", place + 1, price.item, "excess", str(price.unit), text)
    usual = _label(price, place, "contract", tier.price_nano, tier.per)
    over = beyond.to_series()
    return [
        _lines(version, price, usual, plain, billed, billed, Fraction(tier.price_nano, tier.per), month),
        _lines(version, price, excess, plain, over, over, excess_nano / tier.per, month),
    ]


def peaks_out(demands: list[BilledDemand], month: BilledMonth) -> pl.DataFrame:
    """The measured peaks of this month as state: what later months' ratchets and means look back at."""
    rows = [
        one.rows.select(
            "group",
            topic=pl.lit("peak"),
            name=pl.lit(one.price.item),
            period=pl.lit(month.number, dtype=pl.Int32),
            value="measured",
        )
        for one in demands
        if one.price.ratchet is not None or one.price.mean_months > 1
    ]
    return pl.concat(rows) if rows else no_state()
