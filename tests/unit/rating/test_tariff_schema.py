"""The JSON Schema says what the readers read: recorded again and compared, golden tariffs valid, unknown keys refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from rating.tariff_schema import tariff_schema
from tests.tools.tariff_schema import core_value, keys_in, record_language, schema_of, unwritten_keys

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is a test extra")
GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
UPDATE = "run python -m tests.tools.tariff_schema --write"


@pytest.fixture(scope="module")
def validator():  # type: ignore[no-untyped-def]
    return jsonschema.Draft202012Validator(tariff_schema())


def test_the_shipped_schema_is_what_the_readers_say() -> None:
    recorded, shipped = schema_of(record_language()), tariff_schema()
    missing, extra = keys_in(recorded) - keys_in(shipped), keys_in(shipped) - keys_in(recorded)
    assert not missing, f"keys that the readers know and the schema does not: {sorted(missing)}; {UPDATE}"
    assert not extra, f"keys that no reader knows: {sorted(extra)}; {UPDATE}"
    assert recorded == shipped, f"values differ; {UPDATE}"


def test_every_key_is_written_by_some_golden_tariff() -> None:
    assert unwritten_keys(record_language()) == [], "write these keys in a tariff of tests/golden/rating/tariffs"


def test_it_is_a_schema(validator) -> None:  # type: ignore[no-untyped-def]
    jsonschema.Draft202012Validator.check_schema(validator.schema)


@pytest.mark.parametrize("path", sorted((GOLDEN / "tariffs").glob("*.yaml")), ids=lambda path: path.stem)
def test_golden_tariffs_are_valid(validator, path: Path) -> None:  # type: ignore[no-untyped-def]
    assert [error.message for error in validator.iter_errors(core_value(path.read_text()))] == []


@pytest.mark.parametrize(
    "path", [path for path in sorted((GOLDEN / "errors").glob("*.yaml")) if "unknown key" in path.with_suffix(".txt").read_text()],
    ids=lambda path: path.stem,
)  # fmt: skip
def test_unknown_keys_are_refused(validator, path: Path) -> None:  # type: ignore[no-untyped-def]
    assert not validator.is_valid(core_value(path.read_text()))


@pytest.mark.parametrize(
    ("was", "becomes", "valid"),
    [
        ("per: 60 s", "per: 60", False),
        ("per: 60 s", "per: 60 sec", False),
        ("per: 60 s", "per: 1.5 min", True),
        ('price: "0.09", per: 60 s', "price: 0.09, per: 60 s", False),
        ("effective_from: 2026-01-01", "effective_from: 2026", False),
        ("effective_from: 2026-01-01", "effective_from: 2026-01-01T00:00:00Z", True),
        ("kind: message", "kind: fax", False),
        ("decimals: 4", "decimals: 10", False),
        ('prefixes: ["49"]', "prefixes: []", False),
        ("service: telecom", "service: telco", False),
        ("prorate: true", "prorate: yes", False),
    ],
)
def test_values(validator, was: str, becomes: str, valid: bool) -> None:  # type: ignore[no-untyped-def]
    text = (GOLDEN / "tariffs" / "mobile_basic.yaml").read_text()
    assert was in text
    assert validator.is_valid(core_value(text.replace(was, becomes))) == valid
