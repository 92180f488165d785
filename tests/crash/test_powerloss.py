"""The power-loss model as tables: a log, a policy, what is left."""

from __future__ import annotations

import pytest

from tests.crash.powerloss import Cut, Disk, Past, Policy, ReplayError, distinct_cuts, wrecks
from tests.crash.shim import Record
from tests.crash.trees import Blob, Tree, blob

ROOT = "/data"
START: Tree = {"kept": blob(b"old"), "sub": None}


def log(steps: str) -> list[Record]:
    """Records from `C a; W a 0 text; T a 3; S a; R a b; M text`; `S!` fails, `X` exchanges."""
    return [_record(number, step.split()) for number, step in enumerate(steps.split(";"))]


def _record(number: int, words: list[str]) -> Record:
    code, path = words[0], f"{ROOT}/{words[1]}".rstrip("/.")
    path2 = f"{ROOT}/{words[2]}" if code in "RXL" else ""
    offset = int(words[2]) if code == "W" else 2 if code == "X" else 0
    text = words[-1].encode() if code in "WM" else b""
    length = {"T": int(words[-1])} if code == "T" else {"S!": -1, "W": len(text), "M": len(text)}
    kind = {"X": "R", "S!": "S"}.get(code, code)
    return Record(kind, number, path, path2, offset, length.get(code, 0), text)


def replayed(steps: str) -> Disk:
    """The disk after the steps."""
    disk = Disk(ROOT, START)
    for record in log(steps):
        disk.apply(record)
    return disk


def shown(tree: Tree) -> set[str]:
    """`name=bytes` for a file, with ~ for zero bytes, and `name/` for a folder."""
    texts = {name: entry.data.decode() for name, entry in tree.items() if isinstance(entry, Blob)}
    files = {f"{name}={text}".replace("\0", "~") for name, text in texts.items()}
    return files | {f"{name}/" for name in tree if name not in texts}


# Each row: the log, then what lies there after a cut. Present at first: kept=old and sub/, which
# a row repeats only where it differs; `-kept` says that it is gone.
POLICIES = (Policy.NONE, Policy.BYTES, Policy.NAMES, Policy.BOTH)
CASES = [
    # log                                   none          bytes         names         both
    ("C a; W a 0 x",                        "a=x",        "a=",         "",           ""),
    ("C a; W a 0 x; S a",                   "a=x",        "a=x",        "",           ""),
    ("C a; W a 0 x; S .",                   "a=x",        "a=",         "a=x",        "a="),
    ("C a; W a 0 x; S a; S .",              "a=x",        "a=x",        "a=x",        "a=x"),
    ("C a; W a 2 x; S a; S .",              "a=~~x",      "a=~~x",      "a=~~x",      "a=~~x"),
    ("W kept 3 er",                         "kept=older", "",           "kept=older", ""),
    ("W kept 0 X",                          "kept=Xld",   "",           "kept=Xld",   ""),
    ("W kept 0 X; S kept",                  "kept=Xld",   "kept=Xld",   "kept=Xld",   "kept=Xld"),
    ("T kept 1",                            "kept=o",     "",           "kept=o",     ""),
    ("T kept 1; S kept",                    "kept=o",     "kept=o",     "kept=o",     "kept=o"),
    ("T kept 1; T kept 3; S kept",          "kept=o~~",   "kept=o~~",   "kept=o~~",   "kept=o~~"),
    ("Z kept",                              "kept=",      "",           "kept=",      ""),
    ("N kept",                              "",           "",           "",           ""),
    ("U kept",                              "-kept",      "-kept",      "",           ""),
    ("U kept; S .",                         "-kept",      "-kept",      "-kept",      "-kept"),
    ("D d",                                 "d/",         "d/",         "",           ""),
    ("D d; C d/a; S d",                     "d/ d/a=",    "d/ d/a=",    "",           ""),
    ("D d; C d/a; S .",                     "d/ d/a=",    "d/ d/a=",    "d/",         "d/"),
    ("D d; C d/a; S d; S .; R d e",         "e/ e/a=",    "e/ e/a=",    "d/ d/a=",    "d/ d/a="),
    ("C p; W p 0 new; S p; R p kept",       "kept=new",   "kept=new",   "",           ""),
    ("C p; W p 0 new; S p; R p kept; S .",  "kept=new",   "kept=new",   "kept=new",   "kept=new"),
    ("C p; W p 0 new; R p kept; S .",       "kept=new",   "kept=",      "kept=new",   "kept="),
    ("R kept sub/k; S sub",                 "-kept sub/k=old", "-kept sub/k=old",
                                                                        "sub/k=old",  "sub/k=old"),
    ("R kept sub/k; S .",                   "-kept sub/k=old", "-kept sub/k=old",
                                                                        "-kept",      "-kept"),
    ("L kept k; S .; U kept",               "-kept k=old", "-kept k=old", "k=old",    "k=old"),
    ("C a; S .; W a 0 x; X a kept",         "a=old kept=x", "a=old kept=", "a=x",     "a="),
    ("C a; S .; W a 0 x; S! a",             "a=x",        "a=",         "a=x",        "a="),
    ("C a; S .; W a 0 x; S! a; S a",        "a=x",        "a=~",        "a=x",        "a=~"),
    ("C a; W a 0 x; S! a; W a 0 x; S a",    "a=x",        "a=x",        "",           ""),
    ("C a; C b-shm; S .",                   "a=",         "a=",         "a=",         "a="),
]  # fmt: skip


