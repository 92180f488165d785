"""Rows of a rate deck that say nothing new: there twice, or under a shorter prefix of the deck at the same price."""

from __future__ import annotations

import polars as pl

from rating.language.call_terms import Destination
from rating.language.tariff import Tariff
from rating.warning_places import Places
from schemas.errors import Fault
from schemas.numbers import DIGITS_MAX


def deck_warnings(tariff: Tariff, places: Places, rows_of: dict[str, int]) -> list[Fault]:
    """One warning for each deck with redundant rows, which are only counted; `rows_of`: rows of each deck file, as written."""
    said = []
    for version in tariff.versions:
        for to in version.destinations:
            if not to.deck_rates:
                continue
            twice = rows_of.get(to.deck_file, 0) - len(to.prefixes)
            shadowed, example = redundant_prefixes(to)
            parts = [f"{twice} are there twice"] if twice > 0 else []
            if shadowed:
                parts.append(f"{shadowed} cost what a shorter prefix of the deck costs anyway (such as {example})")
            if parts:
                what = f"of {len(to.prefixes) + max(twice, 0)} rows in {to.deck_file}, {' and '.join(parts)}"
                where = places.of(version, "destinations", to.name, "deck")
                said.append(Fault(where, what, next_step="they may be left out", code="warning_redundant"))
    return said


def redundant_prefixes(to: Destination) -> tuple[int, str]:
    """(how many prefixes have the rate of the next shorter prefix of the deck, the first of them)."""
    numbers: dict[object, int] = {}
    of_object: dict[int, int] = {}
    for rate in to.deck_rates:
        if id(rate) not in of_object:  # equal rates are mostly one object
            content = (rate.connect_fee_nano, rate.minimum_charge_nano, rate.cap, rate.tiers)
            of_object[id(rate)] = numbers.setdefault(content, len(numbers))
    deck = pl.DataFrame(
        {"prefix": to.prefixes, "rate": [of_object[id(rate)] for rate in to.deck_rates]},
        schema={"prefix": pl.String, "rate": pl.Int32},
    )
    frame = deck.with_columns(pl.lit(None, dtype=pl.Int32).alias("parent"))
    for length in range(DIGITS_MAX - 1, 0, -1):  # the longest that matches is the parent
        shorter = deck.filter(pl.col("prefix").str.len_chars() == length).rename({"prefix": "cut", "rate": "found"})
        if not len(shorter):
            continue
        cut = pl.when(pl.col("prefix").str.len_chars() > length).then(pl.col("prefix").str.slice(0, length)).alias("cut")
        frame = (
            frame.with_columns(cut)
            .join(shorter, on="cut", how="left", maintain_order="left")
            .with_columns(pl.coalesce("parent", "found").alias("parent"))
            .drop("cut", "found")
        )
    same = frame.filter(pl.col("parent") == pl.col("rate"))
    return len(same), same["prefix"][0] if len(same) else ""
