"""Telephone numbers as left-justified nibbles in a uint64, filled with F: 16 digits at most, leading zeros kept."""

from __future__ import annotations

DIGITS_MAX = 15  # E.164; the sixteenth nibble stays F, so that no number is all digits
EMPTY_NUMBER = 0xFFFFFFFFFFFFFFFF


def packed_number(digits: str) -> int:
    """The packed form of a digit string."""
    if len(digits) > DIGITS_MAX or not digits.isascii() or (digits and not digits.isdigit()):
        raise ValueError(f"not a number of at most {DIGITS_MAX} digits: {digits!r}")
    return int(digits.ljust(16, "f"), 16)


def number_text(packed: int) -> str:
    """The digits of a packed number."""
    return f"{packed & 0xFFFFFFFFFFFFFFFF:016x}".rstrip("f")
