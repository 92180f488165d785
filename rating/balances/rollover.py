"""The end of a period: what is unused is carried over up to a cap, the rest lapses, and every unit is accounted for (E25)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rating.balances.layout import Ints
from schemas.errors import ConservationError, Fault


@dataclass(frozen=True, slots=True)
class PeriodEnd:
    """What became of each balance: granted (or carried in) = used + carried out + lapsed + left, in 1/den units.

    `carried_to_at` is the end of the new balance's validity, 0 where nothing is carried.
    """

    used: Ints
    carried: Ints
    lapsed: Ints
    left: Ints
    carried_to_at: Ints


def end_period(
    granted: npt.ArrayLike,
    value: npt.ArrayLike,
    used: npt.ArrayLike,
    valid_to_at: npt.ArrayLike,
    rollover_cap: npt.ArrayLike,
    rollover_to_at: npt.ArrayLike,
    *,
    end_at: int,
    unlimited: npt.ArrayLike = False,
) -> PeriodEnd:
    """Close balances at the end of a period.

    A balance that is valid beyond the end stays as it is. Of one that ends with the period or before, min(unused, cap) becomes a
    new balance valid to `rollover_to_at`, if it rolls over at all; the rest lapses. Expiry is a posting balance -> lapsed.

    Args:
        granted, value, used: what a balance began with, what is left of it and what was used, i8[n] in 1/den units.
        rollover_cap: most units that are carried, -1 where the balance does not roll over.
        rollover_to_at: until when what is carried is valid.
        unlimited: balances that are never reduced; they lapse without units.
    Raises:
        ConservationError: a balance whose units do not add up; names the row.
    """
    granted, value, used, valid_to_at, cap, to_at = (
        np.asarray(one, dtype=np.int64) for one in (granted, value, used, valid_to_at, rollover_cap, rollover_to_at)
    )
    endless = np.broadcast_to(np.asarray(unlimited, dtype=np.bool_), value.shape)
    wrong = ~endless & (granted - value != used)
    if wrong.any():
        row = int(np.argmax(wrong))
        was = f"{granted[row]} granted, {used[row]} used, {value[row]} left"
        raise ConservationError(Fault(f"balance row {row}", "units do not add up", was, "granted = used + left"))
    ends = (valid_to_at <= end_at) & ~endless
    carried = np.where(ends & (cap >= 0), np.minimum(np.maximum(value, 0), np.maximum(cap, 0)), 0)
    lapsed = np.where(ends, value - carried, 0)
    left = np.where(ends, 0, value)
    return PeriodEnd(used, carried, lapsed, left, np.where(carried > 0, to_at, 0))
