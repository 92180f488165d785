"""The JSON Schema of the tariff language, recorded from the readers themselves while they read every golden tariff.

    python -m tests.tools.tariff_schema --write     brings rating/language/tariff_schema.json up to date

Nothing is said twice: keys come from `Place.fields`, sets of words from `Place.choice`, kinds of values from the functions of
`written_values`. What a reader learns to read appears here as soon as one golden tariff writes it.
"""

from __future__ import annotations

import argparse
import functools
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import rating.tariff_files
from rating.language import utility_values, written_values
from rating.language.written_values import UNITS
from rating.language.yaml_places import Fields, Place, compose_file
from schemas.quantities import UsageKind

TOP = Path(__file__).parents[2]
SHIPPED = TOP / "rating" / "language" / "tariff_schema.json"
GOLDEN = TOP / "tests" / "golden" / "rating"
VALUE_READERS = {
    written_values: ("amount", "parts_per_million", "quantity", "whole", "boolean", "time_of_day_us", "local_date", "instant_at"),
    utility_values: ("measured", "bound", "decimal_nano", "energy_per_capacity"),
}
_BARE = "bare"  # messages may be counted without a unit
_SCALAR = {"type": ["string", "number", "boolean"]}
_NUMBER = r"[0-9]{1,12}(\.[0-9]{1,9})?"
_DECIMAL = r"^-?[0-9]{1,18}(\.[0-9]{1,18})?$"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"


@dataclass
class Recording:
    """path (`versions.[].rates.*.price`) -> what the readers asked of the values there."""

    shapes: dict[str, set[tuple[tuple[str, ...], tuple[str, ...]]]] = field(default_factory=dict)  # fields(required, optional)
    lists: set[str] = field(default_factory=set)
    maps: set[str] = field(default_factory=set)  # of names that the author chooses
    values: dict[str, dict[str, Any]] = field(default_factory=dict)  # path -> {reader: its arguments}
    _parents: dict[int, tuple[Any, str]] = field(default_factory=dict)
    _alive: list[Any] = field(default_factory=list)  # nodes, so that no identity is given twice

    def path_of(self, node: Any) -> str:
        parent = self._parents.get(id(node))
        if parent is None:
            return ""
        above = self.path_of(parent[0])
        step = "[]" if parent[1].startswith("[") else parent[1]
        if above in self.maps and above not in self.shapes and step != "[]":
            step = "*"
        return f"{above}.{step}" if above else step

    def child(self, parent: Any, node: Any, step: str) -> None:
        self._alive.append(node)
        self._parents[id(node)] = (parent, step)

    def value(self, node: Any, reader: str, argument: Any = None) -> None:
        asked = self.values.setdefault(self.path_of(node), {})
        if isinstance(argument, set):
            asked[reader] = asked.get(reader, set()) | argument
        else:
            asked.setdefault(reader, argument)


