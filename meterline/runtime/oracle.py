"""Invariant I9 on live rows: a sample of charges, priced again one by one as exact fractions from the explanation's segments."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from meterline.pipeline.rivals import plain_rows
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.exact_price import exact_price
from schemas.hashing import hex_id

SAMPLE = 2_000


def sampled_charges(reference: Reference, snapshot: Snapshot, *, sample: int = SAMPLE) -> pl.DataFrame:
    """[record, charge_nano, oracle_nano] of up to `sample` live calls, spread evenly over the record ids."""
    rows: list[dict[str, object]] = []
    total = sum(part.rows for file in snapshot.files("rated_calls") for part in file.parts)
    every = max(total // sample, 1)
    for _, piece in snapshot.pieces("rated_calls"):
        chosen = pa.array([row for row in range(piece.num_rows) if row % every == 0], pa.int64())  # typed: may be empty
        for row in plain_rows(piece.take(chosen)):
            rows.append(_priced(reference, row))
        if len(rows) >= sample:
            break
    return pl.DataFrame(rows, schema={"record": pl.String, "charge_nano": pl.Int64, "oracle_nano": pl.Int64})


def _priced(reference: Reference, row: dict[str, int]) -> dict[str, object]:
    directory = reference.directory
    import numpy as np

    assignment = directory.resolve_numbers(np.array([row["served_number"]], np.uint64), np.array([row["start_at"]], np.int64))[0]
    book = reference.book(row["start_at"], row["start_at"])
    price = exact_price(
        book, int(directory.tariff_index[assignment]), row["kind"], row["called_number"], row["start_at"], row["quantity"]
    )
    return {
        "record": hex_id(row["record_hi"], row["record_lo"]),
        "charge_nano": row["charge_nano"],
        "oracle_nano": price.charge_nano,
    }
