"""A wholesale A-Z rate sheet (CSV) as a tariff: a deck for each date on which prices change, and the YAML that names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from rating.importers.deck_codes import code_reader
from rating.importers.deck_table import DeckTable, read_table
from rating.importers.deck_values import (
    CHANGE_OF,
    PRICED,
    change_of,
    date_order,
    date_reader,
    day_after,
    has_decimal_comma,
    included_s,
    increment_ms,
    money_reader,
    parsed,
    seconds_ms,
)
from rating.importers.deck_versions import ALWAYS, boundaries, deck_versions, one_row_each
from rating.importers.deck_writing import deck_files
from rating.importers.findings import Finding, FindingKind, Imported, RowAccount, nothing_imported, settled
from schemas.errors import ConfigurationError, Fault

VERSIONS_MAX = 60
_BANDS = ("price", "peak", "offpeak", "weekend")


@dataclass(frozen=True, slots=True)
class DeckOptions:
    """What a sheet does not say, or may be misread. None is found out from the sheet."""

    tariff_id: str
    name: str = ""
    zone: str = "UTC"
    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    delimiter: str | None = None
    decimal: str | None = None  # comma | point
    dates: str | None = None  # dmy | mdy
    hyphen: str = "auto"  # auto | range | join
    per: str = "60 s"
    increment: str = "1/1"
    effective_from: str | None = None  # of rows without a date
    first_on: str | None = None  # earlier prices are not imported
    last_day_ends: bool = True  # an end date is the last day, not the first one without
    peak: str = "mon-fri 08:00-20:00"
    weekend: str = "sat,sun"
    rounding: str = "none"  # none | mode/decimals
    priced_at: str = "increment_start"


def load_sheet_text(path: Path) -> tuple[str, list[Finding]]:
    """The text of a sheet in UTF-8 or UTF-16, else in Windows-1252, which is said.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    try:
        raw = path.read_bytes()
    except OSError as cause:
        raise ConfigurationError(Fault(str(path), f"the file cannot be read: {cause.strerror}", code="not_readable")) from cause
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", errors="replace"), []
    try:
        return raw.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), [Finding(FindingKind.GUESS, path.name, 0, "read as Windows-1252 text")]


def import_rate_deck(text: str, file: str, options: DeckOptions, said: Sequence[Finding] = ()) -> Imported:
    """The tariff YAML and its decks.

    Args:
        text: the sheet. file: its name, for findings. said: findings of the loader.
    Returns:
        Files `<tariff>.yaml` and `<tariff>_<date>.csv`; every row of the table is represented or named.
    Raises:
        ConfigurationError: no table, no currency, no date, or more dates than versions are made for.
    """
    table = read_table(text, file, options.mapping, options.delimiter)
    findings = [*said, *_guesses(table, file, options), *(_no_row(file, line, "above the table") for line in table.above)]
    frame = pl.DataFrame({**table.columns, "line": table.lines}, {**dict.fromkeys(table.columns, pl.String), "line": pl.Int64})
    account = RowAccount(rows_in=frame.height + len(table.above))
    frame, set_aside = _table_rows(frame, table, file)
    frame, currency, other = _currency(frame, table, file, options)
    frame, refused = _values(frame, file, options)
    entries, more, days = _entries(frame, file, options, {one.line for one in refused if _is_loss(one)})
    versions, hidden, shown = deck_versions(entries, days, file)
    if not versions:
        every = [*findings, *set_aside, *other, *refused, *more, *hidden]
        raise ConfigurationError(nothing_imported(file, "no row has a code and a price that are in force", every))
    findings += [*set_aside, *other, *refused, *more, *hidden]
    account.named = {one.line for one in findings if one.line and one.kind not in (FindingKind.NOTE, FindingKind.GUESS)}
    account.represented = shown - account.named
    return settled(deck_files(versions, currency, options), findings, {file: account})


def _is_loss(one: Finding) -> bool:
    return one.kind is FindingKind.NOT_REPRESENTED


def _no_row(file: str, line: int, what: str) -> Finding:
    return Finding(FindingKind.NO_ROW, file, line, what)


def _guesses(table: DeckTable, file: str, options: DeckOptions) -> list[Finding]:
    """Columns as they were understood, and those that are not used."""
    said = [Finding(FindingKind.GUESS if table.roles.keys() - options.mapping.keys() else FindingKind.NOTE, file,
                    table.header_line, "columns read as", table.guessed, "say otherwise with --map")]  # fmt: skip
    unused = [name.strip() for index, name in enumerate(table.headers) if name.strip() and index not in table.roles.values()]
    if unused:
        said.append(Finding(FindingKind.NOTE, file, table.header_line, "columns not used", ", ".join(unused)))
    if "peak" in table.roles:
        said.append(Finding(FindingKind.GUESS, file, 0, "peak is", options.peak, "say otherwise with --peak"))
    if "weekend" in table.roles:
        said.append(Finding(FindingKind.GUESS, file, 0, "weekend is", options.weekend, "say otherwise with --weekend"))
    if "end" in table.roles:
        which = "the last day" if options.last_day_ends else "the first day without the price"
        said.append(Finding(FindingKind.GUESS, file, 0, "an end date is", which, "say otherwise with --end"))
    if not {"increment", "first_increment", "next_increment"} & table.roles.keys():
        said.append(Finding(FindingKind.GUESS, file, 0, "increments are", options.increment, "say otherwise with --increment"))
    return said


