"""Running reservations: a grant that is taken in advance, corrected by what was used, and closed (reference: rating §6).

One step is one atomic change of state: book the used part, release the rest of the old reservation, reserve the next. Pure: state
in, state and answer out; whoever replies does so after the state is on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from rating.balances.balance_table import BalanceState, BalanceTable
from rating.balances.charge import ChargedUsage, charge_usage
from rating.balances.layout import BOOKED, CALL_WORDS, ELAPSED, Ints
from rating.balances.refunds import refund
from rating.compiled.book import TariffBook
from schemas.errors import Fault, MeterlineError
from schemas.reasons import Reason


@dataclass(frozen=True, slots=True)
class RunningCall:
    """What identifies and prices the usage of a reservation; it stays the same over all its steps."""

    account_index: int
    tariff_index: int
    kind: int
    called_number: int
    start_at: int
    category: int = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """What one step was answered. `granted` is how far beyond the used part usage may go; amounts are those of the whole call."""

    reservation_id: str
    sequence: int
    status: Reason
    granted: int = 0
    used: int = 0  # in all
    booked_nano: int = 0  # for what was used
    reserved_nano: int = 0  # on top, for what is granted
    over_limit_nano: int = 0  # of this step


@dataclass(frozen=True, slots=True)
class Reservation:
    """A call under way: what was used and booked, the running call after it, and the postings of either part."""

    of: RunningCall
    used: int
    call: Ints  # [1, 8] after the used part
    booked: Ints  # postings
    reserved: Ints  # postings
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Reservations:
    """All reservations of some accounts with the state of their balances, and every answer that was given."""

    state: BalanceState
    running: Mapping[str, Reservation] = field(default_factory=dict)
    answers: Mapping[tuple[str, int], Answer] = field(default_factory=dict)


def update(
    book: TariffBook,
    table: BalanceTable,
    before: Reservations,
    reservation_id: str,
    sequence: int,
    of: RunningCall,
    *,
    used: int = 0,
    requested: int = 0,
    close: bool = False,
) -> tuple[Reservations, Answer]:
    """One step of a reservation; the first one opens it.

    A repeated (reservation_id, sequence) gets the stored answer, a refusal too, and changes nothing. Used may exceed what was
    reserved: the excess is debited like usage that happened. Tiers, windows, fee and rounding run over the whole call, so closing
    with nothing used gives all back, fee included.

    Args:
        used: usage since the step before, base units. requested: what is to be reserved beyond it. close: no more will follow.
    Returns:
        The reservations after the step, and the answer. Status as in `charge_usage`; BLOCKED_BY_BALANCE and NOT_COVERED with a
        grant smaller than requested; NOT_COVERED for a step of a closed reservation.
    Raises:
        MeterlineError: negative quantities, or a reservation whose call changed between steps.
    """
    key = (reservation_id, sequence)
    if key in before.answers:
        return before, before.answers[key]
    if used < 0 or requested < 0:
        raise MeterlineError(
            Fault(f"reservation {reservation_id}", "a negative quantity", f"{min(used, requested)}", "zero or more")
        )
    nothing = np.zeros((0, 10), dtype=np.int64)
    held = before.running.get(reservation_id) or Reservation(of, 0, np.zeros((1, CALL_WORDS), np.int64), nothing, nothing)
    if held.of != of:
        raise MeterlineError(Fault(f"reservation {reservation_id}", "another call than before", must_be="one call"))
    if held.closed:
        return _answered(before, Answer(*key, Reason.NOT_COVERED, used=held.used))
    released = refund(table, before.state, held.reserved, account_of_record=[of.account_index]).state
    total = held.used + used
    booking = _charge(book, table, of, total, "book", released, held.call) if used else None
    status = Reason(int(booking.status[0])) if booking else Reason.OK
    if booking and status:  # refused: what was reserved before stays reserved
        return _answered(before, Answer(*key, status, used=held.used, booked_nano=_booked(held.call)))
    call = booking.calls if booking else held.call
    state = booking.state if booking else released
    booked = np.concatenate([held.booked, booking.postings]) if booking else held.booked
    over = int(booking.over_limit_nano[0]) if booking else 0
    reserved, granted, reserved_nano = nothing, 0, 0
    if requested and not close:
        taken = _charge(book, table, of, total + requested, "take", state, call)
        status, state, reserved = Reason(int(taken.status[0])), taken.state, taken.postings
        granted = max(0, min(total + requested, int(taken.calls[0, ELAPSED])) - total)
        reserved_nano = int(taken.charge_nano[0])
    answer = Answer(*key, status, granted, total, _booked(call), reserved_nano, over)
    now = Reservation(of, total, call, booked, reserved, close)
    return _answered(replace(before, state=state, running={**before.running, reservation_id: now}), answer)


def _charge(
    book: TariffBook, table: BalanceTable, of: RunningCall, quantity: int, task: str, state: BalanceState, call: Ints
) -> ChargedUsage:
    return charge_usage(
        book, table, account_index=[of.account_index], tariff_index=[of.tariff_index], kind=[of.kind],
        called_number=np.array([of.called_number], dtype=np.uint64), start_at=[of.start_at], quantity=[quantity],
        category=[of.category], task=task, state=state, calls=call,
    )  # fmt: skip


def _booked(call: Ints) -> int:
    return int(call[0, BOOKED])


def _answered(before: Reservations, answer: Answer) -> tuple[Reservations, Answer]:
    return replace(before, answers={**before.answers, (answer.reservation_id, answer.sequence): answer}), answer
