"""How quantities and rates read in text: in the largest unit that gives a whole number."""

from __future__ import annotations

from rating.language.call_terms import Rate
from rating.language.shared_terms import Tier
from rating.language.written_values import UNITS
from schemas.money import amount_text
from schemas.quantities import UsageKind

_SHOWN = {
    UsageKind.VOICE: ("min", "s", "ms"),
    UsageKind.MESSAGE: ("message",),
    UsageKind.VOLUME: ("GB", "MB", "GiB", "MiB", "KiB", "kB", "B"),
    UsageKind.ENERGY: ("MWh", "kWh", "Wh"),
    UsageKind.REACTIVE: ("kvarh", "varh"),
    UsageKind.LIQUID: ("m3", "L"),
}
_NONE = {UsageKind.VOICE: "0 s", UsageKind.MESSAGE: "0 messages", UsageKind.ENERGY: "0 kWh"}


def quantity_text(quantity: int, kind: UsageKind) -> str:
    """`60 s`, `1 MB`, `10 KiB`: exact, in a unit that people use."""
    if kind not in _SHOWN:
        return f"{quantity} {kind.unit}"
    if not quantity and kind in _NONE:
        return _NONE[kind]
    for unit in _SHOWN[kind]:
        scale = UNITS[unit][1]
        if quantity and quantity % scale == 0 and (unit != "min" or quantity > 60_000) and unit != "MWh":
            return f"{quantity // scale} {unit if unit != 'message' or quantity == 1 else 'messages'}"
    if kind is UsageKind.ENERGY:
        return f"{quantity} milliwh"
    return f"{quantity} {_SHOWN[kind][-1]}"


def rate_text(name: str, fee_nano: int, tiers: tuple[Tier, ...], kind_label: str) -> str:
    """One line for a rate without a name of its own."""
    kind = UsageKind[kind_label.upper()]
    first, last = tiers[0], tiers[-1]
    steps = f"{quantity_text(first.increment, kind)} / {quantity_text(last.increment, kind)}"
    fee = f" + {amount_text(fee_nano)}" if fee_nano else ""
    return f"{name}: {amount_text(first.price_nano)} per {quantity_text(first.per, kind)}, {steps}{fee}"


def rate_lines(rate: Rate, kind: UsageKind) -> list[str]:
    """The tiers of a rate, one line each, with fee, minimum and cap."""
    lines = []
    if rate.connect_fee_nano:
        lines.append(f"connect fee {amount_text(rate.connect_fee_nano)}")
    for tier in rate.tiers:
        start = f"from {quantity_text(tier.from_usage, kind)}: " if tier.from_usage else ""
        price = f"{amount_text(tier.price_nano)} per {quantity_text(tier.per, kind)}"
        lines.append(f"{start}{price} in steps of {quantity_text(tier.increment, kind)}")
    if rate.minimum_charge_nano:
        lines.append(f"at least {amount_text(rate.minimum_charge_nano)}")
    if rate.cap:
        lines.append(f"at most {amount_text(rate.cap.amount_nano)} ({rate.cap.strategy})")
    return lines
