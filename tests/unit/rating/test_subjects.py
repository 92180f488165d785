"""Subjects: which assignment holds, what is refused with its line, and a million records without a loop over them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import polars as pl
import pytest

from rating.subjects import compile_subjects, load_subjects, resolve_subjects
from schemas.errors import ConfigurationError, MeterlineError
from tests.unit.rating.worked_tariffs import local, minute, tariff, voice

TARIFFS = [tariff(voice(minute("0.10")), tariff_id=name) for name in ("blue", "green", "red")]
COLUMNS = ("tenant", "category", "subject", "tariff", "effective_from", "effective_to")
ROWS = [
    ("op", "call", "any", "red", "2020-01-01", ""),
    ("op", "call", "anna", "blue", "2026-01-01", ""),
    ("op", "call", "anna", "green", "2026-03-01", ""),
    ("op", "call", "bert", "blue", "2026-01-01", "2026-02-01"),
    ("op", "call", "bert", "green", "2026-06-01T12:00:00+02:00", "2026-07-01"),
    ("op", "data", "anna", "green", "2026-01-01", ""),
    ("two", "call", "any", "blue", "2026-01-01", ""),
]
ASKED = [
    ("op", "call", "anna", "2026-02-28T23:59:59", "blue"),
    ("op", "call", "anna", "2026-03-01T00:00:00", "green"),
    ("op", "call", "anna", "2025-12-31T23:59:59", ""),  # it has assignments, so `any` is not asked
    ("op", "call", "bert", "2026-01-15T00:00:00", "blue"),
    ("op", "call", "bert", "2026-02-01T00:00:00", ""),
    ("op", "call", "bert", "2026-06-01T11:59:59", ""),
    ("op", "call", "bert", "2026-06-01T12:00:00", "green"),
    ("op", "call", "bert", "2026-07-01T00:00:00", ""),
    ("op", "call", "carl", "2026-01-01T00:00:00", "red"),
    ("op", "call", "carl", "2019-01-01T00:00:00", ""),
    ("op", "data", "anna", "2026-01-01T00:00:00", "green"),
    ("op", "data", "carl", "2026-01-01T00:00:00", ""),
    ("two", "call", "anna", "2026-01-01T00:00:00", "blue"),
    ("six", "call", "anna", "2026-01-01T00:00:00", ""),
]


def frame(rows: list[tuple[str, ...]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


@pytest.mark.parametrize("order", [1, -1])
def test_as_of_event_time(order: int) -> None:
    table = compile_subjects(frame(ROWS[::order]), TARIFFS)
    usage = pl.DataFrame([row[:3] for row in ASKED], schema=dict.fromkeys(COLUMNS[:3], pl.String), orient="row")
    found = resolve_subjects(table, usage, [local(row[3]) for row in ASKED])
    assert [("" if index < 0 else TARIFFS[index].tariff_id) for index in found.tolist()] == [row[4] for row in ASKED]


def test_a_date_begins_on_the_clock_of_its_tariff() -> None:
    abroad = replace(TARIFFS[0], zone="America/New_York")
    table = compile_subjects(frame(ROWS[1:2]), [abroad])
    usage = pl.DataFrame({"tenant": ["op"] * 2, "category": ["call"] * 2, "subject": ["anna"] * 2})
    at = local("2026-01-01T00:00", "America/New_York")
    assert resolve_subjects(table, usage, [at - 1, at]).tolist() == [-1, 0]


def test_every_assignment_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    rows = [
        ("op", "call", "a", "blu", "2026-01-01", ""),
        ("op", "call", "b", "blue", "1 January", ""),
        ("op", "call", "b", "blue", "2026-01-01T00:00:00", ""),
        ("op", "call", "c", "blue", "2026-01-02", "2026-01-01"),
    ]
    path = tmp_path / "subjects.csv"
    path.write_text("\n".join([",".join(COLUMNS), *(",".join(row) for row in rows)]) + "\n")
    with pytest.raises(ConfigurationError) as refused:
        compile_subjects(load_subjects(path), TARIFFS, where="subjects.csv")
    assert str(refused.value).splitlines() == [
        "subjects.csv:2: no such tariff, was 'blu'; did you mean 'blue'?",
        "subjects.csv:3: neither date nor instant: '1 January', must be YYYY-MM-DD or an instant with an offset",
        "subjects.csv:4: an instant without offset: '2026-01-01T00:00:00', must be YYYY-MM-DD or an instant with an offset",
        "subjects.csv:5: it ends before it starts, was 2026-01-01, must be later than effective_from",
    ]
    overlap = [("op", "call", "a", "blue", "2026-01-01", "2026-03-01"), ("op", "call", "a", "red", "2026-02-01", "")]
    with pytest.raises(
        ConfigurationError, match="subjects row 2: two assignments of op/call/a overlap, must be after the end of subj"
    ):
        compile_subjects(frame(overlap), TARIFFS)
    with pytest.raises(MeterlineError, match="usage: column subject is missing"):
        resolve_subjects(compile_subjects(frame(ROWS), TARIFFS), pl.DataFrame({"tenant": ["a"], "category": ["b"]}), [0])
    path.write_text("tenant,category,tariff\n")
    with pytest.raises(ConfigurationError, match="no such column, was 'subject', must be one of tenant, category, tariff"):
        load_subjects(path)
    with pytest.raises(ConfigurationError, match="the file cannot be read"):
        load_subjects(tmp_path / "no.csv")


def test_no_assignments_at_all() -> None:
    usage = pl.DataFrame({"tenant": ["op"], "category": ["call"], "subject": ["anna"]})
    assert resolve_subjects(compile_subjects(frame([]), TARIFFS), usage, [0]).tolist() == [-1]


@pytest.mark.parametrize("seed", range(3))
def test_is_what_a_search_finds(seed: int) -> None:
    rng = Random(seed)
    starts = {(s, n): sorted(rng.sample(range(1, 28), n)) for s in "abcdefg" for n in (rng.randint(1, 4),)}
    rows = [
        ("op", "call", "any" if s == "g" else s, rng.choice(("blue", "green", "red")), f"2026-01-{day:02d}", "")
        for (s, _), days in starts.items()
        for day in days
    ]
    table = compile_subjects(frame(rows), TARIFFS)
    subjects = [rng.choice("abcdefxyz") for _ in range(500)]
    at = [local(f"2026-01-{rng.randint(1, 31):02d}T{rng.randint(0, 23):02d}:00") for _ in subjects]
    usage = pl.DataFrame({"subject": subjects}).with_columns(tenant=pl.lit("op"), category=pl.lit("call"))
    expected = []
    for subject, instant in zip(subjects, at, strict=True):
        own = [row for row in rows if row[2] == subject] or [row for row in rows if row[2] == "any"]
        started = [row for row in own if local(f"{row[4]}T00:00") <= instant]
        expected.append(max(started, key=lambda row: row[4])[3] if started else "")
    found = resolve_subjects(table, usage, at)
    assert [("" if index < 0 else TARIFFS[index].tariff_id) for index in found.tolist()] == expected
    assert np.array_equal(found[:100], resolve_subjects(table, usage[:100], at[:100])), "split == whole"
