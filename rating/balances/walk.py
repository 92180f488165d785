"""The walk of one call through its payers: reference rating §5, by division and never by trial.

Whatever starts an increment at an instant decides who pays it: the candidates are walked in debit order, the first that can pays
as many whole blocks or increments as it can up to the next border, then the list is walked again. Cost is segments x payers.

Everything here is also run as plain Python on integers of any size (`exact_walk`): no cast, no wrap, `limit` is an argument.
"""

from __future__ import annotations

from typing import Any

from rating.balances.call_price import payable, price_at, raise_total, rule_until, times, weigh
from rating.balances.layout import (
    BLOCK,
    BLOCKER,
    BOOK,
    BOOKED,
    BUNDLE,
    COMMON_D,
    COVERED,
    ELAPSED,
    FEE_TOO,
    FIRST_PAYER,
    FLAGS,
    KIND,
    MINIMUM_NANO,
    MONEY,
    NEEDS_EXACT,
    POSTINGS_FULL,
    RULE,
    STARTED,
    TAKE,
    TARIFF,
    TOTAL,
)
from rating.balances.payer_list import move_units, opening, room_of, sort_list, undo, unit_room, write_posting
from rating.balances.rounding import largest_total
from rating.compiled.price_terms import CAP, DISCONNECT, FEE, GRID, INCREMENT, MINIMUM, MODE, TIER_FIRST
from rating.compiled.rule_layout import NEVER
from rating.compiled.winners import NO_RATE_FOR_DESTINATION
from schemas.kernels_borrowed import borrowing_part
from schemas.reasons import Reason

_NO_DESTINATION = int(Reason.NO_RATE_FOR_DESTINATION)
_NO_RATE = int(Reason.NO_RATE_AT_INSTANT)
_OVERFLOW = int(Reason.CHARGE_OVERFLOW)
_BLOCKED = int(Reason.BLOCKED_BY_BALANCE)
_NOT_COVERED = int(Reason.NOT_COVERED)
_VALUE_MAX = 2**62
_LONG_MS = 2**50  # further than any call runs; beyond it an instant could leave int64


