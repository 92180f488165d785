"""Rule rows for the kernels: weights as exact integers over a common denominator, and the quantity up to which int64 is safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm

import numpy as np

from rating.compiled.book import I64, BookRule
from rating.compiled.reciprocals import reciprocal
from rating.compiled.rule_layout import BY_START, FREE_CAP, MODES, NEVER, RULE_WORDS, SCALE_SHIFT, SHORT
from rating.language.call_terms import Rate
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


@dataclass(frozen=True, slots=True)
class RuleArrays:
    """Rule rows, step rows, scale rows and further words, laid out as `rule_layout` says."""

    rows: I64  # [rules, 8], on cache lines
    steps: I64  # [steps, 4], on cache lines
    scales: I64  # [scales, 5]
    words: I64


class _Building:
    """The tables that rules share, as they grow."""

    def __init__(self) -> None:
        self.steps: dict[int, int] = {}  # increment -> place
        self.scales: dict[tuple[int, int, int], int] = {}
        self.words: list[int] = []

    def arrays(self, rows: I64) -> RuleArrays:
        steps = [(step, *reciprocal(step), 0) for step in self.steps or {1: 0}]
        scales = [(*scale, *reciprocal(scale[0])) for scale in self.scales or {(1, 1, 1): 0}]
        return RuleArrays(
            rows,
            on_cache_lines(np.array(steps, dtype=np.int64)),
            np.array(scales, dtype=np.int64),
            np.array(self.words or [0], dtype=np.int64),
        )


def rule_arrays(rules: Sequence[BookRule], ladder_of: Sequence[int]) -> RuleArrays:
    """The arrays of all rules; `ladder_of[r]` is the discount ladder of rule r, -1 for none."""
    common = denominators(rules)
    longest: dict[tuple[str, UsageKind], int] = {}
    for rule in rules:
        key = (rule.tariff_id, rule.kind)
        longest[key] = max(longest.get(key, 0), *(tier.increment for tier in rule.rate.tiers))
    build = _Building()
    rows = [
        _row(rule, common[rule.tariff_id, rule.kind], longest[rule.tariff_id, rule.kind], build, ladder)
        for rule, ladder in zip(rules, ladder_of, strict=True)
    ]
    return build.arrays(on_cache_lines(np.array(rows or [[0] * RULE_WORDS], dtype=np.int64)))


def on_cache_lines(rows: I64) -> I64:
    """A copy that starts at a multiple of 64 bytes, so that a row of 8 words is one cache line."""
    raw = np.empty(rows.size + 8, dtype=np.int64)
    skip = (-raw.ctypes.data % 64) // 8
    placed = raw[skip : skip + rows.size].reshape(rows.shape)
    placed[:] = rows
    return placed


def _row(rule: BookRule, common: int, longest: int, build: _Building, ladder: int) -> list[int]:
    """The row of a rule; its steps, its scale and its further words are entered."""
    rate, rounding = rule.rate, rule.rounding
    rounds = rounding.scope == "record" and rounding.mode != "none"
    g = rounding.grid_nano if rounds else 1
    mode = MODES.index(rounding.mode if rounds else "half_up")
    is_capped = rate.cap is not None and rate.cap.strategy == "free"
    weights = [int(weight * common) for weight in weights_of(rate)]
    fee, minimum = rate.connect_fee_nano * common, rate.minimum_charge_nano * common
    cap = min(rate.cap.amount_nano * common, NEVER) if rate.cap and is_capped else NEVER
    safe = _safe_quantity([fee, minimum, g * common, *weights], weights, rate, common, longest)
    increments = [tier.increment for tier in rate.tiers]
    is_short = safe >= 0 and not is_capped and not minimum and len(weights) <= 2 and max(increments) < 2**31
    if safe < 0:  # nothing of it may enter int64
        common, fee, minimum, cap, weights, increments = 1, 0, 0, NEVER, [0] * len(weights), [1] * len(weights)
    scale = build.scales.setdefault((g * common, g, common), len(build.scales))
    flags = mode | (FREE_CAP if is_capped else 0) | (BY_START if rule.usage_start else 0)
    flags |= (SHORT if is_short else 0) | scale << SCALE_SHIFT
    more = len(build.words)
    build.words += [minimum, cap, ladder]
    for tier, increment, weight in zip(rate.tiers, increments, weights, strict=True):
        build.words += [tier.from_usage, increment, weight]
    build.words += [NEVER, 1, 0]
    second = rate.tiers[1].from_usage if len(weights) > 1 else NEVER
    pair = [build.steps.setdefault(step, len(build.steps)) for step in ([*increments, 1][:2] if is_short else [1, 1])]
    return [flags, fee, safe, second, pair[0] | pair[1] << 32, weights[0], [*weights, 0][1], more]


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
