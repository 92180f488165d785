"""The same records in any files, any order, any batches, any buckets, with restarts between: the same bills to the byte.

The records are small but meet every rule that could depend on arrival: copies, conflicting calls, revised meter days, usage of an
earlier month that comes late, services that nobody has, accounts that share allowances and a payer, a number and a metering point
that change hands, a discount ladder and energy tiers that fill in time order. Each example drops them twice: once in one file per
format, once spread as hypothesis likes; a slow count by dictionary says what the row account must be.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from meterline.demo.call_files import HEADER
from schemas.quality import Quality
from tests.tools.homes import (
    Account,
    broken_invariants,
    change_settings,
    row_account,
    sealed_digests,
    take_files,
)
from tests.tools.small_operator import NUMBERS, POINTS, build_small_operator

MONTHS = ("2026-09", "2026-10")  # what falls into November stays in an open period
UNKNOWN_NUMBER = "4915299999999"
UNKNOWN_POINT = "NEMA999999"
CALLED = ("49301234567", "4315551234", "8816000000")  # national, Europe, and a destination that no tariff prices
VOICE, MESSAGE, VOLUME = "VSD"


@dataclass(frozen=True, slots=True)
class Call:
    """One call record as a line says it; `key` is what makes two lines the same record, `place` where one alone ends up."""

    key: tuple[object, ...]
    line: str
    place: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Day:
    """One version of a meter day."""

    key: tuple[object, ...]
    channel_line: str
    line: str
    precedence: tuple[int, str]
    place: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Arrival:
    """How the records come: files of line numbers by (session, name), and how the line takes them."""

    calls: dict[tuple[int, str], list[int]]
    days: dict[tuple[int, str], list[int]]
    settings: dict[str, int]

    @property
    def sessions(self) -> list[int]:
        return sorted({session for session, _ in (*self.calls, *self.days)})


Example = tuple[list[Call], list[Day], list[Arrival]]

# ---- records ----

_SECONDS = st.sampled_from([0, 1, 59, 60, 61, 125, 600, 3599])
# around month borders (also in local time, two hours off), the clock change, and the days on which services change hands
_INSTANTS = st.builds(
    lambda base, offset: base + timedelta(seconds=offset),
    st.sampled_from(
        [datetime(2026, 9, 30, 21, 59, 50), datetime(2026, 10, 14, 21, 59, 59), datetime(2026, 10, 19, 21, 59, 59),
         datetime(2026, 10, 25, 0, 30), datetime(2026, 10, 31, 22, 59, 58), datetime(2026, 9, 12, 8), datetime(2026, 10, 8, 17)]
    ),
    st.sampled_from([0, 0, 1, 2, 30, 3600]),
)  # fmt: skip


def _call(sequence: int, number: str, kind: str, start: datetime, called: str, seconds: int, size: int) -> Call:
    duration, down = (seconds, 0) if kind == VOICE else (0, size if kind == VOLUME else 0)
    stamp = start.strftime("%Y-%m-%d %H:%M:%S")
    line = f"MSC1,{sequence},{kind},26201-1,{number},{called if kind != VOLUME else ''},{stamp},{duration},0,{down},16"
    return Call(("MSC1", sequence, number, stamp), line, _call_place(number, kind, start, called, seconds, size))


def _call_place(number: str, kind: str, start: datetime, called: str, seconds: int, size: int) -> tuple[str, str]:
    """Where a call that stands alone ends up, by the smallest reason that applies."""
    if (kind == VOICE and not seconds) or (kind == VOLUME and not size):
        return "filtered", "zero_usage"
    if number == UNKNOWN_NUMBER:
        return "rejected", "unknown_service"
    if number == NUMBERS[3] and start.replace(tzinfo=UTC) >= datetime(2026, 10, 19, 22, tzinfo=UTC):
        return "rejected", "no_service_at_instant"
    if kind == VOICE and called == CALLED[2]:
        return "rejected", "no_rate_for_destination"
    return "billed", "ok"


_CALLS = st.builds(
    _call,
    st.integers(1, 6),
    st.sampled_from([*NUMBERS, *NUMBERS[:2], UNKNOWN_NUMBER]),
    st.sampled_from([VOICE, VOICE, MESSAGE, VOLUME]),
    _INSTANTS,
    st.sampled_from([*CALLED[:1], *CALLED]),
    _SECONDS,
    st.sampled_from([0, 1, 99_999, 100_000, 350_000, 2_000_000]),
)
_BROKEN = st.sampled_from(
    [Call((None,), "*** ALARM link down", ("rejected", "bad_field_count")),
     Call((None,), "MSC1,1,X,26201-1,4915200000001,4930,2026-10-02 08:00:00,60,0,0,16", ("rejected", "bad_kind"))]
)  # fmt: skip
_QUALITIES = {
    "A": Quality.ACTUAL,
    "S14": Quality.SUBSTITUTED,
    "F14": Quality.FINAL_SUBSTITUTED,
    "E14": Quality.ESTIMATED,
    "N": Quality.NULL,
}


def _day(point: str, channel: str, on: date, wh: int, quality: str, updated: str) -> Day:
    values = ",".join(f"0.{(wh + slot * 7) % 1000:03d}" for slot in range(48))
    reason = "32" if quality[0] in "SF" else ""
    line = f"300,{on:%Y%m%d},{values},{quality},{reason},,{updated},"
    place = ("billed", "ok") if point != UNKNOWN_POINT else ("rejected", "unknown_service")
    if quality == "N":
        place = "rejected", "null_quality"
    if channel == "B1":
        place = "filtered", "unbilled_channel"
    serial = f"M{point[-2:]}"
    return Day(
        (point, channel, serial, on),
        f"200,{point},E1E2B1,,{channel},N1,{serial},kWh,30,",
        line,
        (_QUALITIES[quality], updated),
        place,
    )


_DAYS = st.builds(
    _day, st.sampled_from([*POINTS, UNKNOWN_POINT]), st.sampled_from(["E1", "E1", "E2", "B1"]),
    # NEM12 days are cut in UTC+10: 1 October holds the end of the local September, 15 October a change of hands
    st.sampled_from([date(2026, 10, 1), date(2026, 10, 15), date(2026, 10, 25), date(2026, 11, 1), date(2026, 9, 12)]),
    st.integers(0, 999), st.sampled_from(["A", "A", "S14", "F14", "E14", "N"]),
    st.sampled_from(["20261102000000", "20261102000000", "20261105120000", "20261101235959"]),
)  # fmt: skip


@st.composite
def _records(draw: st.DrawFn) -> tuple[list[Call], list[Day]]:
    """Records with copies, and with other versions of some: the same key, another length, another reading."""
    calls = draw(st.lists(_CALLS, min_size=4, max_size=18))
    for call in draw(st.lists(st.sampled_from(calls), max_size=5)):
        fields = call.line.split(",")
        fields[7 if fields[2] == VOICE else 9] = str(draw(st.sampled_from([0, 7, 80, 1_000])))
        kind, start = fields[2], datetime.strptime(fields[6], "%Y-%m-%d %H:%M:%S")
        calls.append(_call(int(fields[1]), fields[4], kind, start, fields[5], int(fields[7]), int(fields[9])))
    calls += draw(st.lists(st.sampled_from(calls), max_size=6))
    calls += draw(st.lists(_BROKEN, max_size=2))
    days = draw(st.lists(_DAYS, min_size=2, max_size=8))
    for day in draw(st.lists(st.sampled_from(days), max_size=5)):
        version = draw(_DAYS)
        point, channel, _, on = day.key
        assert isinstance(point, str) and isinstance(channel, str) and isinstance(on, date)
        quality, updated = version.line.split(",")[50], version.line.split(",")[53]
        days.append(_day(point, channel, on, draw(st.integers(0, 999)), quality, updated))
    days += draw(st.lists(st.sampled_from(days), max_size=4))
    return calls, days


def _expected_account(calls: list[Call], days: list[Day]) -> Account:
    """The row account by dictionary: copies, then conflicts of calls and precedence of meter days."""
    account: Account = Counter()
    versions: defaultdict[tuple[object, ...], dict[str, Call]] = defaultdict(dict)
    for call in calls:
        if call.key == (None,):
            account[call.place] += 1
        elif call.line in versions[call.key]:
            account["duplicate", "ok"] += 1
        else:
            versions[call.key][call.line] = call
    for held in versions.values():
        alone = len(held) == 1
        for call in held.values():
            account[call.place if alone else ("rejected", "conflict")] += 1
    readings: defaultdict[tuple[object, ...], dict[str, Day]] = defaultdict(dict)
    for day in days:
        account["duplicate", "ok"] += day.line in readings[day.key]
        readings[day.key][day.line] = day
    for read in readings.values():
        best = max(read.values(), key=lambda day: day.precedence)  # versions that tie differ in content only, not in their place
        account[best.place] += 1
        account["superseded", "ok"] += len(read) - 1
    return Counter({place: rows for place, rows in account.items() if rows})


# ---- arrivals ----


@st.composite
def _arrivals(draw: st.DrawFn, calls: int, days: int) -> Arrival:
    """Any partition into files, any order of lines, names and sessions, any batch, bucket and roll-up size."""
    spread: list[dict[tuple[int, str], list[int]]] = []
    for count in (calls, days):
        files: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
        sessions = draw(st.integers(1, 3))
        names = st.tuples(st.integers(0, sessions - 1), st.sampled_from(["a", "b", "c"]))
        for line in draw(st.permutations(range(count))):
            files[draw(names)].append(line)
        spread.append(dict(files))
    settings = {
        "batch_rows": draw(st.sampled_from([1, 2, 3, 7, 1_000])),
        "bulk_rows": draw(st.sampled_from([1, 5, 100_000])),
        "roll_up_rows": draw(st.sampled_from([1, 4, 100_000])),
        "buckets": draw(
            st.sampled_from([1, 2, 3])
        ),  # 64 have a test of their own: each bucket of a close costs a tenth of a second
        "threads": draw(st.sampled_from([1, 2])),
    }
    return Arrival(spread[0], spread[1], settings)


@st.composite
def _examples(draw: st.DrawFn) -> Example:
    """Records and three ways in which they come."""
    calls, days = draw(_records())
    return calls, days, [draw(_arrivals(len(calls), len(days))) for _ in range(3)]


def _plain_arrival(calls: int, days: int) -> Arrival:
    """Everything at once, in one file per format and one batch."""
    return Arrival({(0, "all"): list(range(calls))}, {(0, "all"): list(range(days))}, {"batch_rows": 1_000, "buckets": 1})


def _drop(home: Path, calls: list[Call], days: list[Day], arrival: Arrival, session: int) -> None:
    """Write the files of one session. Two files never have equal content: a file that is dropped twice is another matter."""
    for number, ((of, name), lines) in enumerate(sorted(arrival.calls.items())):
        if of == session:
            text = "\n".join([f"{HEADER}_{number}", *(calls[line].line for line in lines), ""])
            (home / f"inbox/calls/{name}.csv").write_text(text, encoding="utf-8")
    for number, ((of, name), lines) in enumerate(sorted(arrival.days.items())):
        if of == session:
            blocks = [text for line in lines for text in (days[line].channel_line, days[line].line)]
            text = "\n".join([f"100,NEM12,202611060{number:03d},MDP,RETAILER", *blocks, "900", ""])
            (home / f"inbox/meters/{name}.csv").write_text(text, encoding="utf-8")


def _settled(home: Path, calls: list[Call], days: list[Day], arrival: Arrival) -> None:
    """Drop and take session by session (the engine is opened anew for each), then close the months in order."""
    build_small_operator(home)
    change_settings(home, **arrival.settings)
    for session in arrival.sessions:
        _drop(home, calls, days, arrival, session)
        take_files(home, then_close=MONTHS if session == arrival.sessions[-1] else ())


def _check(calls: list[Call], days: list[Day], arrivals: list[Arrival]) -> None:
    folder = Path(tempfile.mkdtemp(prefix="meterline-order-"))
    try:
        expected = _expected_account(calls, days)
        _settled(folder / "plain", calls, days, _plain_arrival(len(calls), len(days)))
        assert row_account(folder / "plain") == expected
        bills = sealed_digests(folder / "plain")
        for number, arrival in enumerate(arrivals):
            home = folder / f"spread{number}"
            _settled(home, calls, days, arrival)
            assert row_account(home) == expected
            assert sealed_digests(home) == bills
            assert broken_invariants(home, replayed=MONTHS[0]) == []  # the comparison above replays the rest
    finally:
        shutil.rmtree(folder)


_EVERY = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example]
_QUICK = settings(
    max_examples=9, deadline=None, derandomize=True, database=None, print_blob=True, suppress_health_check=_EVERY,
    phases=[Phase.explicit, Phase.generate],  # to shrink would take longer than to read a small example
)  # fmt: skip


@_QUICK
@given(_examples())
def test_bills_do_not_depend_on_the_order_of_arrival(example: Example) -> None:
    """27 arrivals of 9 sets of records."""
    _check(*example)


@pytest.mark.long
@settings(_QUICK, max_examples=170)
@given(_examples())
def test_bills_do_not_depend_on_the_order_of_arrival_in_the_long_form(example: Example) -> None:
    """510 arrivals of 170 sets of records."""
    _check(*example)


def _every_kind_at_once() -> tuple[list[Call], list[Day]]:
    """By hand: each rule that arrival might bend, in October."""
    at = datetime(2026, 10, 8, 17)
    plain = [
        _call(
            number, NUMBERS[number % 5], kind, at + timedelta(hours=7 * number), CALLED[number % 2], 61 * number, 90_000 * number
        )
        for number, kind in enumerate(VOICE * 3 + MESSAGE + VOLUME * 2 + VOICE * 2 + MESSAGE + VOLUME * 2, 1)
    ]
    rivals = [
        _call(1, NUMBERS[1], VOICE, at + timedelta(hours=7), CALLED[1], 99, 0),
        _call(90, UNKNOWN_NUMBER, VOICE, at, CALLED[0], 5, 0),
    ]
    calls = [*plain, *rivals, plain[0], plain[0], rivals[0], plain[6]]
    on = date(2026, 10, 15)
    days = [_day(point, "E1", on, 300 + number, "S14", "20261102000000") for number, point in enumerate(POINTS)]
    revised = [
        _day(POINTS[1], "E1", on, 10, "A", "20261105120000"),
        _day(POINTS[1], "E1", on, 20, "A", "20261105120000"),
        _day(POINTS[0], "E2", on, 30, "N", "20261102000000"),
        _day(POINTS[0], "E2", on, 40, "E14", "20261101235959"),
    ]
    return calls, [*days, *revised, days[1], days[1], revised[0]]


def test_bills_do_not_depend_on_64_buckets() -> None:
    """Backwards, in single-record batches over three sessions, spread over as many buckets as an installation has by default."""
    calls, days = _every_kind_at_once()
    backwards = [list(range(count))[::-1] for count in (len(calls), len(days))]
    spread = [{(session, "a"): lines[session::3] for session in range(3)} for lines in backwards]
    sizes = {"batch_rows": 1, "bulk_rows": 1, "roll_up_rows": 4, "buckets": 64, "threads": 2}
    _check(calls, days, [Arrival(spread[0], spread[1], sizes)])
