"""NEM12 files of the generated meters: blocks of points, one of them zipped, a file of revisions, and one to be refused."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from meterline.demo.expectations import BILLED, DUPLICATE, SUPERSEDED, FileAccount, counted
from meterline.demo.meters import GENERATION_EVERY, MILLIWH_PER_WH, MIXED, NULL, REVISED, SLOTS, TWICE, MeterMonth
from meterline.demo.seeded import I64
from schemas.reasons import Reason

BLOCKS = 4
UNKNOWN_POINT = "NEM1299999"
_FOOTER = "900"
_ZIP_MOMENT = (2000, 1, 1, 0, 0, 0)  # archives carry a stamp; it must not be the clock's


@dataclass(frozen=True, slots=True)
class _Block:
    """One file: its lines and where each of its days ends up. `twice` is the index of a place that depends on the other copy."""

    name: str
    lines: list[str]
    places: list[str]
    twice: int = -1


@dataclass(frozen=True, slots=True)
class MeterFiles:
    """What was written: accounts of collected files, the refused ones, and the energy in them that is not billed, by place."""

    accounts: list[FileAccount]
    refused: list[str]
    unbilled_energy_milliwh: dict[str, int]


def write_meter_files(inbox: Path, month: MeterMonth) -> MeterFiles:
    """Write the month into the existing folder `inbox`: four blocks of points (the last zipped), revisions, a broken file."""
    base = inbox.parent.parent
    bounds = [len(month.points) * block // BLOCKS for block in range(BLOCKS + 1)]
    blocks = [_block(month, f"meters_{n + 1:04d}", bounds[n], bounds[n + 1]) for n in range(BLOCKS)]
    blocks.append(_revisions(month, f"meters_{BLOCKS + 1:04d}_revisions"))
    hashes: list[bytes] = []
    paths: list[str] = []
    for number, block in enumerate(blocks, 1):
        text = ("\n".join([_header(month), *block.lines, _FOOTER]) + "\n").encode()
        zipped = number == BLOCKS
        path, content = inbox / f"{block.name}.{'zip' if zipped else 'csv'}", _zipped(block, text) if zipped else text
        path.write_bytes(content)
        hashes.append(hashlib.sha256(content).digest())
        paths.append(path.relative_to(base).as_posix())
    _settle_copies(blocks, hashes)
    refused = inbox / f"broken_{BLOCKS + 2:04d}.csv"
    refused.write_bytes(_broken(month).encode())
    accounts = [counted(path, block.places) for path, block in zip(paths, blocks, strict=True)]
    return MeterFiles(accounts, [refused.relative_to(base).as_posix()], _unbilled(month))


def _block(month: MeterMonth, name: str, first: int, end: int) -> _Block:
    """Points `first` to below `end`, each with all its days."""
    lines: list[str] = []
    places: list[str] = []
    twice = -1
    values = _value_texts(month.wh[first:end])
    for point in range(first, end):
        lines.append(_point_line(month, point, "E1"))
        for day, text in enumerate(values[(point - first) * len(month.days) :][: len(month.days)]):
            lines.extend(_day_lines(month.days[day], text, int(month.role[point, day])))
            if month.role[point, day] == TWICE:
                twice = len(places)
            places.append(_place(month, point, day))
        if point % GENERATION_EVERY == 0:
            lines.append(_point_line(month, point, "B1"))
            roof = month.generation_wh[point // GENERATION_EVERY][None]
            for on, text in zip(month.days, _value_texts(roof), strict=True):
                lines.extend(_day_lines(on, text, 0))
                places.append(Reason.UNBILLED_CHANNEL.label)
    return _Block(name, lines, places, twice)


def _place(month: MeterMonth, point: int, day: int) -> str:
    if not month.held[point, day]:
        return Reason.NO_SERVICE_AT_INSTANT.label
    return {REVISED: SUPERSEDED, NULL: Reason.NULL_QUALITY.label}.get(int(month.role[point, day]), BILLED)


def _revisions(month: MeterMonth, name: str) -> _Block:
    """Substituted days as actual ones with a later update time, the day that is sent twice, and a point nobody knows."""
    lines: list[str] = []
    places: list[str] = []
    twice = -1
    for point, day in np.argwhere((month.role == REVISED) | (month.role == TWICE)).tolist():
        again = month.role[point, day] == TWICE
        text = _value_texts((month.wh if again else month.revised_wh)[point : point + 1, day : day + 1])[0]
        lines.append(_point_line(month, point, "E1"))
        lines.append(_day_line(month.days[day], text, "A", days_later=0 if again else 9))
        twice = len(places) if again else twice
        places.append(BILLED)
    lines.append(f"200,{UNKNOWN_POINT},E1,,E1,N1,SN99999,kWh,15,")
    for on, text in zip(month.days[:2], _value_texts(month.wh[:1, :2]), strict=True):
        lines.append(_day_line(on, text, "A"))
        places.append(Reason.UNKNOWN_SERVICE.label)
    return _Block(name, lines, places, twice)


def _settle_copies(blocks: list[_Block], hashes: list[bytes]) -> None:
    """Of the day sent twice the copy in the file with the smaller SHA-256 is the original."""
    holders = sorted((hashes[number], number) for number, block in enumerate(blocks) if block.twice >= 0)
    assert len(holders) == 2
    copy = blocks[holders[1][1]]
    copy.places[copy.twice] = DUPLICATE


def _broken(month: MeterMonth) -> str:
    """A file that is valid until its last day has one value too few; later update times, so that wrongly taken it would show."""
    few = replace(month, role=np.zeros_like(month.role), wh=month.revised_wh * 3)
    lines = [_header(month), _point_line(few, 0, "E1")]
    texts = _value_texts(few.wh[:1, :3])
    lines.extend(_day_line(on, text, "A", days_later=20) for on, text in zip(few.days[:2], texts[:2], strict=True))
    lines.append(_day_line(few.days[2], texts[2].rpartition(",")[0], "A", days_later=20))
    return "\n".join([*lines, _FOOTER]) + "\n"


def _header(month: MeterMonth) -> str:
    created = month.days[-1] + timedelta(days=2)
    return f"100,NEM12,{created:%Y%m%d}0600,DEMOMDP,DEMORET"


def _point_line(month: MeterMonth, point: int, channel: str) -> str:
    streams = "E1B1" if point % GENERATION_EVERY == 0 else "E1"
    return f"200,{month.points[point]},{streams},,{channel},N1,SN{point + 1:05d},kWh,15,"


def _day_lines(on: date, values: str, role: int) -> Iterator[str]:
    """The 300 record of a day with the 400 records that its quality needs."""
    if role == MIXED:
        yield _day_line(on, values, "V")
        yield "400,1,40,A,,"
        yield f"400,41,{SLOTS},S14,32,"
    else:
        yield _day_line(on, values, {REVISED: "S14", NULL: "N"}.get(role, "A"))


def _day_line(on: date, values: str, quality: str, *, days_later: int = 0) -> str:
    updated = on + timedelta(days=1 + days_later)
    return f"300,{on:%Y%m%d},{values},{quality},{32 if quality[0] == 'S' else ''},,{updated:%Y%m%d}031500,"


def _value_texts(wh: I64) -> list[str]:
    """The values of each day as kWh with three decimals, joined by commas; one text per (point, day), points outermost."""
    flat = pl.Series("wh", wh.reshape(-1))
    texts = pl.select((flat // 1000).cast(pl.String) + pl.lit(".") + (flat % 1000).cast(pl.String).str.zfill(3)).to_series()
    joined: list[str] = texts.reshape((flat.len() // SLOTS, SLOTS)).arr.join(",").to_list()
    return joined


def _zipped(block: _Block, text: bytes) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        member = zipfile.ZipInfo(f"{block.name}.csv", _ZIP_MOMENT)
        archive.writestr(member, text, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _unbilled(month: MeterMonth) -> dict[str, int]:
    """Energy (milliwatt-hours) in readable days that are not billed, by place; a null day holds none."""
    sums = {
        SUPERSEDED: month.wh[month.role == REVISED].sum(),
        DUPLICATE: month.wh[month.role == TWICE].sum(),
        Reason.NO_SERVICE_AT_INSTANT.label: month.wh[~month.held].sum(),
        Reason.UNBILLED_CHANNEL.label: month.generation_wh.sum(),
        Reason.UNKNOWN_SERVICE.label: month.wh[0, :2].sum(),
    }
    return {place: int(total) * MILLIWH_PER_WH for place, total in sums.items()}
