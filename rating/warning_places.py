"""Where a part of a tariff stands in its file: values keep no positions, so warnings look theirs up by path."""

from __future__ import annotations

from dataclasses import dataclass, field

import yaml

from rating.language.tariff import TariffVersion
from rating.language.yaml_places import Place


@dataclass(frozen=True, slots=True)
class Places:
    """`where` of each node of a file by its path; a path that is not there stands where its nearest parent does."""

    by_path: dict[str, str] = field(default_factory=dict)

    def of(self, version: TariffVersion, *steps: str) -> str:
        """The place of a part of a version, such as `windows`, `peak`."""
        place, _, path = version.where.partition(" ")
        for count in range(len(steps), 0, -1):
            found = self.by_path.get(".".join([path, *steps[:count]]))
            if found:
                return found
        return f"{place} {path}".strip()


def places_of(top: Place | None) -> Places:
    """The places of all keys of mappings, and of the named entries of lists (`fees.Line rental`) by name as well."""
    found: dict[str, str] = {}
    waiting = [top] if top else []
    while waiting:
        place = waiting.pop()
        if isinstance(place.node, yaml.MappingNode):
            for key, value in place.node.value:
                name = str(key.value)
                at_key = place.at(key, name)
                found.setdefault(at_key.path, at_key.where)
                waiting.append(place.at(value, name))
        elif isinstance(place.node, yaml.SequenceNode):
            for index, node in enumerate(place.node.value):
                at_item = place.at(node, f"[{index}]")
                waiting.append(at_item)
                name = _name_of(node)
                if name:
                    found.setdefault(f"{place.path}.{name}", at_item.where)
    return Places(found)


def _name_of(node: yaml.Node) -> str:
    """The `name` or `item` of an entry of a list."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value in ("name", "item") and isinstance(value, yaml.ScalarNode):
                return str(value.value)
    return ""