def _table_rows(frame: pl.DataFrame, table: DeckTable, file: str) -> tuple[pl.DataFrame, list[Finding]]:
    """Without repeated headers, totals and notes: rows that have no code, or no price where a total or a note may stand."""
    code, country = pl.col("prefix"), pl.col("country_code") if "country_code" in frame.columns else pl.lit("")
    head = table.headers[table.roles["prefix"]].strip().lower()
    words = code.str.contains(r"^\D*[A-Za-z]{2}\D*$")
    total = pl.any_horizontal(
        pl.col(*[name for name in frame.columns if name != "line"]).str.contains(r"(?i)^\W*(grand |sub)?-?total")
    )
    no_code = (code == "") & (country == "")
    repeated = (code.str.to_lowercase() == head) & (head != "")
    no_row = repeated | ((no_code | words) & (total | (pl.col("price") == ""))) | (total & (no_code | (pl.col("price") == "")))
    found = frame.filter(no_row)["line"].to_list()
    return frame.filter(~no_row), [_no_row(file, line, "a header, total or note in the table") for line in found]


def _currency(frame: pl.DataFrame, table: DeckTable, file: str, options: DeckOptions) -> tuple[pl.DataFrame, str, list[Finding]]:
    """Rows of one currency; rows in another are named, since a tariff has one."""
    if "currency" not in frame.columns:
        header = " ".join(table.headers[table.roles[name]] for name in _BANDS if name in table.roles)
        named = re.search(r"(?<![A-Za-z])(USD|EUR|GBP|CHF|AUD|CAD|CNY|JPY|SEK|NOK|DKK|PLN|INR|BRL|ZAR)(?![A-Za-z])", header)
        if options.currency:
            return frame, options.currency, []
        if named:
            said = Finding(
                FindingKind.GUESS, file, table.header_line, "the currency is", named[1], "say otherwise with --currency"
            )
            return frame, named[1], [said]
        raise ConfigurationError(
            Fault(file, "no column for the currency", next_step="say it: --currency EUR", code="no_currency")
        )
    codes = frame["currency"].str.to_uppercase()
    counts = codes.filter(codes.str.contains(r"^[A-Z]{3}$")).value_counts(sort=True, name="n")
    currency = options.currency or (counts["currency"][0] if len(counts) else None)
    if not currency:
        raise ConfigurationError(Fault(file, "no currency in its column", next_step="say it: --currency EUR", code="no_currency"))
    ours = (codes == currency) | (codes == "")
    what = f"another currency than {currency}"
    step = "import the sheet again with --currency for the others"
    other = [
        Finding(FindingKind.NOT_REPRESENTED, file, line, what, code, step)
        for line, code in frame.filter(~ours).select("line", "currency").iter_rows()
    ]
    return frame.filter(ours), currency, other


def _values(frame: pl.DataFrame, file: str, options: DeckOptions) -> tuple[pl.DataFrame, list[Finding]]:
    """Every cell as a value; columns that the sheet lacks get what the options say."""
    findings: list[Finding] = []
    money = [name for name in (*_BANDS, "connect_fee") if name in frame.columns]
    prices = [text for name in money for text in frame[name].unique().to_list()]
    comma, sure = has_decimal_comma(prices)
    comma = options.decimal == "comma" if options.decimal else comma
    if comma and not sure and not options.decimal:
        findings.append(
            Finding(FindingKind.GUESS, file, 0, "the comma is", "the decimal sign", "say otherwise with --decimal point")
        )
    dates = [name for name in ("effective", "end") if name in frame.columns]
    order, clear = date_order([text for name in dates for text in frame[name].unique().to_list()])
    if dates and not clear and not options.dates:
        findings.append(Finding(FindingKind.GUESS, file, 0, "dates are day first", order, "say otherwise with --dates mdy"))
    behind = "country_code" in frame.columns
    country = pl.col("country_code") if behind else pl.lit("")
    frame = frame.with_columns(pl.concat_str(country, pl.lit("|"), "prefix").alias("prefix"))
    text, steps, number = pl.String(), pl.List(pl.Int64), pl.Int64()
    readers: dict[str, tuple[Callable[[str], object], pl.DataType]] = {
        "prefix": (code_reader(options.hyphen, behind), pl.List(pl.String)),
        **{name: (money_reader(comma), number) for name in money},
        **{name: (date_reader(options.dates or order), text) for name in dates},
        "increment": (lambda cell: increment_ms(cell or options.increment), steps),
        "first_increment": (lambda cell: seconds_ms(cell) if cell else None, number),
        "next_increment": (lambda cell: seconds_ms(cell) if cell else None, number),
        "included": (included_s, number),
    }
    if "change" in frame.columns:
        findings += _remarks(frame, file)
        readers["change"] = (change_of, text)
    for name, (read, dtype) in readers.items():
        if name in frame.columns:
            frame, refused = parsed(frame, name, file, read, dtype)
            findings += refused
    return frame, findings


