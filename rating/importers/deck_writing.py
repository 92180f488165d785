"""The files of an imported rate sheet: a deck for each version, and the tariff that names them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import polars as pl

from rating.importers.deck_versions import DeckVersion
from rating.importers.yaml_text import yaml_text
from rating.language.written_values import DAY_NAMES
from schemas.errors import ConfigurationError, Fault
from schemas.money import NANO

if TYPE_CHECKING:
    from rating.importers.rate_deck import DeckOptions

_DAYS = list(DAY_NAMES)
_BANDS = {"peak": 10, "weekend": 20}  # column and window -> weight over the price without a window


def deck_files(versions: list[DeckVersion], currency: str, options: DeckOptions) -> dict[str, str]:
    """File name -> text."""
    bands = [band for band in _BANDS if any(version.rows[band].is_not_null().any() for version in versions)]
    windows = {band: window_of(getattr(options, band), f"--{band}") for band in bands}
    files: dict[str, str] = {}
    written = []
    for version in versions:
        name = f"{options.tariff_id}_{version.from_on}.csv"
        files[name] = deck_text(version.rows, bands)
        written.append(_version(version, name, bands, windows, options))
    top = {
        "tariff": options.tariff_id,
        "name": options.name or options.tariff_id,
        "currency": currency,
        "zone": options.zone,
        "service": "telecom",
        "versions": written,
    }
    return {f"{options.tariff_id}.yaml": yaml_text(top), **files}


def _version(
    version: DeckVersion, file: str, bands: list[str], windows: dict[str, dict[str, object]], options: DeckOptions
) -> dict[str, object]:
    found: dict[str, object] = {"version": version.from_on, "effective_from": version.from_on}
    if version.to_on:
        found["effective_to"] = version.to_on
    found["rounding"] = rounding_of(options.rounding)
    if options.priced_at != "increment_start":
        found["priced_at"] = options.priced_at
    if bands:
        found["windows"] = windows
    columns = {
        "connect_fee": "connect_fee",
        "first_increment": {"column": "first_increment_s", "unit": "s"},
        "increment": {"column": "increment_s", "unit": "s"},
    }
    prices = {"world": "price", **{f"world_{band}": f"{band}_price" for band in bands}}
    found["destinations"] = {
        to: {"deck": {"file": file, "prefix": "prefix", "price": column, "per": options.per, **columns}}
        for to, column in prices.items()
    }
    rules: list[dict[str, object]] = [{"kind": "voice", "destination": "world", "item": "Calls"}]
    for band in bands:
        rules.append(
            {"kind": "voice", "destination": f"world_{band}", "window": band, "weight": _BANDS[band], "item": f"Calls, {band}"}
        )
    found["rules"] = rules
    return found


def rounding_of(text: str) -> dict[str, object]:
    """`none`, or mode/decimals such as `up/4`.

    Raises:
        ConfigurationError: anything else.
    """
    match = re.fullmatch(r"(up|down|half_up|half_even)/([0-9])", text)
    if match:
        return {"scope": "record", "mode": match[1], "decimals": int(match[2])}
    if text != "none":
        raise ConfigurationError(Fault("--rounding", "not a rounding", repr(text), "none or mode/decimals such as up/4"))
    return {"scope": "record", "mode": "none"}


def window_of(text: str, where: str) -> dict[str, object]:
    """`mon-fri 08:00-20:00`, `sat,sun`, `22:00-06:00` as a window.

    Raises:
        ConfigurationError: the text is none of these.
    """
    found: dict[str, object] = {}
    for part in text.lower().split():
        clock = re.fullmatch(r"([0-9]{2}:[0-9]{2})-([0-9]{2}:[0-9]{2})", part)
        if clock:
            found |= {"start": clock[1], "end": clock[2]}
            continue
        days: list[str] = []
        for piece in part.split(","):
            low, _, high = piece.partition("-")
            if low not in _DAYS or (high or low) not in _DAYS:
                must_be = "such as 'mon-fri 08:00-20:00' or 'sat,sun'"
                raise ConfigurationError(Fault(where, "not a time span", repr(text), must_be, code="bad_window"))
            start, end = _DAYS.index(low), _DAYS.index(high or low)
            days += _DAYS[start : end + 1] if start <= end else [*_DAYS[start:], *_DAYS[: end + 1]]
        found["weekdays"] = [day for day in _DAYS if day in days]
    return dict(sorted(found.items(), key=lambda item: ("weekdays", "start", "end").index(item[0])))


def deck_text(rows: pl.DataFrame, bands: list[str]) -> str:
    """The CSV of one version: a row for each prefix, in order."""
    named = pl.col("name").str.replace_all(r"[\s\p{C}]+", " ").str.strip_chars().str.replace_all('"', '""')
    cells = [
        pl.col("prefix"),
        pl.when(named.str.contains(r'[,"]')).then(pl.concat_str(pl.lit('"'), named, pl.lit('"'))).otherwise(named),
        _amount("price"),
        *(_amount_or(band, "price") for band in bands),
        _amount("connect_fee"),
        _seconds("first_ms"),
        _seconds("step_ms"),
    ]
    header = [
        "prefix",
        "destination",
        "price",
        *(f"{band}_price" for band in bands),
        "connect_fee",
        "first_increment_s",
        "increment_s",
    ]
    lines = rows.select(pl.concat_str(cells, separator=",").alias("line"))["line"].to_list()
    return "\n".join([",".join(header), *lines]) + "\n"


def _amount_or(column: str, other: str) -> pl.Expr:
    return pl.when(pl.col(column).is_null()).then(_amount(other)).otherwise(_amount(column))


def _amount(column: str) -> pl.Expr:
    """Nano-units as an exact decimal with at least two decimals."""
    digits = (pl.col(column) % NANO).cast(pl.String).str.zfill(9).str.strip_chars_end("0")
    padded = pl.when(digits.str.len_bytes() < 2).then(digits.str.pad_end(2, "0")).otherwise(digits)
    return pl.concat_str((pl.col(column) // NANO).cast(pl.String), pl.lit("."), padded)


def _seconds(column: str) -> pl.Expr:
    rest = (pl.col(column) % 1_000).cast(pl.String).str.zfill(3).str.strip_chars_end("0")
    whole = (pl.col(column) // 1_000).cast(pl.String)
    return pl.when(rest == "").then(whole).otherwise(pl.concat_str(whole, pl.lit("."), rest))
