"""Sizes, names and docstrings of modules; what is too large today is listed and may only shrink."""

from __future__ import annotations

import ast

from tests.tidy.exceptions import LONG_FILES, LONG_FUNCTIONS
from tests.tidy.rules import BANNED_MODULES, FUNCTION_LINES_MAX, LINES_MAX, banned_in, banned_names, long_functions
from tests.tidy.tree import ROOMS, modules, text_of, tree_of


def test_no_file_is_long() -> None:
    lines = {str(path): len(text_of(path).splitlines()) for path in modules()}
    said = [
        f"{name}: {n} lines, at most {LONG_FILES.get(name, LINES_MAX)}"
        for name, n in lines.items()
        if n > LONG_FILES.get(name, LINES_MAX)
    ]
    said += [f"exceptions.LONG_FILES: {name} is no longer needed" for name in LONG_FILES if lines.get(name, 0) <= LINES_MAX]
    assert not said, "\n".join(said)


def test_no_function_is_long() -> None:
    long = {(str(path), breach.inside): int(breach.what) for path in modules() for breach in long_functions(tree_of(path))}
    said = [
        f"{name}: {function} has {lines} lines, at most {LONG_FUNCTIONS.get((name, function), FUNCTION_LINES_MAX)}"
        for (name, function), lines in long.items()
        if lines > LONG_FUNCTIONS.get((name, function), FUNCTION_LINES_MAX)
    ]
    said += [f"exceptions.LONG_FUNCTIONS: {entry} is no longer needed" for entry in LONG_FUNCTIONS if entry not in long]
    assert not said, "\n".join(said)


def test_each_module_says_what_it_is_for() -> None:
    """An empty `__init__.py` of tests and benchmarks has nothing to say; a room has."""
    said = [
        str(path)
        for path in modules()
        if not ast.get_docstring(tree_of(path)) and (tree_of(path).body or path.parts[0] in ROOMS or path.name != "__init__.py")
    ]
    assert not said, "no docstring: " + ", ".join(said)


def test_no_name_is_an_overloaded_word() -> None:
    said = [f"{path}:{breach.line}: {breach.what}" for path in modules() for breach in banned_names(tree_of(path))]
    said += [
        f"{path}: {part!r}"
        for path in modules()
        for part in (*path.parts[:-1], path.stem)
        if banned_in(part) or part in BANNED_MODULES
    ]
    assert not said, "\n".join(said)
