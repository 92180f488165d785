"""Who may pay for a record, in debit order, and moving units and money: reference rating §5."""

from __future__ import annotations

from typing import Any

from rating.balances.call_price import elapsed_until
from rating.balances.layout import (
    BALANCE,
    BLOCKER,
    BOOK,
    CATEGORIES,
    COUNT,
    DEFAULT,
    DEN,
    FILTER,
    FLAGS,
    FROM,
    GENERIC,
    HIGHEST,
    KIND,
    LOWEST,
    MEMBER_CAP,
    MONEY,
    MONEY_BALANCE,
    MONEY_NANO,
    OWN_FIRST,
    RECORD,
    RULE_INDEX,
    SHARE_ORDER,
    TAKE,
    TIER,
    TO,
    UNITS,
    UNLIMITED,
    WINDOW,
)
from rating.compiled.rule_layout import NEVER
from schemas.kernels_borrowed import borrowing_part


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
def unit_room(payers: Any, left: Any, b: int, per: int, wanted: int, account: int) -> int:
    """How many times a unit balance can give `per`, at most `wanted`."""
    term = payers.term[b]
    if payers.terms[term, FLAGS] & UNLIMITED == 0:
        wanted = min(wanted, left.value[b] // per)
    if payers.member_first[b] >= 0 and payers.owner[b] != account:
        used = left.member_used[payers.member_first[b] + payers.member_of[account]]
        wanted = min(wanted, (payers.terms[term, MEMBER_CAP] - used) // per)
    return max(wanted, 0)
