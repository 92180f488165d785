"""Each invariant holds on what is sound, and catches a violation that is planted for it."""

# ruff: noqa: E501  # the words of a fault stay on one line, as a person reads them

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from schemas import invariants
from schemas.errors import ConservationError, Fault

PLACE = {"source_id": pl.Int64, "period": pl.Int64, "kind": pl.Int64, "disposition": pl.String, "reason": pl.Int64}
KEY = {"record_hi": pl.UInt64, "record_lo": pl.UInt64, "content_hash": pl.UInt64}
MONEY = {"rated": 100, "allowance": 10, "discount": 5, "net": 85, "fees": 18, "service": 2, "tax": 15, "lines_exact": 120, "lines_rounded": 118,
         "bills": 118, "carried_in": 1, "carried_out": 3, "debits": 140, "credits": 140, "receivable": 118}  # fmt: skip


def _account(*rows: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=PLACE | {"rows": pl.Int64, "quantity": pl.Int128}, orient="row")


ACCOUNT = _account((1, 24321, 0, "billed", 0, 8, 480), (1, 24321, 0, "rejected", 31, 2, 120), (2, 24321, 0, "billed", 0, 5, 300))


def _keys(*rows: tuple[int, int, int], **extra: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=KEY, orient="row").with_columns(**{n: pl.Series(v) for n, v in extra.items()})


def _chain(*bodies: str) -> list[tuple[int, str, str]]:
    links, previous = [], ""
    for seq, body in enumerate(bodies, 1):
        previous = hashlib.sha256((previous + body).encode()).hexdigest()
        links.append((seq, body, previous))
    return links


BODY = json.dumps({"files": [["a.arrow", "rated_calls", "00", 1, []]]})
CHAIN = _chain(BODY, json.dumps({"files": []}), "{}")
BILLED = _keys((1, 1, 7), (2, 2, 8), start_at=[10, 20])
PARTS = _keys((1, 1, 7), (1, 1, 7), start_at=[10, 20])  # one record, billed in two parts
NOTHING = pl.DataFrame(schema=KEY)
NO_COPIES = pl.DataFrame(schema=KEY | {"contents": pl.List(pl.UInt64)})


def _copies(content: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"record_hi": [1], "record_lo": [1], "content_hash": [content], "contents": [[7]]}, schema=NO_COPIES.schema
    )


HOLDS: list[tuple[str, Callable[[], list[Fault]]]] = [
    ("I1", lambda: invariants.rows_hold({1: 10, 2: 5}, ACCOUNT, ACCOUNT)),
    ("I1", lambda: invariants.rows_hold({3: 0}, ACCOUNT.clear(), ACCOUNT.clear())),
    ("I2", lambda: invariants.quantities_hold(ACCOUNT, ACCOUNT.reverse())),
    ("I3", lambda: invariants.money_holds(MONEY)),
    ("I4", lambda: invariants.replay_holds("aa", "aa")),
    ("I5", lambda: invariants.once_holds(BILLED, _keys((3, 3, 9)), _copies(7))),
    ("I5", lambda: invariants.once_holds(PARTS, NOTHING, NO_COPIES)),
    ("I6", lambda: invariants.chain_holds(CHAIN, CHAIN[1][2])),
    ("I6", lambda: invariants.files_match_chain(CHAIN[:2], ["a.arrow"])),
    ("I7", lambda: invariants.closed_holds([(1, 5, 9), (2, 6, 1), (4, 6, 1), (4, 5, 0)], {5: 3})),
    ("I8", lambda: invariants.files_hold({"a": (3, "ff"), "b": (4, "")}, {"a": (3, "ff"), "b": (4, "ee")})),
    ("I9", lambda: invariants.oracle_holds(pl.DataFrame({"record": ["r"], "charge_nano": [5], "oracle_nano": [5]}))),
    ("I10", lambda: invariants.liveness_holds([])),
]

