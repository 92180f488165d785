"""The walk of one call through its payers: reference rating §5, by division and never by trial.

Whatever starts an increment at an instant decides who pays it: the candidates are walked in debit order, the first that can pays
as many whole blocks or increments as it can up to the next border, then the list is walked again. Cost is segments x payers.

Everything here is also run as plain Python on integers of any size (`exact_walk`): no cast, no wrap, `limit` is an argument.
"""

from __future__ import annotations

from typing import Any

from rating.balances.layout import (
    BALANCE,
    BLOCK,
    BLOCKER,
    BOOK,
    BOOKED,
    BUNDLE,
    CATEGORIES,
    COMMON_D,
    COUNT,
    COVERED,
    DEFAULT,
    DEN,
    ELAPSED,
    FEE_TOO,
    FILTER,
    FIRST_PAYER,
    FLAGS,
    FROM,
    GENERIC,
    HIGHEST,
    KIND,
    LOWEST,
    MEMBER_CAP,
    MINIMUM_NANO,
    MONEY,
    MONEY_BALANCE,
    MONEY_NANO,
    NEEDS_EXACT,
    OWN_FIRST,
    POSTINGS_FULL,
    RECORD,
    RULE,
    RULE_INDEX,
    SHARE_ORDER,
    STARTED,
    TAKE,
    TARIFF,
    TIER,
    TO,
    TOTAL,
    UNITS,
    UNLIMITED,
    WINDOW,
)
from rating.balances.rounding import greatest_divisor, largest_total, rounded_steps
from rating.compiled.book import INDEX_BITS
from rating.compiled.price_terms import (
    BY_START,
    CAP,
    COMMON,
    DISCONNECT,
    EXACT,
    FEE,
    GRID,
    INCREMENT,
    MINIMUM,
    MODE,
    START,
    TIER_FIRST,
    WEIGHT,
)
from rating.compiled.rule_layout import NEVER
from rating.compiled.winners import CALL_KIND_COUNT, NO_RATE_FOR_DESTINATION
from schemas.kernels_borrowed import borrowing_part
from schemas.reasons import Reason

_BITS = INDEX_BITS
_KINDS = CALL_KIND_COUNT
_NO_DESTINATION = int(Reason.NO_RATE_FOR_DESTINATION)
_NO_RATE = int(Reason.NO_RATE_AT_INSTANT)
_OVERFLOW = int(Reason.CHARGE_OVERFLOW)
_BLOCKED = int(Reason.BLOCKED_BY_BALANCE)
_NOT_COVERED = int(Reason.NOT_COVERED)
_VALUE_MAX = 2**62
_LONG_MS = 2**50  # further than any call runs; beyond it an instant could leave int64


@borrowing_part
def elapsed_until(instant: int, start_at: int) -> int:
    """The first whole millisecond after the start that is not before an instant."""
    return (instant - start_at + 999) // 1000


@borrowing_part
def opening(payers: Any, b: int, at: int, start_at: int, has_shape: bool) -> tuple[bool, int]:
    """(whether a balance is valid at an instant and in its windows, elapsed usage at which that may change)."""
    if at >= payers.valid_to[b]:
        return False, NEVER
    if at < payers.valid_from[b]:
        return False, elapsed_until(payers.valid_from[b], start_at) if has_shape else NEVER
    change = elapsed_until(payers.valid_to[b], start_at) if has_shape else NEVER
    window = payers.terms[payers.term[b], WINDOW]
    if window < 0:
        return True, change
    low, high = payers.window_first[window], payers.window_first[window + 1]
    first = low
    while low < high:  # the first border after `at`
        middle = (low + high) // 2
        if payers.window_at[middle] <= at:
            low = middle + 1
        else:
            high = middle
    if has_shape and low < payers.window_first[window + 1]:
        change = min(change, elapsed_until(payers.window_at[low], start_at))
    return (low - first) % 2 == 1, change


