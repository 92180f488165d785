"""Tariffs and accounts as YAML text that a person reviews: short mappings on one line, amounts quoted, keys as given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

WIDTH = 128
_PLAIN = re.compile(
    r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*"  # words
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:]+Z)?"  # dates and instants
    r"|[0-9]+(\.[0-9]+)? [A-Za-z][A-Za-z/0-9]*"  # quantities
)
_WORDS_OF_YAML = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


def scalar_text(value: str | int | bool) -> str:
    """A scalar: numbers that are texts (amounts, prefixes, times) are quoted, words, dates and quantities are not."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    plain = _PLAIN.fullmatch(value) and value.lower() not in _WORDS_OF_YAML
    return value if plain else json.dumps(value, ensure_ascii=False)


def flow_text(value: object) -> str:
    """A value on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar_text(key)}: {flow_text(of)}" for key, of in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(flow_text(item) for item in value) + "]"
    assert isinstance(value, str | int)
    return scalar_text(value)


def yaml_text(value: Mapping[str, object]) -> str:
    """A document of mappings, sequences, texts and integers; what fits on a line and holds no block is written on one."""
    return "\n".join(_block(value, 0)) + "\n"


def _block(value: object, depth: int) -> list[str]:
    pad = "  " * depth
    lines: list[str] = []
    if isinstance(value, Mapping):
        for key, of in value.items():
            head = f"{pad}{scalar_text(str(key))}:"
            lines += [f"{head} {flow_text(of)}"] if _fits(of, len(head) + 1, depth) else [head, *_block(of, depth + 1)]
    elif isinstance(value, Sequence):
        if all(isinstance(item, str | int) for item in value):
            return _wrapped([scalar_text(item) for item in value], pad)
        for item in value:
            if _fits(item, len(pad) + 2, depth):
                lines.append(f"{pad}- {flow_text(item)}")
            else:
                inner = _block(item, depth + 1)
                lines += [f"{pad}- {inner[0].strip()}", *inner[1:]]
    return lines


def _wrapped(words: list[str], pad: str) -> list[str]:
    """A long list of scalars: lines of one flow sequence."""
    lines = [pad + "["]
    line = ""
    for word in words:
        if line and len(pad) + 2 + len(line) + len(word) + 2 > WIDTH:
            lines.append(f"{pad}  {line}")
            line = ""
        line += f"{word}, " if not line else f"{word}, "
    return [*lines, f"{pad}  {line.removesuffix(', ')}", pad + "]"]


def _fits(value: object, used: int, depth: int) -> bool:
    """Whether a value goes on one line: scalars always, lists of mappings and the upper levels never."""
    if isinstance(value, str | int):
        return True
    if isinstance(value, Mapping) and depth == 0:
        return False
    if isinstance(value, Sequence) and any(isinstance(item, Mapping) for item in value):
        return False
    if isinstance(value, Mapping) and any(_deep(of) for of in value.values()):
        return False
    return used + len(flow_text(value)) <= WIDTH


def _deep(value: object) -> bool:
    """Mappings within mappings within mappings, or lists of mappings: unreadable on one line."""
    if isinstance(value, Mapping):
        return any(isinstance(of, Mapping) for of in value.values())
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(item, Mapping) for item in value)
