"""The rules as functions: syntax tree in, breaches out. They read no file, so that each can be shown a planted breach."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

LINES_MAX = 450
FUNCTION_LINES_MAX = 60
BANNED_WORDS = frozenset({"transaction", "transactions", "manager", "managers", "utils", "util", "helper", "helpers", "common"})
BANNED_MODULES = frozenset({"data", "info", "process", "handle", "event", "session"})  # fine as part of a name

IMPURE_IMPORTS = {
    "time": "clock",
    "random": "randomness",
    "secrets": "randomness",
    "uuid": "randomness",
    "os": "environment",
    "sys": "environment",
    "logging": "logging",
    "socket": "I/O",
    "subprocess": "I/O",
    "shutil": "I/O",
    "tempfile": "I/O",
    "mmap": "I/O",
    "glob": "I/O",
    "urllib": "I/O",
    "http": "I/O",
    "sqlite3": "I/O",
}
CLOCK_CALLS = frozenset({"now", "utcnow", "today"})  # of datetime and date
CLOCK_OWNERS = frozenset({"datetime", "date", "dt"})
IO_NAMES = frozenset({"open", "print", "input"})
IO_METHODS = frozenset(
    {
        *("open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir", "touch"),
        *("is_file", "exists", "stat", "iterdir", "glob", "rglob", "resolve", "cwd", "home"),
        *(
            "read_csv",
            "read_parquet",
            "read_ipc",
            "read_ndjson",
            "read_json",
            "read_table",
            "scan_csv",
            "scan_parquet",
            "scan_ipc",
        ),
        *(
            "sink_csv",
            "sink_parquet",
            "write_csv",
            "write_parquet",
            "write_ipc",
            "write_table",
            "memory_map",
            "memmap",
            "fromfile",
        ),
    }
)
FLOAT_NAMES = frozenset({"float", "float64", "float32", "float16", "Float64", "Float32", "float_", "double", "longdouble"})
FLOAT_SIGNATURE = re.compile(r"\b[fd][48]?\b.*\(|\([^)]*\bf[48]\b")
JIT_NAMES = frozenset({"njit", "jit", "vectorize", "guvectorize", "cfunc", "generated_jit", "stencil"})
KERNEL_DECORATORS = frozenset({"kernel", "inline_kernel", "tight_kernel", "borrowing_kernel", "borrowing_part"})


@dataclass(frozen=True, order=True, slots=True)
class Breach:
    """One breach: the line, what was found, and the functions and classes around it, outermost first, joined by dots."""

    line: int
    what: str
    inside: str = ""


Rule = Callable[[ast.Module], list[Breach]]


@functools.lru_cache(maxsize=1024)
def _walk(tree: ast.Module) -> tuple[tuple[ast.AST, str], ...]:
    """Every node below in source order, with the dotted name of what encloses it; a signature counts as inside its function."""
    found = []
    waiting: list[tuple[ast.AST, str]] = [(child, "") for child in reversed(tree.body)]
    while waiting:
        node, inside = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inside = f"{inside}.{node.name}" if inside else node.name
        found.append((node, inside))
        waiting += [(child, inside) for child in reversed(list(ast.iter_child_nodes(node)))]
    return tuple(found)


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module and not node.level else []


def _last_name(node: ast.AST) -> str:
    """`x` of `x`, `a.x` and `a.x(...)`, else empty."""
    if isinstance(node, ast.Call):
        return _last_name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def impurities(tree: ast.Module) -> list[Breach]:
    """Clock, randomness, environment, logging and I/O: by import, and by the calls that need no import of their own."""
    found = []
    for node, inside in _walk(tree):
        for name in _imports(node):
            if name.split(".")[0] in IMPURE_IMPORTS:
                found.append(Breach(node.lineno, f"{IMPURE_IMPORTS[name.split('.')[0]]}: import {name}", inside))
        if isinstance(node, ast.Attribute) and node.attr == "random" and _last_name(node.value) in ("np", "numpy"):
            found.append(Breach(node.lineno, "randomness: numpy.random", inside))
        if isinstance(node, ast.Call):
            name = _last_name(node.func)
            if isinstance(node.func, ast.Name) and name in IO_NAMES:
                found.append(Breach(node.lineno, f"I/O: {name}()", inside))
            elif isinstance(node.func, ast.Attribute) and name in IO_METHODS:
                found.append(Breach(node.lineno, f"I/O: .{name}()", inside))
            elif isinstance(node.func, ast.Attribute) and name in CLOCK_CALLS and _last_name(node.func.value) in CLOCK_OWNERS:
                found.append(Breach(node.lineno, f"clock: .{name}()", inside))
    return found


def floats(tree: ast.Module) -> list[Breach]:
    """Float literals, the names of float types, float kernel signatures, and `/` between numbers in a kernel."""
    found = []
    kernels = {
        inside
        for node, inside in _walk(tree)
        if isinstance(node, ast.FunctionDef) and any(_last_name(each) in KERNEL_DECORATORS for each in node.decorator_list)
    }
    for node, inside in _walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, float | complex):
            found.append(Breach(node.lineno, f"float literal {node.value}", inside))
        elif isinstance(node, ast.Name | ast.Attribute) and _last_name(node) in FLOAT_NAMES:
            found.append(Breach(node.lineno, f"float type {_last_name(node)}", inside))
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and inside in kernels:
            found.append(Breach(node.lineno, "`/` in a kernel is a float division", inside))
        elif isinstance(node, ast.Call) and _last_name(node) in KERNEL_DECORATORS:
            texts = [arg.value for arg in node.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
            found += [
                Breach(node.lineno, f"float in signature {text!r}", inside) for text in texts if FLOAT_SIGNATURE.search(text)
            ]
    return found


def direct_compilation(tree: ast.Module) -> list[Breach]:
    """numba's decorators used by name: only schemas.kernels may, because it names the cache by the kernels' sources."""
    found = []
    for node, inside in _walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba":
            found += [Breach(node.lineno, f"numba.{a.name}", inside) for a in node.names if a.name in JIT_NAMES]
        elif isinstance(node, ast.Attribute) and node.attr in JIT_NAMES and _last_name(node.value) in ("numba", "nb"):
            found.append(Breach(node.lineno, f"numba.{node.attr}", inside))
    return found


def long_functions(tree: ast.Module) -> list[Breach]:
    """Functions of more than FUNCTION_LINES_MAX lines, decorators not counted; `what` is the number of lines."""
    return [
        Breach(node.lineno, str(lines), inside)
        for node, inside in _walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > FUNCTION_LINES_MAX
    ]


def words_of(name: str) -> list[str]:
    """The words of an identifier, lower case: `HTTPLink`, `httpLink` and `http_link` are http, link."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def banned_in(name: str) -> str:
    """The banned word in a name, or empty."""
    return next((word for word in words_of(name) if word in BANNED_WORDS), "")


def banned_names(tree: ast.Module) -> list[Breach]:
    """Classes and functions whose name holds an overloaded word."""
    return [
        Breach(node.lineno, f"{node.name}: {banned_in(node.name)!r} says too many things", inside)
        for node, inside in _walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and banned_in(node.name)
    ]