@borrowing_part
def rule_at(lines: Any, tariff: int, kind: int, node: int, at: int, asked: int, start_at: int) -> tuple[int, int]:
    """(rule that wins at an instant, elapsed usage up to which it does; of interest up to `asked` only)."""
    cell = lines.cell_of[tariff * _KINDS + kind, node]
    if at < lines.span_start:
        return -1, NEVER
    place = lines.steps[tariff, (min(at, lines.span_end - 1) - lines.span_start) >> _BITS]
    while at >= lines.segment[place, 0]:
        place += 1
    rule = lines.winner[cell + lines.segment[place, 1]]
    border = elapsed_until(lines.segment[place, 0], start_at)
    while border < asked and lines.segment[place, 0] < NEVER and lines.winner[cell + lines.segment[place + 1, 1]] == rule:
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
        rule, border = rule_at(lines, tariff, kind, node, start_at, asked, start_at)
        if not has_shape or (rule >= 0 and prices.terms[rule, BY_START] != 0):
            border = NEVER
        elif elapsed > 0:
            rule, border = rule_at(lines, tariff, kind, node, start_at + elapsed * 1000, asked, start_at)
        if rule < 0:
            return rule, 0, border
    tier = prices.terms[rule, TIER_FIRST]
    while elapsed >= prices.tiers[tier + 1, START]:
        tier += 1
    return rule, tier, min(border, prices.tiers[tier + 1, START])


@borrowing_part
def precedes(listed: Any, payers: Any, left: Any, one: int, other: int) -> bool:
    """Debit order of two entries of the list."""
    if listed[one, 1] != listed[other, 1]:
        return bool(listed[one, 1] < listed[other, 1])
    a, b = listed[one, 0], listed[other, 0]
    order = listed[one, 1] % 8 - 1
    if order in (LOWEST, HIGHEST):
        # Values in 1/den: whole units, then the rests over both denominators.
        den_a, den_b = payers.terms[payers.term[a], DEN], payers.terms[payers.term[b], DEN]
        whole_a, whole_b = left.value[a] // den_a, left.value[b] // den_b
        if whole_a != whole_b:
            return bool((whole_a < whole_b) == (order == LOWEST))
        rest_a, rest_b = (left.value[a] % den_a) * den_b, (left.value[b] % den_b) * den_a
        if rest_a != rest_b:
            return bool((rest_a < rest_b) == (order == LOWEST))
    return bool(listed[one, 2] < listed[other, 2])


@borrowing_part
def sort_list(listed: Any, count: int, payers: Any, left: Any) -> None:
    """Insertion sort by debit order; the list stands in nearly that order. Row `count` is free and holds what is moved."""
    for i in range(1, count):
        for word in range(3):
            listed[count, word] = listed[i, word]
        j = i - 1
        while j >= 0 and precedes(listed, payers, left, count, j):
            for word in range(3):
                listed[j + 1, word] = listed[j, word]
            j -= 1
        for word in range(3):
            listed[j + 1, word] = listed[count, word]


@borrowing_part
def list_payers(
    payers: Any, left: Any, listed: Any, account: int, group: int, kind: int, node: int, category: int
) -> tuple[int, int, bool]:
    """The balances that may ever pay for this record, in debit order, and the last row of all behind them.

    Writes `listed` [rows, 3]: balance; class * 8, for a shared one + 1 + its order; matched length and place. Returns (entries,
    unit balances and blockers among them that have something left, whether the order follows what is left).
    """
    count, live, moves = 0, 0, False
    low, high = (payers.group_first[group], payers.group_first[group + 1]) if group >= 0 else (0, 0)
    for b in range(low, high):
        term = payers.term[b]
        is_own = payers.owner[b] == account
        if not is_own and (payers.share[b] < 0 or payers.share[b] != payers.share_of[account]):
            continue
        flags, unit_kind = payers.terms[term, FLAGS], payers.terms[term, KIND]
        rank = 0
        if unit_kind == MONEY:
            if flags & DEFAULT != 0 and not is_own:
                continue
            rank = 3 if flags & DEFAULT != 0 else 2
        elif payers.terms[term, TAKE + kind] == 0:
            continue
        elif unit_kind == GENERIC:
            rank = 1
        categories = payers.terms[term, CATEGORIES]
        if categories != 0 and (category < 0 or (categories >> category) & 1 == 0):
            continue
        length = int(payers.match[payers.terms[term, FILTER], node])
        if length == 0:
            continue
        if unit_kind != MONEY and flags & (UNLIMITED | BLOCKER) == 0 and left.value[b] < payers.terms[term, TAKE + kind]:
            continue
        order = payers.terms[term, SHARE_ORDER]
        is_shared = payers.share[b] >= 0 and (not is_own or order != OWN_FIRST)
        moves = moves or (is_shared and order != OWN_FIRST)
        live += unit_kind != MONEY or flags & BLOCKER != 0
        listed[count, 0] = b
        listed[count, 1] = rank * 8 + (1 + order if is_shared else 0)
        listed[count, 2] = ((64 - length) << 40) + b
        count += 1
    sort_list(listed, count, payers, left)
    listed[count, 0] = len(payers.term) - 1
    listed[count, 1] = 32
    listed[count, 2] = 0
    return count + 1, live, moves


