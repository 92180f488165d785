"""Prices that jump from one version to the next, and amounts that the rounding cannot show."""

from __future__ import annotations

from fractions import Fraction

from rating.language.tariff import Tariff, TariffVersion
from rating.price_changes import PartChange, RateChange, named_changes, rate_changes
from rating.warning_places import Places
from schemas.errors import Fault
from schemas.money import NANO, amount_text


def jump_warnings(tariff: Tariff, places: Places, share: Fraction) -> list[Fault]:
    """Prices that changed by more than a share against the version before; prices from zero always. One warning for each rule."""
    said = []
    for before, after in zip(tariff.versions, tariff.versions[1:], strict=False):
        by_rule: dict[str, list[RateChange]] = {}
        for change in rate_changes(before, after):
            if change.new_rule and change.jumps(share):
                by_rule.setdefault(change.new_rule.where, []).append(change)
        said += [_rule_jump(where, changes, before) for where, changes in by_rule.items()]
        for named in named_changes(before, after):
            parts = [part for part in named.parts if _jumps(part, share)] if named.group != "tax" else []
            if parts:
                steps = ("energy", "prices", named.name) if named.group == "energy" else ("fees", named.name)
                what = f"{named.name!r} changed since version {before.label!r}: {parts[0].text()}"
                said.append(_jump(places.of(after, *steps), what))
    return said


def _jumps(part: PartChange, share: Fraction) -> bool:
    return part.share is None or abs(part.share) > share


def _rule_jump(where: str, changes: list[RateChange], before: TariffVersion) -> Fault:
    best = max(changes, key=lambda change: (change.is_from_zero, abs(change.share_ppb)))
    part = max(best.parts, key=lambda part: (part.share is None, abs(part.share or Fraction(0))))
    count = sum(change.prefixes for change in changes)
    rule = best.new_rule
    assert rule is not None
    more = f" (the most of {count} prefixes)" if count > 1 else ""
    to = f" for {best.first_prefix}{more}" if best.first_prefix else ""
    return _jump(where, f"{rule.item!r} changed since version {before.label!r}{to}: {part.text()}")


def _jump(where: str, what: str) -> Fault:
    return Fault(where, what, next_step="make sure that it is meant", code="warning_price_change")


def decimal_warnings(tariff: Tariff, places: Places) -> list[Fault]:
    """Whole amounts (fees, minimums, caps) with more decimals than what they are part of is rounded to."""
    said = []
    for version in tariff.versions:
        seen: set[tuple[str, str]] = set()
        rates = {rate.name: rate for rate in version.rates}
        for rule in version.rules:
            rate, rounding = rates.get(rule.rate or ""), rule.rounding or version.rounding
            if rate is None or rounding.mode == "none":
                continue
            amounts = (
                ("connect_fee", rate.connect_fee_nano),
                ("minimum_charge", rate.minimum_charge_nano),
                ("cap", rate.cap.amount_nano if rate.cap else 0),
            )
            for key, nano in amounts:
                if _decimals(nano) > rounding.decimals and (rate.name, key) not in seen:
                    seen.add((rate.name, key))
                    where = places.of(version, "rates", rate.name, key)
                    said.append(_too_fine(where, f"{key} of rate {rate.name!r}", nano, rounding.decimals))
        for fee in version.fees:  # a fee per day is rounded once for the days of a period
            if fee.per != "day" and version.rounding.mode != "none" and _decimals(fee.amount_nano) > version.rounding.decimals:
                where = places.of(version, "fees", fee.name)
                said.append(_too_fine(where, f"fee {fee.name!r}", fee.amount_nano, version.rounding.decimals))
    return said


def _decimals(nano: int) -> int:
    """The decimals that an amount needs."""
    return len(f"{abs(nano) % NANO:09d}".rstrip("0"))


def _too_fine(where: str, what: str, nano: int, decimals: int) -> Fault:
    return Fault(
        where,
        f"{what} is {amount_text(nano)}, and amounts are rounded to {decimals} decimals",
        next_step="write what will be charged, or round to more decimals",
        code="warning_decimals",
    )
