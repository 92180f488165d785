"""Discounts as readable text, for `tariff show`."""

from __future__ import annotations

from rating.described_terms import instant_text, percent_text
from rating.language.discount_terms import CHARGE, NO_START_AT, QUANTITY, Discount, FeeDiscount
from rating.language.rates_text import quantity_text, rate_lines
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff, TariffVersion
from schemas.money import amount_text
from schemas.quantities import UsageKind


def discount_kind(of: Discount) -> UsageKind:
    """The kind in whose units its totals read: the one that it is limited to, else voice."""
    return next(iter(of.kinds)) if of.kinds is not None and len(of.kinds) == 1 else UsageKind.VOICE


def discount_lines(of: Discount, tariff: Tariff, version: TariffVersion) -> list[str]:
    """A discount with its tiers or the rate it offers, one line each; filters, conditions and limits on the first."""
    kind = discount_kind(of)

    def total(basis: str, number: int) -> str:
        return quantity_text(number, kind) if basis == QUANTITY else amount_text(number)

    parts = [
        f"on {' '.join(sorted(one.label for one in of.kinds))}" if of.kinds is not None else "",
        f"to {', '.join(of.destinations)}" if of.destinations is not None else "",
        f"for {', '.join(sorted(of.items))}" if of.items is not None else "",
        f"in {' or '.join(sorted(of.windows))}" if of.windows is not None else "",
        f"from {instant_text(of.effective_from_at, tariff.zone, tariff.clock)}" if of.effective_from_at != NO_START_AT else "",
        f"until {instant_text(of.effective_to_at, tariff.zone, tariff.clock)}" if of.effective_to_at != FOREVER_AT else "",
        f"in the first {of.new_for.count} {of.new_for.unit} of the contract" if of.new_for else "",
        f"with {' or '.join(sorted(of.with_tariffs))}" if of.with_tariffs is not None else "",
        f"after {total(of.after_basis, of.after_total)}" if of.after_total else "",
        f"first {quantity_text(of.first_units, kind)}" if of.first_units is not None else "",
        f"first {of.first_records} records" if of.first_records is not None else "",
        f"at most {amount_text(of.budget_nano)}" if of.budget_nano is not None else "",
        "split at the bounds" if of.split_at_bound else "",
        "the whole period at the tier reached" if of.retroactive else "",
        "of the charge before discounts" if of.base == CHARGE else "",
        f"one of {of.exclusive}" if of.exclusive else "",
        f"charged by {of.rate} where that is lower" if of.rate else "",
    ]
    offered = [line for rate in version.rates if rate.name == of.rate for line in rate_lines(rate, kind)]
    tiers = [f"  {line}" for line in offered] + [
        f"  from {total(of.basis, tier.from_total)}: {percent_text(tier.ppm)}" for tier in of.tiers
    ]
    if len(of.tiers) == 1 and of.tiers[0].from_total == 0:
        parts, tiers = [percent_text(of.tiers[0].ppm), *parts], []
    said = ", ".join(filter(None, parts))
    return [f"{of.item}: {said}" if said else of.item, *tiers]


def tiers_text(of: Discount) -> str:
    """A discount's tiers on one line, without its name and conditions; a rate that it offers by name."""
    kind = discount_kind(of)
    starts = [quantity_text(tier.from_total, kind) if of.basis == QUANTITY else amount_text(tier.from_total) for tier in of.tiers]
    tiers = [f"from {start} {percent_text(tier.ppm)}" for start, tier in zip(starts, of.tiers, strict=True)]
    return ", ".join([*tiers, *([f"by {of.rate}"] if of.rate else [])])


def fee_discount_text(of: FeeDiscount, tariff: Tariff) -> str:
    """A discount of fees on one line."""
    parts = [
        percent_text(of.ppm),
        f"of {', '.join(sorted(of.fees))}" if of.fees is not None else "of all fees",
        f"with {' or '.join(sorted(of.with_tariffs))}" if of.with_tariffs is not None else "",
        f"from {instant_text(of.effective_from_at, tariff.zone, tariff.clock)}" if of.effective_from_at != NO_START_AT else "",
        f"until {instant_text(of.effective_to_at, tariff.zone, tariff.clock)}" if of.effective_to_at != FOREVER_AT else "",
    ]
    return f"{of.item}: {', '.join(filter(None, parts))}"
