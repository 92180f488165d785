"""Input for the end-to-end benchmark: call records of 11 columns and about 92 bytes a line, with a deck of many prefixes.

    python -m benchmarks.end_to_end_input FOLDER --records 10000000

Every record is priced; apart from exact copies nothing is wrong with any line, so that a plain copy can read the same files.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import polars as pl

from meterline.demo.call_files import HEADER, LAYOUT
from meterline.demo.seeded import I64, skewed, stream, weighted
from schemas.errors import ConfigurationError, Fault
from schemas.periods import Period, period_number, period_of

CHUNK_RECORDS = 500_000
ZONE = "Europe/Berlin"
FIRST_NUMBER = 4_915_200_000_000
PREFIX_DIGITS_MAX = 8
_CALLED_DIGITS = 12
# How many of a hundred prefixes have 1, 2, … 8 digits, as far as there are so many.
_PREFIX_LENGTHS = (1, 1, 6, 14, 22, 24, 20, 12)
_CONFIGURATION = """\
tenant: default
currency: EUR
zone: Europe/Berlin
buckets: 64
reference:
  accounts: reference/accounts.csv
  services: reference/services.csv
  tariffs: reference/tariffs
drops:
  - {folder: inbox/calls, format: calls, layout: reference/layouts/network_calls.yaml}
settled_file_s: 5
"""
_TARIFF = """\
tariff: benchmark
name: Benchmark
currency: EUR
zone: Europe/Berlin
service: telecom

versions:
  - version: "2025-01"
    effective_from: 2025-01-01
    rounding: {scope: record, mode: half_up, decimals: 6}
    windows:
      peak: {weekdays: [mon, tue, wed, thu, fri], start: "08:00", end: "20:00"}
    destinations:
      deck_peak:
        deck:
          file: deck.csv
          prefix: prefix
          price: peak_price
          per: 60 s
          connect_fee: connect_fee
          increment: {column: increment_s, unit: s}
      deck_off_peak:
        deck:
          file: deck.csv
          prefix: prefix
          price: off_peak_price
          per: 60 s
          connect_fee: connect_fee
          increment: {column: increment_s, unit: s}
    rates:
      text_message: {price: "0.0700", per: 1 message, increment: 1 message}
      internet: {price: "2.00", per: 1 GB, increment: 10 KiB}
    rules:
      - {kind: voice, destination: deck_peak, window: peak, weight: 10, item: "Calls, peak"}
      - {kind: voice, destination: deck_off_peak, item: "Calls, off-peak"}
      - {kind: message, rate: text_message, item: Text messages}
      - {kind: volume, rate: internet, item: Mobile internet}
    taxes:
      - {name: VAT, percent: "19"}
