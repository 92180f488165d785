"""Export of a version (net metering, net billing, buy-all/sell-all), and dynamic prices, whose values are in a file."""

from __future__ import annotations

from rating.language.read_energy import read_prices
from rating.language.supply_terms import Carry, DynamicPrice, Excess, Export, ExportMethod, TrueUp
from rating.language.utility_terms import StepRounding
from rating.language.utility_values import line_names, month_number
from rating.language.written_values import amount, boolean, parts_per_million, quantity, whole
from rating.language.yaml_places import Place
from schemas.quantities import UsageKind

_NETTING = {"step": 0, "15 min": 15, "30 min": 30, "60 min": 60, "period": -1}
_OPTIONAL = ("prices", "carry", "within_tou", "netting", "credits", "pays", "excess", "true_up", "expires_months")


def read_export(place: Place | None, windows: set[str]) -> Export | None:
    if place is None:
        return None
    fields = place.fields(("method", "item"), _OPTIONAL)
    method = ExportMethod(_choice(fields.get("method"), [str(method) for method in ExportMethod]) or "net_metering")
    carry = Carry(_choice(fields.get("carry"), [str(carry) for carry in Carry]) or "kwh")
    default = "pay" if method is ExportMethod.BUY_ALL_SELL_ALL else "carry"
    export = Export(
        method=method,
        item=fields.text("item"),
        prices=read_prices(fields.get("prices"), windows, tiers=False),
        carry=carry if method is ExportMethod.NET_METERING else Carry.MONEY,
        within_tou=boolean(fields.get("within_tou"), False),
        netting_minutes=_NETTING[_choice(fields.get("netting"), list(_NETTING)) or "step"],
        next_month=_choice(fields.get("credits"), ["now", "next_month"]) == "next_month",
        pays=line_names(fields.get("pays")),
        excess=Excess(_choice(fields.get("excess"), [str(way) for way in Excess]) or default),
        true_up=_true_up(fields.get("true_up")),
        expires_months=whole(fields.get("expires_months"), 1, 120) or 0,
    )
    if not export.prices and export.carry is Carry.MONEY:
        place.fault("prices is missing", must_be="given where export is credited in money", code="missing_key")
    if method is ExportMethod.NET_METERING and fields.get("netting"):
        place.fault("netting with net metering", must_be="left out: net metering nets the period")
    return export if export.item else None


def _choice(place: Place | None, allowed: list[str]) -> str | None:
    return place.choice(allowed) if place else None


def _true_up(place: Place | None) -> TrueUp | None:
    if place is None:
        return None
    fields = place.fields(("month",), ("price", "per", "pays_money"))
    price, per = amount(fields.get("price")), quantity(fields.get("per"), UsageKind.ENERGY)
    if (fields.get("price") is None) != (fields.get("per") is None):
        place.fault("price and per belong together", must_be="both given or both left out")
    month = month_number(fields.get("month"), 12)
    return TrueUp(month, price or 0, per[1] if per and per[1] else 1_000_000, boolean(fields.get("pays_money"), False))


def read_dynamic(place: Place | None, taxes: dict[str, int]) -> tuple[DynamicPrice, ...]:
    """Prices by UTC interval; the file (columns start_at, price) is read when usage is priced."""
    found = [_dynamic(item, taxes) for item in (place.items() if place else [])]
    return tuple(price for price in found if price)


def _dynamic(place: Place, taxes: dict[str, int]) -> DynamicPrice | None:
    fields = place.fields(("item", "file", "per"), ("markup", "percent", "floor", "cap", "limits_include_tax", "price_decimals"))
    per = quantity(fields.get("per"), UsageKind.ENERGY)
    markup, percent = amount(fields.get("markup"), negative=True), parts_per_million(fields.get("percent"), 1_000)
    floor, cap = amount(fields.get("floor"), negative=True), amount(fields.get("cap"), negative=True)
    tax_place = fields.get("limits_include_tax")
    tax = tax_place.reference(taxes, "tax") if tax_place else None
    decimals = whole(fields.get("price_decimals"), 0, 9)
    if floor is not None and cap is not None and floor > cap:
        place.fault("the floor lies above the cap", must_be="at most the cap")
    if per is None or per[1] == 0 or not fields.text("item") or not fields.text("file"):
        return None
    rounding = None if decimals is None else StepRounding("half_up", 10 ** (9 - decimals))
    ppm = taxes.get(tax or "", 0)
    return DynamicPrice(fields.text("item"), fields.text("file"), per[1], markup or 0, percent or 0, floor, cap, ppm, rounding)
