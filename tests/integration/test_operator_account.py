"""A generated operator knows its row account by construction; the line must come to exactly that, by its own count."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from meterline.config import load_config
from meterline.demo import OperatorSummary, build_operator
from meterline.demo.expectations import BILLED, DUPLICATE, SUPERSEDED, disposition_of
from meterline.runtime.raw_records import RawRecords
from meterline.store.snapshot import Snapshot
from schemas.quantities import UsageKind
from tests.tools.homes import (
    audited,
    change_settings,
    close_period,
    open_log,
    quantity_account,
    row_account,
    sealed,
    take_files,
)

SEED = 20261031
CLOSED_IN_ORDER = ("2026-09", "2026-10", "2026-11")  # NEM12 days are cut in UTC+10, so the month's last one reaches into the next


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, OperatorSummary]:
    """A home that took all its files and closed its periods; small batches, so that each file takes several commits."""
    home = tmp_path_factory.mktemp("operator") / "home"
    print(f"seed {SEED}")
    summary = build_operator(home, seed=SEED, subscribers=90, calls=6_000, meters=24, period="2026-10")
    change_settings(home, batch_rows=1_700, buckets=8)
    take_files(home)
    for label in CLOSED_IN_ORDER:
        close_period(home, label)
    return home, summary


def _place(place: str) -> tuple[str, str]:
    return disposition_of(place), "ok" if place in (BILLED, DUPLICATE, SUPERSEDED) else place


def test_every_place_of_the_row_account_is_as_expected(operator: tuple[Path, OperatorSummary]) -> None:
    home, summary = operator
    expected = Counter({_place(place): rows for place, rows in summary.places().items() if rows})
    assert row_account(home) == expected
    assert {BILLED, DUPLICATE, SUPERSEDED, "rejected", "filtered"} <= {disposition for disposition, _ in expected}


def test_every_file_has_its_own_account(operator: tuple[Path, OperatorSummary]) -> None:
    """Places whose attribution to a file never depends on arrival agree file by file; copies only in total."""
    home, summary = operator
    log = open_log(home)
    names = {source.source_id: source.name for source in log.sources()}
    found: dict[str, Counter[tuple[str, str]]] = {Path(file.path).name: Counter() for file in summary.files}
    for entry in log.row_account():
        found[names[entry.source_id]][str(entry.disposition), entry.reason.label] += entry.rows
    log.close()
    for file in summary.files:
        account = found[Path(file.path).name]
        assert account.total() == file.records, file.path
        by_copy = {(BILLED, "ok"), (DUPLICATE, "ok")}
        expected = Counter({_place(place): rows for place, rows in file.places.items()})
        assert {k: v for k, v in account.items() if k not in by_copy and v} == {
            k: v for k, v in expected.items() if k not in by_copy
        }
        assert sum(account[key] for key in by_copy) == sum(expected[key] for key in by_copy), file.path


def test_refused_and_duplicate_files_are_as_expected(operator: tuple[Path, OperatorSummary]) -> None:
    home, summary = operator
    log = open_log(home)
    refusals, copies = log.refusals(), log.duplicate_files()
    read = {source.name for source in log.sources() if source.state == "done"}
    contents = Counter(sha for sha, _ in copies)
    log.close()
    assert [name for name, _ in refusals] == [Path(path).name for path in summary.refused_files]
    assert all("wrong number of interval values" in faults for _, faults in refusals)
    # two names for one content: the one that sorts first is read, the other is the duplicate
    repeated = [Path(path).name for path in summary.duplicate_files]
    assert len(copies) == len(repeated) == 1 and set(contents.values()) == {1}
    originals = {name.replace("_again", "") for name in repeated}
    assert {name for _, name in copies} <= {*repeated, *originals}
    assert read | {name for _, name in copies} == {Path(file.path).name for file in summary.files} | set(repeated)
    assert sorted(path.name for path in (home / "refused").iterdir()) == sorted(
        name for path in summary.refused_files for name in (Path(path).name, Path(path).name + ".why.txt")
    )
    assert [path.name for path in (home / "duplicate").iterdir()] == [name for _, name in copies]


def test_energy_is_exact_in_all_and_in_the_period(operator: tuple[Path, OperatorSummary]) -> None:
    home, summary = operator
    energy = quantity_account(home, UsageKind.ENERGY)
    assert energy.pop((BILLED, "ok")) == summary.energy_milliwh
    expected = Counter({_place(place): quantity for place, quantity in summary.unbilled_energy_milliwh.items() if quantity})
    assert energy == expected
    assert int(sealed(home, "charged_days", "2026-10")["quantity"].sum()) == summary.energy_in_period_milliwh
    assert int(sealed(home, "charged_days")["quantity"].sum()) == summary.energy_milliwh
    assert 0 < summary.energy_in_period_milliwh < summary.energy_milliwh


def test_every_billed_record_is_sealed_once(operator: tuple[Path, OperatorSummary]) -> None:
    home, summary = operator
    calls = sealed(home, "charged_calls").select("record_hi", "record_lo")
    days = sealed(home, "charged_days").select("record_hi", "record_lo").unique()
    assert calls.height == calls.unique().height == summary.places("inbox/calls")[BILLED]
    assert days.height == summary.places("inbox/meters")[BILLED]


def test_every_set_aside_record_leads_back_to_its_bytes(operator: tuple[Path, OperatorSummary]) -> None:
    home, _ = operator
    config, log = load_config(home), open_log(home)
    raw = RawRecords(config, log)
    rows = Snapshot.at_head(log, config.data).read("set_aside").to_pylist()
    read = [raw.read(row["source_id"], row["source_offset"], row["source_length"]) for row in rows]
    log.close()
    assert len(rows) > 100
    for row, text in zip(rows, read, strict=True):
        assert text.startswith(b"300,") if row["kind"] >= 3 and row["period"] >= 0 else text and b"\n" not in text
        assert row["raw"] in (b"", text)


def test_all_ten_invariants_hold(operator: tuple[Path, OperatorSummary]) -> None:
    home, summary = operator
    verdicts = audited(home)
    assert [(verdict.code, verdict.verdict, verdict.faults) for verdict in verdicts] == [
        (f"I{n}", "PASS", []) for n in range(1, 11)
    ]
    figures = {verdict.code: verdict.figure for verdict in verdicts}
    assert figures["I1"] == f"{summary.records():,} records of {len(summary.files)} files".replace(",", " ")
    assert figures["I4"] == "3 closed periods recomputed"
