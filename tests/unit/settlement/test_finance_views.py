"""The finance file with real DuckDB: views, macros, comments, empty tables, rename over open readers, lock-down."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import ConfigurationError, MeterlineError
from schemas.numbers import EMPTY_NUMBER, packed_number
from settlement.adapters.finance_queries import PACKED_NUMBER
from settlement.adapters.finance_views import VIEWS, build_finance_file, open_finance_file
from settlement.charges import charges_of
from settlement.output_schemas import OUTPUT_SCHEMAS, column
from settlement.output_tables import output_table
from tests.unit.settlement.settlement_cases import GOLDEN, golden_case

USAGE, _, SETTLED = golden_case("bill_two_versions_and_allowance")
CALLS = pa.schema(
    [
        column("record_hi", pa.uint64(), "-", "first half of the record's id"),
        column("record_lo", pa.uint64(), "-", "second half"),
        column("called_number", pa.uint64(), PACKED_NUMBER, "number called"),
        column("charge", pa.decimal128(38, 9), "currency", "price of the call's list"),
    ],
    metadata={"meaning": "one row per rated call"},
)
OTHERS = pa.schema([column("row_count", pa.int64(), "count", "rows, it's said")])
COLUMNS = {"rated_calls": CALLS} | dict.fromkeys(("interval_days", "suspense", "duplicates", "row_account"), OTHERS)
VERSION = {"commit": "17", "output_schema_version": "1.0"}


def commit_seen_by_another_process(path: Path) -> str:
    """What a reader that opens the file now is told; DuckDB shares one open file among the connections of a process."""
    query = "SELECT value FROM finance_version"
    program = "import sys, duckdb; print(duckdb.connect(sys.argv[1], read_only=True).execute(sys.argv[2]).fetchone()[0])"
    reader = subprocess.run([sys.executable, "-c", program, str(path), query], capture_output=True, text=True, check=False)
    assert reader.returncode == 0, reader.stderr
    return reader.stdout.strip()


@pytest.fixture
def published(tmp_path: Path) -> dict[str, list[Path]]:
    """Files of every table under a folder whose name needs quoting; tables without files are listed as such."""
    folder = tmp_path / "it's published"
    folder.mkdir()
    (tmp_path / "scratch").mkdir()
    frames = {
        "bills": SETTLED.bills,
        "bill_lines": SETTLED.lines,
        "charges": charges_of(USAGE, SETTLED),
        "postings": SETTLED.postings,
    }
    tables: dict[str, list[Path]] = {name: [] for name in VIEWS}
    for name, frame in frames.items():
        for part, rows in enumerate((frame.head(2), frame.slice(2))):
            path = folder / f"{name}-{part}.parquet"
            pq.write_table(output_table(rows, OUTPUT_SCHEMAS[name]), path)
            tables[name].append(path)
    calls = pa.table(
        [[2**64 - 1, 5], [2**63, 1], [packed_number("004915"), EMPTY_NUMBER], [Decimal("0.09"), Decimal(-1)]], schema=CALLS
    )
    pq.write_table(calls, folder / "calls.parquet")
    tables["rated_calls"] = [folder / "calls.parquet"]
    return tables


def built(tmp_path: Path, tables: dict[str, list[Path]], **changes: object) -> Path:
    given = {"columns": COLUMNS, "version": VERSION} | changes
    return build_finance_file(tmp_path / "finance.duckdb", tmp_path / "scratch", tables, **given)  # type: ignore[arg-type]


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(path), read_only=True) as link:
        return link.execute(query).fetchall()


def test_file_is_built_in_scratch_and_nothing_else_is_left(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    assert path == tmp_path / "scratch" / "finance.duckdb"
    assert [entry.name for entry in (tmp_path / "scratch").iterdir()] == ["finance.duckdb"]
    assert built(tmp_path, published) == path, "a leftover is replaced"


def test_macros_answer(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    bill = rows(path, "SELECT bill_number, total, issue_on FROM bills('2026-10')")
    assert bill == [("2026-10-A000123", Decimal("109.670000000"), date(2026, 11, 2))]
    assert rows(path, "FROM bills('2026-09')") == []
    numbers = [row[0] for row in rows(path, "SELECT line_no FROM lines('A000123', '2026-10')")]
    assert numbers == list(range(1, SETTLED.lines.height + 1))
    member = rows(path, "SELECT item FROM lines('A000124', '2026-10')")
    assert sorted(member) == [("Basic fee",), ("Basic fee",), ("Internet",), ("National calls",)]
    balance = rows(path, "SELECT ledger_account, balance FROM trial_balance('2026-10')")
    assert [row[0] for row in balance] == [
        *("discount", "receivable", "revenue:fee", "revenue:usage:energy", "revenue:usage:voice", "revenue:usage:volume"),
        *("rounding_carried", "tax_payable"),
    ]
    assert sum(row[1] for row in balance) == 0
    assert rows(path, "SELECT debit FROM trial_balance('2026-10') WHERE ledger_account = 'receivable'") == [(bill[0][1],)]


def test_explain_line_leads_to_services(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    for kind, item, service, net in (
        ("usage", "Internet", "491702", Decimal("2.469135780")),
        ("discount", "National calls", "491701", Decimal("4.581000000")),
        ("fee", "Meter", None, None),
    ):
        (line,) = [line for line in SETTLED.lines.iter_rows(named=True) if (line["kind"], line["item"]) == (kind, item)]
        query = f"SELECT item, service_id, net FROM explain_line('{line['line_id']}')"
        assert rows(path, query) == [(item, service, net)]
    assert rows(path, "FROM explain_line('none')") == []


def test_views_without_files_have_their_columns_and_no_rows(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, {name: [] for name in VIEWS})
    for name in VIEWS:
        assert rows(path, f"SELECT * FROM {name}") == []
    assert rows(path, "FROM trial_balance('2026-10')") == []
    full = built(tmp_path, published)
    described = {name: rows(full, f"DESCRIBE {name}") for name in VIEWS}
    assert {name: rows(path, f"DESCRIBE {name}") for name in VIEWS} == described


def test_ids_and_numbers_are_shown_as_text(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    shown = rows(path, "SELECT record_id, called_number FROM rated_calls")
    assert shown == [("f" * 16 + "8" + "0" * 15, "004915"), ("0" * 15 + "5" + "0" * 15 + "1", "")]


def test_every_column_has_its_meaning_as_comment(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    listed = ", ".join(f"'{name}'" for name in VIEWS)
    query = f"SELECT table_name, column_name, comment FROM duckdb_columns() WHERE table_name IN ({listed})"
    comments = {(row[0], row[1]): row[2] for row in rows(path, query)}
    assert all(comments.values()) and ("bills", "total") in comments
    assert comments["bills", "issue_on"] == "date of issue, as given to the bill run [local date]"
    assert comments["row_account", "row_count"] == "rows, it's said [count]"
    assert dict(rows(path, "FROM finance_version")) == VERSION


def test_older_and_newer_files_are_read_together(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    older, newer = tmp_path / "older.parquet", tmp_path / "newer.parquet"
    pq.write_table(pa.table({"record_hi": pa.array([1], pa.uint64()), "record_lo": pa.array([2], pa.uint64())}), older)
    pq.write_table(pa.table({"record_lo": pa.array([3], pa.uint64()), "added": ["x"]}), newer)
    path = built(tmp_path, published | {"rated_calls": [older, newer]})
    shown = rows(path, "SELECT record_id, charge, added FROM rated_calls ORDER BY added NULLS FIRST")
    assert shown == [(f"{1:016x}{2:016x}", None, None), (None, None, "x")]
    comment = rows(path, "SELECT comment FROM duckdb_columns() WHERE table_name = 'rated_calls' AND column_name = 'added'")
    assert comment == [("not part of the documented schema",)]


def test_open_reader_keeps_working_while_a_new_file_is_renamed_over(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    target = tmp_path / "finance.duckdb"
    built(tmp_path, published).replace(target)
    with duckdb.connect(str(target), read_only=True) as old:
        assert old.execute("SELECT count(*) FROM bills").fetchone() == (1,)
        built(tmp_path, published | {"bills": []}, version={"commit": "18"}).replace(target)
        assert commit_seen_by_another_process(target) == "18"
        assert old.execute("SELECT count(*) FROM bills").fetchone() == (1,)
        assert old.execute("SELECT value FROM finance_version WHERE name = 'commit'").fetchone() == ("17",)
        assert len(old.execute("FROM lines('A000123', '2026-10')").fetchall()) == SETTLED.lines.height
    assert rows(target, "FROM bills") == []


def test_macros_answer_when_the_file_is_attached(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    with duckdb.connect() as link:
        link.execute(f"ATTACH '{path}' AS books (READ_ONLY)")
        link.execute("USE books")
        assert len(link.execute("FROM bills('2026-10')").fetchall()) == 1


def test_locked_down_reader_reads_views_and_nothing_else(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    path = built(tmp_path, published)
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    with open_finance_file(path, [tmp_path / "it's published"]) as link:
        assert link.execute("SELECT count(*) FROM bill_lines").fetchone() == (SETTLED.lines.height,)
        for attempt in (
            f"SELECT * FROM read_csv('{secret}')",
            f"SELECT * FROM read_csv('{tmp_path}/it''s published/../secret.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/other.duckdb'",
            "SET enable_external_access = true",
            "SET memory_limit = '20GB'",
            "INSTALL httpfs",
            "CREATE TABLE t AS SELECT 1",
        ):
            with pytest.raises(duckdb.Error):
                link.execute(attempt)


def test_all_faults_are_reported_at_once(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    tables = {name: [] for name in VIEWS if name != "suspense"} | {"suspence": []}
    tables["bills"] = [Path("relative.parquet"), Path("/published/*.parquet"), Path("/published/absent.parquet")]
    columns = {name: schema for name, schema in COLUMNS.items() if name != "duplicates"}
    columns["row_account"] = pa.schema([pa.field("share", pa.float64())])
    with pytest.raises(ConfigurationError) as caught:
        built(tmp_path, tables, columns=columns)
    assert f"{caught.value}\n" == (GOLDEN / "error_finance_tables" / "expected.txt").read_text()
    assert list((tmp_path / "scratch").iterdir()) == []


def test_file_that_is_not_parquet_is_named(tmp_path: Path, published: dict[str, list[Path]]) -> None:
    torn = tmp_path / "torn.parquet"
    torn.write_bytes(published["bills"][0].read_bytes()[:100])
    with pytest.raises(MeterlineError, match="finance view bills: its files cannot be read, was .*torn.parquet"):
        built(tmp_path, published | {"bills": [torn]})
