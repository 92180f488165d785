"""The big-integer path: the same loop as `increments.price_call` on fractions, for rows that int64 might not hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from rating.compiled.book import BookRule, TariffBook
from rating.compiled.prefix_lookup import node_of_packed
from rating.compiled.rule_arrays import weights_of
from rating.compiled.rule_layout import BY_START, NEVER
from rating.compiled.winners import CALL_KIND_COUNT, NO_RATE_FOR_DESTINATION
from schemas.money import round_ratio
from schemas.quantities import INT64_MAX
from schemas.reasons import Reason


@dataclass(frozen=True, slots=True)
class PricedSegment:
    """One row of an explanation: `count` increments from `elapsed` on under a rule and a tier, and the exact total after them."""

    elapsed: int
    count: int
    increment: int
    rule_index: int
    tier: int
    total_nano: Fraction


@dataclass(frozen=True, slots=True)
class ExactPrice:
    """What a call costs: the exact total in nano-units after cap and minimum, and what is booked of it."""

    status: int
    rule_index: int = -1
    total_nano: Fraction = Fraction(0)
    charge_nano: int = 0
    charged_quantity: int = 0
    segments: list[PricedSegment] = field(default_factory=list)


def booked_exact(total: Fraction, rule: BookRule) -> int:
    """The total rounded once by the rule in force at the start; line scope and no rounding book the nearest nano-unit."""
    rounding = rule.rounding
    if rounding.scope == "line" or rounding.mode == "none":
        return round_ratio(total.numerator, total.denominator, "half_up")
    grid = rounding.grid_nano
    return grid * round_ratio(total.numerator, total.denominator * grid, rounding.mode)


def exact_price(
    book: TariffBook,
    tariff: int,
    kind: int,
    number: int,
    start_at: int,
    quantity: int,
    *,
    elapsed: int = 0,
    with_fee: bool = True,
) -> ExactPrice:
    """Price one record with `quantity` > `elapsed`; arguments and statuses as in `first_pass.rate_calls`."""
    node = node_of_packed(book.prefixes, number)
    cell = int(book.cell_of[tariff * CALL_KIND_COUNT + kind, node])
    place = book.timelines.place_of(tariff, start_at)
    if place < 0:
        return ExactPrice(Reason.NO_RATE_AT_INSTANT)
    rule = book.rule_at(cell, place)
    if rule < 0:
        return ExactPrice(Reason.NO_RATE_FOR_DESTINATION if rule == NO_RATE_FOR_DESTINATION else Reason.NO_RATE_AT_INSTANT)
    at_start, by_start = rule, bool(book.rule_rows[rule, 0] & BY_START)
    first = book.rules[rule].rate
    total = Fraction(first.connect_fee_nano if with_fee else 0)
    if first.cap and first.cap.strategy == "free":
        total = min(total, Fraction(first.cap.amount_nano))
    segments: list[PricedSegment] = []
    while elapsed < quantity:
        border = quantity
        if not by_start:
            while elapsed >= _elapsed_at(book, place, start_at):
                place += 1
            rule = book.rule_at(cell, place)
            if rule < 0:
                return ExactPrice(Reason.NO_RATE_AT_INSTANT)
            border = min(border, _border(book, cell, place, start_at, quantity))
        elapsed, total = _one_rule(book, rule, elapsed, border, total, segments)
    if with_fee:
        total = max(total, Fraction(first.minimum_charge_nano)) if first.minimum_charge_nano else total
    charge = booked_exact(total, book.rules[at_start])
    if abs(charge) > INT64_MAX or elapsed > INT64_MAX:
        return ExactPrice(Reason.CHARGE_OVERFLOW)
    return ExactPrice(Reason.OK, at_start, total, charge, elapsed, segments)


def _one_rule(
    book: TariffBook, rule: int, elapsed: int, border: int, total: Fraction, segments: list[PricedSegment]
) -> tuple[int, Fraction]:
    """All increments that start under one rule before the border, tier by tier."""
    rate = book.rules[rule].rate
    weights = weights_of(rate)
    starts = [*(tier.from_usage for tier in rate.tiers), NEVER]
    while elapsed < border:
        tier = max(number for number in range(len(weights)) if starts[number] <= elapsed)
        limit = min(border, starts[tier + 1]) if tier + 1 < len(weights) else border
        increment = rate.tiers[tier].increment
        count = -((elapsed - limit) // increment)
        raised = total + count * weights[tier]
        total = max(total, min(raised, Fraction(rate.cap.amount_nano))) if rate.cap and rate.cap.strategy == "free" else raised
        segments.append(PricedSegment(elapsed, count, increment, rule, tier, total))
        elapsed += count * increment
    return elapsed, total


def _elapsed_at(book: TariffBook, place: int, start_at: int) -> int:
    return (int(book.timelines.segment[place, 0]) - start_at + 999) // 1000


def _border(book: TariffBook, cell: int, place: int, start_at: int, quantity: int) -> int:
    """The elapsed usage at which another rule wins; it is of interest up to `quantity` only."""
    rule = book.rule_at(cell, place)
    border = _elapsed_at(book, place, start_at)
    while border < quantity and place + 1 < len(book.timelines.segment) and book.rule_at(cell, place + 1) == rule:
        place += 1
        border = _elapsed_at(book, place, start_at)
    return border