@borrowing_part
def move_units(payers: Any, left: Any, b: int, units: int, account: int) -> None:
    """Take units (or give back, where negative) and count the use."""
    if payers.terms[payers.term[b], FLAGS] & UNLIMITED == 0:
        left.value[b] -= units
    left.used[b] += units
    if payers.member_first[b] >= 0 and payers.owner[b] != account:
        left.member_used[payers.member_first[b] + payers.member_of[account]] += units


@borrowing_part
def undo(payers: Any, left: Any, posts: Any, low: int, high: int, account: int) -> None:
    """Give back what postings [low, high) took."""
    for p in range(low, high):
        if posts[p, BALANCE] >= 0:
            move_units(payers, left, posts[p, BALANCE], -posts[p, UNITS], account)
        if posts[p, MONEY_BALANCE] >= 0 and posts[p, MONEY_BALANCE] != len(payers.term) - 1:
            move_units(payers, left, posts[p, MONEY_BALANCE], -posts[p, MONEY_NANO], account)


@borrowing_part
def write_posting(
    posts: Any, p: int, row: int, b: int, units: int, m: int, nano: int, low: int, high: int, count: int, rule: int, tier: int
) -> int:
    """One more posting; returns the number of postings, which may pass the end of `posts` by one (the caller stops there)."""
    posts[p, RECORD] = row
    posts[p, BALANCE] = b
    posts[p, UNITS] = units
    posts[p, MONEY_BALANCE] = m
    posts[p, MONEY_NANO] = nano
    posts[p, FROM] = low
    posts[p, TO] = high
    posts[p, COUNT] = count
    posts[p, RULE_INDEX] = rule
    posts[p, TIER] = tier
    return p + 1


