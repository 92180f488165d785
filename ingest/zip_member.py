"""The one file inside a zip archive, taken out under caps: what arrives from outside must not blow up memory or time.

Meter data providers exchange each file zipped alone. Everything else that an archive can be (several members, archives within,
encrypted, a bomb) is refused with its cause. Offsets recorded for a zipped source count in the member, not in the archive.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

from schemas.errors import Fault, RefusedFileError

MEMBER_BYTES_MAX = 1 << 30
RATIO_MAX = 100
RATIO_FREE_BYTES = 1 << 20  # below this a ratio proves nothing: a month of a vacant meter packs 130 to 1, and it is harmless
_CHUNK_BYTES = 1 << 20
_ENCRYPTED = 0x1 | 0x40
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_NESTED_STARTS = (*_ZIP_STARTS, b"\x1f\x8b", b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07", b"BZh", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd")
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, RuntimeError, ValueError)


def is_zip(raw: bytes) -> bool:
    """Whether the bytes begin as a zip archive does (an empty or spanned one too)."""
    return raw[:4] in _ZIP_STARTS


def open_single_member(raw: bytes, name: str) -> tuple[str, bytes]:
    """The name and the content of the only member of an archive.

    Args:
        raw: the whole archive.
        name: what to call the archive in an error.
    Returns: (member name as the archive gives it, content). The name comes from outside: show it, never open it as a path.
    Raises: RefusedFileError naming the archive and the cause: not readable as a zip, no or several members, a folder, encrypted,
        a compression other than stored or deflate, larger than 1 GiB, more than 100 times its packed size (counted from 1 MiB
        on), an archive inside the archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            member = _single_member(archive, name, len(raw))
            content = _read_capped(archive, member, name)
    except _BROKEN as cause:
        raise _refused(
            name, "cannot be read as a zip archive", str(cause), "an undamaged zip archive", "broken_archive"
        ) from cause
    if content.startswith(_NESTED_STARTS):
        raise _refused(f"{name}: {member.filename}", "is an archive inside an archive", "", "a plain text file", "nested_archive")
    return member.filename, content


def _single_member(archive: zipfile.ZipFile, name: str, raw_bytes: int) -> zipfile.ZipInfo:
    members = archive.infolist()
    if len(members) != 1:
        raise _refused(name, "wrong number of files in the archive", str(len(members)), "exactly 1", "archive_members")
    member = members[0]
    inside = f"{name}: {member.filename}"
    if member.is_dir():
        raise _refused(inside, "is a folder", "", "a file", "archive_members")
    if member.flag_bits & _ENCRYPTED:
        raise _refused(inside, "is encrypted", "", "unencrypted", "encrypted_archive")
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _refused(
            inside, "unknown compression", f"method {member.compress_type}", "stored or deflate", "archive_compression"
        )
    if member.file_size > MEMBER_BYTES_MAX:
        raise _refused(inside, "is too large", f"{member.file_size} bytes", f"at most {MEMBER_BYTES_MAX} bytes", "archive_size")
    packed_bytes = min(member.compress_size, raw_bytes)
    if member.file_size > max(RATIO_FREE_BYTES, RATIO_MAX * packed_bytes):
        was, must_be = f"{member.file_size} bytes out of {packed_bytes}", f"at most {RATIO_MAX} times as many"
        raise _refused(inside, "expands suspiciously", was, must_be, "archive_ratio")
    return member


def _read_capped(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> bytes:
    """The content, never more than the directory of the archive declared (which was checked), in bounded steps."""
    parts: list[bytes] = []
    size = 0
    with archive.open(member) as source:
        while part := source.read(_CHUNK_BYTES):
            size += len(part)
            if size > member.file_size:
                raise _refused(
                    f"{name}: {member.filename}", "is longer than declared", "", f"{member.file_size} bytes", "archive_size"
                )
            parts.append(part)
    if size != member.file_size:
        was, must_be = f"{size} bytes", f"{member.file_size} bytes"
        raise _refused(f"{name}: {member.filename}", "is shorter than declared", was, must_be, "archive_size")
    return b"".join(parts)


def _refused(where: str, what: str, was: str, must_be: str, code: str) -> RefusedFileError:
    next_step = "ask the sender for the file as a zip of exactly this one file, or drop it unzipped"
    return RefusedFileError(Fault(where, what, was=was, must_be=must_be, next_step=next_step, code=code))
