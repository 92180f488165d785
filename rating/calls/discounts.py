"""Discounts of usage after allowances: what each discount of a record's set gives, in stacking order and event-time order.

A share is rounded once, half up to the nano-unit by magnitude; the line rounds. What must be divided (a record over a bound of a
ladder, a record that uses up the first units of a promotion) is divided by telescoping, so that parts add up. Credits take
percentages, and nothing that has a limit. All discounts of a record together never turn its sign.
"""

from __future__ import annotations

import numpy as np

from rating.compiled.discount_sets import (
    AFTER_BASIS,
    AFTER_TOTAL,
    BASE,
    BASIS,
    BUDGET,
    COUNTER,
    DESTINATION_ROW,
    FIRST_RECORDS,
    FIRST_UNITS,
    FROM_AT,
    GIVEN_NANO,
    GROUP,
    IS_LIMITED,
    MONEY_TOTAL,
    NEEDS_BIT,
    OFFER,
    OFFER_SLOT,
    QUANTITY_TOTAL,
    RECORDS_USED,
    RETROACTIVE,
    SPLIT,
    TIER_END,
    TIER_FIRST,
    TO_AT,
    UNITS_USED,
    WINDOW_ROW,
)
from rating.compiled.prefixes import node_of_number
from schemas.kernels_borrowed import borrowing_kernel, borrowing_part

_MILLION = 1_000_000
_TOTAL_MAX = 2**61  # totals are held here, far above any bound, so that no month can wrap them
_HALF_WORD = 2**31
_LONG_DIVISION_MAX = 2**40
_DIGIT = 2**22 - 1


@borrowing_part
def part_of(amount: int, part: int, whole: int) -> int:
    """amount * part // whole exactly, for 0 <= part <= whole, 0 < whole, 0 <= amount: no product leaves int64."""
    if amount < _HALF_WORD and part < _HALF_WORD:
        return amount * part // whole
    quotient, rest = 0, 0
    if whole <= _LONG_DIVISION_MAX:  # three digits of 22 bits: rest * 2**22 + digit * part stays below 2**63
        for shift in range(44, -1, -22):
            value = (rest << 22) + ((amount >> shift) & _DIGIT) * part
            quotient = (quotient << 22) + value // whole
            rest = value % whole
        return quotient
    for bit in range(62, -1, -1):
        quotient += quotient
        if rest >= whole - rest:
            rest -= whole - rest
            quotient += 1
        else:
            rest += rest
        if (amount >> bit) & 1:
            if part >= whole - rest:
                rest = part - (whole - rest)
                quotient += 1
            else:
                rest += part
    return quotient


