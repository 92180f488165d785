"""The smallest operator that has one of everything that the store treats differently: the input of the product's workflows.

Two drops of a few records each. The first brings calls, meter days, a file dropped twice and a file that is refused; the second
brings copies, conflicting calls and better versions of meter days that the first drop stored, and so withdraws stored rows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

PERIOD = "2026-10"
ZONE = "Australia/Brisbane"
BUCKETS = 2
BATCH_ROWS = 5  # a calls file of ten lines comes to two or three commits

# Tariffs without windows: the table of an hour-by-hour tariff costs each restart more than everything else together.
_FILES = {
    "meterline.yaml": f"""\
currency: AUD
zone: {ZONE}
buckets: {BUCKETS}
reference: {{accounts: reference/accounts.csv, services: reference/services.csv, tariffs: reference/tariffs}}
drops:
  - {{folder: inbox/calls, format: calls, layout: reference/calls.yaml}}
  - {{folder: inbox/meters, format: nem12}}
settled_file_s: 0
batch_rows: {BATCH_ROWS}
threads: 1
""",
    "reference/calls.yaml": """\
layout: calls
format: csv
header_lines: 1
zone: UTC
columns:
  node: {index: 0}
  sequence: {index: 1}
  kind: {index: 2, values: {voice: [V], message: [S]}}
  served_number: {index: 3}
  called_number: {index: 4}
  start_at: {index: 5, format: "%Y-%m-%d %H:%M:%S"}
  duration: {index: 6, unit: s}
""",
    "reference/tariffs/mobile.yaml": """\
tariff: mobile
name: Mobile
currency: AUD
zone: Australia/Brisbane
service: telecom
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: record, mode: up, decimals: 4}
    destinations: {national: {prefixes: ["61"]}}
    rates:
      minute: {price: "0.0900", per: 60 s, first_increment: 60 s, increment: 1 s}
      message: {price: "0.0500", per: 1 message, increment: 1 message}
    rules:
      - {kind: voice, destination: national, rate: minute, item: Calls}
      - {kind: message, rate: message, item: Messages}
    allowances: [{name: 1 minute, kind: voice, units: 1 min, block: 1 s, scope: account}]
    fees: [{name: Line rental, amount: "4.99", per: month}]
    taxes: [{name: GST, percent: "10"}]
""",
    "reference/tariffs/power.yaml": """\
tariff: power
name: Power
currency: AUD
zone: Australia/Brisbane
service: utility
versions:
  - version: "1"
    effective_from: 2026-01-01
    rounding: {scope: line, mode: half_up, decimals: 2}
    energy: {prices: [{item: Energy, price: "0.3333", per: 1 kWh}]}
    taxes: [{name: GST, percent: "10"}]
""",
    # The point of A5 passes to A6 at noon, so that one meter day is stored in two parts, for two accounts.
    "reference/accounts.csv": "account_id,bill_to_account_id\nA1,A1\nA2,A1\nA3,A3\nA4,A4\nA5,A5\nA6,A6\n",
    "reference/services.csv": """\
service_id,account_id,tariff_id,effective_from,effective_to
61400000001,A1,mobile,2026-01-01,
61400000002,A2,mobile,2026-01-01,
61400000003,A3,mobile,2026-01-01,
NMI0000004,A4,power,2026-01-01,
NMI0000005,A5,power,2026-01-01,2026-10-02T12:00:00+10:00
NMI0000005,A6,power,2026-10-02T12:00:00+10:00,
""",
}
_CALLS_HEADER = "node,sequence,kind,served,called,start,seconds"
_SLOTS = 48


@dataclass(frozen=True)
class Inputs:
    """The two drops of one seed, as files by their path in the home."""

    first: dict[str, str]
    second: dict[str, str]


def make_inputs(seed: int) -> Inputs:
    """The inputs of a seed: it draws who calls whom when, how long, and what the meters read; what kinds there are is fixed."""
    rng = random.Random(seed)
    calls = [_call(rng, number) for number in range(14)]
    early, late = calls[:8], calls[8:]
    readings = {(point, day): _values(rng) for point in ("NMI0000004", "NMI0000005") for day in (1, 2)}
    better = {("NMI0000004", 2): _values(rng), ("NMI0000005", 2): _values(rng)}
    a_calls = _calls_file([*map(_line, early), _line(early[0]), "no record at all", _line(_nobodys(calls[13]))])
    return Inputs(
        first={
            "inbox/calls/a.csv": a_calls,
            "inbox/calls/b_again.csv": a_calls,
            "inbox/meters/a.csv": _nem12(readings, "20261005"),
            "inbox/meters/b_broken.csv": "100,NEM12,202610050000,MDP,RET\n300,2026\n900\n",
        },
        second={
            "inbox/calls/c.csv": _calls_file([*map(_line, late), _line(early[1]), _line(early[2], 7), _line(early[4], 9)]),
            "inbox/calls/d.csv": _calls_file([_line(early[2], 8), _line(late[0])]),
            "inbox/meters/c.csv": _nem12(better, "20261006"),
        },
    )


def write_home(home: Path) -> None:
    """A home with its configuration and reference data, and empty inboxes."""
    for name, text in _FILES.items():
        _write(home / name, text)
    for name in ("inbox/calls", "inbox/meters"):
        (home / name).mkdir(parents=True)


def drop(home: Path, files: dict[str, str]) -> None:
    """Puts files into the inboxes, all with the same old time."""
    for name, text in files.items():
        _write(home / name, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


# ---- calls -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    sequence: int
    kind: str
    served: int
    start: datetime
    seconds: int


def _call(rng: random.Random, number: int) -> _Call:
    start = datetime(2026, 10, 1) + timedelta(seconds=rng.randrange(25 * 86_400))
    return _Call(100 + number, "S" if number == 3 else "V", 61_400_000_001 + rng.randrange(3), start, rng.randrange(1, 400))


def _nobodys(call: _Call) -> _Call:
    return replace(call, sequence=99, served=61_499_999_999)


def _line(call: _Call, longer_s: int = 0) -> str:
    """`longer_s` makes another content under the same identity."""
    seconds = 0 if call.kind == "S" else call.seconds + longer_s
    return f"M1,{call.sequence},{call.kind},{call.served},61299990000,{call.start:%Y-%m-%d %H:%M:%S},{seconds}"


def _calls_file(lines: list[str]) -> str:
    return "\n".join([_CALLS_HEADER, *lines, ""])


# ---- meter days --------------------------------------------------------------------------------


def _values(rng: random.Random) -> list[int]:
    return [rng.randrange(1000) for _ in range(_SLOTS)]


def _nem12(readings: dict[tuple[str, int], list[int]], updated_on: str) -> str:
    """Days by (metering point, day of the month), half-hourly; a later `updated_on` makes the better version."""
    lines = [f"100,NEM12,{updated_on}0000,MDP,RET"]
    for (point, day), values in readings.items():
        texts = ",".join(f"{value / 1000:.3f}" for value in values)
        lines += [f"200,{point},E1,,E1,N1,S{point[-1]},kWh,30,", f"300,202610{day:02},{texts},A,,,{updated_on}010000,"]
    return "\n".join([*lines, "900", ""])
