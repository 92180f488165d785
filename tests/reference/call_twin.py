"""The slow, obvious twin of the call-record kernels: csv by hand, datetime, zoneinfo, re and int."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from ingest.call_columns import CALL_KINDS, CallLayout
from ingest.call_plans import BYTES_MAX, DURATION_MS_MAX, MESSAGES_MAX
from schemas.hashing import record_id_of, tenant_seed, text_words
from schemas.numbers import EMPTY_NUMBER, packed_number
from schemas.quantities import UsageKind
from schemas.reasons import Reason
from schemas.zones import instant_us, zone_of

LINE_BYTES_MAX = 4096
KEY_BYTES_MAX = 120
_FRACTION = r"(?:\.(?P<f>[0-9]{1,6}))?"
_SUFFIX = {"": "", "Z": "(?P<z>Z)", "%z": r"(?P<z>Z|[+-][0-9]{2}:?[0-9]{2})"}
_PIECES = {"%Y": "(?P<Y>[0-9]{4})"} | {f"%{letter}": f"(?P<{letter}>[0-9]{{2}})" for letter in "mdHMS"}


@dataclass(frozen=True)
class TwinRow:
    """One row, in the order and meaning of CallBatch's columns."""

    record_hi: int
    record_lo: int
    content_hash: int
    source_offset: int
    source_length: int
    kind: int
    served_number: int
    called_number: int
    start_at: int
    quantity: int
    status: int


def twin_rows(layout: CallLayout, tenant: str, text: bytes) -> list[TwinRow]:
    """All rows of a whole file."""
    offset = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    lines = text[offset:].split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    if layout.header_lines and lines:
        layout = layout.bound_to(lines[0].removesuffix(b"\r"))
    rows = []
    for number, line in enumerate(lines):
        content = line.removesuffix(b"\r")
        if number >= layout.header_lines and content:
            rows.append(_row(layout, tenant, content, offset))
        offset += len(line) + 1
    return rows


def _row(layout: CallLayout, tenant: str, line: bytes, offset: int) -> TwinRow:
    content_hash, seed = record_id_of(text_words(line))[0], tenant_seed(tenant)
    fault, fields = _fields(layout, line)
    faults, kind, served, called, start_at, quantity, key = {fault}, None, 0, 0, 0, 0, []
    if not fault:
        text = {column.target: fields[column.index] for column in layout.columns if column.index is not None}
        constants = [(column.target, column.constant) for column in layout.columns if column.constant is not None]
        text |= {target: constant.encode(layout.encoding) for target, constant in constants}
        kind = _kind(layout, text["kind"])
        faults.add(0 if kind is not None else Reason.BAD_KIND)
        number = _number(layout, text["served_number"])
        faults.add(0 if number is not None else Reason.BAD_IDENTIFIER)
        served = number or 0
        called, called_fault = _called(layout, text.get("called_number", b""), kind)
        start_at, start_fault = _start(layout, text["start_at"])
        quantity, quantity_faults = _quantity(layout, text, kind)
        key = [*text_words(text["node"]), *text_words(text["sequence"])]
        keys_are_good = all(_is_key(layout, text[target]) for target in ("node", "sequence"))
        faults |= {called_fault, start_fault, *quantity_faults, 0 if keys_are_good else Reason.BAD_IDENTIFIER}
        answered = layout.column("disposition")
        if answered is not None and text["disposition"] not in [value.encode(layout.encoding) for value, _ in answered.values]:
            faults.add(Reason.UNANSWERED)
        if quantity == 0:
            faults.add(Reason.ZERO_USAGE)
    status = min(faults - {0}, default=0)
    if status and status < Reason.UNANSWERED:
        hi, lo = record_id_of([content_hash, offset], seed=seed)
        return TwinRow(hi, lo, content_hash, offset, len(line), 255, EMPTY_NUMBER, EMPTY_NUMBER, 0, 0, int(status))
    assert kind is not None
    hi, lo = record_id_of([int(kind), *key, start_at, served], seed=seed)
    return TwinRow(hi, lo, content_hash, offset, len(line), int(kind), served, called, start_at, quantity, int(status))


def _fields(layout: CallLayout, line: bytes) -> tuple[int, list[bytes]]:
    if len(line) > LINE_BYTES_MAX:
        return Reason.LINE_TOO_LONG, []
    separator, quote = re.escape(layout.separator.encode()), re.escape(layout.quote.encode())
    fields = line.split(layout.separator.encode())
    if quote:
        field = b"(?:%b((?:[^%b]|%b%b)*)%b|([^%b%b]*))" % (quote, quote, quote, quote, quote, separator, quote)
        if not re.fullmatch(b"%b(?:%b%b)*" % (field, separator, field), line, re.DOTALL):
            return Reason.BAD_QUOTING, []
        raw = layout.quote.encode()
        found = re.finditer(b"(?:^|%b)%b" % (separator, field), line, re.DOTALL)
        fields = [match[2] if match[1] is None else match[1].replace(raw + raw, raw) for match in found]
    wrong = len(fields) != layout.fields if layout.fields is not None else len(fields) < layout.fields_needed
    return (Reason.BAD_FIELD_COUNT if wrong else 0), fields


def _kind(layout: CallLayout, text: bytes) -> UsageKind | None:
    column = layout.column("kind")
    assert column is not None
    if column.constant is not None:
        return CALL_KINDS[column.constant]
    labels = {value.encode(layout.encoding): label for value, label in column.values}
    return CALL_KINDS[labels[text]] if text in labels else None


