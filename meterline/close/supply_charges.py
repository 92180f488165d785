"""Lines of metered supply as settlement takes them: energy as usage items, everything else as charges of the service."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from rating.language.tariff import Tariff, TariffVersion
from rating.supply_lines import line_names
from schemas.quantities import UsageKind
from settlement.frames import SERVICE_CHARGES, USAGE_ITEMS
from settlement.line_kinds import LineKind

_KINDS = {"fixed": LineKind.FEE} | {
    kind.value: kind for kind in (LineKind.DEMAND, LineKind.ADJUSTMENT, LineKind.SURCHARGE, LineKind.MINIMUM, LineKind.CREDIT)
}
_UNITS = {
    "kWh": "milliwh", "kvarh": "millivarh", "m3": "ml", "kW": "milliw", "kVA": "milliva", "kvar": "millivar", "m2": "mm2",
}  # fmt: skip
_MICRO_DAYS = 1_000_000
_KEY = ["account_id", "service_id", "tariff_id", "version", "item", "kind", "unit"]
_NIL = pl.lit(0, dtype=pl.Int128)


def usage_items_of(lines: pl.DataFrame, records: pl.DataFrame, tariffs: Sequence[Tariff]) -> pl.DataFrame:
    """settlement.frames.USAGE_ITEMS of the energy lines: list = net = amount; lines of a service's parts in a version sum.

    Args:
        lines: rating.utility.bill_lines.LINE_SCHEMA with account_id, service_id, tariff_id, version.
        records: [account_id, service_id, tariff_id, version, record_count], the meter days behind the lines.
    """
    kinds = {"m3": UsageKind.LIQUID}
    energy = lines.filter(pl.col("kind") == "energy")
    named = energy.with_columns(line_names(energy).alias("item"), _priced(tariffs)).with_columns(
        kind=pl.col("unit").replace_strict({unit: kind.label for unit, kind in kinds.items()}, default=UsageKind.ENERGY.label),
        unit=pl.col("unit").replace_strict({unit: kind.unit for unit, kind in kinds.items()}, default=UsageKind.ENERGY.unit),
    )
    sums = named.group_by(_KEY).agg(
        pl.col("quantity").fill_null(0).sum(), list_nano=pl.col("amount_nano").sum(), price_text=pl.col("price_text").min()
    )
    counted = sums.join(records, on=["account_id", "service_id", "tariff_id", "version"], how="left")
    items = counted.with_columns(
        pl.col("record_count").fill_null(0), charged_quantity=pl.col("quantity"), allowance_nano=_NIL, discount_nano=_NIL,
        net_nano=pl.col("list_nano"),
    )  # fmt: skip
    return items.select(pl.col(name).cast(kind) for name, kind in USAGE_ITEMS.items()).sort(_KEY)


def service_charges_of(lines: pl.DataFrame, tariffs: Sequence[Tariff]) -> pl.DataFrame:
    """settlement.frames.SERVICE_CHARGES of all lines but energy, taxes and rounding, which settlement makes itself."""
    charged = lines.filter(pl.col("kind").is_in(list(_KINDS)))
    named = charged.with_columns(line_names(charged).alias("item"), _priced(tariffs), line_item=pl.col("item"))
    days = pl.col("unit") == "days"
    marked = named.join(
        _marks(tariffs), on=["tariff_id", "version", "line_item"], how="left", maintain_order="left"
    ).with_columns(
        kind=pl.col("kind").replace_strict({name: kind.value for name, kind in _KINDS.items()}, return_dtype=pl.String),
        quantity=pl.when(days)
        .then(pl.col("quantity") // pl.lit(_MICRO_DAYS, dtype=pl.Int128))
        .otherwise("quantity")
        .fill_null(0),
        unit=pl.col("unit").replace(_UNITS),
        exact_nano=pl.col("amount_nano"),
        collected_for=pl.col("collected_for").fill_null(""),
        untaxed=pl.col("untaxed").fill_null(False),
    )
    found = marked.select(pl.col(name).cast(kind) for name, kind in SERVICE_CHARGES.items())
    return found.sort("account_id", "service_id", "tariff_id", "version", "kind", "item", "explanation")


def _priced(tariffs: Sequence[Tariff]) -> pl.Expr:
    """The price text with its currency: `0.1100 USD per kWh`."""
    currency = pl.col("tariff_id").replace_strict(
        {one.tariff_id: one.currency for one in tariffs}, return_dtype=pl.String, default=""
    )
    return pl.col("price_text").str.replace(" per ", pl.lit(" ") + currency + pl.lit(" per "), literal=True).alias("price_text")


def _marks(tariffs: Sequence[Tariff]) -> pl.DataFrame:
    """[tariff_id, version, line_item, collected_for, untaxed] of lines that are for a third party or outside the tax base."""
    rows = []
    for tariff in tariffs:
        for version in tariff.versions:
            outside = _untaxed(version)
            for one in version.supply.surcharges:
                rows.append((tariff.tariff_id, version.label, one.item, one.third_party, one.item in outside))
            for least in version.supply.minimums:
                rows.append((tariff.tariff_id, version.label, least.item, "", least.item in outside))
    schema = {
        "tariff_id": pl.String,
        "version": pl.String,
        "line_item": pl.String,
        "collected_for": pl.String,
        "untaxed": pl.Boolean,
    }
    return pl.DataFrame(rows, schema=schema, orient="row").unique(["tariff_id", "version", "line_item"], keep="first")


def _untaxed(version: TariffVersion) -> set[str]:
    """Items that no tax applies to: surcharges outside the base that no tax names, minimums that count taxes."""
    named = {item for tax in version.taxes for item in tax.of or ()}
    outside = {one.item for one in version.supply.surcharges if not one.in_tax_base} - named
    return outside | {least.item for least in version.supply.minimums if "tax" in least.counts}