@contextmanager
def recorded() -> Iterator[Recording]:
    """Readers within note what they ask; they read as ever."""
    recording, undo = Recording(), list[Callable[[], None]]()
    depth = [0]

    def patch(owner: Any, name: str, wrapper: Any) -> None:
        original = getattr(owner, name)
        setattr(owner, name, wrapper)
        undo.append(lambda: setattr(owner, name, original))

    def quietly(original: Any, note: Callable[..., None]) -> Any:
        """Call through with everything below unrecorded: what the outermost reader means counts."""

        @functools.wraps(original)
        def wrapped(place: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(place, Place) and depth[0] == 0:
                note(place, *args, **kwargs)
            depth[0] += 1
            try:
                return original(place, *args, **kwargs)
            finally:
                depth[0] -= 1

        return wrapped

    def at(place: Place, node: Any, step: str) -> Place:
        recording.child(place.node, node, step)
        return original_at(place, node, step)

    def fields(place: Place, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Fields:
        recording.shapes.setdefault(recording.path_of(place.node), set()).add((tuple(required), tuple(optional)))
        depth[0] += 1
        try:
            return original_fields(place, required, optional)
        finally:
            depth[0] -= 1

    original_at, original_fields = Place.at, Place.fields
    patch(Place, "at", at)
    patch(Place, "fields", fields)
    patch(Place, "items", quietly(Place.items, lambda place: recording.lists.add(recording.path_of(place.node))))
    patch(Place, "pairs", quietly(Place.pairs, lambda place: recording.maps.add(recording.path_of(place.node))))
    patch(Place, "text", quietly(Place.text, lambda place: recording.value(place.node, "text")))
    patch(Place, "choice", quietly(Place.choice, lambda place, allowed: recording.value(place.node, "choice", set(allowed))))
    patch(Place, "reference", quietly(Place.reference, lambda place, names, what: recording.value(place.node, "reference", what)))
    for owner, name in [(owner, name) for owner, names in VALUE_READERS.items() for name in names]:
        original = getattr(owner, name)
        wrapper = quietly(original, _note_of(recording, name))
        for module in [m for key, m in sys.modules.items() if key.startswith("rating.")]:
            for attribute, value in list(vars(module).items()):
                if value is original:
                    patch(module, attribute, wrapper)
    try:
        yield recording
    finally:
        for one in reversed(undo):
            one()


def _note_of(recording: Recording, reader: str) -> Callable[..., None]:
    def note(place: Place, *args: Any, **kwargs: Any) -> None:
        if reader == "quantity":
            kind = args[0] if args else kwargs.get("kind")
            recording.value(
                place.node, reader, {kind, _BARE if kind == UsageKind.MESSAGE else kind} if kind is not None else set(UsageKind)
            )
        elif reader in ("measured", "bound"):
            recording.value(place.node, reader, set(args[0]) if reader == "measured" else {args[0]})
        elif reader == "whole":
            recording.value(place.node, reader, tuple(args[:2]))
        else:
            recording.value(place.node, reader)

    return note


def good_tariffs() -> list[Path]:
    """Every golden tariff that loads, worked examples and those with warnings included."""
    folders = ("tariffs", "tariffs/utility", "chained", "warnings", "worked/*")
    return sorted(path for folder in folders for path in GOLDEN.glob(f"{folder}/*.yaml"))


def record_language() -> Recording:
    """Read every golden tariff, the faulty ones too, since they show keys that no good one writes."""
    with recorded() as recording:
        for path in [*good_tariffs(), *sorted((GOLDEN / "errors").glob("*.yaml"))]:
            top = compose_file(path.read_text(encoding="utf-8"), str(path), [])
            if top is not None:
                rating.tariff_files.read_tariff(top, path.parent)
    return recording


def schema_of(recording: Recording) -> dict[str, Any]:
    """JSON Schema 2020-12; a key whose value no golden tariff writes may hold anything (see `unwritten_keys`)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Meterline tariff",
        "description": "Made from the readers of the tariff language; `meterline tariff check` checks what a schema cannot.",
        **_node(recording, ""),
    }


def _node(recording: Recording, path: str) -> dict[str, Any]:
    below = f"{path}." if path else ""
    kinds: list[dict[str, Any]] = []
    for required, optional in sorted(recording.shapes.get(path, ())):
        properties = {key: _node(recording, below + key) for key in (*required, *optional)}
        kinds.append({"type": "object", "properties": properties, "required": list(required), "additionalProperties": False})
    if path in recording.maps and path not in recording.shapes:
        kinds.append({"type": "object", "additionalProperties": _node(recording, f"{below}*")})
    if path in recording.lists:
        kinds.append({"type": "array", "items": _node(recording, f"{below}[]"), "minItems": 1})
    for reader, argument in sorted(recording.values.get(path, {}).items()):
        if reader != "text" or len(recording.values[path]) == 1:
            kinds.append(_value(reader, argument))
    return kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {}


def _value(reader: str, argument: Any) -> dict[str, Any]:
    if reader == "choice":
        words = sorted(argument)
        return {"enum": [*words, *(int(word) for word in words if word.isdigit())]}
    if reader == "reference":
        what = re.sub(r"day type of calendar .*", "day type of the window's calendar", argument)
        return {**_SCALAR, "description": f"the name of a {what} of this tariff or version"}
    if reader in ("amount", "parts_per_million"):
        example = "0.0900" if reader == "amount" else "19"
        return {"type": "string", "pattern": _DECIMAL, "description": f'a quoted decimal such as "{example}"'}
    if reader == "quantity":
        units = [unit for unit, (kind, _) in UNITS.items() if kind in argument]
        bare = "?" if _BARE in argument else ""
        pattern = rf"^[0-9]{{1,18}}(\.[0-9]{{1,9}})? *({'|'.join(units)}){bare}$"
        types: list[str] = ["string", "integer"] if bare else ["string"]
        return {"type": types, "pattern": pattern, "description": f"a number and a unit: {', '.join(units)}"}
    if reader in _MEASURED:
        return _MEASURED[reader](argument)
    if reader == "whole":
        least, most = argument
        return {"type": ["integer", "string"], "minimum": least, "maximum": most, "pattern": "^-?[0-9]{1,9}$"}
    if reader == "boolean":
        return {"enum": [True, False, "true", "false"]}
    if reader == "time_of_day_us":
        pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$|^24:00(:00)?$"
        return {"type": "string", "pattern": pattern, "description": "HH:MM or HH:MM:SS"}
    if reader == "local_date":
        return {"type": "string", "pattern": f"^{_DATE}$", "description": "YYYY-MM-DD"}
    if reader == "instant_at":
        pattern = rf"^{_DATE}(T.*(Z|[+-][0-9]{{2}}:?[0-9]{{2}}))?$"
        return {"type": "string", "pattern": pattern, "description": "YYYY-MM-DD, or an instant with an offset"}
    assert reader == "text", reader
    return dict(_SCALAR)


def _measured(units: set[str]) -> dict[str, Any]:
    named = sorted(units)
    pattern = rf"^{_NUMBER} *({'|'.join(named)})$"
    return {"type": "string", "pattern": pattern, "description": f"a number and a unit: {', '.join(named)}"}


def _bound(kinds: set[UsageKind]) -> dict[str, Any]:
    units = [unit for unit, (kind, _) in UNITS.items() if kind in kinds]
    pattern = rf"^{_NUMBER} *({'|'.join(units)})(/day|/kW|/kW/day|/day/kW)?$"
    return {"type": "string", "pattern": pattern, "description": "such as 200 kWh, 6.5 kWh/day, 100 kWh/kW or 3 kWh/kW/day"}


_MEASURED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "measured": _measured,
    "bound": _bound,
    "decimal_nano": lambda _: {
        "type": "string", "pattern": r"^-?[0-9]{1,12}(\.[0-9]{1,9})?$", "description": 'a quoted decimal such as "1.02264"',
    },
    "energy_per_capacity": lambda _: {
        "type": "string", "pattern": rf"^{_NUMBER} *kWh/kVA$", "description": "such as 260 kWh/kVA",
    },
}  # fmt: skip


def unwritten_keys(recording: Recording) -> list[str]:
    """Keys that the readers know and no golden tariff writes, so that the schema knows no kind of value for them."""
    said = []
    for path, shapes in recording.shapes.items():
        for required, optional in shapes:
            said += [
                f"{path}.{key}".lstrip(".") for key in (*required, *optional) if not _node(recording, f"{path}.{key}".lstrip("."))
            ]
    return sorted(set(said))


def schema_text() -> str:
    """The file as it should be."""
    return json.dumps(schema_of(record_language()), indent=1, ensure_ascii=False) + "\n"


def keys_in(schema: dict[str, Any], path: str = "") -> set[str]:
    """All paths of keys of a schema, to name what differs."""
    found: set[str] = set()
    for kind in schema.get("anyOf", [schema]):
        for key, value in kind.get("properties", {}).items():
            step = f"{path}.{key}".lstrip(".")
            found |= {step} | keys_in(value, step)
        if isinstance(kind.get("additionalProperties"), dict):
            found |= keys_in(kind["additionalProperties"], f"{path}.*".lstrip("."))
        if "items" in kind:
            found |= keys_in(kind["items"], f"{path}.[]".lstrip("."))
    return found


def core_value(text: str) -> Any:
    """A YAML text as editors read it (YAML 1.2): dates and times of day stay text."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    Loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (
        ("bool", r"^(?:true|false)$", "tf"),
        ("int", r"^-?[0-9]+$", "-0123456789"),
        ("float", r"^-?[0-9]+\.[0-9]+$", "-0123456789"),
        ("null", r"^(?:~|null|)$", ["~", "n", ""]),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(pattern), list(first))
    return yaml.load(text, Loader)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the file that is shipped")
    if parser.parse_args().write:
        SHIPPED.write_text(schema_text(), encoding="utf-8")
    else:
        print(schema_text(), end="")