def _is_key(layout: CallLayout, text: bytes) -> bool:
    if not 0 < len(text) <= KEY_BYTES_MAX or any(byte < 0x20 or byte == 0x7F for byte in text):
        return False
    try:
        text.decode(layout.encoding)
    except UnicodeDecodeError:
        return False
    return True


def _number(layout: CallLayout, text: bytes) -> int | None:
    rules, written = layout.number_rules, text.decode("latin-1")
    international = False
    if written.startswith("+"):
        written, international = written[1:], True
    elif rules.international_prefix and written.startswith(rules.international_prefix):
        written, international = written.removeprefix(rules.international_prefix), True
    elif rules.national_prefix and written.startswith(rules.national_prefix):
        rest = written.removeprefix(rules.national_prefix)
        if not re.fullmatch("[0-9]{1,15}", rest):
            return None
        written = rules.country_code + rest
    if not re.fullmatch("[0-9]{1,15}", written) or (international and written[0] == "0"):
        return None
    return packed_number(written)


def _called(layout: CallLayout, text: bytes, kind: UsageKind | None) -> tuple[int, int]:
    if text:
        number = _number(layout, text)
        return (0, Reason.BAD_IDENTIFIER) if number is None else (number, 0)
    return EMPTY_NUMBER, Reason.BAD_IDENTIFIER if kind in (UsageKind.VOICE, UsageKind.MESSAGE) else 0


def _start(layout: CallLayout, raw: bytes) -> tuple[int, int]:
    """(instant, fault)."""
    column = layout.column("start_at")
    assert column is not None
    text = raw.decode("latin-1")
    first, end = instant_us(datetime(1990, 1, 1, tzinfo=UTC)), instant_us(datetime(2060, 1, 1, tzinfo=UTC))
    if column.format.startswith("epoch"):
        unit = 1_000_000 if column.format == "epoch_s" else 1_000
        if not re.fullmatch("[0-9]{1,13}", text) or not first <= int(text) * unit < end:
            return 0, Reason.BAD_TIMESTAMP
        return int(text) * unit, 0
    suffix = next(suffix for suffix in ("%z", "Z", "") if column.format.endswith(suffix))
    pattern = re.escape(column.format.removesuffix(suffix)) if suffix else re.escape(column.format)
    for piece, regex in _PIECES.items():
        pattern = pattern.replace(re.escape(piece), regex)
    match = re.fullmatch(pattern + _FRACTION + _SUFFIX[suffix], text)
    if match is None:
        return 0, Reason.BAD_TIMESTAMP
    try:
        year, month, day, hour, minute, second = (int(match[letter]) for letter in "YmdHMS")
        naive = datetime(year, month, day, hour, minute, second, int((match["f"] or "").ljust(6, "0")))
    except ValueError:
        return 0, Reason.BAD_TIMESTAMP
    if not 1990 <= naive.year <= 2059:
        return 0, Reason.BAD_TIMESTAMP
    if suffix:
        return _with_offset(naive, match["z"])
    return _in_zone(layout, naive)


def _with_offset(naive: datetime, written: str) -> tuple[int, int]:
    instant = instant_us(naive.replace(tzinfo=UTC))
    if written == "Z":
        return instant, 0
    hours, minutes = int(written[1:3]), int(written[-2:])
    if minutes > 59 or hours * 60 + minutes > 14 * 60:
        return 0, Reason.BAD_TIMESTAMP
    ahead = timedelta(hours=hours, minutes=minutes) // timedelta(microseconds=1)
    return instant + ahead if written[0] == "-" else instant - ahead, 0


def _in_zone(layout: CallLayout, naive: datetime) -> tuple[int, int]:
    zone = zone_of(layout.zone)
    early, late = (naive.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early.astimezone(zone).replace(tzinfo=None) != naive:
        return 0, Reason.NONEXISTENT_LOCAL_TIME
    if early != late and layout.ambiguous == "reject":
        return 0, Reason.AMBIGUOUS_LOCAL_TIME
    return instant_us(late if layout.ambiguous == "later" else early), 0


def _quantity(layout: CallLayout, text: dict[str, bytes], kind: UsageKind | None) -> tuple[int, set[int]]:
    targets = {
        "duration": (UsageKind.VOICE, DURATION_MS_MAX),
        "messages": (UsageKind.MESSAGE, MESSAGES_MAX),
        "volume": (UsageKind.VOLUME, BYTES_MAX),
        "bytes_up": (UsageKind.VOLUME, BYTES_MAX),
        "bytes_down": (UsageKind.VOLUME, BYTES_MAX),
    }
    total = 1 if kind == UsageKind.MESSAGE and layout.column("messages") is None else 0
    faults: set[int] = set()
    for target, (own, most) in targets.items():
        column = layout.column(target)
        if column is None:
            continue
        written, scale = text[target].decode("latin-1"), 1000 if column.unit == "s" else 1
        if not written:
            faults.add(Reason.BAD_NUMBER if kind == own else 0)
        elif re.fullmatch("-[0-9]+", written):
            faults.add(Reason.NEGATIVE_QUANTITY)
        elif not re.fullmatch("[0-9]+", written):
            faults.add(Reason.BAD_NUMBER)
        elif len(written) > 16 or int(written) * scale > most:
            faults.add(Reason.QUANTITY_OUT_OF_RANGE)
        elif kind == own:
            total += int(written) * scale
    if total > BYTES_MAX:
        faults.add(Reason.QUANTITY_OUT_OF_RANGE)
    return total, faults
