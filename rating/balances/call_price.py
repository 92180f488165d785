"""What the increment at an instant costs, and how many of them an amount buys: reference rating §3 and §4."""

from __future__ import annotations

from typing import Any

from rating.balances.layout import BOOKED, COMMON_D, MINIMUM_NANO, TOTAL
from rating.balances.rounding import greatest_divisor, largest_total, rounded_steps
from rating.compiled.book import INDEX_BITS
from rating.compiled.choice_kernels import rule_at
from rating.compiled.price_terms import BY_START, CAP, COMMON, EXACT, START, TIER_FIRST, WEIGHT
from rating.compiled.rule_layout import NEVER
from rating.compiled.winners import CALL_KIND_COUNT
from schemas.kernels_borrowed import borrowing_part

_BITS = INDEX_BITS
_KINDS = CALL_KIND_COUNT


@borrowing_part
def elapsed_until(instant: int, start_at: int) -> int:
    """The first whole millisecond after the start that is not before an instant."""
    return (instant - start_at + 999) // 1000


@borrowing_part
def rule_until(lines: Any, tariff: int, kind: int, node: int, at: int, asked: int, start_at: int) -> tuple[int, int]:
    """(rule that wins at an instant, elapsed usage up to which it does; of interest up to `asked` only)."""
    cell = lines.cell_of[tariff * _KINDS + kind, node]
    if at < lines.span_start:
        return -1, NEVER
    place = lines.steps[tariff, (min(at, lines.span_end - 1) - lines.span_start) >> _BITS]
    while at >= lines.segment[place, 0]:
        place += 1
    rule = rule_at(lines.choices, cell, lines.segment[place, 1])
    border = elapsed_until(lines.segment[place, 0], start_at)
    while (
        border < asked and lines.segment[place, 0] < NEVER and rule_at(lines.choices, cell, lines.segment[place + 1, 1]) == rule
    ):
        place += 1
        border = elapsed_until(lines.segment[place, 0], start_at)
    return int(rule), int(border) if lines.segment[place, 0] < NEVER else NEVER


@borrowing_part
def price_at(
    lines: Any,
    prices: Any,
    tariff: int,
    fixed: int,
    kind: int,
    node: int,
    start_at: int,
    elapsed: int,
    asked: int,
    has_shape: bool,
) -> tuple[int, int, int]:
    """(rule, its tier row, elapsed usage up to which both hold) for the increment that starts at `elapsed`; rule -1 for none."""
    rule, border = fixed, NEVER
    if fixed < 0:
        rule, border = rule_until(lines, tariff, kind, node, start_at, asked, start_at)
        if not has_shape or (rule >= 0 and prices.terms[rule, BY_START] != 0):
            border = NEVER
        elif elapsed > 0:
            rule, border = rule_until(lines, tariff, kind, node, start_at + elapsed * 1000, asked, start_at)
        if rule < 0:
            return rule, 0, border
    tier = prices.terms[rule, TIER_FIRST]
    while elapsed >= prices.tiers[tier + 1, START]:
        tier += 1
    return rule, tier, min(border, prices.tiers[tier + 1, START])


@borrowing_part
def scaled_to(call: Any, terms: Any, rule: int, limit: int) -> int:
    """Bring the running total over a denominator that the rule shares; returns the rule's multiplier, 0 where it is too large."""
    if terms[rule, EXACT] != 0:
        return 0
    own, common = terms[rule, COMMON], call[COMMON_D]
    wanted = common // greatest_divisor(common, own)
    if wanted > limit // 8 // own or (call[TOTAL] if call[TOTAL] >= 0 else -call[TOTAL]) > limit // 8 // (wanted * own // common):
        return 0
    call[TOTAL] *= wanted * own // common
    call[COMMON_D] = wanted * own
    return int(wanted)


@borrowing_part
def times(amount: int, common: int, limit: int) -> int:
    """amount * common, `limit` where that passes an eighth of it."""
    return int(amount * common) if amount <= limit // 8 // common else limit


@borrowing_part
def weigh(prices: Any, call: Any, rule: int, tier: int, grid: int, limit: int) -> tuple[bool, int, int]:
    """(whether all of it surely stays in range, weight of an increment and cap over the call's denominator)."""
    multiplier = scaled_to(call, prices.terms, rule, limit)
    if multiplier == 0 or call[COMMON_D] > limit // 8 // grid:
        return False, 0, 0
    weight = prices.tiers[tier, WEIGHT]
    if (weight if weight >= 0 else -weight) > limit // 8 // multiplier:
        return False, 0, 0
    return True, int(weight * multiplier), times(prices.terms[rule, CAP], call[COMMON_D], limit)


@borrowing_part
def payable(room: int, wanted: int, call: Any, weight: int, cap: int, mode: int, grid: int, limit: int) -> int:
    """How many increments of a weight fit into the room, at most `wanted`: one division (reference rating §4)."""
    if room == limit:
        return wanted
    most = largest_total((call[BOOKED] + room) // grid, mode, grid * call[COMMON_D], limit)
    floor = times(call[MINIMUM_NANO], call[COMMON_D], limit) if call[MINIMUM_NANO] > 0 else call[TOTAL]
    if max(floor, call[TOTAL]) > most:
        return 0
    if weight <= 0 or cap <= most or call[TOTAL] >= cap:
        return wanted
    return int(min(wanted, (most - call[TOTAL]) // weight))


@borrowing_part
def raise_total(call: Any, count: int, weight: int, cap: int, mode: int, grid: int) -> int:
    """Add increments to the running total and book it; returns the part that these increments add, by telescoping."""
    raised = call[TOTAL] + count * weight
    call[TOTAL] = max(call[TOTAL], min(raised, cap)) if weight > 0 else raised
    total = call[TOTAL]
    if call[MINIMUM_NANO] > 0 and count > 0:
        total = max(total, call[MINIMUM_NANO] * call[COMMON_D])
    booked = rounded_steps(total, mode, grid * call[COMMON_D]) * grid
    part = booked - call[BOOKED]
    call[BOOKED] = booked
    return int(part)