"""


@dataclass(frozen=True, slots=True)
class BenchmarkInput:
    """What was written: `lines` = `records` + `duplicates` over all files, without their header lines."""

    csv_paths: tuple[str, ...]
    records: int
    duplicates: int
    lines: int
    size_bytes: int


def write_benchmark_operator(
    folder: Path,
    *,
    records: int = 10_000_000,
    duplicates: int = 50_000,
    accounts: int = 200_000,
    prefixes: int = 20_000,
    files: int = 1,
    seed: int = 1,
    period: str = "2026-10",
) -> BenchmarkInput:
    """Write configuration, reference data and call files into `folder`, byte-identical for the same arguments.

    Args:
        folder: must not exist or be empty.
        records: distinct records, in order of their start over the whole period; duplicates: exact copies among them.
        accounts: with one service each; 99,000,000 numbers are available.
        prefixes: of the deck, 1 to 8 digits long, at most 1,000,000.
        files: how many files the lines are spread over.

    Raises:
        ConfigurationError: the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigurationError(Fault(str(folder), "not an empty folder", next_step="name a new one, or empty this one"))
    for name in ("reference/tariffs", "reference/layouts", "inbox/calls"):
        (folder / name).mkdir(parents=True)
    deck = deck_prefixes(seed, prefixes)
    _write_reference(folder, deck, accounts=accounts, seed=seed)
    month = period_of(period_number(period), ZONE)
    paths = [folder / "inbox/calls" / f"network_calls_{number + 1:04d}.csv" for number in range(files)]
    chunks = -(-max(files, -(-records // CHUNK_RECORDS)) // files) * files
    frames = call_chunks(month, deck, seed=seed, records=records, duplicates=duplicates, accounts=accounts, chunks=chunks)
    for path in paths:
        with path.open("wb") as target:
            target.write(f"{HEADER}\n".encode())
            for _ in range(chunks // files):
                next(frames).write_csv(target, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S", quote_style="never")
    size_bytes = sum(path.stat().st_size for path in paths)
    return BenchmarkInput(tuple(str(path) for path in paths), records, duplicates, records + duplicates, size_bytes)


def call_chunks(
    period: Period, deck: I64, *, seed: int, records: int, duplicates: int, accounts: int, chunks: int
) -> Iterator[pl.DataFrame]:
    """Frames of the layout's columns by start; copies repeat lines of the chunk before (in the first chunk, of itself)."""
    random = stream(seed, 12)
    before: pl.DataFrame | None = None
    span = period.end_at - period.start_at
    for chunk in range(chunks):
        first, end = records * chunk // chunks, records * (chunk + 1) // chunks
        start_at, end_at = period.start_at + span * chunk // chunks, period.start_at + span * (chunk + 1) // chunks
        frame = _records(random, deck, first, end - first, start_at, end_at, accounts)
        copies = duplicates * (chunk + 1) // chunks - duplicates * chunk // chunks
        source = frame if before is None else before
        picked = random.choice(source.height, copies, replace=False)
        places = np.sort(random.integers(0, frame.height + 1, copies))
        order = np.insert(np.arange(frame.height), places, frame.height + np.arange(copies))
        yield pl.concat([frame, source[picked]])[order]
        before = frame


def _records(
    random: np.random.Generator, deck: I64, first: int, count: int, start_at: int, end_at: int, accounts: int
) -> pl.DataFrame:
    kind = weighted(random, np.array([60, 15, 25]), count)
    voice, volume = kind == 0, kind == 2
    prefix = deck[skewed(random, 0, len(deck), count)]
    scale = 10 ** (_CALLED_DIGITS - np.searchsorted(10 ** np.arange(PREFIX_DIGITS_MAX), prefix, side="right"))
    called = prefix * scale + random.integers(0, scale)
    down = np.where(volume, skewed(random, 2_000, 120_000_000, count), 0)
    starts = np.sort(random.integers(start_at // 1_000_000, end_at // 1_000_000, count)) * 1_000_000
    node = random.integers(1, 9, count)
    return pl.DataFrame(
        {
            "node": np.where(volume, 10, 0) + node,
            "sequence": 10_000_000 + first + np.arange(count),
            "kind": kind,
            "cell": random.integers(0x10_0000, 0xFF_FFFF, count),
            "served_number": FIRST_NUMBER + random.integers(0, accounts, count),
            "called_number": pl.Series(called).set(pl.Series(volume), None),
            "start_at": pl.Series(starts).cast(pl.Datetime("us")),
            "duration_s": np.where(voice, skewed(random, 1, 600, count), np.where(volume, skewed(random, 10, 7200, count), 0)),
            "bytes_up": down // random.integers(5, 30, count),
            "bytes_down": down,
            "end_cause": np.full(count, 16),
        }
    ).with_columns(
        node=pl.when(pl.col("node") > 10).then(pl.lit("PGW0")).otherwise(pl.lit("MSC0")) + (pl.col("node") % 10).cast(pl.String),
        kind=pl.col("kind").replace_strict({0: "V", 1: "S", 2: "D"}),
        cell=pl.lit("262-01-") + pl.col("cell").cast(pl.String).str.zfill(8),
    )


def deck_prefixes(seed: int, count: int) -> I64:
    """`count` different prefixes without a leading zero, each at most 8 digits long."""
    random = stream(seed, 11)
    found = np.zeros(0, dtype=np.int64)
    while len(found) < count:
        digits = 1 + weighted(random, np.array(_PREFIX_LENGTHS), 2 * count)
        least = 10 ** (digits - 1)
        found = np.unique(np.concatenate([found, random.integers(least, 10 * least)]))
    return np.asarray(random.permutation(found)[:count], dtype=np.int64)


def _write_reference(folder: Path, deck: I64, *, accounts: int, seed: int) -> None:
    random = stream(seed, 10)
    reference = folder / "reference"
    (folder / "meterline.yaml").write_text(_CONFIGURATION, encoding="utf-8")
    (reference / "layouts/network_calls.yaml").write_text(LAYOUT, encoding="utf-8")
    (reference / "tariffs/benchmark.yaml").write_text(_TARIFF, encoding="utf-8")
    number = pl.Series(np.arange(accounts))
    account_id = pl.lit("A") + pl.lit(number + 1).cast(pl.String).str.zfill(7)
    pl.select(
        account_id.alias("account_id"),
        account_id.alias("bill_to_account_id"),
        group_id=pl.lit(""),
        name=pl.lit("Subscriber ") + pl.lit(number + 1).cast(pl.String).str.zfill(7),
        currency=pl.lit("EUR"),
    ).write_csv(reference / "accounts.csv")
    pl.select(
        service_id=pl.lit(number + FIRST_NUMBER),
        account_id=account_id,
        tariff_id=pl.lit("benchmark"),
        effective_from=pl.lit("2025-01-01"),
        effective_to=pl.lit(""),
    ).write_csv(reference / "services.csv")
    peak = random.integers(500, 90_000, len(deck))
    price = {"peak_price": peak, "off_peak_price": peak * 6 // 10, "connect_fee": random.integers(0, 3, len(deck)) * 1_000}
    decimals = [_five_decimals(pl.lit(pl.Series(values))).alias(name) for name, values in price.items()]
    increment = np.array([1, 6, 30, 60])[weighted(random, np.array([40, 20, 10, 30]), len(deck))]
    pl.select(pl.lit(pl.Series(deck)).alias("prefix"), *decimals, increment_s=pl.lit(pl.Series(increment))).write_csv(
        reference / "tariffs/deck.csv"
    )


def _five_decimals(units: pl.Expr) -> pl.Expr:
    return (units // 100_000).cast(pl.String) + "." + (units % 100_000).cast(pl.String).str.zfill(5)


def main() -> None:
    """Write the benchmark operator and print what was written, as JSON."""
    parser = argparse.ArgumentParser(description="Write an operator with many call records for the end-to-end benchmark.")
    parser.add_argument("folder", type=Path)
    for name, default in (
        ("records", 10_000_000),
        ("duplicates", 50_000),
        ("accounts", 200_000),
        ("prefixes", 20_000),
        ("files", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--seed", type=int, default=1)
    print(json.dumps(asdict(write_benchmark_operator(**vars(parser.parse_args()))), indent=1))


if __name__ == "__main__":
    main()
