"""Archives from outside: one plain member comes out, everything else is refused with its cause."""

from __future__ import annotations

import io
import random
import struct
import tracemalloc
import zipfile

import pytest

from ingest.zip_member import MEMBER_BYTES_MAX, RATIO_FREE_BYTES, is_zip, open_single_member
from schemas.errors import RefusedFileError

SEED = 7


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def refusal(raw: bytes) -> str:
    with pytest.raises(RefusedFileError) as refused:
        open_single_member(raw, "a.zip")
    return str(refused.value)


def patched(raw: bytes, *, offset_local: int, offset_directory: int, value: int, form: str) -> bytes:
    """The archive with one header field changed in both places that state it."""
    changed = bytearray(raw)
    struct.pack_into(form, changed, offset_local, value)
    struct.pack_into(form, changed, raw.index(b"PK\x01\x02") + offset_directory, value)
    return bytes(changed)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_only_member_comes_out(method: int) -> None:
    raw = zipped(("NEM12#1#A#B.csv", b"100,NEM12\r\n900\r\n"), method=method)
    assert is_zip(raw)
    assert open_single_member(raw, "a.zip") == ("NEM12#1#A#B.csv", b"100,NEM12\r\n900\r\n")


def test_what_is_a_zip() -> None:
    assert is_zip(zipped())
    assert not is_zip(b"100,NEM12")
    assert not is_zip(b"PK")
    assert not is_zip(b"")


def test_refusals_name_archive_and_cause() -> None:
    plain = zipped(("a.csv", b"100\n" * 50))
    table = {
        "wrong number of files in the archive, was 0, must be exactly 1": zipped(),
        "wrong number of files in the archive, was 2, must be exactly 1": zipped(("a", b"1"), ("b", b"2")),
        "a.zip: folder/: is a folder": zipped(("folder/", b"")),
        "a.zip: b.zip: is an archive inside an archive": zipped(("b.zip", plain)),
        "a.zip: b.gz: is an archive inside an archive": zipped(("b.gz", b"\x1f\x8b\x08 and so on")),
        "a.zip: a.csv: is encrypted": patched(plain, offset_local=6, offset_directory=8, value=1, form="<H"),
        "a.zip: a.csv: unknown compression, was method 12": zipped(("a.csv", b"100"), method=zipfile.ZIP_BZIP2),
        "a.zip: cannot be read as a zip archive": plain[:-10],
        "a.zip: cannot be read as a zip archive, was Bad CRC-32": patched(
            plain, offset_local=14, offset_directory=16, value=7, form="<I"
        ),
        "a.zip: a.csv: is shorter than declared": patched(plain, offset_local=22, offset_directory=24, value=999, form="<I"),
    }
    for words, raw in table.items():
        assert words in refusal(raw)
        assert "ask the sender" in refusal(raw)


def test_a_declared_size_beyond_the_cap_is_refused_unread() -> None:
    plain = zipped(("a.csv", b"100\n" * 50))
    raw = patched(plain, offset_local=22, offset_directory=24, value=MEMBER_BYTES_MAX + 1, form="<I")
    assert f"is too large, was {MEMBER_BYTES_MAX + 1} bytes, must be at most {MEMBER_BYTES_MAX} bytes" in refusal(raw)


def test_a_bomb_is_refused_before_it_expands() -> None:
    raw = zipped(("a.csv", b"\0" * (40 << 20)))
    tracemalloc.start()
    assert "expands suspiciously" in refusal(raw)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 8 << 20


def test_a_bomb_that_understates_its_size_gives_no_more_than_it_said() -> None:
    raw = zipped(("a.csv", b"\0" * (16 << 20)))
    assert "cannot be read" in refusal(patched(raw, offset_local=22, offset_directory=24, value=1000, form="<I"))


def test_small_members_may_pack_well() -> None:
    vacant = b"300,20240101," + b"0.000," * 288 + b"A,,,,\r\n"
    content = vacant * 31
    assert len(content) < RATIO_FREE_BYTES
    assert open_single_member(zipped(("a.csv", content)), "a.zip")[1] == content


def test_damaged_archives_are_read_or_refused() -> None:
    plain = zipped(("a.csv", b"100,NEM12,200405011135,MDA1,Ret1\r\n900\r\n" * 20))
    print(f"seed {SEED}")
    rng = random.Random(SEED)
    refused = 0
    for _ in range(2000):
        raw = bytearray(plain)
        for _ in range(rng.randint(1, 4)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        try:
            open_single_member(bytes(raw[: rng.choice([len(raw), rng.randrange(len(raw))])]), "a.zip")
        except RefusedFileError:
            refused += 1
    assert refused > 500
