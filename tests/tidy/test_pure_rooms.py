"""Stage code knows no clock, randomness, environment, logging or I/O, has no float beside money, and compiles in one way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tidy.exceptions import COMPILERS, FLOATS, IMPURE
from tests.tidy.rules import direct_compilation, floats, impurities
from tests.tidy.tree import ROOMS, modules, tree_of

PURE = [path for path in modules("schemas", "ingest", "rating", "accounts", "settlement") if "adapters" not in path.parts]
FLOATLESS = [
    *modules("schemas", "ingest", "rating", "accounts", "settlement", "devices"),
    *(path for path in modules("meterline") if path.parts[1] in ("close", "pipeline", "demo")),
]


def _excused(path: Path, inside: str, kind: str) -> tuple[str, str] | None:
    """The entry of IMPURE that allows it, or None."""
    for entry in ((str(path), "*"), (str(path), inside)):
        if kind in IMPURE.get(entry, ()):
            return entry
    return None


def test_stage_code_is_pure() -> None:
    said, used = [], set()
    for path in PURE:
        for breach in impurities(tree_of(path)):
            kind = breach.what.partition(":")[0]
            excuse = _excused(path, breach.inside, kind)
            if excuse is None:
                said.append(
                    f"{path}:{breach.line}: {breach.what} in {breach.inside or 'the module'}; pass it in, or read in a loader"
                )
            else:
                used.add((excuse, kind))
    listed = {(entry, kind) for entry, kinds in IMPURE.items() for kind in kinds}
    said += [f"exceptions.IMPURE: {entry} {kind} is no longer needed" for entry, kind in sorted(listed - used)]
    assert not said, "\n".join(said)


def test_no_float_beside_money_and_quantity() -> None:
    found = {(str(path), breach.inside, breach.what): breach.line for path in FLOATLESS for breach in floats(tree_of(path))}
    said = [f"{place[0]}:{line}: {place[2]}" for place, line in sorted(found.items()) if place not in FLOATS]
    said += [f"exceptions.FLOATS: {entry} is no longer needed" for entry in sorted(FLOATS - found.keys())]
    assert not said, "\n".join(said)


@pytest.mark.parametrize("room", ROOMS)
def test_kernels_are_compiled_by_the_house_decorators(room: str) -> None:
    said = [
        f"{path}:{breach.line}: {breach.what}; use schemas.kernels"
        for path in modules(room)
        if str(path) not in COMPILERS
        for breach in direct_compilation(tree_of(path))
    ]
    assert not said, "\n".join(said)


def test_rooms_are_found_at_all() -> None:
    assert len(PURE) > 50
    assert {path.parts[0] for path in modules(*ROOMS)} == set(ROOMS)
