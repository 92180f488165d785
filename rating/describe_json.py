"""A tariff as plain values for programs, for `tariff show --json`: what `describe` says, with amounts as decimal texts."""

from __future__ import annotations

from rating.compiled.winners import distinct_rates
from rating.describe import other_terms, run_text
from rating.describe_calendars import calendar_lines, calendars_of
from rating.describe_discounts import discount_lines, fee_discount_text
from rating.describe_supply import ladder_lines, supply_sections
from rating.described_terms import allowance_text, instant_on, window_text
from rating.language.call_terms import Rate
from rating.language.shared_terms import FOREVER_AT, Fee, Rounding
from rating.language.tariff import Tariff, TariffVersion
from rating.language.utility_terms import EnergyPrice
from rating.week_grids import week_grids
from schemas.money import amount_text

Json = dict[str, object]


def tariff_json(tariff: Tariff) -> Json:
    """Identity and versions. Quantities are in base units of their kind, shares in parts per million."""
    return {
        "tariff_id": tariff.tariff_id,
        "name": tariff.name,
        "content_hash": tariff.content_hash,
        "service": str(tariff.service),
        "currency": tariff.currency,
        "zone": tariff.zone,
        "clock": tariff.clock,
        "calendars": [{"name": one.name, "text": calendar_lines(tariff, one)} for one in calendars_of(tariff)],
        "fallback": list(tariff.fallback),
        "versions": [_version(tariff, index, version) for index, version in enumerate(tariff.versions)],
    }


def _version(tariff: Tariff, index: int, version: TariffVersion) -> Json:
    return {
        "version": version.label,
        "effective_from": _instant(version.effective_from_at, tariff),
        "effective_to": _instant(version.effective_to_at, tariff),
        "rounding": _rounding(version.rounding),
        "priced_at": str(version.priced_at),
        "windows": [{"name": window.name, "text": window_text(window)} for window in version.windows],
        "weeks": [
            {
                "priced": grid.priced,
                "first_week_on": grid.first_week_on.isoformat(),
                "weeks": grid.weeks,
                "rows": grid.rows,
                "legend": grid.legend,
            }
            for grid in week_grids(tariff, index)
        ],
        "destinations": [_destination(version, number) for number in range(len(version.destinations))],
        "rates": [_rate(rate) for rate in version.rates],
        "rules": [
            {
                "kind": rule.kind.label,
                "item": rule.item,
                "destination": rule.destination,
                "window": rule.window,
                "weight": rule.weight,
                "rate": rule.rate,
                "rounding": _rounding(rule.rounding) if rule.rounding else None,
            }
            for rule in version.rules
        ],
        "energy": [_energy(price) for price in version.energy],
        "energy_tiers": ladder_lines(version),
        "supply": {title: lines for title, lines in supply_sections(version, tariff.zone, tariff.clock) if lines},
        "allowances": [
            {
                "name": each.name,
                "kind": each.kind.label if each.kind is not None else "generic",
                "text": allowance_text(each),
                "destinations": each.destinations,
                "units": each.units,
                "block": each.block,
                "scope": each.scope,
                "prorate": each.prorate,
                "priority": each.priority,
            }
            for each in version.allowances
        ],
        "discounts": _discounts(tariff, version),
        "derived": [{"run": run.name, "text": run_text(run)} for run in version.derived],
        "fees": [_fee(fee) for fee in version.fees],
        "fee_discounts": [{"item": one.item, "text": fee_discount_text(one, tariff)} for one in version.fee_discounts],
        "taxes": [{"name": tax.name, "ppm": tax.ppm, "of": tax.of} for tax in version.taxes],
        "other_terms": dict(other_terms(version)),
    }


def _instant(at: int, tariff: Tariff) -> str | None:
    return None if at == FOREVER_AT else instant_on(at, tariff.zone, tariff.clock).isoformat()


def _rounding(rounding: Rounding) -> Json:
    return {"scope": rounding.scope, "mode": rounding.mode, "decimals": rounding.decimals}


def _energy(price: EnergyPrice) -> Json:
    return {
        "item": price.item,
        "window": price.window,
        "weight": price.weight,
        "bounds": str(price.basis),
        "tiers": [_tier(tier.from_usage, tier.price_nano, tier.per, tier.increment) for tier in price.tiers],
    }


def _fee(fee: Fee) -> Json:
    prorate = "thirtieths" if fee.thirtieths else fee.prorate
    return {"name": fee.name, "amount": amount_text(fee.amount_nano), "per": fee.per, "prorate": prorate}


def _tier(start: int, price_nano: int, per: int, increment: int) -> Json:
    return {"from": start, "price": amount_text(price_nano), "per": per, "increment": increment}


def _rate(rate: Rate) -> Json:
    return {
        "name": rate.name,
        "connect_fee": amount_text(rate.connect_fee_nano),
        "minimum_charge": amount_text(rate.minimum_charge_nano),
        "cap": {"amount": amount_text(rate.cap.amount_nano), "strategy": rate.cap.strategy} if rate.cap else None,
        "tiers": [_tier(tier.from_usage, tier.price_nano, tier.per, tier.increment) for tier in rate.tiers],
    }


def _destination(version: TariffVersion, number: int) -> Json:
    """A deck by its size; the prefixes of a list in full."""
    to = version.destinations[number]
    if not to.deck_rates:
        return {"name": to.name, "prefixes": to.prefixes}
    rates = distinct_rates(to.deck_rates)
    prices = sorted(rate.tiers[0].price_nano for rate in rates)
    return {
        "name": to.name,
        "deck": to.deck_file,
        "prefix_count": len(to.prefixes),
        "rate_count": len(rates),
        "least_price": amount_text(prices[0]),
        "most_price": amount_text(prices[-1]),
    }


def _discounts(tariff: Tariff, version: TariffVersion) -> list[Json]:
    return [
        {"item": one.item, "order": one.order, "text": [line.strip() for line in discount_lines(one, tariff, version)]}
        for one in version.discounts
    ]
