"""A bound call layout compiled to the flat numbers and tables that the kernels read.

The order of a plan's fields is compiled into the kernels, so this file counts as a kernel source of `schemas.kernels`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.call_columns import CALL_KINDS, CallLayout
from ingest.call_stamps import STAMP_FORMATS, LocalAxis, local_axis
from schemas.hashing import LANE_HI_SEED, LANE_LO_SEED, record_id_of, tenant_seed
from schemas.quantities import UsageKind

ABSENT = -1
VALUE_WORDS = 4
WORD_BYTES = 8
# The most that one record may hold: 31 days of call, a million messages, 64 TiB (reference: performance §6, the proof of ranges).
DURATION_MS_MAX = 31 * 86_400_000
MESSAGES_MAX = 1_000_000
BYTES_MAX = 2**46
_LIMITS = {UsageKind.VOICE: DURATION_MS_MAX, UsageKind.MESSAGE: MESSAGES_MAX, UsageKind.VOLUME: BYTES_MAX}
_QUANTITY_TARGETS = {
    "duration": UsageKind.VOICE,
    "messages": UsageKind.MESSAGE,
    "volume": UsageKind.VOLUME,
    "bytes_up": UsageKind.VOLUME,
    "bytes_down": UsageKind.VOLUME,
}


class NumberPrefixes(NamedTuple):
    """The number rules as words: the mask is 0 for a prefix that is not used; `country` is nibbles, left-justified."""

    international_mask: np.uint64
    international: np.uint64
    international_length: np.uint64
    national_mask: np.uint64
    national: np.uint64
    national_length: np.uint64
    country_length: np.uint64
    country: np.uint64


class CallPlan(NamedTuple):
    """One layout for one tenant. A field index of ABSENT means that a line does not hold it."""

    separator: np.uint8
    quote: np.uint8  # 0: no quoting
    fields: int  # exact number of fields of a line; 0: only at least `fields_needed`
    fields_needed: int
    is_utf8: bool
    node_field: int
    sequence_field: int
    kind_field: int
    served_field: int
    called_field: int
    start_field: int
    disposition_field: int
    node_text: npt.NDArray[np.uint8]  # the constant node, then eight zero bytes
    constant_kind: int
    kind_values: npt.NDArray[np.uint64]  # rows of (length, four words, kind)
    answered_values: npt.NDArray[np.uint64]  # rows of (length, four words, 1)
    quantity_columns: npt.NDArray[np.int64]  # rows of (field, kind, base units for one, most that may be written)
    default_messages: int
    bytes_max: int
    stamp_style: int
    stamp_suffix: int
    stamp_between: np.uint8
    axis: LocalAxis
    number_rules: NumberPrefixes
    seed_hi: npt.NDArray[np.uint64]  # state of the lane after tenant and kind; the last entry after the tenant alone
    seed_lo: npt.NDArray[np.uint64]


def call_plan(layout: CallLayout, tenant: str) -> CallPlan:
    """Compile a bound layout."""
    assert layout.is_bound, "columns by name are bound to a header first"
    stamp = STAMP_FORMATS[_column_format(layout)]
    node, kind, answered = layout.column("node"), layout.column("kind"), layout.column("disposition")
    assert node is not None and kind is not None, "a checked layout has node and kind"
    quantities = _quantity_columns(layout)
    return CallPlan(
        separator=np.uint8(ord(layout.separator)),
        quote=np.uint8(ord(layout.quote) if layout.quote else 0),
        fields=layout.fields or 0,
        fields_needed=layout.fields_needed,
        is_utf8=layout.encoding == "utf-8",
        node_field=_field(layout, "node"),
        sequence_field=_field(layout, "sequence"),
        kind_field=_field(layout, "kind"),
        served_field=_field(layout, "served_number"),
        called_field=_field(layout, "called_number"),
        start_field=_field(layout, "start_at"),
        disposition_field=_field(layout, "disposition"),
        node_text=_constant_text((node.constant or "").encode(layout.encoding)),
        constant_kind=int(CALL_KINDS[kind.constant]) if kind.constant is not None else ABSENT,
        kind_values=_value_table([(text.encode(layout.encoding), int(CALL_KINDS[label])) for text, label in kind.values]),
        answered_values=_value_table([(text.encode(layout.encoding), 1) for text, _ in (answered.values if answered else ())]),
        quantity_columns=quantities,
        default_messages=int(layout.column("messages") is None),
        bytes_max=BYTES_MAX,
        stamp_style=stamp.style,
        stamp_suffix=stamp.suffix,
        stamp_between=np.uint8(ord(stamp.between)),
        axis=local_axis(layout.zone, layout.ambiguous) if stamp.is_local else local_axis("UTC", "reject"),
        number_rules=_number_rules(layout),
        **_seeds(tenant),
    )


def _column_format(layout: CallLayout) -> str:
    column = layout.column("start_at")
    assert column is not None, "a checked layout has start_at"
    return column.format


def _field(layout: CallLayout, target: str) -> int:
    column = layout.column(target)
    return ABSENT if column is None or column.index is None else column.index


def _constant_text(text: bytes) -> npt.NDArray[np.uint8]:
    return np.frombuffer(text + bytes(WORD_BYTES), dtype=np.uint8)


def _value_table(values: list[tuple[bytes, int]]) -> npt.NDArray[np.uint64]:
    table = np.zeros((len(values), VALUE_WORDS + 2), dtype=np.uint64)
    for row, (text, code) in enumerate(values):
        padded = text.ljust(VALUE_WORDS * WORD_BYTES, b"\0")
        words = [int.from_bytes(padded[at : at + WORD_BYTES], "little") for at in range(0, len(padded), WORD_BYTES)]
        table[row] = [len(text), *words, code]
    return table


def _quantity_columns(layout: CallLayout) -> npt.NDArray[np.int64]:
    rows = []
    for target, kind in _QUANTITY_TARGETS.items():
        column = layout.column(target)
        if column is not None:
            scale = 1000 if column.unit == "s" else 1
            rows.append((column.index, int(kind), scale, _LIMITS[kind] // scale))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _number_rules(layout: CallLayout) -> NumberPrefixes:
    rules = layout.number_rules
    code = rules.country_code
    packed = int(code.ljust(16, "0"), 16) if code else 0
    words = [*_prefix(rules.international_prefix), *_prefix(rules.national_prefix), len(code), packed]
    return NumberPrefixes(*(np.uint64(word) for word in words))


def _prefix(digits: str) -> tuple[int, int, int]:
    """(mask, word, length) of a prefix; the mask is 0 when there is none."""
    return (1 << 8 * len(digits)) - 1, int.from_bytes(digits.encode(), "little"), len(digits)


def _seeds(tenant: str) -> dict[str, npt.NDArray[np.uint64]]:
    seed = tenant_seed(tenant)
    states = [*(record_id_of([int(kind)], seed=seed) for kind in CALL_KINDS.values()), record_id_of([], seed=seed)]
    assert [int(kind) for kind in CALL_KINDS.values()] == [0, 1, 2] and LANE_HI_SEED != LANE_LO_SEED, "kinds index the seeds"
    return {
        "seed_hi": np.array([hi for hi, _ in states], dtype=np.uint64),
        "seed_lo": np.array([lo for _, lo in states], dtype=np.uint64),
    }
