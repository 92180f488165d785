"""What happens to the meter's quantity before it is billed: losses, gas conversion, sewage."""

from __future__ import annotations

from rating.language.read_energy import energy_tiers
from rating.language.shared_terms import Tier
from rating.language.supply_terms import GasConversion, GasMethod, Losses, LossRow, Sewage, Transformer, TransformerLoss
from rating.language.utility_values import (
    APPARENT_UNITS,
    POWER_UNITS,
    decimal_nano,
    measured,
    step_rounding,
)
from rating.language.written_values import amount, boolean, parts_per_million, quantity, time_of_day_us, whole
from rating.language.yaml_places import Fields, Place
from schemas.quantities import UsageKind

_ENERGY = {"Wh": 10**3, "kWh": 10**6, "MWh": 10**9}
_LOSS_METHODS = ("formula", "no_kvarh_meter", "table")
_VOLUMES = {"L": 10**3, "m3": 10**6}


def read_losses(place: Place | None) -> Losses | None:
    if place is None:
        return None
    fields = place.fields((), ("order", "transformer", "line_percent", "to"))
    order_place, transformer_place = fields.get("order"), fields.get("transformer")
    present = tuple(name for name, key in (("transformer", "transformer"), ("line", "line_percent")) if fields.get(key))
    order = tuple(text for item in order_place.items() if (text := item.choice(present))) if order_place else present
    if sorted(order) != sorted(present) and order_place:
        order_place.fault("not all losses are in the order once", must_be=" and ".join(present))
    line = parts_per_million(fields.get("line_percent"))
    return Losses(
        order, _transformer_loss(transformer_place) if transformer_place else None, line or 0, fields.text("to") or None
    )


def _transformer_loss(place: Place) -> TransformerLoss | None:
    fields = place.fields(("method",), ("factor", "assumed_power_factor", "transformers", "table", "round"))
    method_place = fields.get("method")
    method = method_place.choice(_LOSS_METHODS) if method_place else None
    wanted = "table" if method == "table" else "transformers"
    if method and fields.get(wanted) is None:
        place.fault(f"{wanted} is missing", must_be=f"given for {method}", code="missing_key")
    assumed = decimal_nano(fields.get("assumed_power_factor"), "0.01", "1")
    listed, table_place = fields.get("transformers"), fields.get("table")
    return TransformerLoss(
        method or "formula",
        _factors(fields.get("factor")),
        800_000 if assumed is None else assumed // 1_000,
        tuple(one for name, _, value in (listed.pairs() if listed else []) if (one := _transformer(name, value))),
        tuple(row for item in (table_place.items() if table_place else []) if (row := _loss_row(item))),
        step_rounding(fields.get("round"), _ENERGY),
    )


def _factors(place: Place | None) -> tuple[tuple[int, int], ...]:
    """K for any number of shifts, or by shifts: `{1: "3.6", 2: "1.8", 3: "1.2"}`."""
    if place is None:
        return ((0, 10**9),)
    if not place.is_mapping:
        return ((0, decimal_nano(place, "0", "100") or 0),)
    found = []
    for key, at_key, value in place.pairs():
        if key not in ("1", "2", "3"):
            at_key.fault("not a number of shifts", was=repr(key), must_be="1, 2 or 3")
        elif (nano := decimal_nano(value, "0", "100")) is not None:
            found.append((int(key), nano))
    return tuple(found)


def _transformer(name: str, place: Place) -> Transformer | None:
    keys = ("no_load_loss", "load_loss", "no_load_current_percent", "impedance_voltage_percent", "capacity")
    fields = place.fields(keys)
    values = (
        measured(fields.get("no_load_loss"), POWER_UNITS),
        measured(fields.get("load_loss"), POWER_UNITS),
        parts_per_million(fields.get("no_load_current_percent")),
        parts_per_million(fields.get("impedance_voltage_percent")),
        measured(fields.get("capacity"), APPARENT_UNITS),
    )
    no_load, load, current, impedance, capacity = values
    if no_load is None or load is None or current is None or impedance is None or not capacity:
        return None
    return Transformer(name, no_load, load, current, impedance, capacity)


def _loss_row(place: Place) -> LossRow | None:
    fields = place.fields(("capacity", "load_percent_to", "energy", "reactive"))
    capacity, load = measured(fields.get("capacity"), APPARENT_UNITS), parts_per_million(fields.get("load_percent_to"), 1_000)
    energy, reactive = quantity(fields.get("energy"), UsageKind.ENERGY), quantity(fields.get("reactive"), UsageKind.REACTIVE)
    if capacity is None or load is None or energy is None or reactive is None:
        return None
    return LossRow(capacity, load, energy[1], reactive[1])


def read_gas(place: Place | None) -> GasConversion | None:
    if place is None:
        return None
    fields = place.fields(
        ("method",),
        (
            "correction",
            "correction_decimals",
            "calorific_value",
            "calorific_file",
            "calorific_unit",
            "register",
            "round",
            "day_start",
        ),
    )
    method_place, unit_place = fields.get("method"), fields.get("calorific_unit")
    method = GasMethod((method_place.choice([str(method) for method in GasMethod]) if method_place else None) or "factor")
    unit = unit_place.choice(("MJ/m3", "kWh/m3")) if unit_place else None
    if method is not GasMethod.FACTOR and (other := fields.get("correction")):
        other.fault("a correction beside a formula", must_be="left out, or method: factor")
    if fields.get("calorific_value") and fields.get("calorific_file"):
        place.fault("calorific_value and calorific_file", must_be="one of the two at most")
    start = time_of_day_us(fields.get("day_start")) or 0
    return GasConversion(
        method,
        decimal_nano(fields.get("correction"), "0.1", "1000"),
        whole(fields.get("correction_decimals"), 0, 9),
        decimal_nano(fields.get("calorific_value"), "0", "1000"),
        fields.text("calorific_file"),
        unit != "kWh/m3",
        _register_ml(fields),
        step_rounding(fields.get("round"), _ENERGY),
        start,
    )


def _register_ml(fields: Fields) -> int:
    """Milliliters of one count of the register where reads come as counts: `2.83 m3` for hundreds of cubic feet."""
    place = fields.get("register")
    volume = measured(place, _VOLUMES)
    if volume == 0 and place:
        place.fault("a register that counts nothing", must_be="more than zero")
    return volume or 1_000_000


def read_sewage(place: Place | None) -> Sewage | None:
    if place is None:
        return None
    fields = place.fields(("item", "percent", "per"), ("price", "tiers", "winter_average", "winter_months"))
    per, share = quantity(fields.get("per"), UsageKind.LIQUID), parts_per_million(fields.get("percent"))
    price_place, tiers_place, months_place = fields.get("price"), fields.get("tiers"), fields.get("winter_months")
    if (price_place is None) == (tiers_place is None):
        place.fault("price or tiers", must_be="one of the two")
    winter = boolean(fields.get("winter_average"), False)
    months = tuple(month for item in (months_place.items() if months_place else []) if (month := whole(item, 1, 12)))
    if per is None or not per[1] or share is None:
        return None
    if tiers_place is not None:
        tiers = energy_tiers(tiers_place, per[1], UsageKind.LIQUID)[0]
    else:
        price = amount(price_place)
        tiers = [] if price is None else [Tier(0, price, per[1], 1)]
    return Sewage(fields.text("item"), share, tuple(tiers), winter, months or (12, 1, 2)) if tiers else None
