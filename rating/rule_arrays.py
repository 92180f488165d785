"""Rule rows for the kernels: weights as exact integers over a common denominator, and the quantity up to which int64 is safe."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import lcm

import numpy as np

from rating.book import I64, BookRule
from rating.increments import BY_START, FREE_CAP, MODES, NEVER, PLAIN, RULE_WORDS
from rating.tariff import Rate
from schemas.quantities import UsageKind

# Each rule alone stays below 2**60, so a call over several rules stays below 2**61 and twice its rest below 2**62.
_SAFE_TOTAL = 2**60
_DENOMINATOR_MAX = 2**40


def weights_of(rate: Rate) -> list[Fraction]:
    """What one increment of each tier costs, exact nano-units."""
    return [Fraction(tier.price_nano * tier.increment, tier.per) for tier in rate.tiers]


def denominators(rules: Sequence[BookRule]) -> dict[tuple[str, UsageKind], int]:
    """D for each tariff and kind: the least common multiple of all denominators, so that a call may pass from rule to rule."""
    found: dict[tuple[str, UsageKind], int] = {}
    for rule in rules:
        key = (rule.tariff_id, rule.kind)
        found[key] = lcm(found.get(key, 1), *(weight.denominator for weight in weights_of(rule.rate)))
    return found


def rule_arrays(rules: Sequence[BookRule], ladder_of: Sequence[int]) -> tuple[I64, I64]:
    """(rule rows, tier rows) of all rules; `ladder_of[r]` is the discount ladder of rule r, -1 for none."""
    common = denominators(rules)
    longest: dict[tuple[str, UsageKind], int] = {}
    for rule in rules:
        key = (rule.tariff_id, rule.kind)
        longest[key] = max(longest.get(key, 0), *(tier.increment for tier in rule.rate.tiers))
    rows, tiers = np.zeros((max(len(rules), 1), RULE_WORDS), dtype=np.int64), []
    for index, rule in enumerate(rules):
        key = (rule.tariff_id, rule.kind)
        row = _row(rule, common[key], longest[key])
        rows[index, :13] = row
        rows[index, 13:] = (len(tiers), common[key] if row[7] >= 0 else 1, ladder_of[index])
        safe = row[7] >= 0
        weights = [int(weight * common[key]) if safe else 0 for weight in weights_of(rule.rate)]
        tiers += [(tier.from_usage, tier.increment, weight) for tier, weight in zip(rule.rate.tiers, weights, strict=True)]
        tiers.append((NEVER, 1, 0))
    return rows, np.array(tiers or [(NEVER, 1, 0)], dtype=np.int64)


def _row(rule: BookRule, common: int, longest: int) -> list[int]:
    """Words 0 to 12 of a rule."""
    rate, rounding = rule.rate, rule.rounding
    rounds = rounding.scope == "record" and rounding.mode != "none"
    g = rounding.grid_nano if rounds else 1
    flags = MODES.index(rounding.mode if rounds else "half_up")
    is_capped = rate.cap is not None and rate.cap.strategy == "free"
    flags |= (FREE_CAP if is_capped else 0) | (BY_START if rule.usage_start else 0)
    flags |= PLAIN if not is_capped and not rate.minimum_charge_nano else 0
    weights = [int(weight * common) for weight in weights_of(rate)]
    fee, minimum = rate.connect_fee_nano * common, rate.minimum_charge_nano * common
    cap = rate.cap.amount_nano * common if rate.cap and is_capped else NEVER
    first, second = rate.tiers[0], rate.tiers[1] if len(rate.tiers) > 1 else None
    third = rate.tiers[2].from_usage if len(rate.tiers) > 2 else NEVER
    safe = _safe_quantity([fee, minimum, g * common, *weights], weights, rate, common, longest)
    words = [flags, g * common, g, fee, first.increment, weights[0], second.from_usage if second else NEVER, safe]
    words += [second.increment if second else 1, weights[1] if second else 0, third, minimum, min(cap, NEVER)]
    return words if safe >= 0 else [flags, g, g, 0, 1, 0, NEVER, -1, 1, 0, NEVER, 0, NEVER]


def _safe_quantity(products: list[int], weights: list[int], rate: Rate, common: int, longest: int) -> int:
    """The largest quantity whose total surely stays within `_SAFE_TOTAL`; -1 where a constant alone is too large."""
    if common > _DENOMINATOR_MAX or max(abs(product) for product in products) > _SAFE_TOTAL // 4:
        return -1
    room = _SAFE_TOTAL // 2 - abs(products[0])
    safe = _SAFE_TOTAL
    for tier, weight in zip(rate.tiers, weights, strict=True):
        if weight:
            safe = min(safe, room * tier.increment // abs(weight))
    return max(safe - longest, -1)