def _expected(changes: str) -> set[str]:
    words = set(changes.split())
    replaced = {"kept=old"} if any(word.startswith(("kept=", "-kept")) for word in words) else set()
    return ({"kept=old", "sub/"} - replaced | words) - {"-kept"}


@pytest.mark.parametrize(("steps", "none", "bytes_", "names", "both"), CASES)
def test_what_a_cut_leaves(steps, none, bytes_, names, both):
    disk = replayed(steps)
    for policy, changes in zip(POLICIES, (none, bytes_, names, both), strict=True):
        assert shown(disk.wreck(policy)) == _expected(changes), policy


def test_samples_lie_between_everything_and_nothing():
    """Each draw is repeatable; all unsynced choices are met; what is synced is never lost."""
    disk = replayed("C a; W a 0 x; S a; S .; C b; W b 0 y; U kept")
    seen = [shown(disk.wreck(Policy.SAMPLED, f"{draw}")) for draw in range(60)]
    assert seen == [shown(disk.wreck(Policy.SAMPLED, f"{draw}")) for draw in range(60)]
    assert all("a=x" in tree for tree in seen)
    assert {"kept=old" in tree for tree in seen} == {True, False}
    texts_of_b = [next((word for word in tree if word.startswith("b=")), None) for tree in seen]
    assert {*texts_of_b} == {None, "b=", "b=y", "b=~"}


def test_a_rename_is_never_half_made():
    disk = replayed("C p; W p 0 new; S p; R p kept")
    for draw in range(60):
        wreck = disk.wreck(Policy.SAMPLED, f"{draw}")
        assert wreck["kept"] in (blob(b"old"), blob(b"new"))


def test_equal_wrecks_are_run_once_and_marks_tell_them_apart():
    past = Past(ROOT, START, log("C a; N a; M told; S a"), seed=0)
    cuts = distinct_cuts(past, (Policy.NONE, Policy.BOTH), draws=1)
    none, both = Policy.NONE, Policy.BOTH
    assert cuts == {Cut(0, none): 4, Cut(1, none): 2, Cut(3, none): 2, Cut(3, both): 2}
    found = [(cut.prefix, marks) for cut, _, marks in wrecks(past, list(cuts))]
    assert found == [(0, 0), (1, 0), (3, 1), (3, 1)]


OUTSIDE = Record("R", 0, "/outside/a", f"{ROOT}/b", 0, 0, b"")


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (log("W nothing 0 x")[0], "was never made"),
        (OUTSIDE, "lies outside"),
        (log("? a")[0], "unknown code"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(record, words):
    with pytest.raises(ReplayError, match=words):
        Disk(ROOT, START).apply(record)
