"""Kernel == exact twin over random (tariff, usage) pairs: charge, quantity, status and rule of each, and which tariffs are refused.

`METERLINE_RATING_PAIRS` and `METERLINE_RATING_SEED` size and seed the long form; both are printed, and a difference names the
book, the tariff and the usage that show it again.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

import numpy as np
import pytest

from rating.calls.first_pass import RatedCalls, rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.tariff import Tariff
from schemas.errors import ConfigurationError
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import first_instant_of_wall_clock
from tests.properties.random_tariffs import SEASONS, TariffMaker, Usage
from tests.reference.rating_twin import LevelRules, RatingTwin

TARIFFS_OF_BOOK = 16
USAGE_OF_TARIFF = 125
SHOWN = 5


@dataclass
class Outcome:
    """What a run saw."""

    pairs: int = 0
    cut: int = 0
    refused: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)


def compiled(tariffs: list[Tariff], span: tuple[int, int]) -> tuple[TariffBook, set[str]]:
    """The book of the tariffs that can be told apart, and the ids of those that it refuses."""
    try:
        return compile_book(tariffs, span=span), set()
    except ConfigurationError as refused:
        ids = {fault.where.removeprefix("tariff ") for fault in refused.faults}
        return compile_book([one for one in tariffs if one.tariff_id not in ids], span=span), ids


def is_level(tariff: Tariff, span: tuple[int, int]) -> bool:
    """Whether some instant of the span has rules that nothing orders, by asking the twin wherever the wall clock may matter."""
    twin = RatingTwin(tariff)
    prefixes = {prefix for found in twin.by_prefix.values() for prefix in found}
    ends = {at for version in tariff.versions for at in (version.effective_from_at, version.effective_to_at)}
    instants = {span[0], *(at for at in ends if span[0] <= at < span[1])}
    times = {time_us for version in tariff.versions for window in version.windows for time_us in (window.start_us, window.end_us)}
    day = datetime(2026, 1, 1)
    while day < datetime(2027, 1, 1):
        for time_us in (0, *times):
            at = first_instant_of_wall_clock(day + timedelta(microseconds=time_us), tariff.zone)
            instants |= {at + extra for extra in (0, 1_800_000_000, 3_600_000_000)} if span[0] <= at < span[1] else set()
        day += timedelta(days=1)
    for at in sorted(instants):
        for kind in list(UsageKind)[:3]:
            for prefix in prefixes:
                try:
                    twin.winner(kind, prefix, at)
                except LevelRules:
                    return True
    return False


def rate_all(book: TariffBook, cases: list[tuple[str, Usage]]) -> RatedCalls:
    return rate_calls(
        book,
        np.array([book.tariff_index(name) for name, _ in cases], dtype=np.int32),
        np.array([int(usage.kind) for _, usage in cases], dtype=np.uint8),
        np.array([packed_number(usage.digits) for _, usage in cases], dtype=np.uint64),
        np.array([usage.start_at for _, usage in cases], dtype=np.int64),
        np.array([usage.quantity for _, usage in cases], dtype=np.int64),
    )


def book_cuts(book: TariffBook, rated: RatedCalls, row: int, usage: Usage) -> bool:
    """Whether the windows or the version change while a call that was priced goes on."""
    if rated.status[row] or usage.kind is not UsageKind.VOICE:
        return False
    tariff = book.tariff_index(book.rules[rated.rule_index[row]].tariff_id)
    place = book.timelines.place_of(tariff, usage.start_at)
    return bool(book.timelines.segment[place, 0] < usage.start_at + usage.quantity * 1000)


def price_book(seed: int, number: int, outcome: Outcome, *, refused_checked: int) -> None:
    """One book of random tariffs, all its usage priced twice."""
    rng = Random(f"{seed}/{number}")
    season = number % len(SEASONS)
    makers = [TariffMaker(rng, f"t{index:02d}", season) for index in range(TARIFFS_OF_BOOK)]
    first_on, last_on = SEASONS[season][0]
    span = tuple(first_instant_of_wall_clock(datetime(day.year, day.month, day.day), "UTC") for day in (first_on, last_on))
    book, refused = compiled([maker.tariff for maker in makers], span)
    for maker in makers:
        if maker.tariff.tariff_id in refused and outcome.refused < refused_checked:
            reach = (span[0], span[1] + 40 * 86_400_000_000)
            if not is_level(maker.tariff, reach):
                outcome.differences.append(f"book {number} {maker.tariff.tariff_id}: refused, but the twin finds nothing level")
        outcome.refused += maker.tariff.tariff_id in refused
    kept = [maker for maker in makers if maker.tariff.tariff_id not in refused]
    cases = [(maker.tariff.tariff_id, usage) for maker in kept for usage in maker.usage(USAGE_OF_TARIFF)]
    if not cases:
        return
    rated = rate_all(book, cases)
    twins = {maker.tariff.tariff_id: RatingTwin(maker.tariff) for maker in kept}
    for row, (name, usage) in enumerate(cases):
        difference = compare(book, rated, row, twins[name], usage, span)
        if difference:
            outcome.differences.append(f"book {number} {name} {usage}: {difference}")
        if span[0] <= usage.start_at < span[1]:
            outcome.pairs += 1
            status = Reason(rated.status[row]).name
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
            outcome.cut += book_cuts(book, rated, row, usage)


def compare(book: TariffBook, rated: RatedCalls, row: int, twin: RatingTwin, usage: Usage, span: tuple[int, int]) -> str:
    """What differs, or empty. Outside its span a book prices nothing."""
    if not span[0] <= usage.start_at < span[1]:
        return "" if rated.status[row] else "priced outside of the span"
    try:
        price = twin.price(usage.kind, usage.digits, usage.start_at, usage.quantity)
    except LevelRules as level:
        return f"priced, but rules are level: {level}"
    got = (Reason(rated.status[row]), int(rated.charge_nano[row]), int(rated.charged_quantity[row]))
    if got != (price.status, price.charge_nano, price.charged_quantity):
        return f"kernel {got}, twin {price}"
    if price.status != Reason.OK:
        return ""
    rule = book.rules[rated.rule_index[row]]
    is_same = rule.item != price.item or (rule.window, rule.destination) == (price.window, price.destination)
    return "" if is_same else f"kernel by {rule.window!r} {rule.destination!r}, twin {price}"


def price_pairs(seed: int, pairs: int, *, refused_checked: int) -> Outcome:
    """Books until there are enough pairs."""
    outcome, number = Outcome(), 0
    while outcome.pairs < pairs:
        price_book(seed, number, outcome, refused_checked=refused_checked)
        number += 1
    return outcome


def check(seed: int, pairs: int, *, refused_checked: int) -> Outcome:
    began = time.process_time()
    outcome = price_pairs(seed, pairs, refused_checked=refused_checked)
    print(
        f"\nseed {seed}: {outcome.pairs} pairs, {len(outcome.differences)} differences, {outcome.cut} calls over a border, "
        f"{outcome.refused} tariffs refused as level, "
        f"{outcome.statuses}, {time.process_time() - began:.0f} s CPU"
    )
    assert not outcome.differences, "\n".join(outcome.differences[:SHOWN])
    return outcome


def test_pairs_quickly() -> None:
    outcome = check(20261124, 20_000, refused_checked=1)
    assert outcome.refused and outcome.cut > 1_000 and set(outcome.statuses) >= {
        "OK", "ZERO_USAGE", "NO_RATE_FOR_DESTINATION", "NO_RATE_AT_INSTANT", "CHARGE_OVERFLOW",
    }  # fmt: skip


@pytest.mark.long
def test_a_million_pairs() -> None:
    seed = int(os.environ.get("METERLINE_RATING_SEED", "1"))
    check(seed, int(os.environ.get("METERLINE_RATING_PAIRS", "1000000")), refused_checked=50)


def test_one_wrong_nano_unit_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(book: TariffBook, cases: list[tuple[str, Usage]], right: Callable[..., RatedCalls] = rate_all) -> RatedCalls:
        rated = right(book, cases)
        rated.charge_nano[np.flatnonzero(rated.status == 0)[0]] += 1
        return rated

    monkeypatch.setitem(price_book.__globals__, "rate_all", spoiled)
    assert len(price_pairs(1, 1, refused_checked=0).differences) == 1
