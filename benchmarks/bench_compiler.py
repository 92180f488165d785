"""The compiler: CPU seconds from a deck of 100,000 prefixes and 50 windows to arrays over three years; and the deck's file.

As real operators have it: one default deck of all prefixes; ten of the windows with a deck of their own over a part of the
prefixes; forty with one rate for a destination, a list of some hundred prefixes. Windows differ in weekdays, hours (also past
midnight), months and dates, and the decks share prefixes. Prints a hash of all arrays; small by default.
`python -m benchmarks.bench_compiler --prefixes 100000 --runs 5`.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np

from benchmarks.rating_input import HOUR_US, SEED, a_deck, some_prefixes, voice_rate
from rating.compiled.book import TariffBook
from rating.compiled.compiler import compile_book
from rating.language.call_terms import Destination, Rule
from rating.language.decks import DeckColumns, read_deck
from rating.language.shared_terms import DAY_US, Rounding, ServiceKind, Window
from rating.language.tariff import Tariff, TariffVersion
from schemas.money import amount_text
from schemas.quantities import UsageKind
from schemas.zones import instant_us

SPAN = (instant_us(datetime(2026, 1, 1, tzinfo=UTC)), instant_us(datetime(2029, 1, 1, tzinfo=UTC)))
WINDOWS, OWN_DECKS = 50, 10
ARRAYS = ("cell_of", "choices", "rule_rows", "step_rows", "scale_rows", "rule_words")


def operator_tariff(prefixes: int, rng: np.random.Generator) -> Tariff:
    """The tariff of the docstring, with so many prefixes in its default deck."""
    names = some_prefixes(prefixes, rng)
    windows, to, rates, rules = [], [a_deck("default", names, 2_000, rng)], [], []
    rules.append(Rule(UsageKind.VOICE, "default", None, None, 0, "Calls"))
    for number in range(WINDOWS):
        name = f"window {number}"
        windows.append(_window(name, number, rng))
        if number < OWN_DECKS:
            part = tuple(names[at] for at in np.sort(rng.choice(len(names), size=len(names) // 5, replace=False)).tolist())
            to.append(a_deck(name, part, 300, rng))
            rules.append(Rule(UsageKind.VOICE, name, name, None, number + 1, f"Calls, {name}"))
        else:
            part = tuple(names[at] for at in rng.choice(len(names), size=min(300, len(names) // 5), replace=False).tolist())
            to.append(Destination(name, part))
            rates.append(voice_rate(name, rng))
            rules.append(Rule(UsageKind.VOICE, name, name, name, number + 1, f"Calls, {name}"))
    version = TariffVersion(
        "1", SPAN[0] - DAY_US, 2**63 - 1, Rounding("record", "half_up", 4), windows=tuple(windows), destinations=tuple(to),
        rates=tuple(rates), rules=tuple(rules),
    )  # fmt: skip
    return Tariff("operator", "Operator", "EUR", "Europe/Berlin", ServiceKind.TELECOM, (version,))


def _window(name: str, number: int, rng: np.random.Generator) -> Window:
    start, length = int(rng.integers(0, 48)) * HOUR_US // 2, int(rng.integers(2, 24)) * HOUR_US // 2
    end = (start + length) % DAY_US or DAY_US
    if number % 5 == 0:
        first = date(2026, 1, 1) + timedelta(days=int(rng.integers(0, 300)))
        return Window(name, dates=frozenset(first + timedelta(days=91 * step) for step in range(10)), start_us=start, end_us=end)
    if number % 5 == 1:
        return Window(
            name, months=frozenset(rng.choice(np.arange(1, 13), size=3, replace=False).tolist()), start_us=start, end_us=end
        )
    return Window(
        name, weekdays=frozenset(rng.choice(np.arange(1, 8), size=3, replace=False).tolist()), start_us=start, end_us=end
    )


def digest_of(book: TariffBook) -> str:
    """A hash of all that prices."""
    digest = hashlib.sha256()
    for array in (*(getattr(book, name) for name in ARRAYS), book.timelines.segment, book.prefixes.top, book.prefixes.sub):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def deck_seconds(deck: Destination, folder: Path) -> tuple[float, int]:
    """(CPU seconds, rows) to read a deck of as many prefixes from a CSV file."""
    lines = ["prefix,price,fee"]
    for prefix, rate in zip(deck.prefixes, deck.deck_rates, strict=True):
        lines.append(f"{prefix},{amount_text(rate.tiers[0].price_nano)},{amount_text(rate.connect_fee_nano)}")
    path = folder / "deck.csv"
    path.write_text("\n".join(lines) + "\n")
    before = time.process_time()
    prefixes, _ = read_deck(path, DeckColumns("prefix", "price", 60_000, "fee", 1_000, 60_000), "voice")
    return time.process_time() - before, len(prefixes)


def run(prefixes: int, runs: int) -> str:
    """Two lines: CPU seconds of compiler and deck reader, sizes, and a hash of the arrays."""
    tariff = operator_tariff(prefixes, np.random.Generator(np.random.PCG64(SEED)))
    compile_book([tariff], span=(SPAN[0], SPAN[0] + DAY_US))  # the zone's table is made once in a process
    spent = []
    for _ in range(runs):
        before = time.process_time()
        book = compile_book([tariff], span=SPAN)
        spent.append(time.process_time() - before)
    with tempfile.TemporaryDirectory() as folder:
        deck, rows = deck_seconds(tariff.versions[0].destinations[0], Path(folder))
    return (
        f"compiler: {statistics.median(spent):.2f} s CPU [{min(spent):.2f}], {prefixes} prefixes, {WINDOWS} windows, "
        f"{len(book.rules)} rules, {len(book.timelines.segment)} segments, "
        f"{book.choices.nbytes / 2**20:.1f} MiB of choices, arrays {digest_of(book)}\n"
        f"  the deck's file: {deck:.2f} s CPU, {rows} rows"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prefixes", type=int, default=2_000)
    parser.add_argument("--runs", type=int, default=1)
    chosen = parser.parse_args()
    print(run(chosen.prefixes, chosen.runs))


if __name__ == "__main__":
    main()
