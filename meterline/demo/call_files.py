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
    frame = lines.fields.with_columns(file=pl.int_range(pl.len()) // LINES_PER_FILE)
    texts = line_texts(frame)
    base = inbox.parent.parent
    hashes: list[bytes] = []
    paths: list[Path] = []
    for start in range(0, frame.height, LINES_PER_FILE):
        content = "\n".join([HEADER, *texts[start : start + LINES_PER_FILE].to_list(), ""]).encode()
        path = inbox / f"network_calls_{len(paths) + 1:04d}.csv"
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


def line_texts(frame: pl.DataFrame) -> pl.Series:
    """The line of each record, without line ending; the few broken ones are written a second time."""
    columns = _columns()
    texts = frame.select(pl.concat_str(list(columns.values()), separator=",").alias("line")).to_series()
    broken = (frame["breakage"] > 0).arg_true()
    return texts.scatter(broken, frame[broken].select(_broken_line(columns)).to_series())


def _columns() -> dict[str, pl.Expr]:
    """Each column of the layout as text."""
    unit = pl.col("unit").cast(pl.String)
    return {
        "node": pl.when(pl.col("kind") == 2).then(pl.lit("PGW")).otherwise(pl.lit("MSC")) + unit,
        "sequence": pl.col("sequence").cast(pl.String),
        "kind": pl.col("kind").replace_strict({0: "V", 1: "S", 2: "D"}),
        "cell": pl.lit("26201-") + pl.col("cell").cast(pl.String),
        "served_number": pl.col("served").cast(pl.String),
        "called_number": _dialled(),
        "start_at": pl.col("start_at").cast(pl.Datetime("us")).dt.to_string("%Y-%m-%d %H:%M:%S"),
        "duration_s": pl.col("duration_s").cast(pl.String),
        "bytes_up": pl.col("bytes_up").cast(pl.String),
        "bytes_down": pl.col("bytes_down").cast(pl.String),
        "end_cause": pl.col("cause").cast(pl.String),
    }


def _broken_line(columns: dict[str, pl.Expr]) -> pl.Expr:
    """The line in the way that `breakage` says, numbered as in _BREAKAGES."""
    start, served, duration = columns["start_at"], columns["served_number"], columns["duration_s"]
    ways = [
        pl.concat_str(list(columns.values())[:-3], separator=","),
        pl.lit("*** ALARM 0x1F link down on ") + columns["node"],
        _with(columns, duration_s=duration + pl.lit("x")),
        _with(columns, start_at=start.str.slice(0, 5) + pl.lit("13") + start.str.slice(7)),
        _with(columns, kind=pl.lit("X")),
        _with(columns, served_number=pl.lit("unknown/") + served.str.tail(4)),
        _with(columns, duration_s=pl.lit("-") + duration),
    ]
    assert len(ways) == len(_BREAKAGES)
    return pl.coalesce([pl.when(pl.col("breakage") == number).then(way) for number, way in enumerate(ways, 1)])


def _with(columns: dict[str, pl.Expr], **changed: pl.Expr) -> pl.Expr:
    return pl.concat_str(list((columns | changed).values()), separator=",")


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
