"""How derived runs read: every run of each record with its segments, and the margin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from meterline.cli.output import Output, table_text

if TYPE_CHECKING:
    import polars as pl

    from rating.language.tariff import Tariff


def tariff_heading(tariffs: Sequence[Tariff]) -> dict[str, Any]:
    """What prices were taken from: one tariff and its hash, or the hash of each."""
    if len(tariffs) == 1:
        return {"tariff_id": tariffs[0].tariff_id, "content_hash": tariffs[0].content_hash}
    return {"tariffs": {one.tariff_id: one.content_hash for one in tariffs}}


def answer_runs(tariffs: Sequence[Tariff], usage: pl.DataFrame, subjects: pl.DataFrame | None, where: str, as_json: bool) -> None:
    """Price every run of the usage and print it."""
    from rating.price_runs import price_runs

    run_rows, margin_rows = price_runs(tariffs, usage, subjects=subjects, where=where)
    shown = {"runs": run_rows.to_dicts(), "margins": margin_rows.to_dicts()}
    Output(as_json).answer({**tariff_heading(tariffs), **shown}, lambda: _runs_text(shown["runs"], shown["margins"]))


def _runs_text(runs: list[dict[str, Any]], margins: list[dict[str, Any]]) -> str:
    cells: list[tuple[object, ...]] = []
    for row in runs:
        head = (row["record"], row["run"], row["side"], row["tariff_id"])
        cells.append((*head, row["charge"] or "-", row["currency"], row["reason"], row["rule"]))
        cells += [("", "", "", "", "", "", "", f"  {segment}") for segment in row["segments"]]
    for row in margins:
        count = row["failed"]
        failed = f"without {count} {'run' if count == 1 else 'runs'} that failed" if count else ""
        cells.append((row["record"], "margin", "", "", row["margin"], row["currency"], failed, ""))
    headings = ("record", "run", "side", "tariff", "charge", "currency", "reason", "rule and segments")
    return table_text(headings, cells, right=("record", "charge"))
