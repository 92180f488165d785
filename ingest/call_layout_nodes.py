"""Reading a layout file's YAML tree: typed access that gathers every fault with its file, line and column."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches

import yaml

from schemas.errors import ConfigurationError, Fault


def did_you_mean(unknown: str, known: Collection[str]) -> str:
    """A closing hint for an unknown name, or nothing."""
    close = get_close_matches(unknown, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


class LayoutNodes:
    """One YAML file's nodes. Readers return None after they noted a fault, so that reading goes on to the next one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._faults: list[tuple[int, int, Fault]] = []

    @property
    def faults(self) -> list[Fault]:
        """What is wrong so far, in the order of the file."""
        return [fault for _, _, fault in sorted(self._faults, key=lambda placed: placed[:2])]

    def root(self, text: str) -> yaml.Node:
        """The tree of the file; raises ConfigurationError where it is not YAML."""
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as cause:
            mark = cause.problem_mark or cause.context_mark
            where = f"{self.path}:{mark.line + 1}:{mark.column + 1}" if mark else self.path
            raise ConfigurationError(Fault(where, f"not YAML: {cause.problem}", code="bad_yaml")) from cause
        except yaml.YAMLError as cause:
            raise ConfigurationError(Fault(self.path, f"not YAML: {str(cause).splitlines()[0]}", code="bad_yaml")) from cause
        if node is None:
            raise ConfigurationError(Fault(f"{self.path}:1:1", "empty file", must_be="a call layout", code="bad_yaml"))
        return node

    def fault(self, node: yaml.Node, what: str, *, was: str = "", must_be: str = "", next_step: str = "", code: str) -> None:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        self._faults.append((line, column, Fault(f"{self.path}:{line}:{column}", what, was, must_be, next_step, code)))

    def mapping(self, node: yaml.Node, name: str, known: Collection[str]) -> dict[str, yaml.Node]:
        """The entries of a mapping; unknown and repeated keys are faults and left out."""
        if not isinstance(node, yaml.MappingNode):
            self.fault(node, f"{name}: not a mapping", must_be="`key: value` entries", code="bad_type")
            return {}
        entries: dict[str, yaml.Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value not in known:
                was = key.value if isinstance(key, yaml.ScalarNode) else "a mapping or list"
                hint = did_you_mean(was, known) if isinstance(key, yaml.ScalarNode) else ""
                must_be = "one of " + ", ".join(known)
                self.fault(key, f"{name}: unknown key", was=repr(was), must_be=must_be, next_step=hint, code="unknown_key")
            elif key.value in entries:
                self.fault(key, f"{name}: key given twice", was=repr(key.value), must_be="given once", code="repeated_key")
            else:
                entries[key.value] = value
        return entries

    def text(self, node: yaml.Node, name: str) -> str | None:
        if isinstance(node, yaml.ScalarNode):
            return str(node.value)
        self.fault(node, f"{name}: not a single value", was="a mapping or list", must_be="a text", code="bad_type")
        return None

    def integer(self, node: yaml.Node, name: str, low: int, high: int) -> int | None:
        """A whole number of `low` to `high`, both inclusive."""
        text = self.text(node, name)
        if text is None:
            return None
        if text.isascii() and text.isdigit() and len(text) < 10 and low <= int(text) <= high:
            return int(text)
        must_be = f"a whole number from {low} to {high}"
        self.fault(node, f"{name}: not such a number", was=repr(text), must_be=must_be, code="bad_value")
        return None

    def choice(self, node: yaml.Node, name: str, choices: Collection[str]) -> str | None:
        text = self.text(node, name)
        if text is None or text in choices:
            return text
        must_be = "one of " + ", ".join(choices)
        hint = did_you_mean(text, choices)
        self.fault(node, f"{name}: unknown value", was=repr(text), must_be=must_be, next_step=hint, code="bad_value")
        return None

    def texts(self, node: yaml.Node, name: str) -> list[tuple[str, yaml.Node]]:
        """One text or a list of texts, each with its node."""
        members = node.value if isinstance(node, yaml.SequenceNode) else [node]
        read = [(self.text(member, name), member) for member in members]
        return [(text, member) for text, member in read if text is not None]
