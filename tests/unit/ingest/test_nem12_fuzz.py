"""Damaged NEM12 files: always a result or a refusal, and always the same verdict as the slow twin's."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from ingest.nem12 import read_nem12, to_table
from ingest.zip_member import open_single_member
from schemas.errors import RefusedFileError
from tests.reference.nem12_twin import TwinRefusedError, content_hash, read_twin, row_of

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "nem12"
ROUNDS = 400
ROUNDS_LONG = 40_000
PIECES = [b",", b"\n", b"\r", b"\r\n", b'"', b'""', b'"a,b"', b"V", b"N", b"A", b"S14", b"-", b".", b"9" * 20, b"0.0000001",
          b"\xff", b"\x00", b"400,1,48,A,,\r\n", b"300,", b"200,", b"900\r\n", b"\n\n", b"250,", b"24", b" "]  # fmt: skip
OWN = (
    b"100,NEM12,200405011135,MDA1,Ret1\n200,VABD000163,E1Q1,1,E1,N1,METSER123,kWh,60,\n"
    b"300,20040201," + b"1.111," * 24 + b"V,,,20040202120025,\n400,1,20,A,,\n400,21,24,S14,76,\"Comms, fault\"\n"
    b"300,20040202," + b"1," * 20 + b",,,2.5,N,,,,\n500,N,,20040202,1\n900\n"
)  # fmt: skip


def samples() -> list[bytes]:
    """One file of our own, and the real ones that are at hand."""
    paths = sorted([*FOLDER.glob("*.zip"), *FOLDER.glob("*.ZIP")])
    found = [open_single_member(path.read_bytes(), path.name)[1] for path in paths]
    return [OWN, *found, *(path.read_bytes() for path in sorted(FOLDER.glob("invalid/*.csv")))]


def mutated(text: bytes, rng: random.Random) -> bytes:
    """A few random damages; the seed that made `rng` is the whole recipe."""
    raw = bytearray(text)
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(raw) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            raw[at : at + rng.randint(1, 8)] = b""
        elif kind == 1:
            raw[at:at] = rng.choice(PIECES)
        elif kind == 2:
            raw[at : at + 1] = bytes([rng.randrange(256)])
        elif kind == 3:
            lines = raw.split(b"\n")
            here, there = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[here], lines[there] = lines[there], lines[here]
            raw = bytearray(b"\n".join(lines))
        else:
            del raw[at:]
    return bytes(raw)


def verdict(text: bytes) -> list[dict[str, object]] | None:
    try:
        return list(to_table(read_nem12(text, file_name="fuzz.csv", tenant="t")).to_pylist())
    except RefusedFileError as refused:
        assert refused.faults, "a refusal says why"
        assert all(str(fault).startswith("fuzz.csv") for fault in refused.faults)
        return None


def twin_verdict(text: bytes) -> list[dict[str, object]] | None:
    try:
        days = read_twin(text)
    except TwinRefusedError:
        return None
    rows = [row_of(day, "t") for day in days]
    for day, row in zip(days, rows, strict=True):
        row["content_hash"] = content_hash(day, row)
    return rows


def check_rounds(first_seed: int, rounds: int) -> tuple[int, int]:
    """(accepted, refused) of damaged files, each judged by both readers."""
    texts = samples()
    counts = [0, 0]
    for seed in range(first_seed, first_seed + rounds):
        rng = random.Random(seed)
        text = mutated(rng.choice(texts), rng)
        found, expected = verdict(text), twin_verdict(text)
        if b'"' in text:  # a doubled quote hashes as it is written
            for row in [*(found or []), *(expected or [])]:
                del row["content_hash"]
        assert found == expected, f"seed {seed}"
        counts[found is None] += 1
    return counts[0], counts[1]


def test_damaged_files_are_read_or_refused_as_the_twin_does() -> None:
    if not FOLDER.exists():
        print(f"real NEM12 files are missing at {FOLDER.resolve()}: damaging the built-in file only")
    accepted, refused = check_rounds(20240115, ROUNDS)
    assert accepted > ROUNDS // 20
    assert refused > ROUNDS // 4


@pytest.mark.long
def test_many_damaged_files_are_read_or_refused_as_the_twin_does() -> None:
    accepted, refused = check_rounds(1_000_000, ROUNDS_LONG)
    assert min(accepted, refused) > ROUNDS_LONG // 20
