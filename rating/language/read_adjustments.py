"""Power factor, surcharges and minimums of a version: what is charged on other lines or beside them."""

from __future__ import annotations

from fractions import Fraction

from rating.language.supply_terms import Minimum, PowerFactor, PowerFactorMethod, Surcharge, SurchargeBasis
from rating.language.utility_terms import Proration
from rating.language.utility_values import APPARENT_UNITS, POWER_UNITS, line_names, measured, month_number, proration
from rating.language.written_values import amount, boolean, instant_at, parts_per_million, quantity
from rating.language.yaml_places import Place
from schemas.quantities import UsageKind

_COUNTED = ("fixed", "credits", "tax")
_PER_UNITS = {
    SurchargeBasis.DEMAND: POWER_UNITS,
    SurchargeBasis.INSTALLED: APPARENT_UNITS,
}


def read_power_factor(place: Place | None) -> PowerFactor | None:
    if place is None:
        return None
    fields = place.fields(("item", "method"), ("of", "standard", "tables", "share_percent", "price", "per"))
    method_place = fields.get("method")
    method = method_place.choice([str(method) for method in PowerFactorMethod]) if method_place else None
    if method is None:
        return None
    if method == PowerFactorMethod.TABLE:
        for key in ("of", "tables", "standard"):
            if fields.get(key) is None:
                place.fault(f"{key} is missing", must_be="given for a table", code="missing_key")
        tables_place, standard_place = fields.get("tables"), fields.get("standard")
        pairs = tables_place.pairs() if tables_place else []
        tables = {name: _factor_table(value) for name, _, value in pairs}
        standard = standard_place.reference(tables, "table") if standard_place else None
        named = line_names(fields.get("of")) or ()
        return PowerFactor(fields.text("item"), PowerFactorMethod.TABLE, named, standard or "", tuple(tables.items()))
    for key in ("share_percent", "price", "per"):
        if fields.get(key) is None:
            place.fault(f"{key} is missing", must_be=f"given for {method}", code="missing_key")
    energy = method == PowerFactorMethod.EXCESS_KVARH
    per_place = fields.get("per")
    found = quantity(per_place, UsageKind.REACTIVE) if energy else None
    per = (found[1] if found else None) if energy else measured(per_place, {"kvar": 10**6})
    share, price = parts_per_million(fields.get("share_percent"), 1_000), amount(fields.get("price"))
    return PowerFactor(
        fields.text("item"), PowerFactorMethod(method), share_ppm=share or 0, price_nano=price or 0, per=per or 1_000_000
    )


def _factor_table(place: Place) -> tuple[int, ...]:
    """ppm of the base at 0.00, 0.01 ... 1.00 out of points in falling order; between points it is straight, and must fit there.

    Above the first point its percent holds; below the last each hundredth adds `per_hundredth_below`.
    """
    fields = place.fields(("points",), ("per_hundredth_below",))
    points_place = fields.get("points")
    points: list[tuple[int, int]] = []
    for item in points_place.items() if points_place else []:
        of = item.fields(("at", "percent"))
        at, percent = _hundredths(of.get("at")), _signed_ppm(of.get("percent"))
        if at is None or percent is None:
            continue
        if points and at >= points[-1][0]:
            item.fault("points out of order", must_be="a lower power factor than the point before")
            continue
        points.append((at, percent))
    below = _signed_ppm(fields.get("per_hundredth_below")) or 0
    if not points:
        return (0,) * 101
    table = [points[0][1]] * 101
    for (high, at_high), (low, at_low) in zip(points, points[1:], strict=False):
        for hundredth in range(low, high):
            ppm = Fraction(at_low * (high - hundredth) + at_high * (hundredth - low), high - low)
            if ppm.denominator != 1 and points_place:
                points_place.fault(
                    "no even steps between two points", was=f"{high} to {low} hundredths", must_be="a point for each step"
                )
                return (0,) * 101
            table[hundredth] = ppm.numerator
    last, at_last = points[-1]
    for hundredth in range(last):
        table[hundredth] = at_last + below * (last - hundredth)
    return tuple(table)


