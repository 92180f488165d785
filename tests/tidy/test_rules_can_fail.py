"""Each rule is shown planted breaches and innocent look-alikes: a rule that cannot fail proves nothing."""

from __future__ import annotations

import ast

import pytest

from tests.tidy.rules import Rule, banned_in, banned_names, direct_compilation, floats, impurities, long_functions

PLANTED: list[tuple[Rule, str, str]] = [
    # rule                  source                                           what is said
    (impurities,            "import time",                                   "clock: import time"),
    (impurities,            "from time import monotonic",                    "clock: import time"),
    (impurities,            "def f():\n    return datetime.now(UTC)",        "clock: .now()"),
    (impurities,            "day = datetime.date.today()",                   "clock: .today()"),
    (impurities,            "import random as r",                            "randomness: import random"),
    (impurities,            "x = np.random.default_rng(1)",                  "randomness: numpy.random"),
    (impurities,            "from os import environ",                        "environment: import os"),
    (impurities,            "def f():\n    import os.path",                  "environment: import os.path"),
    (impurities,            "import logging",                                "logging: import logging"),
    (impurities,            "print('x')",                                    "I/O: print()"),
    (impurities,            "x = open('x')",                                 "I/O: open()"),
    (impurities,            "x = Path('x').read_text()",                     "I/O: .read_text()"),
    (impurities,            "x = pl.read_csv(path)",                         "I/O: .read_csv()"),
    (floats,                "x = 0.5",                                       "float literal 0.5"),
    (floats,                "def f(x: float) -> int: ...",                   "float type float"),
    (floats,                "x = float(y)",                                  "float type float"),
    (floats,                "x = np.zeros(3, np.float64)",                   "float type float64"),
    (floats,                "x = frame.select(pl.col('a').cast(pl.Float64))", "float type Float64"),
    (floats,                "@kernel()\ndef f(a, b):\n    return a / b",     "`/` in a kernel is a float division"),
    (floats,                "@kernel('void(f8[:])')\ndef f(a): ...",         "float in signature 'void(f8[:])'"),
    (direct_compilation,    "@numba.njit\ndef f(): ...",                     "numba.njit"),
    (direct_compilation,    "from numba import jit",                         "numba.jit"),
    (long_functions,        "def f():\n" + "    x = 1\n" * 60,               "61"),
    (banned_names,          "class TariffManager: ...",                      "TariffManager: 'manager' says too many things"),
    (banned_names,          "def common_options(): ...",                     "common_options: 'common' says too many things"),
]  # fmt: skip

INNOCENT: list[tuple[Rule, str]] = [
    (impurities,            "now = 3\nfrom datetime import datetime\nx = datetime.fromisoformat(text)"),
    (impurities,            "x = self.calendar.today()"),
    (floats,                "x = 'float 0.5'\ny = a // b\nz = folder / 'name'"),
    (floats,                "@kernel('u8(u8[:])')\ndef f(a):\n    return a[0] // 2"),
    (direct_compilation,    "from schemas.kernels import kernel\nfrom numba.extending import intrinsic"),
    (long_functions,        "def f():\n" + "    x = 1\n" * 59),
    (banned_names,          "def process_id(): ...\ndef commonly(): ...\ncommon = 1"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "source", "says"), PLANTED)
def test_a_planted_breach_is_found(rule: Rule, source: str, says: str) -> None:
    assert [breach.what for breach in rule(ast.parse(source))] == [says]


@pytest.mark.parametrize(("rule", "source"), INNOCENT)
def test_an_innocent_one_is_left_alone(rule: Rule, source: str) -> None:
    assert rule(ast.parse(source)) == []


def test_a_breach_names_the_function_around_it() -> None:
    (breach,) = impurities(ast.parse("class A:\n    def f(self):\n        return open('x')"))
    assert (breach.line, breach.inside) == (3, "A.f")


@pytest.mark.parametrize(("name", "word"), [("file_utils", "utils"), ("HTTPHelper", "helper"), ("commonly", "")])
def test_names_are_split_into_words(name: str, word: str) -> None:
    assert banned_in(name) == word
