"""Demand, capacity and meter-size prices of a version."""

from __future__ import annotations

from rating.language.utility_terms import (
    CapacityBasis,
    CapacityPrice,
    Contract,
    DemandPrice,
    Measure,
    MeasureKind,
    MeterSizeCharge,
    Pick,
    PowerUnit,
    Proration,
    Ratchet,
)
from rating.language.utility_values import (
    APPARENT_UNITS,
    AREA_UNITS,
    POWER_UNITS,
    UNITS_OF,
    decimal_nano,
    high_use,
    measured,
    proration,
    step_rounding,
    tiers_of_power,
)
from rating.language.written_values import amount, boolean, parts_per_million, whole
from rating.language.yaml_places import Fields, Place

_MINUTES = (5, 10, 15, 20, 30, 60)
_OPTIONAL = (
    "price", "tiers", "measure", "window", "pick", "count", "distinct_days", "minimum", "round", "ratchet", "mean_of_months",
    "contract", "high_use", "prorate", "option", "unit",
)  # fmt: skip
_CAPACITY_UNITS = {
    CapacityBasis.INSTALLED: APPARENT_UNITS,
    CapacityBasis.CONTRACT: POWER_UNITS,
    CapacityBasis.AREA: AREA_UNITS,
}


def read_demand(place: Place | None, windows: set[str]) -> tuple[DemandPrice, ...]:
    found = [_demand(item, windows) for item in (place.items() if place else [])]
    return tuple(price for price in found if price)


def _demand(place: Place, windows: set[str]) -> DemandPrice | None:
    fields = place.fields(("item", "per"), _OPTIONAL)
    unit_place, window_place = fields.get("unit"), fields.get("window")
    unit = PowerUnit((unit_place.choice([str(unit) for unit in PowerUnit]) if unit_place else None) or "kW")
    units = UNITS_OF[unit]
    pick_place = fields.get("pick")
    pick = Pick((pick_place.choice([str(pick) for pick in Pick]) if pick_place else None) or "highest")
    tiers = tiers_of_power(fields, unit)
    for key in ("count", "distinct_days"):
        if (other := fields.get(key)) and pick is not Pick.MEAN_OF_HIGHEST:
            other.fault(f"{key} without a mean", must_be=f"left out, or pick: {Pick.MEAN_OF_HIGHEST}")
    price = DemandPrice(
        item=fields.text("item"),
        tiers=tiers,
        unit=unit,
        measure=read_measure(fields.get("measure")),
        window=window_place.reference(windows, "window") if window_place else None,
        pick=pick,
        count=whole(fields.get("count"), 1, 31) or (3 if pick is Pick.MEAN_OF_HIGHEST else 1),
        distinct_days=boolean(fields.get("distinct_days"), False),
        minimum=measured(fields.get("minimum"), units) or 0,
        rounding=step_rounding(fields.get("round"), units),
        ratchet=_ratchet(fields.get("ratchet"), units),
        mean_months=whole(fields.get("mean_of_months"), 1, 24) or 1,
        contract=_contract(fields.get("contract")),
        high_use=high_use(fields.get("high_use")),
        prorate=proration(fields.get("prorate"), Proration.NONE),
        option=fields.text("option"),
        where=place.where,
    )
    if sum((price.ratchet is not None, price.mean_months > 1, price.contract is not None)) > 1:
        place.fault("several ways to bill one demand", must_be="one of ratchet, mean_of_months and contract")
    return price if price.item and tiers else None


def read_measure(place: Place | None) -> Measure:
    """`{kind: step}` or `{kind: block|sliding, minutes: 30}`."""
    if place is None:
        return Measure()
    fields = place.fields(("kind",), ("minutes",))
    kind_place, minutes_place = fields.get("kind"), fields.get("minutes")
    kind = MeasureKind((kind_place.choice([str(kind) for kind in MeasureKind]) if kind_place else None) or "step")
    minutes = whole(minutes_place, 1, 60) or 0
    if minutes and minutes not in _MINUTES and minutes_place:
        minutes_place.fault("not a demand interval", was=str(minutes), must_be=" or ".join(map(str, _MINUTES)))
    if kind is not MeasureKind.STEP and minutes_place is None:
        place.fault("minutes is missing", must_be="given for blocks and windows", code="missing_key")
    return Measure(kind, minutes)


def _ratchet(place: Place | None, units: dict[str, int]) -> Ratchet | None:
    if place is None:
        return None
    fields = place.fields(("percent", "months"), ("floor", "include_current"))
    percents = _month_percents(fields)
    months = whole(fields.get("months"), 1, 36)
    floor = measured(fields.get("floor"), units) or 0
    include = boolean(fields.get("include_current"), True)
    return Ratchet(floor, percents, months, include) if months and percents else None


def _month_percents(fields: Fields) -> tuple[int, ...]:
    """One percentage for all months, or `{7: "80", 8: "80"}`, where other months bind nothing."""
    place = fields.get("percent")
    if place is None:
        return ()
    if not place.is_mapping:
        ppm = parts_per_million(place)
        return () if ppm is None else (ppm,) * 12
    found = [0] * 12
    for key, at_key, value in place.pairs():
        if not key.isdecimal() or not 1 <= int(key) <= 12:
            at_key.fault("not a month", was=repr(key), must_be="1 to 12")
        else:
            found[int(key) - 1] = parts_per_million(value) or 0
    return tuple(found)


def _contract(place: Place | None) -> Contract | None:
    if place is None:
        return None
    fields = place.fields((), ("tolerance_percent", "excess_factor", "minimum_share_percent"))
    tolerance = parts_per_million(fields.get("tolerance_percent"), most_percent=1_000)
    factor = decimal_nano(fields.get("excess_factor"), "0", "100")
    share = parts_per_million(fields.get("minimum_share_percent"))
    return Contract(1_000_000 if tolerance is None else tolerance, 1_000_000_000 if factor is None else factor, share or 0)


def read_capacity(place: Place | None) -> tuple[CapacityPrice, ...]:
    """Prices for installed kVA, contracted kW or heated m2."""
    found: list[CapacityPrice] = []
    for item in place.items() if place else []:
        fields = item.fields(("item", "basis", "price", "per"), ("high_use", "prorate", "option"))
        basis_place = fields.get("basis")
        basis = basis_place.choice([str(basis) for basis in CapacityBasis]) if basis_place else None
        price = amount(fields.get("price"))
        per = measured(fields.get("per"), _CAPACITY_UNITS[CapacityBasis(basis)]) if basis else None
        use, share = high_use(fields.get("high_use")), proration(fields.get("prorate"), Proration.THIRTY)
        if per == 0:
            item.fault("per is zero", must_be="more than zero")
        if basis and price is not None and per and fields.text("item"):
            found.append(CapacityPrice(fields.text("item"), CapacityBasis(basis), price, per, use, share, fields.text("option")))
    return tuple(found)


def read_meter_sizes(place: Place | None) -> tuple[MeterSizeCharge, ...]:
    found: list[MeterSizeCharge] = []
    for item in place.items() if place else []:
        fields = item.fields(("item", "sizes"), ("prorate",))
        sizes_place = fields.get("sizes")
        sizes = [(size, amount(value)) for size, _, value in (sizes_place.pairs() if sizes_place else [])]
        share = proration(fields.get("prorate"), Proration.DAYS)
        found.append(MeterSizeCharge(fields.text("item"), tuple((size, nano) for size, nano in sizes if nano is not None), share))
    return tuple(charge for charge in found if charge.item and charge.sizes)
