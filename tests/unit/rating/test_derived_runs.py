"""Derived runs: which runs a record has, their ids, own outcomes and the margin between them."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest

from rating.calls.derived_runs import DerivedCharges, margins, rate_runs
from rating.calls.first_pass import rate_calls
from rating.compiled.book import TariffBook
from rating.language.call_terms import DerivedRun
from rating.language.tariff import Tariff
from schemas.errors import MeterlineError
from schemas.hashing import record_id_of, text_words
from schemas.numbers import packed_number
from schemas.quantities import UsageKind
from tests.unit.rating.worked_tariffs import YEAR, book_of, local, minute, nano, tariff, voice

AT = local("2026-10-06T10:00")
MEET = local("2026-10-06T12:00")


def with_runs(of: Tariff, *runs: DerivedRun) -> Tariff:
    """A first version without runs until MEET less two hours, then one with them."""
    (version,) = of.versions
    early = replace(version, label="0", effective_to_at=MEET - 7_200_000_000)
    return replace(of, versions=(early, replace(version, effective_from_at=MEET - 7_200_000_000, derived=runs)))


RETAIL = with_runs(
    tariff(voice(minute("0.09", 60, 1)), voice(minute("0.09", 60, 1), "49"), tariff_id="retail"),
    DerivedRun("supplier", "cost", "supplier", kinds=frozenset({UsageKind.VOICE})),
    DerivedRun("transit", "cost", "transit", destinations=("49",)),
    DerivedRun("wholesale", "revenue", "", "reseller"),
)
SUPPLIER = tariff(voice(minute("0.021")), tariff_id="supplier")
TRANSIT = tariff(voice(minute("0.001", 60, 60), "4930"), tariff_id="transit")


def price(book: TariffBook, calls: list[tuple[int, str, int, int]], subject: list[int] | None = None) -> DerivedCharges:
    """Calls of (tariff, number, start, milliseconds); record ids are (row + 1, row)."""
    tariffs, digits, starts, used = zip(*calls, strict=True)
    numbers = np.array([packed_number(number) for number in digits], dtype=np.uint64)
    resolved = {"reseller": np.array(subject if subject is not None else [-1] * len(calls), dtype=np.int32)}
    return rate_runs(
        book, tariffs, np.zeros(len(calls)), numbers, starts, used,
        record_hi=np.arange(1, len(calls) + 1), record_lo=np.arange(len(calls)), tariff_of_subject=resolved,
    )  # fmt: skip


def test_e24_each_run_by_itself() -> None:
    book = book_of(RETAIL, SUPPLIER, TRANSIT)
    supplier = book.tariff_index("supplier")
    charges = price(book, [(0, "33", AT, 95_000), (0, "4930", AT, 95_000), (0, "4989", AT, 95_000)], [supplier, -1, -1])
    rows = charges.frame(book).select("record", "run", "charge_nano", "reason").rows()
    nothing, nowhere = "no_tariff_for_subject", "no_rate_for_destination"
    assert rows == [
        (0, "retail", nano("0.1425"), "ok"), (0, "supplier", nano("0.0333"), "ok"), (0, "wholesale", nano("0.0333"), "ok"),
        (1, "retail", nano("0.1425"), "ok"), (1, "supplier", nano("0.0333"), "ok"), (1, "transit", nano("0.002"), "ok"),
        (1, "wholesale", 0, nothing),
        (2, "retail", nano("0.1425"), "ok"), (2, "supplier", nano("0.0333"), "ok"), (2, "transit", 0, nowhere),
        (2, "wholesale", 0, nothing),
    ]  # fmt: skip
    found = margins(charges.frame(book)).filter(margins(charges.frame(book))["currency"] == "EUR")
    assert found.select("record", "margin_nano", "failed").rows() == [
        (0, nano("0.1425"), 0), (1, nano("0.1072"), 0), (2, nano("0.1092"), 1),
    ]  # fmt: skip


def test_a_failed_retail_run_stops_no_other() -> None:
    home_only = with_runs(tariff(voice(minute("0.09"), "49"), tariff_id="retail"), DerivedRun("supplier", "cost", "supplier"))
    book = book_of(home_only, SUPPLIER)
    rows = price(book, [(0, "33", AT, 60_000), (-1, "33", AT, 60_000)]).frame(book)
    assert rows.select("run", "reason").rows() == [
        ("retail", "no_rate_for_destination"), ("supplier", "ok"), ("retail", "no_tariff_for_subject"),
    ]  # fmt: skip


def test_runs_of_the_version_in_force_at_the_start() -> None:
    book = book_of(RETAIL, SUPPLIER, TRANSIT)
    border = MEET - 7_200_000_000
    assert price(book, [(0, "33", border - 1, 1000), (0, "33", border, 1000)]).record.tolist() == [0, 1, 1, 1]


def test_the_id_of_a_charge_is_the_hash_of_record_and_run() -> None:
    book = book_of(RETAIL, SUPPLIER, TRANSIT)
    charges = price(book, [(0, "4930", AT, 1000)] * 3)
    frame = charges.frame(book)
    for record, run, hi, lo in frame.select("record", "run", "charge_id_hi", "charge_id_lo").iter_rows():
        assert (hi, lo) == record_id_of([record + 1, record, *text_words(run.encode())])
    assert frame.select("charge_id_hi", "charge_id_lo").n_unique() == len(frame) == 12


@pytest.mark.parametrize("seed", range(4))
def test_a_run_costs_what_its_tariff_costs(seed: int) -> None:
    """Each run alone == the tariff alone over the same records, and any split of the batch gives the same rows."""
    rng = Random(seed)
    book = book_of(RETAIL, SUPPLIER, TRANSIT)
    numbers = ("4930", "4989", "33", "")
    calls = [(rng.randrange(-1, 3), rng.choice(numbers), rng.randrange(*YEAR), rng.randint(0, 10**6)) for _ in range(200)]
    charges = price(book, calls)
    _, digits, starts, used = zip(*calls, strict=True)
    packed = np.array([packed_number(number) for number in digits], dtype=np.uint64)
    for index, of in enumerate(book.runs):
        if not of.run.tariff_id:
            continue
        own = charges.run_index == index
        target = np.full(len(calls), book.tariff_index(of.run.tariff_id))
        alone = rate_calls(book, target, np.zeros(len(calls)), packed, starts, used)
        assert charges.rated.charge_nano[own].tolist() == alone.charge_nano[charges.record[own]].tolist()
        assert charges.rated.status[own].tolist() == alone.status[charges.record[own]].tolist()
    parts = [price(book, calls[low : low + 50]) for low in range(0, 200, 50)]
    assert [row for part in parts for row in part.run_index.tolist()] == charges.run_index.tolist()
    assert [row for part in parts for row in part.rated.charge_nano.tolist()] == charges.rated.charge_nano.tolist()


def test_a_run_of_a_subject_needs_subjects() -> None:
    book = book_of(RETAIL, SUPPLIER, TRANSIT)
    packed = np.array([packed_number("33")], dtype=np.uint64)
    with pytest.raises(MeterlineError, match="run 'wholesale' of retail: its subject is not resolved, was reseller"):
        rate_runs(book, [0], [0], packed, [AT], [1000], record_hi=[1], record_lo=[1])
