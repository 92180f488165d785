"""What each rule costs, for kernels that pay piece by piece: plain columns beside the packed rows of `rule_arrays`.

A rule's weights are integers over its own denominator (COMMON), money is in nano-units. Rules whose weights leave int64 are
marked EXACT: kernels hand such rows to the same walk on Python integers, which reads `price_terms(…, exact=True)`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rating.compiled.book import BookRule
from rating.compiled.rule_arrays import denominators, weights_of
from rating.compiled.rule_layout import MODES, NEVER

FEE, MINIMUM, CAP, DISCONNECT, MODE, GRID, COMMON, BY_START, TIER_FIRST, EXACT = range(10)  # columns of `terms`
START, INCREMENT, WEIGHT = range(3)  # columns of `tiers`
_WEIGHT_MAX = 2**58
_COMMON_MAX = 2**40
_EXACT_NEVER = 2**5000  # beyond any integer that the walk on Python integers meets


class PriceTerms(NamedTuple):
    """`terms` [rules, 10] and `tiers` [tiers, 3]; a rule's tiers stand from TIER_FIRST on and end with one that never starts."""

    terms: npt.NDArray[Any]
    tiers: npt.NDArray[Any]


def price_terms(rules: Sequence[BookRule], *, exact: bool = False) -> PriceTerms:
    """The terms of all rules in their order; `exact` gives columns of Python integers, in which nothing is left out."""
    common = denominators(rules)
    kind, never = (object, _EXACT_NEVER) if exact else (np.int64, NEVER)
    terms: list[list[int]] = []
    tiers: list[list[int]] = []
    for rule in rules:
        rate, rounding = rule.rate, rule.rounding
        rounds = rounding.scope == "record" and rounding.mode != "none"
        mode = MODES.index(rounding.mode if rounds else "half_up")
        of = common[rule.tariff_id, rule.kind]
        weights = [int(weight * of) for weight in weights_of(rate)]
        is_large = not exact and (of > _COMMON_MAX or max(abs(weight) for weight in weights) > _WEIGHT_MAX)
        caps = [never, never]
        if rate.cap:
            caps[0 if rate.cap.strategy == "free" else 1] = rate.cap.amount_nano
        terms.append(
            [rate.connect_fee_nano, rate.minimum_charge_nano, *caps, mode, rounding.grid_nano if rounds else 1,
             1 if is_large else of, int(rule.usage_start), len(tiers), int(is_large)]
        )  # fmt: skip
        for tier, weight in zip(rate.tiers, weights, strict=True):
            tiers.append([tier.from_usage, tier.increment, 0 if is_large else weight])
        tiers.append([never, 1, 0])
    return PriceTerms(np.array(terms, dtype=kind).reshape(-1, 10), np.array(tiers or [[never, 1, 0]], dtype=kind).reshape(-1, 3))
