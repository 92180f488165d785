"""What one NEM12 day is worth, which version it is, and what a file may look like."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from ingest.nem12 import LINES_MAX, IntervalDays, read_nem12, to_table
from ingest.nem12_fields import VALUE_MAX
from schemas.errors import RefusedFileError
from schemas.hashing import record_id_of, tenant_seed, text_words
from schemas.quality import Quality
from schemas.quantities import UsageKind
from schemas.reasons import Reason

HEADER = "100,NEM12,202401010000,MDP,RET"
ONES = ",".join(["1"] * 48)


def channel(nmi: str = "NEM1200001", suffix: str = "E1", unit: str = "kWh", minutes: str = "30", serial: str = "M1") -> str:
    return f"200,{nmi},E1,1,{suffix},N1,{serial},{unit},{minutes},"


def day(values: str = ONES, quality: str = "A,,", on: str = "20240115", updated: str = "20240116000000") -> str:
    return f"300,{on},{values},{quality},{updated},"


def with_first(value: str) -> str:
    return ",".join([value] + ["1"] * 47)


def read(*lines: str, tenant: str = "north", end: str = "\r\n") -> IntervalDays:
    return read_nem12(end.join([HEADER, *lines, "900", ""]).encode(), file_name="f.csv", tenant=tenant)


def refusal(*lines: str) -> str:
    with pytest.raises(RefusedFileError) as refused:
        read(*lines)
    return str(refused.value)


@pytest.mark.parametrize(
    ("unit", "value", "base_units", "kind", "status"),
    [
        # unit   text                  base units      kind                  status
        ("kWh", "1.234", 1_234_000, UsageKind.ENERGY, Reason.OK),
        ("KWH", "1.234567", 1_234_567, UsageKind.ENERGY, Reason.OK),
        ("kwh", "1.2345678", 0, UsageKind.ENERGY, Reason.QUANTITY_OUT_OF_RANGE),
        ("kWh", "1.2345670", 1_234_567, UsageKind.ENERGY, Reason.OK),
        ("WH", "7", 7_000, UsageKind.ENERGY, Reason.OK),
        ("Wh", ".5", 500, UsageKind.ENERGY, Reason.OK),
        ("Wh", "5.", 5_000, UsageKind.ENERGY, Reason.OK),
        ("Wh", "0.0001", 0, UsageKind.ENERGY, Reason.QUANTITY_OUT_OF_RANGE),
        ("MWh", "0.000000001", 1, UsageKind.ENERGY, Reason.OK),
        ("kWh", "00000000000000000000000000001", 1_000_000, UsageKind.ENERGY, Reason.OK),
        ("kWh", "99999999999999999999", 0, UsageKind.ENERGY, Reason.QUANTITY_OUT_OF_RANGE),
        ("Wh", f"{VALUE_MAX // 1000}", VALUE_MAX // 1000 * 1000, UsageKind.ENERGY, Reason.OK),
        ("Wh", f"{VALUE_MAX // 1000 + 1}", 0, UsageKind.ENERGY, Reason.QUANTITY_OUT_OF_RANGE),
        ("kWh", "-0.5", -500_000, UsageKind.ENERGY, Reason.NEGATIVE_QUANTITY),
        ("kWh", "-0.00", 0, UsageKind.ENERGY, Reason.OK),
        ("kWh", "-0.0000001", 0, UsageKind.ENERGY, Reason.NEGATIVE_QUANTITY),
        ("kVArh", "2", 2_000_000, UsageKind.REACTIVE, Reason.OK),
        ("m3", "0.25", 250_000, UsageKind.LIQUID, Reason.OK),
        ("kW", "2", 0, UsageKind.ENERGY, Reason.UNIT_NOT_BILLABLE),
        ("", "2", 0, UsageKind.ENERGY, Reason.UNIT_NOT_BILLABLE),
    ],
)
def test_values_become_base_units_exactly_or_not_at_all(unit: str, value: str, base_units: int, kind: int, status: int) -> None:
    days = read(channel(unit=unit), day(with_first(value)))
    assert (int(days.values[0]), int(days.kind[0]), int(days.status[0])) == (base_units, kind, status)
    assert int(days.quantity[0]) == int(days.values.sum())


@pytest.mark.parametrize(
    ("suffix", "quality", "value", "status"),
    [
        # suffix quality value   the smallest reason that applies
        ("E1", "A,,", "1", Reason.OK),
        ("E2", "E52,,", "1", Reason.OK),
        ("B1", "A,,", "1", Reason.UNBILLED_CHANNEL),
        ("Q1", "A,,", "1", Reason.UNBILLED_CHANNEL),
        ("E1", "N,,", "1", Reason.NULL_QUALITY),
        ("B1", "N,,", "1", Reason.UNBILLED_CHANNEL),
        ("B1", "N,,", "-1", Reason.NEGATIVE_QUANTITY),
        ("B1", "A,,", "0.0000001", Reason.QUANTITY_OUT_OF_RANGE),
    ],
)
def test_the_smallest_reason_that_applies_is_given(suffix: str, quality: str, value: str, status: int) -> None:
    assert read(channel(suffix=suffix), day(with_first(value), quality)).status.tolist() == [status]


@pytest.mark.parametrize(
    ("runs", "worst", "text", "status"),
    [
        # 400 records                            worst                        text                    status
        (["1,48,A,,"], Quality.ACTUAL, "A", Reason.OK),
        (["1,20,A,,", "21,48,A,,"], Quality.ACTUAL, "A", Reason.OK),
        (["1,20,A,,", "21,48,S14,76,Comms"], Quality.SUBSTITUTED, "1-20:A;21-48:S14:76:Comms", Reason.OK),
        (["1,20,F14,1,", "21,21,E52", "22,48,A"], Quality.ESTIMATED, "1-20:F14:1;21-21:E52;22-48:A", Reason.OK),
        (["1,47,A,,", "48,48,N,,"], Quality.NULL, "1-47:A;48-48:N", Reason.NULL_QUALITY),
        (["1,2,A,,", "3,3,A,,", "4,48,F,,x;y"], Quality.FINAL_SUBSTITUTED, "1-3:A;4-48:F::x,y", Reason.OK),
        (['1,2,A,,"a, ""b"""', "3,48,A"], Quality.ACTUAL, '1-2:A::a, "b";3-48:A', Reason.OK),
    ],
)
def test_runs_override_the_day(runs: list[str], worst: int, text: str, status: int) -> None:
    days = read(channel(), day(quality="V,,"), *(f"400,{run}" for run in runs), "500,N,,20240116000000,1")
    assert days.quality.tolist() == [worst]
    assert days.quality_text.to_pylist() == [text]
    assert days.status.tolist() == [status]