@borrowing_part
def room_of(payers: Any, left: Any, b: int, task: int, bill: bool, account: int, limit: int) -> int:
    """Nano-units that a money balance can still pay; `limit` where there is no bound, 0 where it is not eligible."""
    if b == len(payers.term) - 1:
        return limit if bill else 0
    term = payers.term[b]
    flags = payers.terms[term, FLAGS]
    if flags & UNLIMITED != 0 or (task == BOOK and flags & DEFAULT != 0):
        return limit
    room = left.value[b] + payers.credit[b]
    if payers.member_first[b] >= 0 and payers.owner[b] != account:
        room = min(room, payers.terms[term, MEMBER_CAP] - left.member_used[payers.member_first[b] + payers.member_of[account]])
    return int(max(room, 0))


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
def unit_room(payers: Any, left: Any, b: int, per: int, wanted: int, account: int) -> int:
    """How many times a unit balance can give `per`, at most `wanted`."""
    term = payers.term[b]
    if payers.terms[term, FLAGS] & UNLIMITED == 0:
        wanted = min(wanted, left.value[b] // per)
    if payers.member_first[b] >= 0 and payers.owner[b] != account:
        used = left.member_used[payers.member_first[b] + payers.member_of[account]]
        wanted = min(wanted, (payers.terms[term, MEMBER_CAP] - used) // per)
    return max(wanted, 0)


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
        first_rule, _ = rule_at(lines, tariff, kind, node, start_at, start_at, start_at)
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
                if rule < 0 and is_money:
                    return _NO_RATE, posted
                border = min(border, price_border)
                if rule >= 0:
                    multiplier = scaled_to(call, prices.terms, rule, limit)
                    if multiplier == 0 or call[COMMON_D] > limit // 8 // grid:
                        return NEEDS_EXACT, posted
                    total = call[TOTAL]
                    weight = prices.tiers[tier, WEIGHT]
                    if (weight if weight >= 0 else -weight) > limit // 8 // multiplier:
                        return NEEDS_EXACT, posted
                    weight *= multiplier
                    cap = times(prices.terms[rule, CAP], call[COMMON_D], limit)
            # How much of it there is: whole blocks or increments up to the border.
            step = payers.terms[term, BLOCK + kind] if is_block else (prices.tiers[tier, INCREMENT] if rule >= 0 else 1)
            count = (min(own_border, price_border) - elapsed + step - 1) // step
            if is_block:
                count = (own_border - elapsed + step - 1) // step
            per = 0
            if not is_money:
                per = payers.terms[term, TAKE + kind]
                if not is_block:
                    per = per * step if step <= _VALUE_MAX // per else _VALUE_MAX
                count = unit_room(payers, left, b, per, count, account) if is_block or rule >= 0 else 0
            if is_money:
                room = room_of(payers, left, b, task, bill, account, limit)
                if room <= 0 and not (b == len(payers.term) - 1 and weight == 0):
                    count = 0
            # The fee, once for the call: by the first money balance that can pay it whole.
            if count > 0 and started == 0:
                call[STARTED] = 1
                fee = prices.terms[rule, FEE] if rule >= 0 and (not is_block or flags & FEE_TOO != 0) else 0
                if fee != 0:
                    fee_total = times(min(fee, prices.terms[rule, CAP]), call[COMMON_D], limit)
                    if fee_total == limit or fee_total < -limit // 8:
                        return NEEDS_EXACT, posted
                    m = first_able(
                        payers, left, listed, first_money, entries, fee_total, call, mode, grid, at, start_at, has_shape,
                        task, bill, account, limit,
                    )  # fmt: skip
                    if m < 0:
                        count = 0
                    else:
                        call[TOTAL] = fee_total
                        nano = raise_total(call, 0, 0, limit, mode, grid)
                        posted = write_posting(posts, posted, row, -1, 0, m, nano, elapsed, elapsed, 0, rule, 0)
                        if m != len(payers.term) - 1:
                            move_units(payers, left, m, nano, account)
                if count > 0 and not is_block:
                    call[MINIMUM_NANO] = prices.terms[rule, MINIMUM]
                    if call[MINIMUM_NANO] > limit // 8 // call[COMMON_D]:
                        return NEEDS_EXACT, posted
            # The money of it: from itself, or for a bundle from the first money balance able to pay an increment.
            m = -1
            if count > 0 and not is_block:
                if task != BOOK and weight > 0 and prices.terms[rule, DISCONNECT] < NEVER:
                    most = times(prices.terms[rule, DISCONNECT], call[COMMON_D], limit)
                    fits = (most - call[TOTAL]) // weight
                    if fits <= 0:  # reached: no more is granted, whoever could pay
                        undo(payers, left, posts, mark, posted, account)
                        call[TOTAL], call[BOOKED], call[STARTED] = total, booked, started
                        return _NOT_COVERED, mark
                    count = min(count, fits)
                if is_money:
                    m = b
                    room = room_of(payers, left, b, task, bill, account, limit)
                    count = payable(room, count, call, weight, cap, mode, grid, limit)
                else:
                    is_free = weight == 0 or (weight > 0 and call[TOTAL] >= cap)
                    able = payable(0, count, call, weight, cap, mode, grid, limit) if is_free else 0
                    if able < count:
                        one = max(call[TOTAL], min(call[TOTAL] + weight, cap)) if weight > 0 else call[TOTAL] + weight
                        if call[MINIMUM_NANO] > 0:
                            one = max(one, call[MINIMUM_NANO] * call[COMMON_D])
                        m = first_able(
                            payers, left, listed, first_money, entries, one, call, mode, grid, at, start_at, has_shape, task,
                            bill, account, limit,
                        )  # fmt: skip
                        if m < 0:
                            count = 0
                        else:
                            room = room_of(payers, left, m, task, bill, account, limit)
                            count = payable(room, count, call, weight, cap, mode, grid, limit)
                if count > 0:
                    magnitude = weight if weight >= 0 else -weight
                    so_far = call[TOTAL] if call[TOTAL] >= 0 else -call[TOTAL]
                    if magnitude > 0 and count > (limit // 8 - so_far) // magnitude:
                        return NEEDS_EXACT, posted
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
