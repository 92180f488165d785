"""Who had a service when: the compiled directory says what a slow search through the rows says."""

from __future__ import annotations

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from accounts.directory import NO_SERVICE_AT_INSTANT, UNKNOWN_SERVICE, Directory, compile_directory
from accounts.settlement_groups import bucket_of, settlement_groups
from schemas.numbers import packed_number
from schemas.quantities import INT64_MAX

NUMBERS = ["1", "10", "100", "4915", "49150", "0049", "999999999999999"]
NAMES = ["NEM1", "NEM2", "nem1", "x" * 40]
Row = tuple[str, str, str, int, int]
_SERVICE_TYPES = {"service_id": pl.String, "account_id": pl.String, "tariff_id": pl.String,
                  "effective_from_at": pl.Int64, "effective_to_at": pl.Int64}  # fmt: skip


def _directory(rows: list[Row], *, buckets: int = 8) -> tuple[Directory, pl.DataFrame]:
    names = sorted({account for _, account, *_ in rows} | {"Z"})
    accounts = pl.DataFrame(
        {"account_id": names, "bill_to_account_id": [names[0] if name == names[-1] else name for name in names],
         "group_id": ["G" if number % 3 == 0 else "" for number in range(len(names))]}
    )  # fmt: skip
    services = pl.DataFrame(
        rows, schema=["service_id", "account_id", "tariff_id", "effective_from_at", "effective_to_at"], orient="row",
        schema_overrides=_SERVICE_TYPES,
    )  # fmt: skip
    keys = {name: 100 + place for place, name in enumerate(reversed(names))}
    return compile_directory(accounts, services, buckets=buckets, tariff_ids=("t1", "t2"), account_keys=keys), accounts


@st.composite
def _assignments(draw: st.DrawFn) -> list[Row]:
    """Up to four assignments of a service that touch, leave gaps, or never end."""
    rows = []
    for service in draw(st.sets(st.sampled_from(NUMBERS + NAMES), max_size=8)):
        bounds = sorted(draw(st.sets(st.integers(-5, 30), max_size=8)))
        spans = list(zip(bounds[::2], bounds[1::2], strict=False))
        if draw(st.booleans()):
            spans.append((spans[-1][1] if spans else -INT64_MAX, INT64_MAX))
        for start, end in spans:
            rows.append((service, draw(st.sampled_from("ABCDE")), draw(st.sampled_from(["t1", "t2"])), start, end))
    return rows


def _slowly(rows: list[Row], service: str, instant: int) -> tuple[str, str] | int:
    held = [row for row in rows if row[0] == service]
    found = [(account, tariff) for _, account, tariff, start, end in held if start <= instant < end]
    return found[0] if found else NO_SERVICE_AT_INSTANT if held else UNKNOWN_SERVICE


def _said(directory: Directory, assignment: int) -> tuple[str, str] | int:
    if assignment < 0:
        return assignment
    return directory.account_id[directory.assigned_rank[assignment]], directory.tariff_ids[directory.tariff_index[assignment]]


@given(_assignments(), st.lists(st.tuples(st.sampled_from([*NUMBERS, "7", ""]), st.integers(-6, 31)), min_size=1, max_size=30))
def test_numbers_resolve_as_a_slow_search_says(rows: list[Row], asked: list[tuple[str, int]]) -> None:
    directory, _ = _directory(rows)
    packed = np.array([packed_number(number) for number, _ in asked], np.uint64)
    found = directory.resolve_numbers(packed, np.array([instant for _, instant in asked], np.int64))
    assert [_said(directory, one) for one in found.tolist()] == [_slowly(rows, number, instant) for number, instant in asked]


@given(
    _assignments(), st.lists(st.tuples(st.sampled_from([*NAMES, *NUMBERS, "NEM"]), st.integers(-6, 31)), min_size=1, max_size=30)
)
def test_names_resolve_as_a_slow_search_says(rows: list[Row], asked: list[tuple[str, int]]) -> None:
    directory, _ = _directory(rows)
    found = directory.resolve_names([name for name, _ in asked], np.array([instant for _, instant in asked], np.int64))
    assert [_said(directory, one) for one in found.tolist()] == [_slowly(rows, name, instant) for name, instant in asked]


@given(_assignments(), st.sampled_from([1, 2, 3, 64]))
def test_a_bucket_holds_whole_groups_and_ranks_run_through_it(rows: list[Row], buckets: int) -> None:
    directory, accounts = _directory(rows, buckets=buckets)
    groups = settlement_groups(accounts)
    for rank, account in enumerate(directory.account_id.tolist()):
        assert directory.bucket[rank] == bucket_of(groups[account], buckets)
        first = directory.bucket_starts[directory.bucket[rank]]
        assert first <= rank < directory.bucket_starts[directory.bucket[rank] + 1]
        assert groups[directory.account_id[directory.group_rank[rank]]] == groups[account]
        assert directory.group_rank[rank] <= rank
        assert directory.rank_of_key[directory.account_key[rank]] == rank
    assert directory.bucket_starts[-1] == directory.accounts == accounts.height


def test_a_directory_without_services_knows_nobody() -> None:
    directory, _ = _directory([])
    assert directory.resolve_numbers(np.array([packed_number("1")], np.uint64), np.zeros(1, np.int64)).tolist() == [
        UNKNOWN_SERVICE
    ]
    assert directory.resolve_names(["a", "b"], np.zeros(2, np.int64)).tolist() == [UNKNOWN_SERVICE] * 2