def test_an_empty_value_is_allowed_only_where_the_quality_is_null() -> None:
    nothing = with_first("")
    assert read(channel(), day(nothing, "N,,")).quantity.tolist() == [47_000_000]
    assert read(channel(), day(nothing, "V,,"), "400,1,1,N,,", "400,2,48,A,,").status.tolist() == [Reason.NULL_QUALITY]
    assert "line 3: value 1 is empty though its quality is not N" in refusal(channel(), day(nothing))
    assert "value 1 is empty" in refusal(channel(), day(nothing, "V,,"), "400,1,1,A,,", "400,2,48,N,,")


def test_identity_is_metering_point_suffix_and_date() -> None:
    days = read(channel(), day(), channel(suffix="E2"), day(), channel(nmi="nem1200001"), day(updated=""), tenant="north")
    words = [
        tenant_seed("north"),
        UsageKind.ENERGY,
        *text_words(b"NEM1200001"),
        *text_words(b"E1"),
        date(2024, 1, 15).toordinal(),
    ]
    ids = list(zip(days.record_hi.tolist(), days.record_lo.tolist(), strict=True))
    assert ids[0] == record_id_of(words)
    assert ids[0] == ids[2], "capitals, meter and update time are no part of it"
    assert ids[0] != ids[1]
    assert read(channel(), day(), tenant="south").record_hi[0] != days.record_hi[0]
    assert read(channel(unit="KW"), day(), tenant="north").record_hi[0] == days.record_hi[0], "sent again with the unit corrected"


def content(lines: list[str]) -> int:
    return int(read(*lines).content_hash[0])


