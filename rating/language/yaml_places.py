"""YAML read with its positions: every complaint names file, line, column and path, and none stops the others.

Only scalars as written are used (a prefix keeps its leading zero, 20:00 stays a time of day); what they mean is decided by the
field they stand in, never by YAML's own guess of a type.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import yaml

from schemas.errors import Fault


def close_match(name: str, known: Iterable[str]) -> str:
    """`did you mean X?` or what there is to choose from."""
    names = sorted(known)
    return _meant(name, names) or (f"known: {', '.join(names[:20])}" if names else "there is none")


def _meant(name: str, names: list[str]) -> str:
    found = [known for known in names if known.lower() == name.lower()] or difflib.get_close_matches(name, names, n=1)
    return f"did you mean {found[0]!r}?" if found else ""


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the file, where it stands, and the list that takes its faults."""

    faults: list[Fault]
    file: str
    node: yaml.Node
    path: str = ""

    @property
    def where(self) -> str:
        mark = self.node.start_mark
        place = f"{self.file}:{mark.line + 1}:{mark.column + 1}"
        return f"{place} {self.path}" if self.path else place

    def fault(self, what: str, *, was: str = "", must_be: str = "", next_step: str = "", code: str = "bad_tariff") -> None:
        self.faults.append(Fault(self.where, what, was, must_be, next_step, code))

    def at(self, node: yaml.Node, step: str) -> Place:
        path = f"{self.path}.{step}" if self.path and not step.startswith("[") else f"{self.path}{step}"
        return replace(self, node=node, path=path)

    def text(self) -> str | None:
        """The scalar as written; None (and a fault) for a list, a mapping or nothing."""
        if isinstance(self.node, yaml.ScalarNode) and (self.node.value or self.is_quoted):
            return str(self.node.value)
        was = "a list" if isinstance(self.node, yaml.SequenceNode) else "a mapping" if self.is_mapping else "nothing"
        self.fault("not a single value", was=was, must_be="one value")
        return None

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_quoted(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.style in ("'", '"')

    def items(self, hint: str = "leave the key out if any is meant") -> list[Place]:
        """The entries of a list; an empty list is a fault, since a missing filter means any and an empty one means nothing."""
        if not isinstance(self.node, yaml.SequenceNode):
            self.fault("not a list", must_be="a list")
            return []
        if not self.node.value:
            self.fault("an empty list", must_be="at least one entry", next_step=hint)
        return [self.at(node, f"[{index}]") for index, node in enumerate(self.node.value)]

    def pairs(self) -> list[tuple[str, Place, Place]]:
        """(key, place of the key, place of the value) of a mapping; keys that come twice are faults."""
        if not isinstance(self.node, yaml.MappingNode):
            self.fault("not a mapping", must_be="keys with values")
            return []
        seen: dict[str, int] = {}
        found = []
        for key_node, value_node in self.node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            at_key = self.at(key_node, key)
            if key in seen:
                at_key.fault("this key is there twice", was=repr(key), must_be=f"once (first on line {seen[key]})")
                continue
            seen[key] = key_node.start_mark.line + 1
            found.append((key, at_key, self.at(value_node, key)))
        return found

    def fields(self, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Fields:
        """The values of a mapping with a known set of keys; unknown and missing keys are faults."""
        known = {*required, *optional}
        found = {}
        for key, at_key, value in self.pairs():
            if key in known:
                found[key] = value
            else:
                at_key.fault("unknown key", was=repr(key), next_step=close_match(key, known), code="unknown_key")
        if isinstance(self.node, yaml.MappingNode):
            for key in required:
                if key not in found:
                    self.fault(f"{key} is missing", must_be="given", code="missing_key")
        return Fields(self, found)

    def choice(self, allowed: Iterable[str]) -> str | None:
        """A text out of a known set."""
        names = list(allowed)
        text = self.text()
        if text is None or text in names:
            return text
        self.fault("not a known value", was=repr(text), must_be=" or ".join(names), next_step=_meant(text, names))
        return None

    def reference(self, names: Mapping[str, object] | set[str], what: str) -> str | None:
        """A name that is defined elsewhere in the version."""
        text = self.text()
        if text is None or text in names:
            return text
        self.fault(f"no such {what}", was=repr(text), next_step=close_match(text, names), code="unknown_name")
        return None


@dataclass(frozen=True, slots=True)
class Fields:
    """The known keys of a mapping that are there."""

    place: Place
    found: dict[str, Place]

    def get(self, key: str) -> Place | None:
        return self.found.get(key)

    def text(self, key: str, default: str = "") -> str:
        place = self.found.get(key)
        return default if place is None else (place.text() or default)


def compose_file(text: str, file: str, faults: list[Fault], must_be: str = "a tariff") -> Place | None:
    """The top node of a YAML text; None (and a fault) where it is no YAML or empty."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        faults.append(Fault(where, f"not YAML: {cause.problem}", next_step="check indentation and quotes", code="not_yaml"))
        return None
    except (yaml.YAMLError, RecursionError) as cause:
        faults.append(Fault(file, f"not YAML: {str(cause).splitlines()[0]}", code="not_yaml"))
        return None
    if node is None:
        faults.append(Fault(file, "the file is empty", must_be=must_be, code="not_yaml"))
        return None
    return Place(faults, file, node)
