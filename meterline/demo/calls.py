"""A month of call records as columns, each with the place where it must end up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from meterline.demo.expectations import BILLED
from meterline.demo.reference import ZONE, Holdings
from meterline.demo.seeded import I64, drawn_roles, skewed, stream, weighted
from schemas.periods import Period
from schemas.reasons import Reason
from schemas.zones import zone_table

SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
VOICE, MESSAGE, VOLUME = range(3)
ORDINARY, BROKEN, UNKNOWN, UNANSWERED, CONFLICTING, OUTSIDE, UNRATED, REPEATED, LATE = range(9)
# Records per million that play a role, and the least of them.
_PER_MILLION = {
    BROKEN: 2_000,
    UNKNOWN: 1_000,
    UNANSWERED: 30_000,
    CONFLICTING: 10,
    OUTSIDE: 500,
    UNRATED: 200,
    REPEATED: 3_000,
    LATE: 4_000,
}
LEAST_OF_A_ROLE = 7
# Calls by local hour of the day, midnight first.
_DAILY_CURVE = (6, 3, 2, 2, 3, 8, 20, 42, 60, 66, 68, 70, 72, 66, 64, 66, 72, 80, 84, 80, 66, 48, 28, 14)
UNKNOWN_NUMBER = 4_915_299_000_000  # never given to a subscriber

# Prefix, digits after it, weight for voice, weight for messages.
_DESTINATIONS = (
    (49151, 8, 170, 300),
    (49160, 7, 150, 260),
    (49176, 8, 200, 300),
    (4930, 7, 110, 0),
    (4989, 7, 90, 0),
    (49221, 6, 60, 0),
    (43, 9, 30, 15),
    (33, 9, 30, 15),
    (44, 10, 30, 20),
    (48, 9, 40, 30),
    (90, 10, 40, 20),
    (1, 10, 30, 10),
    (49900, 7, 6, 0),
)
_UNRATED_PREFIX = 8816  # a satellite network that no tariff prices


@dataclass(frozen=True, slots=True)
class CallLines:
    """Call records in the order of their lines; `breakage` is 0 or the number of the way in which the line is broken (from 1)."""

    fields: pl.DataFrame  # columns of the layout, plus `place`, `twin` (row pairs of equal content, else -1) and `breakage`


def call_lines(subscribers: Holdings, period: Period, *, seed: int, count: int) -> CallLines:
    """`count` lines: distinct records plus repeated ones and conflicting versions, in order of arrival.

    Args:
        subscribers: numbers and when nobody holds them; some must be away for a while.
        count: at least 1,000, so that each role is played.
    """
    random = stream(seed, 3)
    shares = {role: max(LEAST_OF_A_ROLE, count * rate // 1_000_000) for role, rate in _PER_MILLION.items()}
    distinct = count - shares[REPEATED] - shares[CONFLICTING]
    roles = drawn_roles(random, distinct, shares)
    who, start_at = _who_and_when(random, subscribers, period, roles)
    order = np.argsort(start_at, kind="stable")
    base = _records(random, subscribers, who[order], start_at[order], roles[order])
    return CallLines(_in_order_of_arrival(random, base, period))


def _who_and_when(random: np.random.Generator, subscribers: Holdings, period: Period, roles: I64) -> tuple[I64, I64]:
    """Subscriber (index) and start (us UTC, whole seconds) of each; only OUTSIDE ones start while nobody holds the number."""
    count = len(roles)
    start_at = _starts(random, period, count)
    late = roles == LATE
    start_at[late] = period.start_at + (start_at[late] - period.start_at) // 3 // SECOND_US * SECOND_US
    who = random.integers(0, len(subscribers.identifiers), count)
    away = (start_at >= subscribers.away_from_at[who]) & (start_at < subscribers.away_to_at[who])
    steady = subscribers.always_held
    who[away] = steady[random.integers(0, len(steady), int(away.sum()))]
    outside = np.flatnonzero(roles == OUTSIDE)
    absent = subscribers.sometimes_away
    who[outside] = absent[random.integers(0, len(absent), len(outside))]
    first, end = subscribers.away_from_at[who[outside]], subscribers.away_to_at[who[outside]]
    start_at[outside] = first + random.integers(0, (end - first) // SECOND_US) * SECOND_US
    return who, start_at


def _starts(random: np.random.Generator, period: Period, count: int) -> I64:
    """Starts over the period by the daily curve of the local clock; a repeated hour is simply two hours."""
    hours = np.arange(period.start_at, period.end_at, HOUR_US, dtype=np.int64)
    table = zone_table(ZONE)
    offsets = table.offset_us[np.searchsorted(table.starts_at, hours, side="right") - 1]
    weights = np.array(_DAILY_CURVE, dtype=np.int64)[(hours + offsets) // HOUR_US % 24]
    drawn = weighted(random, weights, count)
    return hours[drawn] + random.integers(0, 3600, count) * SECOND_US


def _records(random: np.random.Generator, subscribers: Holdings, who: I64, start_at: I64, roles: I64) -> pl.DataFrame:
    """The distinct records in order of their start, as columns of the layout with role and place."""
    count = len(roles)
    kind = weighted(random, np.array([60, 15, 25]), count)
    kind[np.isin(roles, (BROKEN, UNANSWERED, CONFLICTING, UNRATED))] = VOICE
    voice, volume = kind == VOICE, kind == VOLUME
    numbers = np.array([int(number) for number in subscribers.identifiers], dtype=np.int64)[who]
    served = np.where(roles == UNKNOWN, UNKNOWN_NUMBER + who, numbers)
    duration = np.where(voice, skewed(random, 1, 600, count), np.where(volume, skewed(random, 10, 7200, count), 0))
    duration[roles == UNANSWERED] = 0
    down = np.where(volume, skewed(random, 2_000, 120_000_000, count), 0)
    up = down // random.integers(5, 30, count)
    called = _called_numbers(random, kind, roles)
    return pl.DataFrame(
        {
            "kind": kind,
            "unit": random.integers(1, 5, count),
            "cell": random.integers(10_000, 65_536, count),
            "sequence": 10_000_000 + np.arange(count),
            "served": served,
            "called": called,
            "dialled": weighted(random, np.array([70, 15, 15]), count),
            "start_at": start_at,
            "duration_s": duration,
            "bytes_up": up,
            "bytes_down": down,
            "cause": np.where(roles == UNANSWERED, np.where(served % 2 == 0, 17, 19), 16),
            "role": roles,
        }
    ).with_columns(place=_place())


def _called_numbers(random: np.random.Generator, kind: I64, roles: I64) -> I64:
    """International digits as an integer; 0 where nobody is called."""
    table = np.array(_DESTINATIONS, dtype=np.int64)
    by_voice = weighted(random, table[:, 2], len(kind))
    by_message = weighted(random, table[:, 3], len(kind))
    chosen = np.where(kind == MESSAGE, by_message, by_voice)
    scale = 10 ** table[chosen, 1]
    called = table[chosen, 0] * scale + random.integers(scale // 10, scale)
    called = np.where(roles == UNRATED, _UNRATED_PREFIX * 10**8 + called % 10**8, called)
    return np.where(kind == VOLUME, 0, called)


def _place() -> pl.Expr:
    labels = {
        UNKNOWN: Reason.UNKNOWN_SERVICE.label,
        UNANSWERED: Reason.ZERO_USAGE.label,
        CONFLICTING: Reason.CONFLICT.label,
        OUTSIDE: Reason.NO_SERVICE_AT_INSTANT.label,
        UNRATED: Reason.NO_RATE_FOR_DESTINATION.label,
    }
    return pl.col("role").replace_strict(labels, default=BILLED, return_dtype=pl.String)


def _in_order_of_arrival(random: np.random.Generator, base: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Add repeated lines and conflicting versions, then sort all lines by when they reach the operator.

    A record arrives within two hours of its start; late ones in the last days; a repeated line half an hour or weeks after.
    """
    count, span = base.height, period.end_at - period.start_at
    roles, start_at = base["role"].to_numpy(), base["start_at"].to_numpy()
    arrived_at = start_at + random.integers(0, 2 * HOUR_US, count)
    late = roles == LATE
    arrived_at[late] = period.end_at - random.integers(0, span // 12, int(late.sum()))
    twins = np.where(roles == REPEATED, np.arange(count), -1)
    broken = np.flatnonzero(roles == BROKEN)
    breakage = np.zeros(count, dtype=np.int64)
    breakage[broken] = 1 + np.arange(len(broken)) % LEAST_OF_A_ROLE
    lines = base.with_columns(arrived_at=pl.Series(arrived_at), twin=pl.Series(twins), breakage=pl.Series(breakage))
    again = lines.filter(pl.col("role") == REPEATED)
    at_once = again["arrived_at"].to_numpy() + random.integers(1, HOUR_US // 2, again.height)
    much_later = random.integers(at_once, np.maximum(at_once + 1, period.end_at))
    again = again.with_columns(arrived_at=pl.Series(np.where(random.integers(0, 2, again.height) == 0, at_once, much_later)))
    versions = lines.filter(pl.col("role") == CONFLICTING)
    longer_s = pl.Series(random.integers(1, 60, versions.height))
    versions = versions.with_columns(pl.col("duration_s") + longer_s, pl.col("arrived_at") + HOUR_US)
    return pl.concat([lines, again, versions]).sort("arrived_at", "sequence", maintain_order=True)