def _hundredths(place: Place | None) -> int | None:
    ppm = parts_per_million(place, 1)
    if ppm is None:
        return None
    if ppm % 100 and place:
        place.fault("not a power factor", must_be="0.00 to 1.00 in hundredths")
    return ppm // 100


def _signed_ppm(place: Place | None) -> int | None:
    nano = amount(place, negative=True)
    if nano is not None and nano % 10**5 and place:
        place.fault("percentage out of range", must_be="at most four decimals")
    return None if nano is None else nano // 10**5


def read_surcharges(place: Place | None, zone: str, clock: str, kind: UsageKind) -> tuple[Surcharge, ...]:
    found = [_surcharge(item, zone, clock, kind) for item in (place.items() if place else [])]
    return tuple(surcharge for surcharge in found if surcharge)


def _surcharge(place: Place, zone: str, clock: str, kind: UsageKind) -> Surcharge | None:
    fields = place.fields(
        ("item", "basis"),
        ("price", "per", "percent", "of", "third_party", "effective_from", "effective_to", "in_pf_base", "in_tax_base",
         "on_self_generation"),
    )  # fmt: skip
    basis_place = fields.get("basis")
    basis_text = basis_place.choice([str(basis) for basis in SurchargeBasis]) if basis_place else None
    if basis_text is None:
        return None
    basis = SurchargeBasis(basis_text)
    wanted = ("percent", "of") if basis is SurchargeBasis.LINES else ("price", "per")
    for key in wanted:
        if fields.get(key) is None:
            place.fault(f"{key} is missing", must_be=f"given for a surcharge on {basis}", code="missing_key")
    per = None
    if basis in _PER_UNITS:
        per = measured(fields.get("per"), _PER_UNITS[basis])
    elif basis is SurchargeBasis.ENERGY and (found := quantity(fields.get("per"), kind)):
        per = found[1]
    if per == 0:
        place.fault("per is zero", must_be="more than zero")
    from_place, to_place = fields.get("effective_from"), fields.get("effective_to")
    return Surcharge(
        item=fields.text("item"),
        basis=basis,
        price_nano=amount(fields.get("price"), negative=True) or 0,
        per=per or 1,
        percent_ppm=_signed_ppm(fields.get("percent")) or 0,
        of=line_names(fields.get("of")) or (),
        third_party=fields.text("third_party"),
        effective_from_at=instant_at(from_place, zone, clock),
        effective_to_at=instant_at(to_place, zone, clock),
        in_pf_base=boolean(fields.get("in_pf_base"), False),
        in_tax_base=boolean(fields.get("in_tax_base"), True),
        on_self_generation=boolean(fields.get("on_self_generation"), False),
    )


def read_minimums(place: Place | None) -> tuple[Minimum, ...]:
    found: list[Minimum] = []
    for item in place.items() if place else []:
        fields = item.fields(("item", "amount", "per"), ("of", "counts", "prorate", "settled_in"))
        per_place, counts_place = fields.get("per"), fields.get("counts")
        per = per_place.choice(("month", "year", "kW")) if per_place else None
        nano = amount(fields.get("amount"))
        counted = [entry.choice(_COUNTED) for entry in (counts_place.items() if counts_place else [])]
        share = proration(fields.get("prorate"), Proration.NONE)
        named, month = line_names(fields.get("of")), month_number(fields.get("settled_in"), 12)
        if named is not None and counts_place and any(name in ("fixed",) for name in counted):
            counts_place.fault("fixed lines are named already", must_be="counts of credits and tax only where `of` names lines")
        if per and nano is not None and fields.text("item"):
            kinds = frozenset(kind for kind in counted if kind)
            found.append(Minimum(fields.text("item"), nano, per, named, kinds, share, month))
    return tuple(found)
