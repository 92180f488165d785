"""A tariff of an operator and a month of usage for the rating benchmarks: functions of a seed."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa

from rating.compiled.book import TariffBook
from rating.language.call_terms import Destination, Rate, Rule
from rating.language.shared_terms import Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.zones import instant_us

SEED = 20261001
RATES = 600  # of a deck: as in a real A-Z deck, many prefixes share a rate
DECKS = ("off-peak", "peak", "night")
HOUR_MS, HOUR_US = 3_600_000, 3_600_000_000
MONTH = (instant_us(datetime(2026, 9, 30, 22, tzinfo=UTC)), instant_us(datetime(2026, 10, 31, 23, tzinfo=UTC)))
YEAR = (instant_us(datetime(2026, 1, 1, tzinfo=UTC)), instant_us(datetime(2027, 1, 1, tzinfo=UTC)))
COLUMNS = ("tariff_index", "kind", "called_number", "start_at", "quantity")
HOLIDAY = date(2026, 10, 3)


def voice_rate(name: str, rng: np.random.Generator) -> Rate:
    """Connect fee, 60/1."""
    price, fee = int(rng.integers(1, 300)) * 1_000_000, int(rng.integers(0, 3)) * 50_000_000
    return Rate(name, (Tier(0, price, 60_000, 60_000), Tier(60_000, price * 9 // 10, 60_000, 1_000)), fee)


def some_prefixes(count: int, rng: np.random.Generator) -> tuple[str, ...]:
    """Distinct prefixes of 1 to 8 digits, lengths as in A-Z decks."""
    numbers: dict[str, None] = {}
    while len(numbers) < count:
        lengths = rng.choice([1, 2, 3, 4, 5, 6, 7, 8], size=count, p=[0.001, 0.009, 0.05, 0.14, 0.25, 0.3, 0.2, 0.05])
        digits = rng.integers(0, 10, size=(count, 8))
        digits[:, 0] = rng.integers(1, 10, size=count)
        for length, row in zip(lengths.tolist(), digits.tolist(), strict=True):
            numbers.setdefault("".join(map(str, row[:length])))
    return tuple(numbers)[:count]


def a_deck(name: str, prefixes: tuple[str, ...], rates: int, rng: np.random.Generator) -> Destination:
    """A deck of so many different rates."""
    of_deck = [voice_rate(f"{name} {number}", rng) for number in range(rates)]
    chosen = rng.integers(0, rates, size=len(prefixes)).tolist()
    return Destination(name, prefixes, name, tuple(of_deck[number] for number in chosen))


def bench_tariff(prefixes: int, rng: np.random.Generator) -> Tariff:
    """Voice by three decks: peak on weekdays 8-20 (not on a holiday), nights 22-06, and off-peak; messages; volumes."""
    names = some_prefixes(prefixes, rng)
    text = Rate("text", (Tier(0, 70_000_000, 1, 1),))
    internet = Rate("internet", (Tier(0, 2_000_000_000, 10**9, 100_000),))
    version = TariffVersion(
        "1",
        YEAR[0] - HOUR_US * 24,
        2**63 - 1,
        Rounding("record", "half_up", 4),
        windows=(
            Window("peak", weekdays=frozenset({1, 2, 3, 4, 5}), start_us=8 * HOUR_US, end_us=20 * HOUR_US),
            Window("night", start_us=22 * HOUR_US, end_us=6 * HOUR_US),
            Window("holiday", dates=frozenset({HOLIDAY}), start_us=6 * HOUR_US, end_us=22 * HOUR_US),
        ),
        destinations=tuple(a_deck(name, names, RATES, rng) for name in DECKS),
        rates=(text, internet),
        rules=(
            Rule(UsageKind.VOICE, "off-peak", None, None, 0, "Calls"),
            Rule(UsageKind.VOICE, "peak", "peak", None, 10, "Calls, peak"),
            Rule(UsageKind.VOICE, "night", "night", None, 10, "Calls, night"),
            Rule(UsageKind.VOICE, "off-peak", "holiday", None, 20, "Calls, holiday"),
            Rule(UsageKind.MESSAGE, None, None, "text", 0, "Messages"),
            Rule(UsageKind.VOLUME, None, None, "internet", 0, "Internet"),
        ),
    )
    return Tariff("bench", "Bench", "EUR", "Europe/Berlin", ServiceKind.TELECOM, (version,))


def bench_records(tariff: Tariff, rows: int, rng: np.random.Generator) -> pa.RecordBatch:
    """Voice, messages and volumes 60/15/25: numbers by a few popular prefixes and many rare ones, starts over a month with a
    clock change, one voice call in 200 of one to eight hours, which the windows cut into as many as three segments."""
    numbers = _numbers(np.array(tariff.versions[0].destinations[0].prefixes), rows, rng)
    kind = rng.choice(np.array([0, 1, 2], dtype=np.uint8), size=rows, p=[0.6, 0.15, 0.25])
    start_at = rng.integers(*MONTH, size=rows)
    voice = (rng.exponential(120_000, size=rows) + 1).astype(np.int64)
    voice = np.where(rng.random(rows) < 0.005, rng.integers(HOUR_MS, 8 * HOUR_MS, size=rows), voice)
    volume = (rng.exponential(20_000_000, size=rows) + 1).astype(np.int64)
    quantity = np.select([kind == 0, kind == 1], [voice, np.ones(rows, dtype=np.int64)], volume)
    return _batch(kind, numbers, start_at, quantity)


def three_segment_records(tariff: Tariff, rows: int, rng: np.random.Generator) -> pa.RecordBatch:
    """The worst case: every record a call from a quarter to ten on over midnight and morning, day by day: three segments."""
    numbers = _numbers(np.array(tariff.versions[0].destinations[0].prefixes), rows, rng)
    days = rng.integers(0, 22, size=rows)
    start_at = MONTH[0] + days * 24 * HOUR_US + 21 * HOUR_US + 45 * 60_000_000 + rng.integers(0, 600_000_000, size=rows)
    quantity = rng.integers(8 * HOUR_MS + 60_000 * 20, 9 * HOUR_MS, size=rows)
    return _batch(np.zeros(rows, dtype=np.uint8), numbers, start_at, quantity)


def _numbers(prefixes: np.ndarray, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Packed numbers of twelve digits under the prefixes."""
    chosen = prefixes[np.minimum(rng.zipf(1.2, size=rows) - 1, rng.integers(0, len(prefixes), size=rows))]
    letters = np.frombuffer(chosen.astype("U16").tobytes(), dtype=np.uint32).reshape(rows, 16)
    packed = np.full(rows, 0xFFFF, dtype=np.uint64)
    for digit in range(12):
        given = letters[:, digit].astype(np.uint64)
        value = np.where(given > 0, given - np.uint64(48), rng.integers(0, 10, size=rows, dtype=np.uint64))
        packed |= value << np.uint64(60 - 4 * digit)
    return packed


def _batch(kind: np.ndarray, numbers: np.ndarray, start_at: np.ndarray, quantity: np.ndarray) -> pa.RecordBatch:
    columns = (np.zeros(len(kind), dtype=np.int32), kind, numbers, start_at, quantity)
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], names=list(COLUMNS))


def columns_of(batch: pa.RecordBatch) -> tuple[np.ndarray, ...]:
    """The Arrow buffers as arrays, without a copy."""
    return tuple(column.to_numpy(zero_copy_only=True) for column in batch.columns)


def segments_of(book: TariffBook, columns: tuple[np.ndarray, ...]) -> np.ndarray:
    """How many spans of constant windows each voice call touches (1 for other usage): [n]."""
    _, kind, _, start_at, quantity = columns
    ends = book.timelines.segment[:, 0]
    touched = np.searchsorted(ends, start_at + (quantity - 1) * 1000, "right") - np.searchsorted(ends, start_at, "right") + 1
    return np.where(kind == 0, touched, 1)
