"""Corners of the pipeline that a whole run hides: batches without anything to rate, borders of time, sums by place."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterline.demo.call_files import HEADER
from meterline.pipeline.tally import count_rows
from meterline.runtime.oracle import sampled_charges
from meterline.store.adapters.sqlite_log import SqliteCommitLog
from meterline.store.snapshot import Snapshot
from schemas.reasons import Disposition, Reason
from tests.tools.homes import change_settings, quantity_account, row_account, take_files
from tests.tools.small_operator import NUMBERS, POINTS, build_small_operator
from tests.unit.meterline.stored_rows import Store, calls, tombstones


def _taken(home: Path, *sessions: list[str], **settings: int) -> None:
    """A home that took one file of call lines per session."""
    if not home.exists():
        build_small_operator(home)
        change_settings(home, **settings)
    for number, lines in enumerate(sessions):
        text = "\n".join([f"{HEADER}_{number}", *lines, ""])
        (home / f"inbox/calls/{number}.csv").write_text(text, encoding="utf-8")
        take_files(home)


def _line(start: str, *, sequence: int = 1, number: str = NUMBERS[0], seconds: int = 60) -> str:
    return f"MSC1,{sequence},V,26201-1,{number},4930123,{start},{seconds},0,0,16"


def test_a_file_of_which_no_line_can_be_read_is_accounted_for(tmp_path: Path) -> None:
    """The bug: a batch in which nothing was to be rated stopped the engine."""
    _taken(tmp_path / "home", ["nonsense", "more,nonsense", _line("2026-10-08 17:00:00", number="4999")])
    assert row_account(tmp_path / "home") == Counter({("rejected", "bad_field_count"): 2, ("rejected", "unknown_service"): 1})


@pytest.mark.parametrize(
    ("start", "place"),
    [
        ("1990-06-01 00:00:00", ("rejected", "no_service_at_instant")),
        ("2024-12-31 22:59:59", ("rejected", "no_service_at_instant")),  # the services begin on a local day
        ("2024-12-31 23:00:00", ("billed", "ok")),
        ("2059-12-31 22:59:59", ("billed", "ok")),
        ("2059-12-31 23:00:00", ("rejected", "bad_timestamp")),  # local 2060: beyond the last period
        ("1989-12-31 22:59:59", ("rejected", "bad_timestamp")),
    ],
)  # fmt: skip
def test_calls_at_the_borders_of_time(tmp_path: Path, start: str, place: tuple[str, str]) -> None:
    _taken(tmp_path / "home", [_line(start)])
    assert row_account(tmp_path / "home") == Counter({place: 1})


def test_usage_of_the_first_year_is_priced(tmp_path: Path) -> None:
    """The bug: for usage of 1990 a book was asked for that reached beyond the compiled years of the zone."""
    home = tmp_path / "home"
    build_small_operator(home)
    for path in (home / "services.csv", home / "tariffs/mobile.yaml", home / "tariffs/power.yaml"):
        path.write_text(path.read_text(encoding="utf-8").replace("2025-01-01", "1989-01-01"), encoding="utf-8")
    change_settings(home)
    day = f"300,19900101,{','.join(['1'] * 48)},A,,,19900201000000,"
    text = "\n".join(["100,NEM12,199002010000,MDP,RETAILER", f"200,{POINTS[0]},E1,,E1,N1,M1,kWh,30,", day, "900", ""])
    (home / "inbox/meters/year.csv").write_text(text, encoding="utf-8")
    _taken(home, [_line("1990-01-01 00:00:00")])
    # the meter day begins in the local December 1989, before the first period
    assert row_account(home) == Counter({("billed", "ok"): 1, ("rejected", "bad_timestamp"): 1})


def test_the_oracle_of_the_audit_passes_over_a_file_of_which_no_row_is_alive(tmp_path: Path) -> None:
    """The bug: `reconcile` stopped there, until a roll-up had retired the file."""
    log = SqliteCommitLog(tmp_path / "commits.sqlite", tmp_path)
    with ThreadPoolExecutor(1) as pool:
        store = Store(tmp_path, log, pool)
        store.commit(rated_calls=calls([(1, 1, 7)]))
        store.commit(tombstones=tombstones([(1, 1, 7)]))
    no_rows_ask_for_no_reference: Any = None
    assert sampled_charges(no_rows_ask_for_no_reference, Snapshot.at_head(log, tmp_path)).height == 0
    log.close()


def test_a_conflict_takes_the_rated_row_back_with_its_quantity(tmp_path: Path) -> None:
    start = "2026-10-08 17:00:00"
    home = tmp_path / "home"
    _taken(home, [_line(start), _line(start, sequence=2)], [_line(start, seconds=61), _line(start), _line(start, seconds=61)])
    assert row_account(home) == Counter({("billed", "ok"): 1, ("rejected", "conflict"): 2, ("duplicate", "ok"): 2})
    assert quantity_account(home, 0) == Counter(
        {("billed", "ok"): 60_000, ("rejected", "conflict"): 121_000, ("duplicate", "ok"): 121_000}
    )


_COUNTED = st.tuples(
    st.sampled_from([-1, 24_321, 24_322]), st.integers(0, 7), st.sampled_from([int(reason) for reason in Reason]),
    st.sampled_from([0, 1, -5, 2**62, 2**63 - 1, -(2**63)]), st.sampled_from([1, 0]),
)  # fmt: skip


@given(st.lists(_COUNTED, max_size=30))
def test_rows_are_counted_as_a_dictionary_counts_them(rows: list[tuple[int, int, int, int, int]]) -> None:
    counts: Counter[tuple[int, int, int]] = Counter()
    sums: Counter[tuple[int, int, int]] = Counter()
    for period, kind, reason, quantity, counted in rows:
        counts[period, kind, reason] += counted
        sums[period, kind, reason] += quantity
    columns = [
        np.array([row[at] for row in rows], kind) for at, kind in enumerate((np.int64, np.uint8, np.uint8, np.int64, np.uint8))
    ]
    period, kind, reason, quantity, counted = columns
    found = count_rows(7, period, kind, reason, quantity, counted=counted)
    assert {(one.period, one.kind, int(one.reason)): (one.rows, one.quantity) for one in found} == {
        place: (counts[place], sums[place]) for place in sums if counts[place] or sums[place]
    }
    assert all(one.source_id == 7 and one.disposition == one.reason.disposition for one in found)
    copies = count_rows(7, period, kind, reason, quantity, disposition=Disposition.DUPLICATE)
    assert {one.disposition for one in copies} <= {Disposition.DUPLICATE} and sum(one.rows for one in copies) == len(rows)
