"""The first pass: CPU ns per record, and how many times faster than the plain-Python twin, in the same run.

A deck of 20,000 prefixes with peak and off-peak in a zone with summer time, voice, messages and volumes 60/15/25. Prints one line
with a hash of all charges; small by default. `python -m benchmarks.bench_rating --records 10000000 --runs 5`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import time
from datetime import UTC, date, datetime

import numpy as np

from rating.calls.first_pass import RatedCalls, rate_calls
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Destination, Rate, Rule
from rating.language.shared_terms import Rounding, ServiceKind, Tier, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.quantities import UsageKind
from schemas.zones import instant_us
from tests.reference.rating_twin import RatingTwin

SEED = 20261001
RATES = 600
HOUR_US = 3_600_000_000
MONTH = (instant_us(datetime(2026, 9, 30, 22, tzinfo=UTC)), instant_us(datetime(2026, 10, 31, 23, tzinfo=UTC)))
YEAR = (instant_us(datetime(2026, 1, 1, tzinfo=UTC)), instant_us(datetime(2027, 1, 1, tzinfo=UTC)))
Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def voice_rate(name: str, rng: np.random.Generator) -> Rate:
    """Connect fee, 60/1, a second price after ten minutes for some."""
    price, fee = int(rng.integers(1, 300)) * 1_000_000, int(rng.integers(0, 3)) * 50_000_000
    tiers = (Tier(0, price, 60_000, 60_000), Tier(60_000, price * 9 // 10, 60_000, 1_000))
    return Rate(name, tiers, fee)


def bench_tariff(prefixes: int, rng: np.random.Generator) -> Tariff:
    numbers: dict[str, None] = {}
    while len(numbers) < prefixes:
        lengths = rng.choice([1, 2, 3, 4, 5, 6, 7, 8], size=prefixes, p=[0.001, 0.009, 0.05, 0.14, 0.25, 0.3, 0.2, 0.05])
        digits = rng.integers(0, 10, size=(prefixes, 8))
        digits[:, 0] = rng.integers(1, 10, size=prefixes)
        for length, row in zip(lengths, digits, strict=True):
            numbers.setdefault("".join(map(str, row[:length])))
    names = tuple(numbers)[:prefixes]
    # As in a real A-Z deck: 20,000 prefixes at some 600 different rates.
    peak, off_peak = ([voice_rate(f"{deck} {n}", rng) for n in range(RATES)] for deck in ("peak", "off-peak"))
    chosen = rng.integers(0, RATES, size=prefixes).tolist()
    text = Rate("text", (Tier(0, 70_000_000, 1, 1),))
    internet = Rate("internet", (Tier(0, 2_000_000_000, 10**9, 100_000),))
    version = TariffVersion(
        "1",
        YEAR[0] - HOUR_US * 24,
        2**63 - 1,
        Rounding("record", "half_up", 4),
        windows=(
            Window("peak", weekdays=frozenset({1, 2, 3, 4, 5}), start_us=8 * HOUR_US, end_us=20 * HOUR_US),
            Window("holiday", dates=frozenset({date(2026, 10, 3)})),
        ),
        destinations=(_deck("peak deck", names, peak, chosen), _deck("off-peak deck", names, off_peak, chosen)),
        rates=(text, internet),
        rules=(
            Rule(UsageKind.VOICE, "off-peak deck", None, None, 0, "Calls"),
            Rule(UsageKind.VOICE, "peak deck", "peak", None, 10, "Calls, peak"),
            Rule(UsageKind.VOICE, "off-peak deck", "holiday", None, 20, "Calls, holiday"),
            Rule(UsageKind.MESSAGE, None, None, "text", 0, "Messages"),
            Rule(UsageKind.VOLUME, None, None, "internet", 0, "Internet"),
        ),
    )
    return Tariff("bench", "Bench", "EUR", "Europe/Berlin", ServiceKind.TELECOM, (version,))


def _deck(name: str, prefixes: tuple[str, ...], rates: list[Rate], chosen: list[int]) -> Destination:
    return Destination(name, prefixes, name, tuple(rates[n] for n in chosen))


def bench_records(tariff: Tariff, rows: int, rng: np.random.Generator) -> Columns:
    """Numbers by a few popular prefixes and many rare ones, starts by random over a month with a clock change."""
    prefixes = np.array(tariff.versions[0].destinations[0].prefixes)
    chosen = prefixes[np.minimum(rng.zipf(1.2, size=rows) - 1, rng.integers(0, len(prefixes), size=rows))]
    packed = np.zeros(rows, dtype=np.uint64)
    length = np.char.str_len(chosen)
    for digit in range(15):
        within = digit < length
        own = np.where(within, np.frombuffer(chosen.astype("U16").tobytes(), dtype=np.uint32).reshape(rows, 16)[:, digit] - 48, 0)
        value = np.where(within, own, rng.integers(0, 10, size=rows)).astype(np.uint64)
        packed |= np.where(digit < 12, value, np.uint64(15)) << np.uint64(60 - 4 * digit)
    packed |= np.uint64(15)
    kind = rng.choice(np.array([0, 1, 2], dtype=np.uint8), size=rows, p=[0.6, 0.15, 0.25])
    start_at = rng.integers(*MONTH, size=rows)
    voice = (rng.exponential(120_000, size=rows) + 1).astype(np.int64)
    volume = (rng.exponential(20_000_000, size=rows) + 1).astype(np.int64)
    quantity = np.select([kind == 0, kind == 1], [voice, np.ones(rows, dtype=np.int64)], volume)
    return np.zeros(rows, dtype=np.int32), kind, packed, start_at, quantity


def kernel_ns(book: TariffBook, records: Columns, runs: int) -> tuple[float, RatedCalls]:
    """Median CPU ns per record over some runs; compiled and touched before."""
    out = RatedCalls.empty(len(records[0]))
    rate_calls(book, *records, out=out)
    spent = []
    for _ in range(runs):
        before = time.process_time_ns()
        rate_calls(book, *records, out=out)
        spent.append((time.process_time_ns() - before) / len(records[0]))
    return statistics.median(spent), out


def twin_ns(tariff: Tariff, records: Columns, rated: RatedCalls, rows: int) -> tuple[float, int]:
    """(CPU ns per record of the twin, mismatches) over the first rows."""
    twin = RatingTwin(tariff)
    mismatches = 0
    texts = [f"{number:016x}".rstrip("f") for number in records[2][:rows].tolist()]
    before = time.process_time_ns()
    prices = [
        twin.price(UsageKind(kind), text, at, used)
        for kind, text, at, used in zip(
            records[1][:rows].tolist(), texts, records[3][:rows].tolist(), records[4][:rows].tolist(), strict=True
        )
    ]
    spent = (time.process_time_ns() - before) / rows
    for row, price in enumerate(prices):
        mismatches += (price.status, price.charge_nano) != (rated.status[row], rated.charge_nano[row])
    return spent, mismatches


def run(records: int, runs: int, prefixes: int, twin_rows: int) -> str:
    """One line: ns per record, ratio to the twin, mismatches and a hash of the charges."""
    rng = np.random.Generator(np.random.PCG64(SEED))
    tariff = bench_tariff(prefixes, rng)
    before = time.process_time_ns()
    book = compile_book([tariff], span=YEAR)
    compile_ms = (time.process_time_ns() - before) / 1e6
    columns = bench_records(tariff, records, rng)
    spent, rated = kernel_ns(book, columns, runs)
    rows = min(twin_rows, records)
    slow, mismatches = twin_ns(tariff, columns, rated, rows)
    digest = hashlib.sha256(rated.charge_nano.tobytes() + rated.status.tobytes()).hexdigest()[:16]
    return (
        f"rating: {spent:.1f} ns/record CPU, {slow / spent:.0f} x the twin, {mismatches} mismatches in {rows}, "
        f"compile {compile_ms:.0f} ms, {records} records, {prefixes} prefixes, charges {digest}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--prefixes", type=int, default=20_000)
    parser.add_argument("--twin-rows", type=int, default=1_000)
    chosen = parser.parse_args()
    print(run(chosen.records, chosen.runs, chosen.prefixes, chosen.twin_rows))


if __name__ == "__main__":
    main()
