"""Quantities as people read them: exact, in the largest unit that fits."""

from __future__ import annotations

# base unit -> (factor, unit shown), largest first; below the last factor the last one is used.
_SCALES: dict[str, tuple[tuple[int, str], ...]] = {
    "bytes": ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"), (1, "bytes")),
    "milliwh": ((1_000_000, "kWh"),),
    "millivarh": ((1_000_000, "kvarh"),),
    "ml": ((1_000_000, "m3"),),
    "milliw": ((1_000_000, "kW"),),
    "milliva": ((1_000_000, "kVA"),),
    "count": ((1, ""),),
}


def quantity_text(quantity: int, unit: str) -> str:
    """A quantity of a base unit as text, without loss: 7,965,000 ms is `2 h 12 min 45 s`, 1,500,000 bytes `1.5 MB`."""
    if unit == "ms":
        return _duration_text(quantity)
    if unit == "days":
        return f"{quantity} {'day' if abs(quantity) == 1 else 'days'}"
    scales = _SCALES.get(unit, ((1, unit),))
    factor, shown = next((scale for scale in scales if abs(quantity) >= scale[0]), scales[-1])
    return f"{_quotient_text(quantity, factor)} {shown}".rstrip()


def _duration_text(duration_ms: int) -> str:
    sign, rest = ("-" if duration_ms < 0 else ""), abs(duration_ms)
    hours, rest = divmod(rest, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    parts = [f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    if rest or not (hours or minutes):
        parts.append(f"{_quotient_text(rest, 1_000)} s")
    return sign + " ".join(part for part in parts if part)


def _quotient_text(numerator: int, power_of_ten: int) -> str:
    """numerator / power_of_ten, exactly, without trailing zeros."""
    sign = "-" if numerator < 0 else ""
    whole, rest = divmod(abs(numerator), power_of_ten)
    digits = f"{rest:0{len(str(power_of_ten)) - 1}d}".rstrip("0") if rest else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
