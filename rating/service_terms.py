"""Terms of a metered service out of YAML: what is installed and contracted, gas values, days supplied, and what is carried in."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from rating.bill_usage import SERVICE_STATE, TERMS_SCHEMA
from rating.language.utility_values import (
    APPARENT_UNITS,
    AREA_UNITS,
    POWER_UNITS,
    bound,
    decimal_nano,
    measured,
)
from rating.language.written_values import amount, instant_at, whole
from rating.language.yaml_places import Fields, Place, compose_file
from schemas.errors import ConfigurationError, Fault
from schemas.periods import period_number
from schemas.quantities import UsageKind

DECIMAL_TERMS = {
    "calorific_value": "calorific_nano",
    "correction": "correction_nano",
    "pressure_bar": "pressure_nano",
    "temperature": "temperature_nano",
    "compressibility": "compressibility_nano",
    "ambient_mbar": "ambient_nano",
    "gauge_mbar": "gauge_nano",
    "humidity_mbar": "humidity_nano",
}
TEXT_TERMS = ("option", "transformer", "power_factor_standard", "meter_size")
MEASURED_TERMS = {
    "installed": ("installed_milliva", APPARENT_UNITS),
    "contract": ("contract_milliw", POWER_UNITS),
    "heated_area": ("area", AREA_UNITS),
}
_KEYS = (*MEASURED_TERMS, *TEXT_TERMS, *DECIMAL_TERMS, "shifts", "paused_days", "moved_in_on", "moved_out_on", "bound_extra")
_POWER = POWER_UNITS | APPARENT_UNITS | {"kvar": 10**6}


def read_service_terms(path: Path, zone: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(terms, state in) of a YAML file: for `bill_usage`.

    The top level holds the terms of one service, `periods` those that differ in a month, `carried` what earlier months left:
    `peaks: {item: {YYYY-MM: 620 kW}}`, `used: {item: {since: YYYY-MM, quantity: 2000 kWh}}` (item empty for the ladder that
    energy prices share), `credits: [{earned: YYYY-MM, quantity: 10 kWh}, {earned: YYYY-MM, amount: "3.20"}]`,
    `minimums: {item: "80.00"}`.
    Files with `services` hold all this by service.

    Raises:
        ConfigurationError: all faults, each with its place.
    """
    faults: list[Fault] = []
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigurationError(Fault(str(path), "the terms cannot be read", code="not_readable")) from cause
    top = compose_file(text, str(path), faults)
    terms: list[dict[str, object]] = []
    state: list[dict[str, object]] = []
    if top is not None:
        services = [value for key, _, value in top.pairs() if key == "services"] if top.is_mapping else []
        pairs = [(name, value) for name, _, value in services[0].pairs()] if services else [("", top)]
        for name, place in pairs:
            _service(name, place, zone, terms, state)
    if faults:
        raise ConfigurationError(faults)
    return pl.DataFrame(terms, schema=TERMS_SCHEMA), pl.DataFrame(state, schema=SERVICE_STATE)


def _service(name: str, place: Place, zone: str, terms: list[dict[str, object]], state: list[dict[str, object]]) -> None:
    fields = place.fields((), (*_KEYS, "periods", "carried"))
    general = _terms(fields, zone)
    terms.append({"service": name, "period": "", **general})
    periods, carried = fields.get("periods"), fields.get("carried")
    for label, at_key, value in periods.pairs() if periods else []:
        if _period(at_key, label) is not None:
            own = _terms(value.fields((), _KEYS), zone)
            terms.append(
                {"service": name, "period": label, **general, **{key: was for key, was in own.items() if was is not None}}
            )
    if carried:
        _carried(name, carried, state)


def _period(place: Place, label: str) -> int | None:
    try:
        return period_number(label)
    except ConfigurationError:
        place.fault("no such period", was=repr(label), must_be="YYYY-MM")
        return None


def _terms(fields: Fields, zone: str) -> dict[str, object]:
    found: dict[str, object] = {column: measured(fields.get(key), units) for key, (column, units) in MEASURED_TERMS.items()}
    found |= {key: fields.text(key) or None for key in TEXT_TERMS}
    found |= {
        column: decimal_nano(fields.get(key), "-100" if key == "temperature" else "0") for key, column in DECIMAL_TERMS.items()
    }
    found["shifts"] = whole(fields.get("shifts"), 1, 3)
    found["paused_days"] = whole(fields.get("paused_days"), 0, 31)
    found["in_from_at"] = instant_at(fields.get("moved_in_on"), zone)
    found["in_to_at"] = instant_at(fields.get("moved_out_on"), zone)
    extra = bound(fields.get("bound_extra"), UsageKind.ENERGY)
    found["bound_extra"] = extra[1] if extra else None
    return found


def _carried(name: str, place: Place, state: list[dict[str, object]]) -> None:
    fields = place.fields((), ("peaks", "used", "credits", "minimums"))

    def enter(topic: str, item: str, period: int | None, value: int | None) -> None:
        if period is not None and value is not None:
            state.append({"service": name, "topic": topic, "name": item, "period": period, "value": value})

    peaks, used, credits, minimums = (fields.get(key) for key in ("peaks", "used", "credits", "minimums"))
    for item, _, months in peaks.pairs() if peaks else []:
        for label, at_key, value in months.pairs():
            enter("peak", item, _period(at_key, label), measured(value, _POWER))
    for item, _, value in used.pairs() if used else []:
        of = value.fields(("since", "quantity"))
        enter("ladder", item, _since(of, "since"), _quantity(of.get("quantity")))
    for entry in credits.items() if credits else []:
        of = entry.fields(("earned",), ("quantity", "amount", "pool"))
        enter("credit_quantity", of.text("pool"), _since(of, "earned"), _quantity(of.get("quantity")))
        enter("credit_nano", "", _since(of, "earned"), amount(of.get("amount")))
    for item, _, value in minimums.pairs() if minimums else []:
        enter("minimum_nano", item, 0, amount(value, negative=True))


def _since(fields: Fields, key: str) -> int | None:
    place = fields.get(key)
    text = place.text() if place else None
    return _period(place, text) if place and text else None


def _quantity(place: Place | None) -> int | None:
    if place is None or (text := place.text()) is None:
        return None
    kind = UsageKind.LIQUID if text.endswith(("m3", "L")) else UsageKind.ENERGY
    found = bound(place, kind)
    return found[1] if found else None