def _remarks(frame: pl.DataFrame, file: str) -> list[Finding]:
    """Words in the column of changes that are no known change: kept as a note, since one of them may matter."""
    bare = pl.col("change").str.to_lowercase().str.replace_all(r"[^a-z]", "")
    odd = frame.filter(~bare.is_in(list(CHANGE_OF))).select("line", "change")
    return [Finding(FindingKind.NOTE, file, line, "a remark taken as no change", repr(text)) for line, text in odd.iter_rows()]


def _entries(
    frame: pl.DataFrame, file: str, options: DeckOptions, refused: set[int]
) -> tuple[pl.DataFrame, list[Finding], list[str]]:
    """One row for each (prefix, date), and the days on which versions start."""
    columns = set(frame.columns)
    empty = pl.lit(None, dtype=pl.Int64)
    have = {name: pl.col(name).cast(pl.Int64) if name in columns else empty for name in (*_BANDS, "connect_fee")}
    default = increment_ms(options.increment)
    packed = "increment" in columns
    first = pl.col("increment").list.get(0) if packed else pl.lit(default[0], dtype=pl.Int64)
    step = pl.col("increment").list.get(1) if packed else pl.lit(default[1], dtype=pl.Int64)
    own_first = pl.col("first_increment") if "first_increment" in columns else empty
    own_step = pl.col("next_increment") if "next_increment" in columns else empty
    text = pl.lit(None, dtype=pl.String)
    rows = frame.filter(~pl.col("line").is_in(sorted(refused))).select(
        "line",
        pl.col("prefix"),
        (pl.col("name") if "name" in columns else pl.lit("")).alias("name"),
        (pl.col("change") if "change" in columns else pl.lit(PRICED)).alias("change"),
        pl.coalesce(have["offpeak"], have["price"]).alias("price"),
        have["peak"].alias("peak"),
        have["weekend"].alias("weekend"),
        have["connect_fee"].fill_null(0).alias("connect_fee"),
        pl.coalesce(own_first, own_step, first).cast(pl.Int64).alias("first_ms"),
        pl.coalesce(own_step, step).cast(pl.Int64).alias("step_ms"),
        (pl.col("effective") if "effective" in columns else text).cast(pl.String).alias("effective"),
        (pl.col("end") if "end" in columns else text).cast(pl.String).alias("end"),
    )
    unpriced = rows.filter((pl.col("change") == PRICED) & pl.col("price").is_null())
    findings = [
        Finding(
            FindingKind.NOT_REPRESENTED,
            file,
            line,
            "no price",
            next_step="a code without a price has none: delete it or price it",
        )
        for line in unpriced["line"].to_list()
    ]
    rows = rows.filter((pl.col("change") != PRICED) | pl.col("price").is_not_null())
    if options.last_day_ends:
        ends = {day: day_after(day) for day in rows["end"].drop_nulls().unique().to_list()}
        rows = rows.with_columns(pl.col("end").replace(ends))
    first_on, rows = _first_day(rows, file, options)
    entries = rows.explode("prefix").with_row_index("entry")
    entries, again = one_row_each(entries, file)
    days = boundaries(entries, first_on)
    if len(days) > VERSIONS_MAX:
        raise ConfigurationError(_too_many(file, days))
    return entries, [*findings, *again], days


def _first_day(rows: pl.DataFrame, file: str, options: DeckOptions) -> tuple[str, pl.DataFrame]:
    """Where the first version starts; rows without a date hold from there on."""
    dated = rows["effective"].drop_nulls()
    first_on = options.first_on or options.effective_from or (dated.min() if len(dated) else None)
    if not isinstance(first_on, str):
        raise ConfigurationError(
            Fault(file, "no effective date", next_step="say it: --effective-from YYYY-MM-DD", code="no_date")
        )
    if not options.first_on and len(dated):
        first_on = min(first_on, str(dated.min()))
    return first_on, rows.with_columns(pl.col("effective").fill_null(options.effective_from or ALWAYS))


def _too_many(file: str, days: list[str]) -> Fault:
    return Fault(
        file,
        "too many dates on which prices change",
        f"{len(days)} from {days[0]} to {days[-1]}",
        f"at most {VERSIONS_MAX}",
        f"import what is still to come: --from {days[-2]}",
        "too_many_versions",
    )


def tariff_id_of(stem: str) -> str:
    """A tariff id out of a file's name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("_")[:64] or "imported"
