"""The declared shape of a call-record file: which column holds what, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ingest.call_layout_nodes import did_you_mean
from ingest.call_lines import split_fields
from schemas.errors import Fault, RefusedFileError
from schemas.quantities import UsageKind

CALL_KINDS = {kind.label: kind for kind in (UsageKind.VOICE, UsageKind.MESSAGE, UsageKind.VOLUME)}
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class CallColumn:
    """Where one target's text stands, and how it is written. Exactly one of index, name and constant is given.

    `format` is for start_at; `unit` for quantities; `values` maps texts to kinds, or the answered dispositions to "answered".
    """

    target: str
    index: int | None = None
    name: str | None = None
    constant: str | None = None
    format: str = ""
    unit: str = ""
    values: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class NumberRules:
    """How a written number becomes international: prefixes as digits; empty where the rule is not used."""

    international_prefix: str = ""
    national_prefix: str = ""
    country_code: str = ""


@dataclass(frozen=True, slots=True)
class CallLayout:
    """One checked layout. `fields` is the exact number of fields of a line, None when only the needed ones are asked for."""

    layout: str
    columns: tuple[CallColumn, ...]
    separator: str = ","
    quote: str = ""
    header_lines: int = 0
    encoding: str = "utf-8"
    zone: str = "UTC"
    ambiguous: str = "reject"
    fields: int | None = None
    number_rules: NumberRules = NumberRules()
    digest: str = ""  # SHA-256 of the file, for the pins of a bill run

    def column(self, target: str) -> CallColumn | None:
        """The column of a target, None when the layout has none."""
        return next((column for column in self.columns if column.target == target), None)

    @property
    def is_bound(self) -> bool:
        """Whether every column that a line holds has its index."""
        return all(column.index is not None or column.constant is not None for column in self.columns)

    @property
    def fields_needed(self) -> int:
        """One more than the highest field index in use."""
        return max(column.index for column in self.columns if column.index is not None) + 1

    @property
    def kinds(self) -> tuple[UsageKind, ...]:
        """The kinds that a line of this layout can have."""
        column = self.column("kind")
        assert column is not None, "a checked layout has a kind"
        labels = [column.constant] if column.constant is not None else [label for _, label in column.values]
        return tuple(kind for label, kind in CALL_KINDS.items() if label in labels)

    def bound_to(self, header_line: bytes) -> CallLayout:
        """The layout with columns by name resolved in a header line, and the field count that the header shows.

        A layout without header lines is returned as it is. Where all columns go by index, a first line with fewer fields than
        needed is a title, and lines are then not held to a count. Raises RefusedFileError when a named column is missing or
        there twice.
        """
        if not self.header_lines:
            return self
        line = header_line.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n").decode(self.encoding, "replace")
        names = [name.strip() for name in split_fields(line, self.separator, self.quote) or [line]]
        faults = [fault for column in self.columns if (fault := self._header_fault(column, names))]
        if faults:
            raise RefusedFileError(faults)
        places = [names.index(column.name) if column.name is not None else column.index for column in self.columns]
        columns = tuple(replace(column, index=index) for column, index in zip(self.columns, places, strict=True))
        bound = replace(self, columns=columns)
        counted = bound.fields if bound.fields is not None else len(names)
        return replace(bound, fields=counted if counted >= bound.fields_needed else None)

    def _header_fault(self, column: CallColumn, names: list[str]) -> Fault | None:
        if column.name is None or names.count(column.name) == 1:
            return None
        twice = column.name in names
        return Fault(
            f"header line of {self.layout}",
            f"column {column.name!r} (for {column.target}) is {'there twice' if twice else 'missing'}",
            was=", ".join(names[:40]),
            must_be="there once",
            next_step=did_you_mean(column.name, names) if not twice else "",
            code="bad_header",
        )
