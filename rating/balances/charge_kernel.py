"""Usage records through their balances, in the order given: the batch around the walk of one call."""

from __future__ import annotations

from typing import Any

import numpy as np

from rating.balances.layout import (
    BOOK,
    BOOKED,
    CALL_WORDS,
    COVERED,
    ELAPSED,
    FIRST_PAYER,
    GRANT,
    MONEY_BALANCE,
    MONEY_NANO,
    NEEDS_EXACT,
    POSTINGS_FULL,
)
from rating.balances.payer_list import list_payers, undo
from rating.balances.walk import walk_call
from rating.compiled.prefixes import node_of_number
from schemas.kernels_borrowed import borrowing_kernel, borrowing_part
from schemas.reasons import Reason

_BLOCKED = int(Reason.BLOCKED_BY_BALANCE)
_NOT_COVERED = int(Reason.NOT_COVERED)
_NO_TARIFF = int(Reason.NO_TARIFF_FOR_SUBJECT)
_ZERO_USAGE = int(Reason.ZERO_USAGE)
_OVERFLOW = int(Reason.CHARGE_OVERFLOW)
LIMIT = 2**61  # of the compiled walk: totals stay below an eighth of it
_ASKED_MAX = 2**61


@borrowing_part
def over_limit(payers: Any, left: Any, listed: Any, entries: int, posts: Any, low: int, high: int) -> int:
    """How much further below its credit limit the account's default money balance is than before postings [low, high)."""
    if entries < 2 or listed[entries - 2, 1] // 8 != 3:
        return 0
    b = listed[entries - 2, 0]
    moved = 0
    for p in range(low, high):
        if posts[p, MONEY_BALANCE] == b:
            moved += posts[p, MONEY_NANO]
    after = left.value[b] + payers.credit[b]
    return int(max(0, -after) - max(0, -(after + moved)))


@borrowing_part
def charge_call(
    lines: Any, prices: Any, payers: Any, left: Any, listed: Any, entries: int, moves: bool, call: Any, saved: Any, posts: Any,
    posted: int, row: int, account: int, tariff: int, kind: int, node: int, start_at: int, start_rule: int, asked: int,
    task: int, bill: bool, limit: int,
) -> tuple[int, int]:  # fmt: skip
    """One call, all or nothing where it is booked: (status, number of postings); nothing is moved where the status refuses it."""
    for word in range(CALL_WORDS):
        saved[word] = call[word]
    status, after = walk_call(
        lines, prices, payers, left, call, listed, entries, moves, posts, posted, row, account, tariff, kind, node, start_at,
        start_rule, asked, task, bill, limit,
    )  # fmt: skip
    is_partial = task != BOOK and status in (_BLOCKED, _NOT_COVERED)
    if status != 0 and (not is_partial or call[ELAPSED] == saved[ELAPSED]):
        undo(payers, left, posts, posted, after, account)
        for word in range(CALL_WORDS):
            call[word] = saved[word]
        return status, posted
    if task == GRANT:
        undo(payers, left, posts, posted, after, account)
    return status, after


@borrowing_kernel
def charge_records(  # type: ignore[no-untyped-def]
    lines, prices, payers, left, top, sub, records, first, task, bill, list_nano, keep, carry, calls, scratch, listed, posts,
    posted, status, net_nano, covered, payer, over_nano,
):  # fmt: skip
    """Charge records from `first` on, in the order given.

    Args:
        lines, prices, payers, left, records: as in `layout`; `left` is changed in place. top, sub: the prefix table.
        task: BOOK, TAKE_UP_TO or GRANT. bill: the last payer pays what no balance does.
        list_nano: i8[n] list prices, for records of which no unit balance pays anything; empty: every record is walked.
        keep: postings stay in `posts`, else each record starts anew. carry: `calls` [n] are running calls, else row 0 is scratch.
        scratch: i8[8]. listed: i8[rows, 3], two rows more than the largest settlement group has balances.
    Writes:
        status; net_nano: money booked by this record; covered: usage paid by unit balances; payer: the first of
        them, -1 none; over_nano: how far it took the default money balance below its credit limit.
    Returns (record at which it stopped, postings, NEEDS_EXACT or POSTINGS_FULL, 0 at the end).
    """
    limit = LIMIT
    for i in range(first, len(status)):
        account = np.int64(records.account[i])
        group = np.int64(payers.group_of[account])
        net_nano[i], covered[i], payer[i] = 0, 0, -1
        is_bare = group < 0 or payers.group_first[group] == payers.group_first[group + 1]
        if is_bare and len(list_nano) > 0:
            net_nano[i], status[i] = list_nano[i], 0
            continue
        over_nano[i % len(over_nano)] = 0
        if records.asked[i] == 0 or records.tariff[i] < 0:
            status[i] = _ZERO_USAGE if records.asked[i] == 0 else _NO_TARIFF
            continue
        kind = np.int64(records.kind[i])
        node = node_of_number(records.number[i], top, sub)
        category = np.int64(records.category[i % len(records.category)])
        entries, live, moves = list_payers(payers, left, listed, account, group, kind, node, category)
        if live == 0 and len(list_nano) > 0 and bill and entries == 1:
            net_nano[i], status[i] = list_nano[i], 0
            continue
        call = calls[i if carry else 0]
        if not carry:
            for word in range(CALL_WORDS):
                call[word] = 0
        mark = posted if keep else 0
        before_booked, before_covered = call[BOOKED], call[COVERED]
        if records.asked[i] > _ASKED_MAX:
            return i, posted, NEEDS_EXACT
        found, after = charge_call(
            lines, prices, payers, left, listed, entries, moves, call, scratch, posts, mark, i, account,
            np.int64(records.tariff[i]), kind, node, records.start_at[i],
            np.int64(records.rule[i % len(records.rule)]), records.asked[i], task, bill, limit,
        )  # fmt: skip
        if found in (NEEDS_EXACT, POSTINGS_FULL):
            return i, posted, found
        status[i] = found
        if found != 0 and task == BOOK:
            continue
        net_nano[i] = call[BOOKED] - before_booked
        covered[i] = call[COVERED] - before_covered
        payer[i] = call[FIRST_PAYER] - 1
        if keep:
            over_nano[i % len(over_nano)] = over_limit(payers, left, listed, entries, posts, mark, after) if task != GRANT else 0
            posted = after
    return len(status), posted, 0
