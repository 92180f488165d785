"""From dated rows to versions: which price of each prefix is in force between two dates, and what no version shows."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from rating.importers.deck_values import BLOCKED, PRICED
from rating.importers.findings import Finding, FindingKind

ALWAYS = "0000-00-00"  # sorts before every date: a row without one
TERMS = ("change", "price", "peak", "weekend", "connect_fee", "first_ms", "step_ms", "end")


@dataclass(frozen=True, slots=True)
class DeckVersion:
    """What is in force over `[from_on, to_on)`; `to_on` None is open. `rows` is sorted by prefix."""

    from_on: str
    to_on: str | None
    rows: pl.DataFrame


def one_row_each(entries: pl.DataFrame, file: str) -> tuple[pl.DataFrame, list[Finding]]:
    """The first row of each (prefix, date); further ones are duplicates where they say the same, else conflicts."""
    keys = ["prefix", "effective"]
    first = entries.with_columns(
        pl.col("line").first().over(keys).alias("first_line"),
        pl.all_horizontal(pl.col(name).eq_missing(pl.col(name).first().over(keys)) for name in TERMS).alias("same"),
        pl.int_range(pl.len()).over(keys).alias("nth"),
    )
    again = first.filter(pl.col("nth") > 0)
    findings = []
    for line, prefix, same, first_line in again.select("line", "prefix", "same", "first_line").iter_rows():
        if same and line == first_line:
            continue  # twice in the list of one row
        kind = FindingKind.DUPLICATE if same else FindingKind.CONFLICT
        what = f"{'says the same' if same else 'another price for this code'} as line {first_line}"
        findings.append(Finding(kind, file, line, what, prefix, "" if same else f"line {first_line} stands"))
    return first.filter(pl.col("nth") == 0).drop("first_line", "same", "nth"), findings


def boundaries(entries: pl.DataFrame, first_on: str) -> list[str]:
    """The dates on which something changes, `first_on` and later."""
    dates = pl.concat([entries["effective"], entries["end"]]).drop_nulls().unique()
    return [first_on, *sorted(day for day in dates.to_list() if day > first_on)]


def deck_versions(entries: pl.DataFrame, days: list[str], file: str) -> tuple[list[DeckVersion], list[Finding], set[int]]:
    """The versions from each day to the next, findings on the rows that no version shows, and the lines that one does.

    A later row ends an earlier one of its prefix for good, also where the later one has an end.
    """
    ordered = entries.sort("prefix", "effective")
    shown: list[pl.Series] = []
    versions: list[DeckVersion] = []
    findings: list[Finding] = []
    for day, next_day in zip(days, [*days[1:], None], strict=True):
        latest = ordered.filter(pl.col("effective") <= day).unique("prefix", keep="last", maintain_order=True)
        live = latest.filter(pl.col("end").is_null() | (pl.col("end") > day))
        rows = live.filter(pl.col("change") == PRICED)
        findings += _blocked(live.filter(pl.col("change") == BLOCKED), rows, day, file)
        shown.append(live["entry"])
        if len(rows):
            versions.append(DeckVersion(day, next_day, rows))
    seen = pl.DataFrame({"entry": pl.concat(shown).unique()})
    hidden = entries.join(seen, on="entry", how="anti")
    for line, prefix in hidden.select("line", "prefix").iter_rows():
        what = "never in force in the imported time: replaced or ended before"
        findings.append(Finding(FindingKind.SUPERSEDED, file, line, what, prefix))
    return versions, list(dict.fromkeys(findings)), set(entries.join(seen, on="entry", how="semi")["line"].to_list())


def _blocked(blocked: pl.DataFrame, rows: pl.DataFrame, day: str, file: str) -> list[Finding]:
    """A blocked code under a shorter one that has a price would be priced by that one: a deck has no way to stop it."""
    if not len(blocked):
        return []
    priced = set(rows["prefix"].to_list())
    findings = []
    for line, prefix in blocked.select("line", "prefix").iter_rows():
        shorter = next((prefix[:size] for size in range(len(prefix) - 1, 0, -1) if prefix[:size] in priced), None)
        if shorter:
            what = f"blocked, but calls are priced by the shorter code {shorter}"
            findings.append(
                Finding(
                    FindingKind.NOT_REPRESENTED, file, line, what, prefix, "bar it in the switch, or list the codes around it"
                )
            )
    return findings
