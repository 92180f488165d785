"""What records cost by the trial rates of their discounts: the whole record by its start, no window, no other rule."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt

from rating.calls.exact_price import booked_exact
from rating.calls.increments import booked_nano, price_call
from rating.compiled.book import BookRule, TariffBook
from rating.compiled.discount_sets import OFFER, OFFER_SLOT
from rating.compiled.rule_arrays import weights_of
from rating.compiled.rule_layout import LADDER, NEVER, SCALE_SHIFT
from schemas.kernels_borrowed import borrowing_kernel
from schemas.quantities import INT64_MAX

I64 = npt.NDArray[np.int64]
NO_OFFER = INT64_MAX  # never lower than a charge: nothing is given


def trial_charges(book: TariffBook, rule_index: npt.NDArray[np.int32], quantity: I64, allowance_units: I64) -> I64:
    """[n, slots]: what each record costs by each trial rate of its discounts, NO_OFFER where there is none; no row without slots.

    Where an allowance paid the first part the rate goes on after it, without fee and minimum, as the main rate does.
    """
    of = book.discounts
    slots = int(of.rows[:, OFFER_SLOT].max(initial=-1)) + 1 if (of.rows[:, OFFER] >= 0).any() else 0
    charges = np.full((len(rule_index) if slots else 0, max(slots, 1)), NO_OFFER, dtype=np.int64)
    if not slots:
        return charges
    exact = np.zeros(len(rule_index), dtype=np.bool_)
    _price_offers(
        rule_index, quantity, allowance_units, book.rule_rows, book.rule_words, of.set_first, of.rows, of.rule_mask,
        of.offer_rows, of.offer_scales, of.offer_words, book.timelines.segment, book.choices,
        np.empty((0, 6), dtype=np.int64), charges, exact,
    )  # fmt: skip
    for row in np.flatnonzero(exact).tolist():
        _price_exactly(book, row, int(rule_index[row]), int(quantity[row]), int(allowance_units[row]), charges)
    return charges


@borrowing_kernel
def _price_offers(  # type: ignore[no-untyped-def]
    rule_index, quantity, allowance_units, rule_rows, words, set_first, rows, rule_mask,
    offer_rows, offer_scales, offer_words, segment, choices, nothing, charges, exact,
):  # fmt: skip
    """Write `charges`; `exact` marks the rows whose products could leave int64. nothing: [0, 6], no step is to be shown."""
    for i in range(len(rule_index)):
        of_set = words[rule_rows[rule_index[i], 7] + LADDER]
        if of_set < 0 or quantity[i] <= allowance_units[i]:
            continue
        for d in range(set_first[of_set], set_first[of_set + 1]):
            offer = rows[d, OFFER]
            if offer < 0 or not (rule_mask[rule_index[i]] >> (d - set_first[of_set])) & 1:
                continue
            status, total, _, _ = price_call(
                segment, choices, offer_rows, offer_words, 0, 0, offer, 0, quantity[i], allowance_units[i],
                allowance_units[i] == 0, nothing,
            )  # fmt: skip
            if status != 0:
                exact[i] = True
                continue
            flags = offer_rows[offer, 0]
            scale = flags >> SCALE_SHIFT
            charges[i, rows[d, OFFER_SLOT]] = booked_nano(total, flags, offer_scales[scale, 0], offer_scales[scale, 1])


def _price_exactly(book: TariffBook, row: int, rule: int, quantity: int, covered: int, charges: I64) -> None:
    """The big-integer path: a price beyond int64 is no offer."""
    of = book.discounts
    of_set = int(book.rule_words[book.rule_rows[rule, 7] + LADDER])
    first, end = (int(at) for at in of.set_first[of_set : of_set + 2])
    for d in range(first, end):
        if of.rows[d, OFFER] >= 0 and int(of.rule_mask[rule]) >> (d - first) & 1:
            offer = of.offers[int(of.rows[d, OFFER])]
            charges[row, of.rows[d, OFFER_SLOT]] = min(booked_exact(_exact_total(offer, quantity, covered), offer), NO_OFFER)


def _exact_total(rule: BookRule, quantity: int, elapsed: int) -> Fraction:
    """Exact nano-units of a record by one rate."""
    rate, with_fee = rule.rate, elapsed == 0
    cap = Fraction(rate.cap.amount_nano) if rate.cap and rate.cap.strategy == "free" else None
    total = Fraction(rate.connect_fee_nano if with_fee else 0)
    bounds = [*(tier.from_usage for tier in rate.tiers[1:]), NEVER]
    for tier, weight, bound in zip(rate.tiers, weights_of(rate), bounds, strict=True):
        limit = min(quantity, bound) if bound != NEVER else quantity
        if elapsed < limit:
            count = -((elapsed - limit) // tier.increment)
            total += count * weight
            elapsed += count * tier.increment
    if cap is not None:
        total = min(total, cap)
    return max(total, Fraction(rate.minimum_charge_nano)) if with_fee and rate.minimum_charge_nano else total
