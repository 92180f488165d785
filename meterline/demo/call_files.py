"""Call record files: lines of the declared layout, with lines that cannot be read and one file dropped twice."""

from __future__ import annotations

import hashlib
from pathlib import Path

import polars as pl

from meterline.demo.calls import LEAST_OF_A_ROLE, CallLines
from meterline.demo.expectations import BILLED, DUPLICATE, FileAccount, counted
from schemas.reasons import Reason

LINES_PER_FILE = 50_000
HEADER = "node,sequence,kind,cell,served_number,called_number,start_at,duration_s,bytes_up,bytes_down,end_cause"
LAYOUT = """\
layout: network_calls
format: csv
separator: ","
header_lines: 1
zone: UTC
columns:
  node:          {index: 0}
  sequence:      {index: 1}
  kind:          {index: 2, values: {voice: [V], message: [S], volume: [D]}}
  served_number: {index: 4}
  called_number: {index: 5}
  start_at:      {index: 6, format: "%Y-%m-%d %H:%M:%S"}
  duration:      {index: 7, unit: s}
  bytes_up:      {index: 8, unit: bytes}
  bytes_down:    {index: 9, unit: bytes}
number_rules: {international_prefix: "00", national_prefix: "0", country_code: "49"}
"""
# What is wrong with a broken line, by its `breakage` from 1 on.
_BREAKAGES = (
    Reason.BAD_FIELD_COUNT,  # the last three fields are missing
    Reason.BAD_FIELD_COUNT,  # a message of the node instead of a record
    Reason.BAD_NUMBER,  # a letter in the duration
    Reason.BAD_TIMESTAMP,  # a thirteenth month
    Reason.BAD_KIND,
    Reason.BAD_IDENTIFIER,  # letters in the served number
    Reason.NEGATIVE_QUANTITY,  # a duration below zero
)
assert len(_BREAKAGES) == LEAST_OF_A_ROLE


def write_call_files(inbox: Path, lines: CallLines) -> tuple[list[FileAccount], list[str]]:
    """Write files of up to 50,000 lines into the existing folder `inbox`; the middle one is dropped a second time.

    Returns:
        The account of each file that is collected, and the paths of duplicate files, relative to the folder above `inbox`'s.
    """
    frame = lines.fields.with_columns(line=_line_text(), file=pl.int_range(pl.len()) // LINES_PER_FILE)
    texts = frame.partition_by("file", maintain_order=True)
    base = inbox.parent.parent
    hashes: list[bytes] = []
    paths: list[Path] = []
    for number, part in enumerate(texts, 1):
        content = "\n".join([HEADER, *part["line"].to_list(), ""]).encode()
        path = inbox / f"network_calls_{number:04d}.csv"
        path.write_bytes(content)
        hashes.append(hashlib.sha256(content).digest())
        paths.append(path)
    repeated = paths[len(paths) // 2]
    again = inbox / f"{repeated.stem}_again.csv"
    again.write_bytes(repeated.read_bytes())
    places = final_places(frame, hashes).partition_by("file", maintain_order=True)
    relative = [path.relative_to(base).as_posix() for path in paths]
    accounts = [counted(path, part["place"].to_list()) for path, part in zip(relative, places, strict=True)]
    return accounts, [again.relative_to(base).as_posix()]


def final_places(frame: pl.DataFrame, hashes: list[bytes]) -> pl.DataFrame:
    """`file` and `place` of each line: broken lines by their reason, the second copy of a repeated line as duplicate.

    Of identical lines the one with the smallest (SHA-256 of the file, offset) is the original, whenever it arrives.
    """
    ranks = [sorted(hashes).index(source) for source in hashes]
    labels = {number: reason.label for number, reason in enumerate(_BREAKAGES, 1)}
    broken = pl.col("breakage").replace_strict(labels, default=None, return_dtype=pl.String)
    source = pl.Series(ranks, dtype=pl.Int64).gather(frame["file"])
    # a column of its own before the window: inside it, row numbers would count from the start of each pair
    ordered = frame.with_columns(order=source * frame.height + pl.int_range(frame.height, eager=True))
    copy = (pl.col("twin") >= 0) & (pl.col("order") > pl.col("order").min().over("twin"))
    place = pl.when(copy).then(pl.lit(DUPLICATE)).otherwise(pl.coalesce(broken, pl.col("place"), pl.lit(BILLED)))
    return ordered.select("file", place.alias("place"))


def _line_text() -> pl.Expr:
    """The line of each record, without line ending."""
    breakage = pl.col("breakage")
    kind = pl.when(breakage == 5).then(pl.lit("X")).otherwise(pl.col("kind").replace_strict({0: "V", 1: "S", 2: "D"}))
    node = pl.when(pl.col("kind") == 2).then(pl.lit("PGW")).otherwise(pl.lit("MSC")) + pl.col("unit").cast(pl.String)
    served = pl.col("served").cast(pl.String)
    served = pl.when(breakage == 6).then(pl.lit("unknown/") + served.str.tail(4)).otherwise(served)
    start = pl.col("start_at").cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S")
    start = pl.when(breakage == 4).then(start.str.slice(0, 5) + pl.lit("13") + start.str.slice(7)).otherwise(start)
    duration = pl.col("duration_s").cast(pl.String)
    duration = pl.when(breakage == 3).then(duration + pl.lit("x")).when(breakage == 7).then("-" + duration).otherwise(duration)
    cell = pl.lit("26201-") + pl.col("cell").cast(pl.String).str.zfill(5)
    head = [node, pl.col("sequence"), kind, cell, served, _dialled(), start, duration]
    tail = [pl.col("bytes_up"), pl.col("bytes_down"), pl.col("cause")]
    whole, cut = pl.concat_str([*head, *tail], separator=","), pl.concat_str(head, separator=",")
    alarm = pl.lit("*** ALARM 0x1F link down on ") + node
    return pl.when(breakage == 1).then(cut).when(breakage == 2).then(alarm).otherwise(whole)


def _dialled() -> pl.Expr:
    """The called number as its caller dialled it: international digits, with the prefix 00, or national with 0."""
    digits = pl.col("called").cast(pl.String)
    national = digits.str.starts_with("49") & (pl.col("dialled") == 2)
    return (
        pl.when(pl.col("called") == 0)
        .then(pl.lit(""))
        .when(national)
        .then(pl.lit("0") + digits.str.slice(2))
        .when(pl.col("dialled") == 1)
        .then(pl.lit("00") + digits)
        .otherwise(digits)
    )
