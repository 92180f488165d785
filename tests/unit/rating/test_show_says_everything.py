"""Whatever a tariff says differently shows: in the text, in the JSON and in the comparison of `tariff diff`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from pathlib import Path

import pytest

from rating.describe import describe_tariff
from rating.describe_json import tariff_json
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.tariff_diff import diff_tariffs
from rating.tariff_files import load_with_chain

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
SHOWN = ["tariffs/mobile_plus", "chained/mobile_family", *(f"tariffs/utility/{p.stem}" for p in (GOLDEN / "tariffs" / "utility").glob("*.yaml"))]
NAMES = {"window", "destination", "destinations", "windows", "rate", "name", "day_types", "types", "standard"}  # what others refer to


def others(value: object, path: str) -> Iterator[tuple[str, object]]:
    """(path, the value with one thing in it changed) for everything in it that prices."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.compare and field.name not in NAMES:
                for at, other in others(getattr(value, field.name), f"{path}.{field.name}"):
                    yield at, dataclasses.replace(value, **{field.name: other})
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, Enum):
        yield from ((f"{path}={one.value}", one) for one in type(value) if one is not value)
    elif isinstance(value, int):
        if value != FOREVER_AT and value >= 0:
            yield path, value + (86_400_000_000 if path.endswith(("_at", "_us")) else 1)
    elif isinstance(value, str):
        yield path, f"{value}x" if value else "x"
    elif isinstance(value, date):
        yield path, value + timedelta(days=1)
    elif isinstance(value, frozenset):
        yield path, frozenset(sorted(value, key=str)[1:])
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            for at, other in others(one, f"{path}[{number}]"):
                yield at, (*value[:number], other, *value[number + 1 :])


def changed(tariff: Tariff) -> Iterator[tuple[str, Tariff]]:
    for at, other in others(tariff, ""):
        assert isinstance(other, Tariff)
        yield at, other


@pytest.mark.parametrize("name", SHOWN)
def test_every_change_is_told(name: str) -> None:
    tariff = load_with_chain(GOLDEN / f"{name}.yaml")[0]
    text, as_json = describe_tariff(tariff), json.dumps(tariff_json(tariff), default=str)
    untold = []
    for at, other in changed(tariff):
        try:
            if describe_tariff(other) == text:
                untold.append(f"text {at}")
            if json.dumps(tariff_json(other), default=str) == as_json:
                untold.append(f"json {at}")
        except Exception as e:
            untold.append(f"show {at} {e!r}")
        try:
            if not diff_tariffs(tariff, other):
                untold.append(f"diff {at}")
        except Exception as e:
            untold.append(f"diff {at} {e!r}")
    assert untold == []
