"""The slow, obvious reader of NEM12 files: csv, Decimal and datetime, one record at a time. `ingest.nem12` must agree with it."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal, localcontext

from schemas.channels import ChannelRole
from schemas.hashing import record_id_of, tenant_seed, text_words
from schemas.quality import Quality
from schemas.quantities import INT64_MAX, METER_UNITS, UsageKind
from schemas.reasons import Reason

CLOCK = timezone(timedelta(hours=10))
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER = re.compile(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)")
FLAG = re.compile(r"[ASFNEV]([0-9][0-9])?")
RANKS = {
    "A": Quality.ACTUAL,
    "F": Quality.FINAL_SUBSTITUTED,
    "S": Quality.SUBSTITUTED,
    "E": Quality.ESTIMATED,
    "N": Quality.NULL,
}
FOLLOWS = {
    "": {"100"},
    "100": {"200", "900"},
    "200": {"200", "300", "900"},
    "300": {"200", "300", "400", "500", "550", "900"},
    "400": {"200", "300", "400", "500", "550", "900"},
    "500": {"200", "300", "500", "550", "900"},
    "550": {"200", "300", "500", "550", "900"},
    "900": set(),
}


class TwinRefusedError(Exception):
    """The file is invalid."""


def need(condition: bool, what: str) -> None:
    if not condition:
        raise TwinRefusedError(what)


@dataclass
class TwinChannel:
    metering_point_id: str
    suffix: str
    meter_serial: str
    unit: str
    minutes: int

    @property
    def scale(self) -> int | None:
        known = METER_UNITS.get(self.unit.lower())
        return known[1] if known else None

    @property
    def kind(self) -> UsageKind:
        known = METER_UNITS.get(self.unit.lower())
        if known:
            return known[0]
        return UsageKind.REACTIVE if self.suffix[0] in "QK" else UsageKind.ENERGY


@dataclass
class TwinDay:
    channel: TwinChannel
    source_offset: int
    source_end: int
    day_on: date
    texts: list[str]
    flag: str
    code: str
    reason: str
    updated_at: int
    runs: list[tuple[int, int, str, str, str]] = field(default_factory=list)


def instant_us(text: str) -> int:
    if text == "":
        return 0
    need(re.fullmatch(r"[0-9]{8}([0-9]{4}([0-9]{2})?)?", text) is not None, "time")
    on = day_of(text[:8])
    hour, minute, second = int(text[8:10] or 0), int(text[10:12] or 0), int(text[12:14] or 0)
    need(hour < 24 and minute < 60 and second < 60, "time")
    moment = datetime(on.year, on.month, on.day, hour, minute, second, tzinfo=CLOCK)
    return (moment - EPOCH) // timedelta(microseconds=1)


def day_of(text: str) -> date:
    need(re.fullmatch("[0-9]{8}", text) is not None, "date")
    try:
        on = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError as cause:
        raise TwinRefusedError("date") from cause
    need(1990 <= on.year <= 2099, "date")
    return on


def fields_of(line: str, plain: int) -> list[str]:
    """The fields of a line; only the one after the first `plain`, the reason description, may be quoted."""
    head = line.split(",", plain)
    if len(head) <= plain or not head[plain].startswith('"'):
        return line.split(",")
    quoted = re.match(r'"(?:[^"]|"")*"(?=,|$)', head[plain])
    need(quoted is not None, "quotes")
    assert quoted is not None
    tail = head[plain][quoted.end() :]
    return [*head[:plain], next(csv.reader([quoted.group()], strict=True))[0], *(tail[1:].split(",") if tail else [])]


def read_twin(text: bytes) -> list[TwinDay]:
    """All days of a valid file; raises TwinRefusedError at the first thing wrong."""
    start = 3 if text.startswith(b"\xef\xbb\xbf") else 0
    before = ""
    channel: TwinChannel | None = None
    days: list[TwinDay] = []
    for raw in text[start:].split(b"\n"):
        begin, start = start, start + len(raw) + 1
        line_bytes = raw.removesuffix(b"\r") if begin + len(raw) < len(text) else raw
        need(min(line_bytes, default=32) >= 32, "control character")
        line = line_bytes.decode("latin-1")  # one character for each byte
        if line == "":
            need(before == "900" or begin == len(text), "blank line")
            continue
        indicator = line.split(",")[0]
        need(indicator in FOLLOWS[before], f"{indicator} after {before!r}")
        before = indicator
        if indicator == "100":
            check_header(line)
        elif indicator == "200":
            channel = read_channel(line)
        elif indicator == "300":
            assert channel is not None
            days.append(read_day(line, channel, begin))
        elif indicator == "400":
            days[-1].runs.append(read_run(line))
            days[-1].source_end = begin + len(line)
        elif indicator == "900":
            need(line == "900", "900 alone")
    need(before == "900", "no end")
    for day in days:
        check_runs(day)
    return days


def check_header(line: str) -> None:
    fields = line.split(",")
    need(3 <= len(fields) <= 5 and fields[1].upper() == "NEM12", "header")
    need(re.fullmatch("[0-9]{8}([0-9]{4}([0-9]{2})?)?", fields[2]) is not None, "header time")


def read_channel(line: str) -> TwinChannel:
    fields = line.split(",")
    need(len(fields) in (9, 10), "200 fields")
    need(re.fullmatch("[A-Za-z0-9]{1,16}", fields[1]) is not None, "NMI")
    need(re.fullmatch("[A-Za-z][A-Za-z0-9]", fields[4]) is not None, "suffix")
    need(fields[8] in ("5", "10", "15", "30", "60"), "interval length")
    serial, unit = (fields[place].encode("latin-1").decode("utf-8", "replace").strip() for place in (6, 7))
    return TwinChannel(fields[1].upper(), fields[4].upper(), serial, unit, int(fields[8]))


def read_day(line: str, channel: TwinChannel, begin: int) -> TwinDay:
    count = 1440 // channel.minutes
    fields = fields_of(line, count + 4)
    need(count + 3 <= len(fields) <= count + 7, "300 fields")
    fields += [""] * (count + 7 - len(fields))
    texts = fields[2 : count + 2]
    need(all(one == "" or NUMBER.fullmatch(one) for one in texts), "value")
    need(FLAG.fullmatch(fields[count + 2]) is not None, "quality")
    updated_at = instant_us(fields[count + 5])
    instant_us(fields[count + 6])
    flag, code, reason = fields[count + 2 : count + 5]
    return TwinDay(channel, begin, begin + len(line), day_of(fields[1]), texts, flag, code, reason, updated_at)


def read_run(line: str) -> tuple[int, int, str, str, str]:
    fields = fields_of(line, 5)
    need(4 <= len(fields) <= 6, "400 fields")
    fields += [""] * (6 - len(fields))
    need(all(re.fullmatch("[0-9]{1,9}", one) for one in fields[1:3]), "range")
    need(FLAG.fullmatch(fields[3]) is not None and fields[3][0] != "V", "quality")
    return int(fields[1]), int(fields[2]), fields[3], fields[4], fields[5]


def check_runs(day: TwinDay) -> None:
    """400 records tile the day if and only if its flag is V; from then on every day has runs."""
    count = len(day.texts)
    if day.flag[0] != "V":
        need(not day.runs, "400 without V")
        day.runs = [(1, count, day.flag, day.code, day.reason)]
    covered = [place for first, last, *_ in day.runs for place in range(first, min(last, count + 1) + 1)]
    need(covered == list(range(1, count + 1)), "runs")
    merged = day.runs[:1]
    for run in day.runs[1:]:
        if said_of(*merged[-1][2:]) == said_of(*run[2:]):
            merged[-1] = (merged[-1][0], run[1], *merged[-1][2:])
        else:
            merged.append(run)
    day.runs = merged
    for place, one in enumerate(day.texts, start=1):
        flag = next(run[2] for run in day.runs if run[0] <= place <= run[1])
        need(one != "" or flag[0] == "N", "empty value")


def base_units(text: str, scale: int | None) -> tuple[int, bool, bool]:
    """(value, is negative, is out of range)."""
    if text == "":
        return 0, False, False
    with localcontext() as context:
        context.prec = 4000
        exact = Decimal(text) * (scale or 0)
        negative = Decimal(text) < 0
        fits = exact == int(exact) and abs(exact) <= INT64_MAX // 1440
        return (int(exact) if fits else 0), negative, not fits


def row_of(day: TwinDay, tenant: str) -> dict[str, object]:
    """What `ingest.nem12` must say of this day, by column."""
    channel = day.channel
    read = [base_units(one, channel.scale) for one in day.texts]
    values = [value for value, _, _ in read]
    role = {"E": 1, "B": 2, "Q": 3, "K": 4}.get(channel.suffix[0], 0)
    reasons = {
        Reason.NEGATIVE_QUANTITY: any(negative for _, negative, _ in read),
        Reason.QUANTITY_OUT_OF_RANGE: any(outside for _, _, outside in read),
        Reason.UNBILLED_CHANNEL: role != ChannelRole.IMPORT,
        Reason.NULL_QUALITY: any(run[2][0] == "N" for run in day.runs),
        Reason.UNIT_NOT_BILLABLE: channel.scale is None,
    }
    midnight = datetime(day.day_on.year, day.day_on.month, day.day_on.day, tzinfo=CLOCK)
    hi, lo = record_id_of(
        [
            tenant_seed(tenant),
            channel.kind,
            *text_words(channel.metering_point_id.encode()),
            *text_words(channel.suffix.encode()),
            day.day_on.toordinal(),
        ]
    )
    return {
        "record_hi": hi,
        "record_lo": lo,
        "source_offset": day.source_offset,
        "source_length": day.source_end - day.source_offset,
        "metering_point_id": channel.metering_point_id,
        "channel": channel.suffix,
        "meter_serial": channel.meter_serial,
        "unit": channel.unit,
        "day_on": day.day_on,
        "start_at": midnight,
        "step_s": channel.minutes * 60,
        "count": len(values),
        "values": values,
        "kind": int(channel.kind),
        "quantity": sum(values),
        "quality": int(min(RANKS[run[2][0]] for run in day.runs)),
        "quality_text": quality_text(day),
        "updated_at": EPOCH + timedelta(microseconds=day.updated_at),
        "status": smallest_reason(reasons),
        "used_status": smallest_reason(reasons | {Reason.UNBILLED_CHANNEL: role == ChannelRole.NONE}),
        "role": role,
    }


def smallest_reason(reasons: dict[Reason, bool]) -> int:
    return int(min((reason for reason, applies in reasons.items() if applies), default=Reason.OK))


def said_of(flag: str, code: str, reason: str) -> str:
    code, reason = (one.encode("latin-1").decode("utf-8", "replace") for one in (code, reason))
    return f"{flag}:{code}:{reason.replace(';', ',')}".rstrip(":")


def quality_text(day: TwinDay) -> str:
    if len(day.runs) == 1:
        return said_of(*day.runs[0][2:])
    return ";".join(f"{first}-{last}:{said_of(*what)}" for first, last, *what in day.runs)


def content_hash(day: TwinDay, row: dict[str, object]) -> int:
    """The content hash by the words that the module's documentation lists; for files without quotes."""
    channel, values = day.channel, row["values"]
    assert isinstance(values, list)
    said = channel.kind.label if channel.scale is not None else f"? {channel.unit.lower()}"
    words = [*text_words(said.encode()), channel.minutes * 60, *values]
    if any(base_units(one, channel.scale)[2] for one in day.texts) or channel.scale is None:
        words += text_words(",".join(day.texts).encode())
    quality: list[int] = []
    for _, last, flag, code, reason in day.runs:
        method = int(flag[1:]) if flag[1:] else 255
        quality += [last << 16 | ord(flag[0]) << 8 | method]
        quality += [*text_words(code.encode("latin-1")), *text_words(reason.encode("latin-1"))]
    return record_id_of([*words, record_id_of(quality)[0], day.updated_at])[0]
