"""The libraries workflow: each library that writes files for the product, on one folder.

It proves that the shim sees them. A release that moves to io_uring, to raw system calls or to
mapped writes would hide from it, and the replay of its log would no longer give the real folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 1000


@dataclass(frozen=True)
class Libraries:
    """Writes with every library; holds no promise, so its checks are empty."""

    name: str = "libraries"

    def prepare(self, folder: Path) -> None:
        """An empty folder."""
        folder.mkdir()

    def workload(self, folder: Path) -> None:
        """Parquet, Arrow, CSV and a database file."""
        frame = pl.DataFrame({"number": range(ROWS), "text": ["some text"] * ROWS})
        frame.write_parquet(folder / "polars.parquet")
        frame.lazy().sink_parquet(folder / "polars-sink.parquet")
        frame.write_ipc(folder / "polars.arrow")
        frame.write_csv(folder / "polars.csv")
        table = frame.to_arrow()
        pq.write_table(table, folder / "pyarrow.parquet")
        with pa.ipc.new_file(folder / "pyarrow.arrow", table.schema) as writer:
            writer.write_table(table)
        _write_with_duckdb(folder)

    def check_wreck(self, folder: Path) -> None:
        """Nothing is promised."""

    def check_final(self, folder: Path, marks: list[str]) -> None:
        """Nothing is promised."""

    def digest(self, folder: Path) -> str:
        """The rows, read back by another library than the one that wrote them."""
        return str(pq.read_table(folder / "duckdb.parquet").num_rows)


def _write_with_duckdb(folder: Path) -> None:
    """To a new name and over an existing one, which are two ways in DuckDB."""
    with duckdb.connect(str(folder / "rows.duckdb"), config={"threads": 1}) as database:
        database.execute(f"CREATE OR REPLACE TABLE numbers AS SELECT * FROM range({ROWS})")
        for _ in range(2):
            database.execute(f"COPY numbers TO '{folder / 'duckdb.parquet'}' (FORMAT parquet)")
        database.execute("CHECKPOINT")


def all_writers(seed: int) -> Libraries:
    """The same for every seed."""
    return Libraries()
