"""All elements of a utility tariff's version together, and the check that what they name is there."""

from __future__ import annotations

from dataclasses import dataclass

from rating.language.read_adjustments import read_minimums, read_power_factor, read_surcharges
from rating.language.read_conversions import read_gas, read_losses, read_sewage
from rating.language.read_demand import read_capacity, read_demand, read_meter_sizes
from rating.language.read_energy import read_energy
from rating.language.read_export import read_dynamic, read_export
from rating.language.shared_terms import Fee, Tax
from rating.language.supply_terms import ExportMethod, Supply
from rating.language.utility_terms import Commodity, EnergyPrice, TierScope
from rating.language.yaml_places import Fields, Place, close_match
from schemas.quantities import UsageKind

SUPPLY_KEYS = (
    "commodity", "energy", "dynamic", "demand", "capacity", "meter_size", "minimums", "export", "power_factor", "losses", "gas",
    "sewage", "surcharges", "tax_by",
)  # fmt: skip
_NAMING = ("power_factor", "surcharges", "minimums", "taxes", "export", "losses")


@dataclass(frozen=True, slots=True)
class SupplyOf:
    """The energy prices of a version and its other elements."""

    energy: tuple[EnergyPrice, ...]
    supply: Supply


def read_supply(
    fields: Fields, windows: set[str], fees: tuple[Fee, ...], taxes: tuple[Tax, ...], zone: str, clock: str
) -> SupplyOf:
    commodity_place, tax_place = fields.get("commodity"), fields.get("tax_by")
    commodity = Commodity((commodity_place.choice([str(one) for one in Commodity]) if commodity_place else None) or "electricity")
    kind = UsageKind.LIQUID if commodity is Commodity.WATER else UsageKind.ENERGY
    energy, ladder, add_ons = read_energy(fields.get("energy"), windows, kind)
    supply = Supply(
        commodity=commodity,
        ladder=ladder,
        add_ons=add_ons,
        demand=read_demand(fields.get("demand"), windows),
        capacity=read_capacity(fields.get("capacity")),
        meter_size=read_meter_sizes(fields.get("meter_size")),
        minimums=read_minimums(fields.get("minimums")),
        export=read_export(fields.get("export"), windows),
        power_factor=read_power_factor(fields.get("power_factor")),
        losses=read_losses(fields.get("losses")),
        dynamic=read_dynamic(fields.get("dynamic"), {tax.name: tax.ppm for tax in taxes}),
        gas=read_gas(fields.get("gas")),
        sewage=read_sewage(fields.get("sewage")),
        surcharges=read_surcharges(fields.get("surcharges"), zone, clock, kind),
        tax_by=(tax_place.choice(("sum", "line")) if tax_place else None) or "sum",
    )
    _refuse_misfits(fields, supply)
    _refuse_lost_order(fields, energy, supply)
    _check_names(fields, energy, supply, fees)
    return SupplyOf(energy, supply)


def _refuse_misfits(fields: Fields, supply: Supply) -> None:
    """Elements that belong to another commodity."""
    electric = ("dynamic", "export", "power_factor", "losses")
    for key, commodities in (
        ("gas", (Commodity.GAS,)),
        ("sewage", (Commodity.WATER,)),
        *((key, (Commodity.ELECTRICITY,)) for key in electric),
    ):
        place = fields.get(key)
        if place and supply.commodity not in commodities:
            place.fault(f"{key} with commodity {supply.commodity}", must_be=f"left out, or commodity: {commodities[0]}")
    if supply.commodity is Commodity.GAS and supply.gas is None and fields.get("energy"):
        fields.place.fault(
            "gas is missing", must_be="given, since gas is metered by volume and billed by energy", code="missing_key"
        )


def _refuse_lost_order(fields: Fields, energy: tuple[EnergyPrice, ...], supply: Supply) -> None:
    """Tiers in time order cannot follow what changes a whole month's quantities."""
    shared = supply.ladder.scope is TierScope.SHARED_CHRONOLOGICAL and len(energy) > 1
    if not (shared or not supply.ladder.split_at_bound) or all(len(price.tiers) == 1 for price in energy):
        return
    nets = supply.export is not None and supply.export.method is ExportMethod.NET_METERING
    for key, holds in (("export", nets), ("losses", supply.losses is not None), ("gas", supply.gas is not None)):
        place = fields.get(key)
        if place and holds:
            place.fault(
                "tiers in time order with quantities of a whole month", must_be="tier_scope shared_prorated or per_period"
            )


def charged_items(energy: tuple[EnergyPrice, ...], supply: Supply, fees: tuple[Fee, ...]) -> list[str]:
    """The items of a bill in the order of its elements, taxes left out."""
    return [
        *(price.item for price in energy),
        *(price.item for price in supply.dynamic),
        *(price.item for price in supply.add_ons),
        *([supply.sewage.item] if supply.sewage else []),
        *(price.item for price in supply.demand),
        *(price.item for price in supply.capacity),
        *(charge.item for charge in supply.meter_size),
        *(fee.name for fee in fees),
        *([supply.power_factor.item] if supply.power_factor else []),
        *(surcharge.item for surcharge in supply.surcharges),
        *(minimum.item for minimum in supply.minimums),
        *([supply.export.item] if supply.export else []),
    ]


def _check_names(fields: Fields, energy: tuple[EnergyPrice, ...], supply: Supply, fees: tuple[Fee, ...]) -> None:
    """Items are different, and every name in an `of`, `pays` or `to` is an item that comes before it on the bill."""
    items = charged_items(energy, supply, fees)
    for item in sorted({item for item in items if items.count(item) > 1}):
        if items.count(item) > len([price for price in energy if price.item == item]):
            fields.place.fault("two elements have this name", was=repr(item), must_be="a name for each line of the bill")
    for key in _NAMING:
        place = fields.get(key)
        if place:
            _check_entries(place, key, items, energy, supply)


def _check_entries(place: Place, key: str, items: list[str], energy: tuple[EnergyPrice, ...], supply: Supply) -> None:
    entries = [place] if place.is_mapping else place.items()
    for entry in entries:
        own = {name: value for name, _, value in entry.pairs()} if entry.is_mapping else {}
        item_place = own.get("item")
        item = item_place.text() if item_place else None
        before = items[: items.index(item)] if item in items else items
        if key == "losses":
            before = [price.item for price in energy]
        if key == "power_factor":
            before = [*before, *(surcharge.item for surcharge in supply.surcharges if surcharge.in_pf_base)]
        for name in ("of", "pays", "to"):
            listed = own.get(name)
            if listed is None:
                continue
            for value in [listed] if name == "to" else listed.items():
                text = value.text()
                if text is not None and text not in before:
                    what = "a line that comes later on the bill" if text in items else "no such line"
                    value.fault(what, was=repr(text), next_step=close_match(text, before), code="unknown_name")
