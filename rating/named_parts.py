"""What a version consists of, part by part and by name: the view that comparisons share, whatever the language grows to.

A part that this module does not know (a field of `TariffVersion` added later) is compared all the same, field by field.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from datetime import date
from enum import Enum

from rating.language.tariff import TariffVersion

NAME_FIELDS = ("name", "item", "label")
HIDDEN_FIELDS = frozenset({"where"})


def parts_of(version: TariffVersion, skipped: frozenset[str]) -> dict[str, dict[str, object]]:
    """field -> name -> value for every field of a version but those skipped; a single value has the empty name."""
    found: dict[str, dict[str, object]] = {}
    for field in dataclasses.fields(version):
        if field.name in skipped or field.name in HIDDEN_FIELDS:
            continue
        value = getattr(version, field.name)
        if isinstance(value, tuple):
            found[field.name] = _by_name(value)
        else:
            found[field.name] = {} if value is None else {"": value}
    return found


def _by_name(values: Iterable[object]) -> dict[str, object]:
    """Entries by name; a name that comes again is numbered."""
    found: dict[str, object] = {}
    for value in values:
        name = next((str(getattr(value, key)) for key in NAME_FIELDS if getattr(value, key, "")), "")
        again = 2
        while name in found:
            name, again = f"{name.split(' #')[0]} #{again}", again + 1
        found[name] = value
    return found


def differences(old: object, new: object, path: str = "") -> list[tuple[str, str, str]]:
    """(field path, old, new) of what two values of one type differ in, as plain texts."""
    if old == new:
        return []
    if dataclasses.is_dataclass(old) and not isinstance(old, type) and type(old) is type(new):
        found = []
        for field in dataclasses.fields(old):
            if field.name not in HIDDEN_FIELDS and field.compare:
                step = f"{path}.{field.name}" if path else field.name
                found += differences(getattr(old, field.name), getattr(new, field.name), step)
        return found
    if isinstance(old, tuple) and isinstance(new, tuple) and any(dataclasses.is_dataclass(each) for each in (*old, *new)):
        one, other = _by_name(old), _by_name(new)
        names = [*one, *(name for name in other if name not in one)]
        return [each for name in names for each in differences(one.get(name), other.get(name), f"{path}[{name}]")]
    return [(path, plain_text(old), plain_text(new))]


def plain_text(value: object) -> str:
    """A value of the language in short; amounts stay in the units that their field names."""
    if value is None:
        return "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, frozenset):
        return " ".join(plain_text(each) for each in sorted(value, key=str)) or "none"
    if isinstance(value, tuple):
        return ", ".join(plain_text(each) for each in value) or "none"
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = [
            f for f in dataclasses.fields(value) if f.name not in HIDDEN_FIELDS and getattr(value, f.name) not in (None, (), "")
        ]
        return "{" + ", ".join(f"{field.name}: {plain_text(getattr(value, field.name))}" for field in shown) + "}"
    return str(value)