@borrowing_part
def first_able(
    payers: Any, left: Any, listed: Any, low: int, high: int, needed: int, call: Any, mode: int, grid: int,
    at: int, start_at: int, has_shape: bool, task: int, bill: bool, account: int, limit: int,
) -> int:  # fmt: skip
    """The first money balance in `listed[low:high]` that can pay up to a total of `needed`, -1 for none or behind a blocker."""
    for pos in range(low, high):
        b = listed[pos, 0]
        is_open, _ = opening(payers, b, at, start_at, has_shape)
        if not is_open:
            continue
        room = room_of(payers, left, b, task, bill, account, limit)
        if room == limit:
            return int(b)
        if room > 0 and needed <= largest_total((call[BOOKED] + room) // grid, mode, grid * call[COMMON_D], limit):
            return int(b)
        if payers.terms[payers.term[b], FLAGS] & BLOCKER != 0:
            return -1
    return -1


@borrowing_part
def pay_fee(
    prices: Any, payers: Any, left: Any, call: Any, listed: Any, first_money: int, entries: int, posts: Any, posted: int,
    row: int, rule: int, is_priced: bool, mode: int, grid: int, at: int, start_at: int, has_shape: bool, task: int, bill: bool,
    account: int, limit: int,
) -> tuple[int, int]:  # fmt: skip
    """The fee, once for the call, by the first money balance that can pay it whole; a priced payer brings its minimum too.

    `rule` is that of the first payer, -1 where no fee is due. Returns (0, NOT_COVERED or NEEDS_EXACT; number of postings).
    """
    call[STARTED] = 1
    fee = prices.terms[rule, FEE] if rule >= 0 else 0
    if fee != 0:
        fee_total = times(min(fee, prices.terms[rule, CAP]), call[COMMON_D], limit)
        if fee_total == limit or fee_total < -limit // 8:
            return NEEDS_EXACT, posted
        m = first_able(
            payers, left, listed, first_money, entries, fee_total, call, mode, grid, at, start_at, has_shape, task, bill, account,
            limit,
        )  # fmt: skip
        if m < 0:
            return _NOT_COVERED, posted
        call[TOTAL] = fee_total
        nano = raise_total(call, 0, 0, limit, mode, grid)
        posted = write_posting(posts, posted, row, -1, 0, m, nano, 0, 0, 0, rule, 0)
        if m != len(payers.term) - 1:
            move_units(payers, left, m, nano, account)
    if is_priced:
        call[MINIMUM_NANO] = prices.terms[rule, MINIMUM]
        if call[MINIMUM_NANO] > limit // 8 // call[COMMON_D]:
            return NEEDS_EXACT, posted
    return 0, posted


@borrowing_part
def purse_for(
    prices: Any, payers: Any, left: Any, call: Any, listed: Any, first_money: int, entries: int, m: int, rule: int, count: int,
    weight: int, cap: int, mode: int, grid: int, at: int, start_at: int, has_shape: bool, task: int, bill: bool, account: int,
    limit: int,
) -> tuple[int, int, int]:  # fmt: skip
    """How many of `count` increments money can pay, and which: `m` itself, or (-1) the first able to pay one, for a bundle.

    Returns (0, NOT_COVERED at a disconnecting cap or NEEDS_EXACT; increments; money balance, -1 where they are free).
    """
    if task != BOOK and weight > 0 and prices.terms[rule, DISCONNECT] < NEVER:
        most = times(prices.terms[rule, DISCONNECT], call[COMMON_D], limit)
        count = min(count, (most - call[TOTAL]) // weight)
        if count <= 0:
            return _NOT_COVERED, 0, -1
    if m < 0:
        is_free = weight == 0 or (weight > 0 and call[TOTAL] >= cap)
        if not is_free or payable(0, count, call, weight, cap, mode, grid, limit) < count:
            one = max(call[TOTAL], min(call[TOTAL] + weight, cap)) if weight > 0 else call[TOTAL] + weight
            if call[MINIMUM_NANO] > 0:
                one = max(one, call[MINIMUM_NANO] * call[COMMON_D])
            m = first_able(
                payers, left, listed, first_money, entries, one, call, mode, grid, at, start_at, has_shape, task, bill, account,
                limit,
            )  # fmt: skip
            if m < 0:
                return 0, 0, -1
    if m >= 0:
        room = room_of(payers, left, m, task, bill, account, limit)
        count = payable(room, count, call, weight, cap, mode, grid, limit)
    magnitude = weight if weight >= 0 else -weight
    so_far = call[TOTAL] if call[TOTAL] >= 0 else -call[TOTAL]
    if count > 0 and magnitude > 0 and count > (limit // 8 - so_far) // magnitude:
        return NEEDS_EXACT, 0, m
    return 0, int(count), int(m)


@borrowing_part
def walk_call(
    lines: Any, prices: Any, payers: Any, left: Any, call: Any, listed: Any, entries: int, moves: bool, posts: Any, posted: int,
    row: int, account: int, tariff: int, kind: int, node: int, start_at: int, start_rule: int, asked: int, task: int, bill: bool,
    limit: int,
) -> tuple[int, int]:  # fmt: skip
    """Let the listed balances pay from `call[ELAPSED]` up to `asked`.

    Returns (status, number of postings): 0 where all of it is paid, BLOCKED_BY_BALANCE or NOT_COVERED where walking stopped (what
    was paid before stands), NO_RATE_AT_INSTANT, CHARGE_OVERFLOW, NEEDS_EXACT or POSTINGS_FULL where the caller has to undo it.
    """
    has_shape = kind == 0
    first_rule = start_rule
    if first_rule < 0:
        first_rule, _ = rule_until(lines, tariff, kind, node, start_at, start_at, start_at)
    if first_rule < 0:
        return _NO_DESTINATION if first_rule == NO_RATE_FOR_DESTINATION else _NO_RATE, posted
    mode, grid = prices.terms[first_rule, MODE], prices.terms[first_rule, GRID]
    if call[COMMON_D] == 0:
        call[COMMON_D] = 1
    first_money = 0
    while listed[first_money, 1] < 16:
        first_money += 1
    while call[ELAPSED] < asked:
        elapsed = call[ELAPSED]
        at = start_at + elapsed * 1000 if has_shape and elapsed < _LONG_MS else start_at
        if posted + 3 > len(posts):
            return POSTINGS_FULL, posted
        border = asked
        paid = 0
        for pos in range(entries):
            b = listed[pos, 0]
            is_open, change = opening(payers, b, at, start_at, has_shape)
            if not is_open:
                border = min(border, change)
                continue
            term = payers.term[b]
            flags, is_money = payers.terms[term, FLAGS], payers.terms[term, KIND] == MONEY
            is_block = not is_money and flags & BUNDLE == 0
            own_border = min(border, change)
            mark, total, booked, started = posted, call[TOTAL], call[BOOKED], call[STARTED]
            # The rule that prices it: for a block only where its fee is due.
            rule, tier, price_border, weight, cap = -1, 0, NEVER, 0, limit
            if not is_block or (started == 0 and flags & FEE_TOO != 0):
                own_tariff = tariff if is_money or is_block else payers.terms[term, TARIFF]
                fixed = -1 if is_money or is_block else payers.terms[term, RULE]
                rule, tier, price_border = price_at(
                    lines, prices, own_tariff, fixed, kind, node, start_at, elapsed, asked, has_shape
                )
                border = min(border, price_border)
                if rule >= 0:
                    is_safe, weight, cap = weigh(prices, call, rule, tier, grid, limit)
                    if not is_safe:
                        return NEEDS_EXACT, posted
                    total = call[TOTAL]
                elif is_money:
                    return _NO_RATE, posted
            # How much of it there is: whole blocks or increments up to the border.
            step, per, count = 1, 0, 0
            if is_block or rule >= 0:
                step = payers.terms[term, BLOCK + kind] if is_block else prices.tiers[tier, INCREMENT]
                limit_at = own_border if is_block else min(own_border, price_border)
                count = (limit_at - elapsed + step - 1) // step
                if not is_money:
                    per = payers.terms[term, TAKE + kind]
                    if not is_block:
                        per = per * step if step <= _VALUE_MAX // per else _VALUE_MAX
                    count = unit_room(payers, left, b, per, count, account)
                elif room_of(payers, left, b, task, bill, account, limit) <= 0 and (b != len(payers.term) - 1 or weight != 0):
                    count = 0
            if count > 0 and started == 0:
                fee_rule = rule if not is_block or flags & FEE_TOO != 0 else -1
                status, posted = pay_fee(
                    prices, payers, left, call, listed, first_money, entries, posts, posted, row, fee_rule, not is_block, mode,
                    grid, at, start_at, has_shape, task, bill, account, limit,
                )  # fmt: skip
                if status == NEEDS_EXACT:
                    return NEEDS_EXACT, posted
                count = count if status == 0 else 0
            # The money of it: from itself, or for a bundle from the first money balance able to pay an increment.
            m = -1
            if count > 0 and not is_block:
                status, count, m = purse_for(
                    prices, payers, left, call, listed, first_money, entries, b if is_money else -1, rule, count, weight, cap,
                    mode, grid, at, start_at, has_shape, task, bill, account, limit,
                )  # fmt: skip
                if status == NEEDS_EXACT:
                    return NEEDS_EXACT, posted
                if status != 0:  # the cap is reached: no more is granted, whoever could pay
                    undo(payers, left, posts, mark, posted, account)
                    call[TOTAL], call[BOOKED], call[STARTED] = total, booked, started
                    return status, mark
            if count <= 0:
                undo(payers, left, posts, mark, posted, account)
                posted = mark
                call[TOTAL], call[BOOKED], call[STARTED] = total, booked, started
                if started == 0:
                    call[MINIMUM_NANO] = 0
                if flags & BLOCKER != 0:
                    return _BLOCKED, posted
                border = min(border, change)
                continue
            nano = 0 if is_block else raise_total(call, count, weight, cap, mode, grid)
            if count > _VALUE_MAX // step or elapsed > _VALUE_MAX - count * step:
                return _OVERFLOW, posted
            after = elapsed + count * step
            if m >= 0 and m != len(payers.term) - 1:
                if (left.value[m] - nano if nano < 0 else nano - left.value[m]) > _VALUE_MAX or left.used[m] > _VALUE_MAX - nano:
                    return _OVERFLOW, posted
                move_units(payers, left, m, nano, account)
            units = 0
            if not is_money:
                units = count * per
                if left.used[b] > _VALUE_MAX - units:
                    return _OVERFLOW, posted
                move_units(payers, left, b, units, account)
                call[COVERED] += after - elapsed
            posted = write_posting(
                posts, posted, row, -1 if is_money else b, units, m, nano, elapsed, after, count, rule if not is_block else -1,
                tier - prices.terms[rule, TIER_FIRST] if not is_block else 0,
            )  # fmt: skip
            if call[FIRST_PAYER] == 0 and not is_money:
                call[FIRST_PAYER] = b + 1
            call[ELAPSED] = after
            paid = 1
            break
        if paid == 0:
            return _NOT_COVERED, posted
        if moves:
            sort_list(listed, entries - 1, payers, left)
            # The entry behind the sorted ones served as the free row.
            listed[entries - 1, 0] = len(payers.term) - 1
            listed[entries - 1, 1] = 32
            listed[entries - 1, 2] = 0
    return 0, posted
