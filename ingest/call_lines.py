"""One line of separated fields, split by the same rules as the kernel, for headers and for people."""

from __future__ import annotations


def split_fields(line: str, separator: str, quote: str) -> list[str] | None:
    """The fields of a line without its ending, unquoted; None when its quoting is wrong.

    A field is quoted when it begins with the quote; a doubled quote inside stands for one; after the closing quote comes a
    separator or the end. A quote anywhere else is wrong. Without a quote character, every character stands for itself.
    """
    if not quote or quote not in line:
        return line.split(separator)
    fields: list[str] = []
    at = 0
    while True:
        if line.startswith(quote, at):
            text, at = _quoted_field(line, at + 1, quote)
            if at < 0 or (at < len(line) and line[at] != separator):
                return None
        else:
            end = line.find(separator, at)
            text, at = (line[at:], len(line)) if end < 0 else (line[at:end], end)
            if quote in text:
                return None
        fields.append(text)
        if at == len(line):
            return fields
        at += 1


def _quoted_field(line: str, at: int, quote: str) -> tuple[str, int]:
    """(text, position after the closing quote) of a field whose opening quote is before `at`; -1 when it never closes."""
    parts: list[str] = []
    while (end := line.find(quote, at)) >= 0:
        parts.append(line[at:end])
        if not line.startswith(quote, end + 1):
            return "".join(parts), end + 1
        parts.append(quote)
        at = end + 2
    return "", -1