PLANTED: list[tuple[str, str, Callable[[], list[Fault]]]] = [
    ("a record was lost", "I1 rows: source 1: records do not add up to what was collected, was 10, must be 11",
     lambda: invariants.rows_hold({1: 11, 2: 5}, ACCOUNT, ACCOUNT)),
    ("a whole source was lost", "I1 rows: source 9: records do not add up to what was collected, was 0, must be 4",
     lambda: invariants.rows_hold({9: 4}, ACCOUNT, ACCOUNT)),
    ("a stored row is missing", "I1 rows: source 2, period 24321, billed (reason 0): rows stored differ from the row account, was 0, must be 5",
     lambda: invariants.rows_hold({1: 10, 2: 5}, ACCOUNT, ACCOUNT[:2])),
    ("a stored row nobody counted", "I1 rows: source 2, period 24321, billed (reason 0): rows stored differ from the row account, was 5, must be 0",
     lambda: invariants.rows_hold({1: 10}, ACCOUNT[:2], ACCOUNT)),
    ("a count below zero", "I1 rows: source 1: a negative count, was -1, must be 0 or more",
     lambda: invariants.rows_hold({1: -1}, *[_account((1, 24321, 0, "billed", 0, -1, 0))] * 2)),
    ("one milliwatt-hour too many", "I2 quantities: source 1, period 24321, billed (reason 0): quantity stored differ from the row account, was 481, must be 480",
     lambda: invariants.quantities_hold(ACCOUNT, ACCOUNT.with_columns(quantity=pl.col("quantity") + (pl.col("quantity") == 480).cast(pl.Int128)))),
    ("another version billed", "I4 replay: bills: recomputed bills differ, was bb, must be aa", lambda: invariants.replay_holds("bb", "aa")),
    ("billed twice", f"I5 once: {1:016x}{1:016x}: billed more than once, was 2, must be 1",
     lambda: invariants.once_holds(_keys((1, 1, 7), (1, 1, 7), start_at=[10, 10]), NOTHING, NO_COPIES)),
    ("two versions billed", f"I5 once: {1:016x}{1:016x}: billed more than once, was 2, must be 1",
     lambda: invariants.once_holds(_keys((1, 1, 7), (1, 1, 8), start_at=[10, 20]), NOTHING, NO_COPIES)),
    ("billed in conflict", f"I5 once: {2:016x}{2:016x}: billed although in conflict, was billed, must be suspense",
     lambda: invariants.once_holds(BILLED, _keys((2, 2, 9)), NO_COPIES)),
    ("a conflict counted as a copy", f"I5 once: {1:016x}{1:016x}: counted as a copy, but no version has its content, was duplicate, must be conflict",
     lambda: invariants.once_holds(BILLED, NOTHING, _copies(6))),
    ("a commit was taken out", "I6 chain: commit 3: a commit is missing before it, was 3, must be 2",
     lambda: invariants.chain_holds([CHAIN[0], CHAIN[2]])),
    ("a commit was rewritten", "I6 chain: commit 2: link is not the hash of what it covers",
     lambda: invariants.chain_holds([CHAIN[0], (2, "{}", CHAIN[1][2]), CHAIN[2]])),
    ("the history was replaced", "I6 chain: head: the signed head is not in the chain",
     lambda: invariants.chain_holds(_chain("{}", "{}"), CHAIN[-1][2])),
    ("a file that no commit names", "I6 chain: b.arrow: live, but no commit of the chain names it, was unnamed, must be named",
     lambda: invariants.files_match_chain(CHAIN[:2], ["a.arrow", "b.arrow"])),
    ("billed after the close", "I7 closed is closed: commit 4: changes period 5 after its close, was 1 rows, must be none",
     lambda: invariants.closed_holds([(1, 5, 9), (4, 5, 1)], {5: 3})),
    ("a file is gone", "I8 reader: a: a live file is missing, was missing, must be there",
     lambda: invariants.files_hold({"a": (3, "ff")}, {})),
    ("a file is cut short", "I8 reader: a: a live file is not what was committed, was 2 bytes ff, must be 3 bytes ff",
     lambda: invariants.files_hold({"a": (3, "ff")}, {"a": (2, "ff")})),
    ("a bit has flipped", "I8 reader: a: a live file is not what was committed, was 3 bytes fe, must be 3 bytes ff",
     lambda: invariants.files_hold({"a": (3, "ff")}, {"a": (3, "fe")})),
    ("a charge is off by one", "I9 oracle: r: charge differs from the reference, was 6, must be 5",
     lambda: invariants.oracle_holds(pl.DataFrame({"record": ["r"], "charge_nano": [6], "oracle_nano": [5]}))),
    ("a file is half read", "I10 liveness: x.csv: not read to its end, was unfinished, must be done or refused",
     lambda: invariants.liveness_holds(["x.csv"])),
]  # fmt: skip


@pytest.mark.parametrize(("code", "check"), HOLDS, ids=[f"{code}-{place}" for place, (code, _) in enumerate(HOLDS)])
def test_what_is_sound_holds(code: str, check: Callable[[], list[Fault]]) -> None:
    assert check() == [], code


@pytest.mark.parametrize(("planted", "text", "check"), PLANTED, ids=[planted for planted, _, _ in PLANTED])
def test_a_planted_violation_is_caught_in_words(planted: str, text: str, check: Callable[[], list[Fault]]) -> None:
    faults = check()
    assert [str(fault) for fault in faults if str(fault).startswith(text)], [str(fault) for fault in faults]
    assert {fault.code for fault in faults} == {text.split()[0]}, planted


@pytest.mark.parametrize("name", sorted(MONEY))
def test_one_nano_unit_in_any_sum_of_money_is_caught(name: str) -> None:
    for by in (-1, 1):
        faults = invariants.money_holds(MONEY | {name: MONEY[name] + by})
        assert faults and {fault.code for fault in faults} == {"I3"}


def test_every_invariant_has_a_planted_violation() -> None:
    assert {text.split()[0] for _, text, _ in PLANTED} | {"I3"} == set(invariants.NAMES) == {code for code, _ in HOLDS}


def test_require_raises_every_fault_at_once() -> None:
    invariants.require([])
    with pytest.raises(ConservationError) as raised:
        invariants.require([*invariants.liveness_holds(["a", "b"])])
    assert len(raised.value.faults) == 2
