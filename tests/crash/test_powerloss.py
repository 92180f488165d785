"""The power-loss model as tables: a log, a policy, what is left."""

from __future__ import annotations

import pytest

from tests.crash.powerloss import Cut, Disk, Past, Policy, ReplayError, distinct_cuts, wrecks
from tests.crash.shim import Record
from tests.crash.trees import Blob, Tree, blob

ROOT = "/data"
START: Tree = {"kept": blob(b"old"), "sub": None}


def log(*steps: str) -> list[Record]:
    """Records from lines such as `C a`, `W a 0 text`, `T a 3`, `S a`, `S! a` (failed), `R a b`."""
    return [_record(number, step.split(" ")) for number, step in enumerate(steps)]


def _record(number: int, words: list[str]) -> Record:
    code, path = words[0], f"{ROOT}/{words[1]}".rstrip("/.")
    if code == "W":
        text = words[3].encode()
        return Record("W", number, path, "", int(words[2]), len(text), text)
    if code == "T":
        return Record("T", number, path, "", 0, int(words[2]), b"")
    if code == "M":
        return Record("M", -1, "", "", 0, len(words[1]), words[1].encode())
    if code in ("R", "X", "L"):
        flags = 2 if code == "X" else 0
        return Record("R" if code == "X" else code, number, path, f"{ROOT}/{words[2]}", flags, 0, b"")
    return Record(code[0], number, path, "", 0, -1 if code == "S!" else 0, b"")


def left(records: list[Record], policy: Policy) -> dict[str, str | None]:
    """The wreck as plain text."""
    disk = Disk(ROOT, START)
    for record in records:
        disk.apply(record)
    tree = disk.wreck(policy)
    return {
        name: entry.data.decode() if isinstance(entry, Blob) else entry
        for name, entry in tree.items()
    }


BASE = {"kept": "old", "sub": None}
PUT = ["C p", "W p 0 new", "S p", "R p kept", "S ."]
NEW = [*PUT[:2], "S p"]