@borrowing_part
def share_of(amount: int, ppm: int) -> int:
    """`ppm` of an amount, half up by magnitude."""
    magnitude = abs(amount)
    whole, rest = magnitude // _MILLION, magnitude % _MILLION
    given = whole * ppm + (rest * ppm + _MILLION // 2) // _MILLION
    return given if amount >= 0 else -given


@borrowing_part
def raised(total: int, by: int) -> int:
    """A running total after a record, held within +-2**61."""
    if by >= 0:
        return total + by if by < _TOTAL_MAX - total else _TOTAL_MAX
    return total + by if by > -_TOTAL_MAX - total else -_TOTAL_MAX


@borrowing_part
def tier_share(tiers, first, end, total):  # type: ignore[no-untyped-def]
    """The ppm of the tier that a running total has reached."""
    ppm = 0
    for tier in range(first, end):
        ppm = tiers[tier, 1] if tiers[tier, 0] <= total else ppm
    return ppm


@borrowing_part
def split_share(tiers, first, end, total, span, base):  # type: ignore[no-untyped-def]
    """What a record of `span` > 0 gets of `base` >= 0 where it is divided at the bounds that it passes; rounded once."""
    ppm = tier_share(tiers, first, end, total)
    done, whole, rest = 0, 0, 0
    for tier in range(first, end):
        reached = tiers[tier, 0] - total
        if reached <= 0 or reached >= span:
            continue
        until = part_of(base, reached, span)
        whole += (until - done) // _MILLION * ppm
        rest += (until - done) % _MILLION * ppm
        done, ppm = until, tiers[tier, 1]
    whole += (base - done) // _MILLION * ppm
    rest += (base - done) % _MILLION * ppm
    return whole + (rest + _MILLION // 2) // _MILLION


@borrowing_part
def amount_given(row, tiers, counter, charge, left, units, offer):  # type: ignore[no-untyped-def]
    """What one discount gives of a record; `left` is what earlier discounts left of the charge."""
    base = charge if row[BASE] else left
    before = counter[QUANTITY_TOTAL] if row[BASIS] else counter[MONEY_TOTAL]
    after = counter[QUANTITY_TOTAL] if row[AFTER_BASIS] else counter[MONEY_TOTAL]
    if after < row[AFTER_TOTAL] or base == 0 or (base < 0 and row[IS_LIMITED]):
        return 0
    span = units if row[BASIS] else charge
    if row[OFFER] >= 0:
        given = max(base - offer, 0)
    elif row[SPLIT] and base > 0 and span > 0:
        given = split_share(tiers, row[TIER_FIRST], row[TIER_END], before, span, base)
    else:
        ppm = tier_share(tiers, row[TIER_FIRST], row[TIER_END], before)
        given = share_of(base, ppm) if ppm != 0 else 0
    if row[IS_LIMITED]:
        free = row[FIRST_UNITS] - counter[UNITS_USED]
        if free <= 0 or counter[RECORDS_USED] >= row[FIRST_RECORDS]:
            return 0
        if units > free:
            given = part_of(given, free, units)
        given = min(given, row[BUDGET] - counter[GIVEN_NANO])
    return min(given, left) if charge >= 0 else max(given, left)


@borrowing_part
def filters_hold(  # type: ignore[no-untyped-def]
    row, at, number, tariff, span_start, steps, segment, top, sub, index_bits, destinations, windows,
):  # fmt: skip
    """Whether a discount is in force for a record: its dates, destinations and windows."""
    if at < row[FROM_AT] or at >= row[TO_AT]:
        return False
    if row[DESTINATION_ROW] >= 0 and not destinations[row[DESTINATION_ROW], node_of_number(number, top, sub)]:
        return False
    if row[WINDOW_ROW] >= 0:
        place = np.int64(steps[tariff, (at - span_start) >> index_bits])
        while at >= segment[place, 0]:
            place += 1
        return windows[row[WINDOW_ROW], segment[place, 1]]
    return True


@borrowing_kernel
def give_discounts(  # type: ignore[no-untyped-def]
    account_index, start_at, called_number, quantity, allowance_units, rule_index, tariff_index, eligible, offers,
    span_start, steps, segment, top, sub, index_bits,
    set_of_rule, has_retroactive, set_first, rows, tiers, rule_mask, destinations, windows, counters,
    net_nano, discount_nano, given_row, given_discount, given_nano,
):  # fmt: skip
    """Reduce `net_nano` [n] by the discounts of each record, in the order given.

    Args:
        eligible: [n], bit j: conditions that need the account hold for the j-th discount of the record's set; read only where
            one has such conditions. offers: [n, slots], what the record costs by the trial rates of its set; read likewise.
        set_of_rule: i4[rules], -1 for a rule without discounts. has_retroactive: whether any discount is.
        counters: [accounts, counters, 5], raised in place.
    Writes:
        discount_nano: the sum for each record. given_*: one row for each discount that gave something, and for each retroactive
        ladder that counts the record, with nothing yet; given_row has room for every discount of every record's set.
    Returns how many rows were written.
    """
    written = 0
    for i in range(len(net_nano)):
        discount_nano[i] = 0
        rule = rule_index[i]
        of_set = set_of_rule[rule]
        if of_set < 0:
            continue
        charge = left = net_nano[i]
        units = max(quantity[i] - allowance_units[i], 0)
        if charge == 0 and units == 0 and not has_retroactive:
            continue
        taken = 0
        first = set_first[of_set]
        for d in range(first, set_first[of_set + 1]):
            row = rows[d]
            place = d - first
            if not (rule_mask[rule] >> place) & 1 or (row[NEEDS_BIT] and not (eligible[i] >> place) & 1):
                continue
            if not filters_hold(
                row, start_at[i], called_number[i], tariff_index[i],
                span_start, steps, segment, top, sub, index_bits, destinations, windows,
            ):  # fmt: skip
                continue
            counter = counters[account_index[i], row[COUNTER]]
            given = 0
            if not row[RETROACTIVE] and not (row[GROUP] >= 0 and (taken >> row[GROUP]) & 1):
                offer = offers[i, row[OFFER_SLOT]] if row[OFFER] >= 0 else 0
                given = amount_given(row, tiers, counter, charge, left, units, offer)
            if given != 0:
                left -= given
                counter[UNITS_USED] = raised(counter[UNITS_USED], units)
                counter[RECORDS_USED] += 1
                counter[GIVEN_NANO] = raised(counter[GIVEN_NANO], given)
                taken |= 1 << row[GROUP] if row[GROUP] >= 0 else 0
            counter[MONEY_TOTAL] = raised(counter[MONEY_TOTAL], charge)
            counter[QUANTITY_TOTAL] = raised(counter[QUANTITY_TOTAL], units)
            if given != 0 or row[RETROACTIVE]:
                given_row[written], given_discount[written], given_nano[written] = i, d, given
                written += 1
        discount_nano[i] = charge - left
        net_nano[i] = left
    return written


@borrowing_kernel
def give_retroactively(  # type: ignore[no-untyped-def]
    account_index, rows, tiers, counters, spread, given_row, given_discount, given_nano, net_nano, discount_nano,
):  # fmt: skip
    """Give what retroactive ladders reached by the end of the period, over the records that counted, by telescoping.

    Args:
        spread: [accounts, counters], zeros: what of each counter's charges was gone through so far.
    """
    for entry in range(len(given_row)):
        row = rows[given_discount[entry]]
        if not row[RETROACTIVE]:
            continue
        i = given_row[entry]
        account, counter = account_index[i], row[COUNTER]
        total = counters[account, counter, QUANTITY_TOTAL] if row[BASIS] else counters[account, counter, MONEY_TOTAL]
        ppm = tier_share(tiers, row[TIER_FIRST], row[TIER_END], total)
        before = spread[account, counter]
        after = raised(before, net_nano[i])
        given = share_of(after, ppm) - share_of(before, ppm)
        spread[account, counter] = after
        given_nano[entry] = given
        net_nano[i] -= given
        discount_nano[i] += given


@borrowing_kernel
def first_unequal(given_row, given_nano, discount_nano):  # type: ignore[no-untyped-def]
    """(the first record whose rows, in order of records, do not sum to its discount, their sum); (-1, 0) where all do."""
    entry, rows = 0, len(given_row)
    for i in range(len(discount_nano)):
        total = 0
        while entry < rows and given_row[entry] == i:
            total += given_nano[entry]
            entry += 1
        if total != discount_nano[i]:
            return i, total
    return (-1, 0) if entry == rows else (given_row[entry], given_nano[entry])
