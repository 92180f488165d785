"""Credits for export: what was earned, what of it pays which lines, and what is carried, paid out or lapses."""

from __future__ import annotations

from fractions import Fraction

import polars as pl

from rating.language.supply_terms import Carry, Excess, Export, ExportMethod
from rating.language.tariff import TariffVersion
from rating.utility.bill_input import BilledMonth, by_group, sums_by_group
from rating.utility.bill_lines import Label, lines_of, named, no_lines, number_text, price_of, sum_of
from rating.utility.carried_credits import as_state, expired, lots_of, spend
from rating.utility.exact import INT128, constant, line_amounts
from rating.utility.net_metering import Netted

_POOL_NAME = ""


def earned_nano(version: TariffVersion, rule: Export, groups: pl.DataFrame, export: pl.DataFrame) -> pl.Series:
    """What each group's export earns: quantity times credit price, each price rounded once as the version says."""
    total = constant(groups["group"], 0)
    for index, price in enumerate(rule.prices):
        sold = sums_by_group(groups, export.filter(pl.col("price_index") == index), "quantity")
        tier = price.tiers[0]
        total = total + line_amounts([sold], Fraction(tier.price_nano, tier.per), (), version.rounding)
    return total


def export_lines(
    version: TariffVersion, groups: pl.DataFrame, month: BilledMonth, export: pl.DataFrame, netted: Netted | None,
    lines: pl.DataFrame, state: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    """(credit lines, state out). Carried kWh give a line without money, so that the bill says what is carried.

    Money: earned + carried in = credited + carried out + lapsed, where lapsed is what expired, lapses at a true-up that pays no
    money, or exceeds what credits may pay under `excess: lapse`.
    """
    rule = version.supply.export
    kept = state.filter(pl.col("topic").is_in(["credit_quantity", "credit_nano"]))
    if rule is None:
        return no_lines(), kept
    if rule.method is ExportMethod.NET_METERING and netted is not None and rule.carry is Carry.KWH:
        found, out = _quantity_lines(version, rule, groups, month, netted)
        return found, pl.concat([out, kept.filter(pl.col("topic") == "credit_nano")])
    if netted is not None:
        index = pl.lit(0, dtype=pl.Int32)
        export = netted.surplus.select("group", price_index=index, quantity=pl.col("value").cast(pl.Int64))
    found, out = _money_lines(version, rule, groups, month, export, lines, state)
    lots = kept.filter(pl.col("topic") == "credit_quantity") if netted is None else as_state(netted.lots, "credit_quantity")
    return found, pl.concat([out, lots])


def _quantity_lines(
    version: TariffVersion, rule: Export, groups: pl.DataFrame, month: BilledMonth, netted: Netted
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """kWh carried on, or paid at the price of the true-up in its month (in a service's last part of it)."""
    carried = netted.lots
    trued = rule.true_up is not None and rule.true_up.month == month.month
    last = groups.filter(pl.col("is_last"))["group"].to_list() if trued else []
    settled = carried.filter(pl.col("group").is_in(last))
    kept = carried.filter(~pl.col("group").is_in(last))
    found = [no_lines()]
    if rule.true_up is not None and not settled.is_empty():
        sums = settled.group_by("group").agg(pl.col("value").sum()).sort("group")
        price = rule.true_up
        label = Label("credit", 0, rule.item, "true-up", "kWh", price_of(price.price_nano, price.per, "kWh"))
        found.append(
            lines_of(
                label, sums["group"], factors=[sums["value"]], scalar=Fraction(-price.price_nano, price.per),
                rounding=version.rounding, quantity=sums["value"],
            )
        )  # fmt: skip
    for place, detail, lots in ((1, "carried", kept), (2, "expired", netted.ended)):
        sums = lots.group_by("group").agg(pl.col("value").sum()).sort("group")
        if not sums.is_empty():
            label = Label("credit", place, rule.item, detail, "kWh", "no money")
            found.append(
                lines_of(
                    label, sums["group"], factors=[constant(sums["value"], 0)], scalar=Fraction(1), rounding=version.rounding,
                    quantity=sums["value"],
                )
            )  # fmt: skip
    return pl.concat(found), as_state(kept, "credit_quantity")


def _money_lines(
    version: TariffVersion, rule: Export, groups: pl.DataFrame, month: BilledMonth, export: pl.DataFrame, lines: pl.DataFrame,
    state: pl.DataFrame,
) -> tuple[pl.DataFrame, pl.DataFrame]:  # fmt: skip
    lots, ended = expired(lots_of(state, "credit_nano"), month.number, rule.expires_months)
    payable = named(rule.pays) if rule.pays is not None else pl.col("kind") == "energy"
    nil = pl.lit(0, dtype=INT128)
    rows = groups.select("group", "is_last").with_columns(
        sold=sums_by_group(groups, export, "quantity"),
        earned=earned_nano(version, rule, groups, export),
        carried=sums_by_group(groups, lots, "value"),
        ended=sums_by_group(groups, ended, "value"),
        payable=sum_of(lines, groups["group"], payable),
        trued=pl.lit(rule.true_up is not None and rule.true_up.month == month.month) & pl.col("is_last"),
    )
    # what a negative price for export costs is charged at once
    now = pl.lit(not rule.next_month) | (pl.col("earned") < 0)
    rows = rows.with_columns(
        ready=pl.col("carried") + pl.when(now).then("earned").otherwise(nil), limit=pl.max_horizontal("payable", nil)
    )
    pays_all = pl.lit(rule.excess is Excess.PAY) | (
        pl.col("trued") & pl.lit(rule.true_up is not None and rule.true_up.pays_money)
    )
    rows = rows.with_columns(used=pl.when(pays_all).then("ready").otherwise(pl.min_horizontal("ready", "limit")))
    keeps = pl.lit(rule.excess is Excess.CARRY) & ~pl.col("trued")
    later = pl.when(now).then(nil).otherwise(pl.col("earned"))
    left = pl.when(keeps).then(pl.col("ready") - pl.col("used")).otherwise(nil)
    rows = rows.with_columns(left=left + later)
    return _credit_line(version, rule, rows), _lots_out(rows, lots, month)


def _lots_out(rows: pl.DataFrame, lots: pl.DataFrame, month: BilledMonth) -> pl.DataFrame:
    """What is carried on: the oldest lots were spent first, so what is left lies in the youngest."""
    fresh = rows.select(
        "group", name=pl.lit(_POOL_NAME), period=pl.lit(month.number, dtype=pl.Int32), value=pl.col("earned")
    ).filter(pl.col("value") > 0)
    every = pl.concat([lots.select("group", "name", "period", "value"), fresh]).with_columns(name=pl.lit(_POOL_NAME))
    held = every.group_by("group").agg(held=pl.col("value").sum())
    spent = rows.select("group", "left").join(held, on="group", how="inner")
    spent = spent.select("group", name=pl.lit(_POOL_NAME), used=pl.col("held") - pl.col("left"))
    return as_state(spend(every, spent), "credit_nano")


def _credit_line(version: TariffVersion, rule: Export, rows: pl.DataFrame) -> pl.DataFrame:
    shown = rows.filter((pl.col("earned") != 0) | (pl.col("carried") != 0) | (pl.col("ended") != 0))
    lapsed = pl.col("earned") + pl.col("carried") + pl.col("ended") - pl.col("used") - pl.col("left")
    said = shown.select(
        pl.lit("earned ") + number_text(pl.col("earned"), 9, least=2) + pl.lit(", carried in ")
        + number_text(pl.col("carried"), 9, least=2) + pl.lit(", carried on ") + number_text(pl.col("left"), 9, least=2)
        + pl.when(lapsed == 0).then(pl.lit("")).otherwise(pl.lit(", lapsed ") + number_text(lapsed, 9, least=2))
    ).to_series()  # fmt: skip
    prices = ", ".join(dict.fromkeys(price_of(price.tiers[0].price_nano, price.tiers[0].per, "kWh") for price in rule.prices))
    label = Label("credit", 0, rule.item, "", "kWh", prices)
    return lines_of(
        label, shown["group"], factors=[shown["used"]], scalar=Fraction(-1), rounding=version.rounding, quantity=shown["sold"],
        base=by_group(shown, rows, "payable"), explanation=said,
    )  # fmt: skip
