"""Terms agreed with services as a customer system exports them, a text for each: read into the columns that bills take."""

from __future__ import annotations

import polars as pl
import yaml

from rating.language.utility_values import bound, decimal_nano, measured
from rating.language.written_values import whole
from rating.language.yaml_places import Place, close_match
from rating.service_terms import DECIMAL_TERMS, MEASURED_TERMS, TEXT_TERMS
from rating.utility.bill_input import GROUP_SCHEMA
from schemas.errors import ConfigurationError, Fault
from schemas.quantities import UsageKind

_WHOLE = {"shifts": (1, 3), "paused_days": (0, 31)}
AGREED_TERMS = (*MEASURED_TERMS, *TEXT_TERMS, *DECIMAL_TERMS, *_WHOLE, "bound_extra")
_COLUMNS = {name: column for name, (column, _) in MEASURED_TERMS.items()} | DECIMAL_TERMS


def column_of(term: str) -> str:
    """The column of `GROUP_SCHEMA` that a term fills."""
    return _COLUMNS.get(term, term)


def agreed_terms(texts: pl.DataFrame, file: str) -> pl.DataFrame:
    """Terms as columns.

    Args:
        texts: [line, service_id, term, value, effective_from_at, effective_to_at]; terms have the names and units of the YAML
            terms (`installed`: 315 kVA, `contract`: 500 kW, `option`, `shifts`: 2, `calorific_value`: 38.1 ...).
        file: what to call it in faults.
    Returns:
        [service_id, effective_from_at, effective_to_at, column, number i64, text], one row each; one of number and text is null.
    Raises:
        ConfigurationError: every unknown term and every value that cannot be read, with file and line.
    """
    faults: list[Fault] = []
    said = texts.select("term", "value", "line").unique(["term", "value"], keep="first").sort("line")
    read = {(term, value): _value(term, value, line, file, faults) for term, value, line in said.iter_rows()}
    if faults:
        raise ConfigurationError(faults)
    rows = [
        (term, value, column_of(term), None if isinstance(found, str) else found, found if isinstance(found, str) else None)
        for (term, value), found in read.items()
    ]
    schema = {"term": pl.String, "value": pl.String, "column": pl.String, "number": pl.Int64, "text": pl.String}
    known = pl.DataFrame(rows, schema=schema, orient="row")
    joined = texts.join(known, on=["term", "value"], how="left", maintain_order="left")
    return joined.select("service_id", "effective_from_at", "effective_to_at", "column", "number", "text")


def _value(term: str, value: str, line: int, file: str, faults: list[Fault]) -> int | str | None:
    if term not in AGREED_TERMS:
        faults.append(
            Fault(f"{file}:{line}", "no such term", repr(term), next_step=close_match(term, AGREED_TERMS), code="unknown_term")
        )
        return None
    mark = yaml.Mark(file, 0, line - 1, 0, None, 0)
    place = Place(faults, file, yaml.ScalarNode("", value, mark, mark, '"' if term in DECIMAL_TERMS else None), term)
    if term in TEXT_TERMS:
        return value
    if term in MEASURED_TERMS:
        return measured(place, MEASURED_TERMS[term][1])
    if term in DECIMAL_TERMS:
        return decimal_nano(place, "-100" if term == "temperature" else "0")
    if term in _WHOLE:
        return whole(place, *_WHOLE[term])
    extra = bound(place, UsageKind.ENERGY)
    return extra[1] if extra else None


def with_terms(groups: pl.DataFrame, terms: pl.DataFrame) -> pl.DataFrame:
    """Groups [service_id, to_at, ...] with the columns of terms: each is the value in force at the end of the group's part."""
    asked = groups.with_row_index("row")
    held = asked.select("row", "service_id", "to_at").join(terms, on="service_id", how="inner")
    held = held.filter((pl.col("effective_from_at") < pl.col("to_at")) & (pl.col("to_at") <= pl.col("effective_to_at")))
    for name in sorted({column_of(term) for term in AGREED_TERMS}):
        kind = GROUP_SCHEMA[name]
        own = held.filter(pl.col("column") == name).select(
            "row", pl.col("text" if kind == pl.String else "number").cast(kind).alias(name)
        )
        asked = asked.join(own, on="row", how="left", maintain_order="left")
    return asked.drop("row").with_columns(pl.col("paused_days").fill_null(0))
