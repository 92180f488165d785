"""Invariant I9 on live rows: a sample of charges, priced again one by one as exact fractions from the explanation's segments."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow as pa

from meterline.pipeline.rivals import plain_rows
from meterline.reference import Reference
from meterline.store.snapshot import Snapshot
from rating.calls.exact_price import exact_price
from schemas.hashing import hex_id

SAMPLE = 2_000


def sampled_charges(reference: Reference, snapshot: Snapshot, *, sample: int = SAMPLE) -> pl.DataFrame:
    """[record, charge_nano, oracle_nano] of about `sample` live calls, spread evenly over the stored rows."""
    rows: list[dict[str, object]] = []
    total = sum(part.rows for file in snapshot.files("rated_calls") for part in file.parts)
    every, passed = max(total // sample, 1), 0
    for _, piece in snapshot.pieces("rated_calls"):
        chosen = np.arange(-passed % every, piece.num_rows, every)
        passed += piece.num_rows
        rows += [_priced(reference, row) for row in plain_rows(piece.take(pa.array(chosen, pa.int64())))]
    return pl.DataFrame(rows, schema={"record": pl.String, "charge_nano": pl.Int64, "oracle_nano": pl.Int64})


def _priced(reference: Reference, row: dict[str, int]) -> dict[str, object]:
    directory = reference.directory
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
