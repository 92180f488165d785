"""Whatever a tariff says differently shows: in the text, in the JSON and in the comparison of `tariff diff`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from enum import Enum
from pathlib import Path

from rating.describe import describe_tariff
from rating.describe_json import tariff_json
from rating.language.shared_terms import FOREVER_AT
from rating.language.tariff import Tariff
from rating.tariff_diff import diff_tariffs
from rating.tariff_files import load_with_chain

GOLDEN = Path(__file__).parents[2] / "golden" / "rating"
SHOWN = ("mobile_plus", "wholesale", "chained/mobile_family", "utility/*")
NAMES = {
    "window",
    "windows",
    "destination",
    "destinations",
    "rate",
    "name",
    "zone",
    "standard",
}  # what others name, or must exist
WORDS = {"wall": "standard", "rest": "charge", "money": "quantity", "sum": "line"}
UNSAID = {
    ".versions[].energy[].tiers[].increment",  # increments of metered prices are one unit: no key writes them
    ".versions[].supply.add_ons[].tiers[].increment",
    ".versions[].supply.demand[].tiers[].increment",
    ".versions[].supply.sewage.tiers[].increment",
    ".versions[].supply.export.prices[].tiers[].increment",
    *(f".versions[].supply.export.prices[].basis={basis}" for basis in ("per_day", "per_kw", "per_kw_day")),  # they have no tiers
    ".versions[].discounts[].order",  # they are listed in their order
}


def others(value: object, path: str) -> Iterator[tuple[str, object]]:
    """(path, the value with one thing in it changed) for everything in it that prices."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            starts_at_zero = field.name == "from_usage" and not value.from_usage
            if field.compare and field.name not in NAMES and not starts_at_zero:
                for at, other in others(getattr(value, field.name), f"{path}.{field.name}"):
                    yield at, dataclasses.replace(value, **{field.name: other})
    elif isinstance(value, bool):
        yield path, not value
    elif isinstance(value, Enum):
        yield from ((f"{path}={one.value}", one) for one in type(value) if one is not value)
    elif isinstance(value, int):
        if value != FOREVER_AT and value >= 0:
            step = 86_400_000_000 if path.endswith("_at") else 60_000_000 if path.endswith("_us") else 1
            yield path, value % 12 + 1 if value <= 12 and step == 1 else value + step  # a month stays one
    elif isinstance(value, str):
        yield path, next((other for word, other in WORDS.items() if word == value), f"{value}x")
    elif isinstance(value, date):
        yield path, value + timedelta(days=1)
    elif isinstance(value, frozenset):
        yield path, frozenset(sorted(value, key=str)[1:])
    elif isinstance(value, tuple):
        for number, one in enumerate(value):
            for at, other in others(one, f"{path}[{number}]"):
                yield at, (*value[:number], other, *value[number + 1 :])


def test_every_change_is_told() -> None:
    """A thing that one tariff leaves without meaning (a count without a mean) counts as told where another tells it."""
    told: dict[str, set[str]] = {}
    for path in [
        path for name in SHOWN for path in sorted((GOLDEN / ("" if "chained" in name else "tariffs")).glob(f"{name}.yaml"))
    ]:
        tariff = load_with_chain(path)[0]
        text, as_json = describe_tariff(tariff), json.dumps(tariff_json(tariff))
        for at, other in others(tariff, ""):
            assert isinstance(other, Tariff)
            by = told.setdefault(re.sub(r"\[[0-9]+\]", "[]", at), set())
            if "text" not in by and describe_tariff(other) != text:
                by.add("text")
            if "json" not in by and json.dumps(tariff_json(other)) != as_json:
                by.add("json")
            if "diff" not in by and diff_tariffs(tariff, other):
                by.add("diff")
    untold = {f"{at}: {how}" for at, by in told.items() if at not in UNSAID for how in {"text", "json", "diff"} - by}
    assert not untold, sorted(untold)
