"""The discount ladder: a share of each record's charge is given back by what the account was charged before it in the period.

A record takes the tier at the running total before it, whole; it is not split at the tier's start. The running total is that of
the account on the tariff, after allowances and before discounts. The discount is rounded once, half up to the nano-unit; the line
rounds.
"""

from __future__ import annotations

import numpy as np

from rating.compiled.rule_layout import LADDER
from schemas.kernels import kernel

_MILLION = 1_000_000
_TOTAL_MAX = 2**61


@kernel()
def apply_ladders(  # type: ignore[no-untyped-def]
    account_index, rule_index, tariff_index, rule_rows, words, discount_first, discount_tiers, totals, net_nano, discount_nano,
):  # fmt: skip
    """Reduce `net_nano` [n] by the discount of each record, in the order given.

    Args:
        totals: [accounts, tariffs] running totals in nano-units, raised in place.
    """
    for i in range(len(net_nano)):
        discount_nano[i] = 0
        ladder = words[rule_rows[np.int64(rule_index[i]), 7] + LADDER]
        if ladder < 0:
            continue
        account, tariff = np.int64(account_index[i]), np.int64(tariff_index[i])
        before = totals[account, tariff]
        charge = net_nano[i]
        ppm = np.int64(0)
        for tier in range(discount_first[ladder], discount_first[ladder + 1]):
            if discount_tiers[tier, 0] <= before:
                ppm = discount_tiers[tier, 1]
        magnitude = abs(charge)
        whole, rest = magnitude // _MILLION, magnitude % _MILLION
        given = whole * ppm + (rest * ppm + _MILLION // 2) // _MILLION
        discount_nano[i] = given if charge >= 0 else -given
        net_nano[i] = charge - discount_nano[i]
        # Held far above any tier, so that no month can wrap it.
        if charge >= 0:
            totals[account, tariff] = before + charge if charge < _TOTAL_MAX - before else _TOTAL_MAX
        else:
            totals[account, tariff] = before + charge if charge > -_TOTAL_MAX - before else -_TOTAL_MAX