CASES = [
    # log                                       none             bytes            names            both
    (["C a", "W a 0 x"],                        {"a": "x"},      {"a": ""},       {},              {}),
    (["C a", "W a 0 x", "S a"],                 {"a": "x"},      {"a": "x"},      {},              {}),
    (["C a", "W a 0 x", "S ."],                 {"a": "x"},      {"a": ""},       {"a": "x"},      {"a": ""}),
    (["C a", "W a 0 x", "S a", "S ."],          {"a": "x"},      {"a": "x"},      {"a": "x"},      {"a": "x"}),
    (["C a", "W a 2 x", "S a", "S ."],          {"a": "\0\0x"},  {"a": "\0\0x"},  {"a": "\0\0x"},  {"a": "\0\0x"}),
    (["W kept 3 er"],                           {"kept": "older"}, {},            {"kept": "older"}, {}),
    (["W kept 0 X"],                            {"kept": "Xld"}, {},              {"kept": "Xld"}, {}),
    (["W kept 0 X", "S kept"],                  {"kept": "Xld"}, {"kept": "Xld"}, {"kept": "Xld"}, {"kept": "Xld"}),
    (["T kept 1"],                              {"kept": "o"},   {},              {"kept": "o"},   {}),
    (["T kept 1", "S kept"],                    {"kept": "o"},   {"kept": "o"},   {"kept": "o"},   {"kept": "o"}),
    (["T kept 1", "T kept 3", "S kept"],        {"kept": "o\0\0"}, {"kept": "o\0\0"}, {"kept": "o\0\0"}, {"kept": "o\0\0"}),
    (["Z kept"],                                {"kept": ""},    {},              {"kept": ""},    {}),
    (["N kept"],                                {},              {},              {},              {}),
    (["U kept"],                                {"kept": ...},   {"kept": ...},   {},              {}),
    (["U kept", "S ."],                         {"kept": ...},   {"kept": ...},   {"kept": ...},   {"kept": ...}),
    (["D new"],                                 {"new": None},   {"new": None},   {},              {}),
    (["D new", "C new/a", "S new"],             {"new": None, "new/a": ""}, {"new": None, "new/a": ""}, {}, {}),
    (["D new", "C new/a", "S ."],               {"new": None, "new/a": ""}, {"new": None, "new/a": ""}, {"new": None}, {"new": None}),
    (PUT[:4],                                   {"kept": "new"}, {"kept": "new"}, {},              {}),
    (PUT,                                       {"kept": "new"}, {"kept": "new"}, {"kept": "new"}, {"kept": "new"}),
    ([*PUT[:2], *PUT[3:]],                      {"kept": "new"}, {"kept": ""},    {"kept": "new"}, {"kept": ""}),
    (["S .", "R kept sub/k", "S sub"],          {"kept": ..., "sub/k": "old"}, {"kept": ..., "sub/k": "old"}, {"sub/k": "old"}, {"sub/k": "old"}),
    (["L kept k", "S .", "U kept"],             {"kept": ..., "k": "old"}, {"kept": ..., "k": "old"}, {"k": "old"}, {"k": "old"}),
    (["C a", "S .", "W a 0 x", "X a kept"],     {"a": "old", "kept": "x"}, {"a": "old", "kept": ""}, {"a": "x"}, {"a": ""}),
    (["D d", "C d/a", "S d", "S .", "R d e"],   {"e": None, "e/a": ""}, {"e": None, "e/a": ""}, {"d": None, "d/a": ""}, {"d": None, "d/a": ""}),
    (["C a", "S .", "W a 0 x", "S! a"],         {"a": "x"},      {"a": ""},       {"a": "x"},      {"a": ""}),
    (["C a", "S .", "W a 0 x", "S! a", "S a"],  {"a": "x"},      {"a": "\0"},     {"a": "x"},      {"a": "\0"}),
    (["C a", "W a 0 x", "S! a", "W a 0 x", "S a"], {"a": "x"},   {"a": "x"},      {},              {}),
    (["C a", "C b-shm", "S ."],                 {"a": ""},       {"a": ""},       {"a": ""},       {"a": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "none", "bytes_", "names", "both"), CASES)
def test_what_a_cut_leaves(steps, none, bytes_, names, both):
    wanted = (none, bytes_, names, both)
    policies = (Policy.NONE, Policy.BYTES, Policy.NAMES, Policy.BOTH)
    for policy, changes in zip(policies, wanted, strict=True):
        expected = {name: text for name, text in {**BASE, **changes}.items() if text is not ...}
        assert left(log(*steps), policy) == expected, policy


def test_samples_lie_between_everything_and_nothing():
    """Each draw is repeatable; all unsynced choices are met; what is synced is never lost."""
    records = log("C a", "W a 0 x", "S a", "S .", "C b", "W b 0 y", "U kept")
    disk = Disk(ROOT, START)
    for record in records:
        disk.apply(record)
    seen = [disk.wreck(Policy.SAMPLED, f"{draw}") for draw in range(60)]
    assert seen == [disk.wreck(Policy.SAMPLED, f"{draw}") for draw in range(60)]
    assert all(tree["a"] == blob(b"x") for tree in seen)
    assert {"kept" in tree for tree in seen} == {True, False}
    contents = {entry.data for tree in seen if isinstance(entry := tree.get("b"), Blob)}
    assert contents == {b"", b"y", b"\0"}
    assert any("b" not in tree for tree in seen)


def test_a_rename_is_never_half_made():
    records = log("C p", "W p 0 new", "S p", "R p kept")
    disk = Disk(ROOT, START)
    for record in records:
        disk.apply(record)
    for draw in range(60):
        kept = disk.wreck(Policy.SAMPLED, f"{draw}")["kept"]
        assert kept in (blob(b"old"), blob(b"new"))


def test_equal_wrecks_are_run_once_and_marks_tell_them_apart():
    past = Past(ROOT, START, log("C a", "N a", "M told", "S a"), seed=0)
    cuts = distinct_cuts(past, (Policy.NONE, Policy.BOTH), draws=1)
    assert cuts == [Cut(0, Policy.NONE), Cut(1, Policy.NONE), Cut(3, Policy.NONE), Cut(3, Policy.BOTH)]
    assert [(cut.prefix, marks) for cut, _, marks in wrecks(past, cuts)] == [(0, 0), (1, 0), (3, 1), (3, 1)]


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("W nothing 0 x", "was never made"),
        ("R ../outside/a b", "lies outside"),
    ],
)
def test_a_log_that_does_not_fit_is_refused(step, words):
    record = log(step)[0]
    if ".." in record.path:
        record = Record("R", 0, "/outside/a", f"{ROOT}/b", 0, 0, b"")
    with pytest.raises(ReplayError, match=words):
        Disk(ROOT, START).apply(record)