def test_content_is_what_the_day_says() -> None:
    plain = content([channel(), day()])
    same = {
        "elsewhere in the file": [channel(serial="M2"), day()],
        "other unit, same energy": [channel(unit="Wh"), day(",".join(["1000"] * 48))],
        "other writing": [channel(), day(",".join(["1.000"] * 48))],
        "V, all actual": [channel(), day(quality="V,,"), "400,1,9,A,,", "400,10,48,A,,"],
    }
    for what, lines in same.items():
        assert content(lines) == plain, what
    other = {
        "a value": [channel(), day(with_first("1.000001"))],
        "quality": [channel(), day(quality="E,,")],
        "method": [channel(), day(quality="A11,,")],
        "reason code": [channel(), day(quality="A,1,")],
        "reason text": [channel(), day(quality="A,,1")],
        "update time": [channel(), day(updated="20240116000001")],
        "no update time": [channel(), day(updated="")],
        "unknown unit": [channel(unit="kVA"), day()],
        "unknown unit, other value": [channel(unit="kVA"), day(with_first("2"))],
        "too many decimals": [channel(), day(with_first("0.0000001"))],
        "other too many decimals": [channel(), day(with_first("0.0000002"))],
        "step": [channel(minutes="60"), day(",".join(["1"] * 24))],
        "runs": [channel(), day(quality="V,,"), "400,1,9,A,,", "400,10,48,E,,"],
        "runs, other border": [channel(), day(quality="V,,"), "400,1,8,A,,", "400,9,48,E,,"],
    }
    hashes = [content(lines) for lines in other.values()]
    assert len({plain, *hashes}) == len(other) + 1


def test_times_are_utc_plus_ten() -> None:
    row = to_table(read(channel(), day(updated="20240116093000"))).to_pylist()[0]
    assert row["day_on"] == date(2024, 1, 15)
    assert row["start_at"] == datetime(2024, 1, 14, 14, tzinfo=UTC)
    assert row["updated_at"] == datetime(2024, 1, 15, 23, 30, tzinfo=UTC)
    assert row["values"] == [1_000_000] * 48
    assert read(channel(), day(updated="")).updated_at.tolist() == [0]


def test_all_dates_of_the_calendar() -> None:
    at = np.arange(np.datetime64("1990-01-01"), np.datetime64("2100-01-01"))
    texts = np.datetime_as_string(at)
    days = read(channel(minutes="60"), *(day(",".join("0" * 24), on=one.replace("-", "")) for one in texts.tolist()))
    assert (days.day_on == at.astype(np.int64)).all()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spans_are_bytes_of_the_file(end: str) -> None:
    lines = [channel(), day(quality="V,,"), "400,1,9,A,,", "400,10,48,E,,", "500,N,,,", day(on="20240116")]
    text = end.join([HEADER, *lines, "900"]).encode()
    for prefix in (b"", b"\xef\xbb\xbf"):
        days = read_nem12(prefix + text, file_name="f.csv", tenant="north")
        spans = [(prefix + text)[at : at + size] for at, size in zip(days.source_offset, days.source_length, strict=True)]
        assert spans == [end.join(lines[1:4]).encode(), lines[5].encode()]


@pytest.mark.parametrize("tail", ["900", "900\r\n", "900\n\n\r\n\n"])
def test_blank_lines_may_follow_the_end(tail: str) -> None:
    text = "\n".join([HEADER, channel(), day(), tail]).encode()
    assert len(read_nem12(text, file_name="f.csv", tenant="north")) == 1


def test_channels_repeat_and_days_follow_the_last_one() -> None:
    days = read(channel(), day(), channel(suffix="B1", serial="M2"), day(), channel(), day(on="20240116"))
    assert days.channel.to_pylist() == ["E1", "B1", "E1"]
    assert days.meter_serial.to_pylist() == ["M1", "M2", "M1"]
    assert days.first_value.tolist() == [0, 48, 96]


def test_trailing_fields_may_be_missing() -> None:
    days = read("200,NEM1200001,E1,1,E1,N1,M1,kWh,30", f"300,20240115,{ONES},A", f"300,20240116,{ONES},V", "400,1,48,S14")
    assert days.quality_text.to_pylist() == ["A", "S14"]


def test_faults_are_all_told_up_to_a_limit() -> None:
    told = refusal(channel(), *[day(with_first("x"), on="20240230"), day(with_first("x"))] * 15).split("\n")
    assert told[0] == "f.csv, line 3: the interval date is no calendar date, was '20240230', must be YYYYMMDD"
    assert told[1] == "f.csv, line 4: value 1 is no number, was 'x', must be digits with at most one decimal point"
    assert len(told) == 21
    assert told[-1] == "f.csv: 10 more faults are not shown"


def test_a_file_of_too_many_lines_is_refused_before_it_takes_memory() -> None:
    with pytest.raises(RefusedFileError, match=r"f.csv: is too large, was 5000001 lines, must be at most 5000000 lines"):
        read_nem12(b"\n" * (LINES_MAX + 1), file_name="f.csv", tenant="north")
