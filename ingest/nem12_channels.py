"""The 100 and 200 records of a NEM12 file: what the file is, and which metering point, channel and unit its days belong to."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.nem12_rows import CHANNEL
from schemas.channels import ChannelRole
from schemas.errors import Fault
from schemas.hashing import record_id_of, tenant_seed, text_words
from schemas.quantities import METER_UNITS, UsageKind

INTERVAL_MINUTES = (5, 10, 15, 30, 60)
INTERVALS_MAX = 1440 // min(INTERVAL_MINUTES)
# Suffixes are seen from the market: E is what the customer takes, B what he feeds in, Q and K are the same of reactive energy.
ROLES = {
    "E": ChannelRole.IMPORT,
    "B": ChannelRole.EXPORT,
    "Q": ChannelRole.REACTIVE_IMPORT,
    "K": ChannelRole.REACTIVE_EXPORT,
}
_REACTIVE = ("Q", "K")
_NMI = re.compile(r"[A-Za-z0-9]{1,16}")
_SUFFIX = re.compile(r"[A-Za-z][A-Za-z0-9]")
_STAMP = re.compile(r"[0-9]{8}([0-9]{4}([0-9]{2})?)?")
_CHANNEL_FIELDS = (9, 10)  # the next scheduled read date may be missing altogether
_HEADER_FIELDS_MIN = 3
_HEADER_FIELDS_MAX = 5


@dataclass(slots=True)
class Channels:
    """The 200 records of a file: `rows` (CHANNEL) for kernels and, at the same index, their texts."""

    rows: npt.NDArray[np.void]
    metering_point_id: list[str] = field(default_factory=list)
    suffix: list[str] = field(default_factory=list)
    meter_serial: list[str] = field(default_factory=list)
    unit: list[str] = field(default_factory=list)


def header_faults(line: str, where: str) -> list[Fault]:
    """What is wrong with a 100 record."""
    fields = line.split(",")
    if not _HEADER_FIELDS_MIN <= len(fields) <= _HEADER_FIELDS_MAX:
        return [Fault(where, "the header has a wrong number of fields", str(len(fields)), "5", code="field_count")]
    found = []
    if fields[1].upper() != "NEM12":
        next_step = "drop accumulated reads (NEM13) into the folder of their own format" if fields[1].upper() == "NEM13" else ""
        found.append(Fault(where, "the version is not NEM12", repr(fields[1]), "NEM12", next_step, "version"))
    if not _STAMP.fullmatch(fields[2]):
        found.append(Fault(where, "the time of creation cannot be read", repr(fields[2]), "YYYYMMDDhhmm", code="timestamp"))
    return found


def read_channels(lines: list[str], wheres: list[str], *, tenant: str) -> tuple[Channels, list[list[Fault]]]:
    """The channels of all 200 lines, and the faults of each; a line with faults has `count` 0, so that its days are not read."""
    channels = Channels(np.zeros(len(lines), dtype=CHANNEL))
    seed = tenant_seed(tenant)
    found: list[list[Fault]] = []
    first: dict[str, int] = {}  # some providers repeat the same 200 before every day
    for index, (line, where) in enumerate(zip(lines, wheres, strict=True)):
        same = first.setdefault(line, index)
        found.append(_read_channel(line, where, seed, channels, index) if same == index else _repeat(channels, same, index))
    return channels, found


def _repeat(channels: Channels, same: int, index: int) -> list[Fault]:
    """A 200 line that was there before: the same again, and its faults were told already."""
    channels.rows[index] = channels.rows[same]
    for texts in (channels.metering_point_id, channels.suffix, channels.meter_serial, channels.unit):
        texts.append(texts[same])
    return []


def _read_channel(line: str, where: str, seed: int, channels: Channels, index: int) -> list[Fault]:
    fields = line.split(",")
    faults = _channel_faults(fields, where)
    fields += [""] * (_CHANNEL_FIELDS[1] - len(fields))
    nmi, suffix, serial, unit = fields[1].upper(), fields[4].upper(), fields[6].strip(), fields[7].strip()
    channels.metering_point_id.append(nmi)
    channels.suffix.append(suffix)
    channels.meter_serial.append(serial)
    channels.unit.append(unit)
    if faults:
        return faults
    minutes = int(fields[8])
    row = channels.rows[index]
    kind, decimals = _unit_scale(unit, suffix)
    row["count"], row["step_s"] = 1440 // minutes, minutes * 60
    row["decimals"], row["kind"], row["role"] = decimals, kind, ROLES.get(suffix[0], ChannelRole.NONE)
    row["hi"], row["lo"] = record_id_of([seed, kind, *text_words(nmi.encode()), *text_words(suffix.encode())])
    said = kind.label if decimals >= 0 else f"? {unit.lower()}"  # values are in base units, so Wh and kWh are the same content
    row["content"] = record_id_of([*text_words(said.encode()), minutes * 60])[0]
    return []


def _channel_faults(fields: list[str], where: str) -> list[Fault]:
    if len(fields) not in _CHANNEL_FIELDS:
        return [Fault(where, "the 200 record has a wrong number of fields", str(len(fields)), "10", code="field_count")]
    faults = []
    if not _NMI.fullmatch(fields[1]):
        faults.append(Fault(where, "the NMI cannot be used", repr(fields[1]), "1 to 16 letters and digits", code="identifier"))
    if not _SUFFIX.fullmatch(fields[4]):
        faults.append(
            Fault(where, "the NMI suffix cannot be used", repr(fields[4]), "a letter and a digit such as E1", code="identifier")
        )
    if fields[8] not in map(str, INTERVAL_MINUTES):
        must_be = "one of " + ", ".join(map(str, INTERVAL_MINUTES))
        faults.append(Fault(where, "the interval length cannot be used", repr(fields[8]), must_be, code="interval_length"))
    return faults


def _unit_scale(unit: str, suffix: str) -> tuple[UsageKind, int]:
    """(kind, decimals of the base unit); an unknown unit has decimals -1 and the kind that the suffix stands for, so that a day
    sent again with its unit corrected is still the same day."""
    known = METER_UNITS.get(unit.lower())
    if known is None:
        return (UsageKind.REACTIVE if suffix.startswith(_REACTIVE) else UsageKind.ENERGY), -1
    kind, scale = known
    decimals = len(str(scale)) - 1
    assert scale == 10**decimals, "units of meters are powers of ten"
    return kind, decimals
